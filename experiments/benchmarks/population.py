"""Many ring GANs as one program, next to the same runs one after another.

Another peer is the same program on one device.

gan_jax's side is a process of its own, set up as the commands are: each core of a CPU is a device,
and the members are split over the devices. Members differ in their seeds. Times are per step and
member; of the runs one after another, at most four are timed, and count for all. Batch 64, for
which a step is small, and 512, as in configs/ring.py.
"""

import time
from collections.abc import Callable, Iterator
from pathlib import Path

from _sides import PopulationRun, TrainingRun, WorkerProcess

from gan_jax.benchmarking import Comparison, SelfTimed
from gan_jax.experiment.config_files import load_settings

PACKAGES = ("flax", "optax")
CONFIG = f"{Path(__file__).resolve().parents[2] / 'configs' / 'ring.py'}:non_saturating"
MAX_TIMED_RUNS = 4


def one_after_another(runs: list[TrainingRun], size: int) -> Callable[[], SelfTimed]:
    """Returns a call that measures the time of ``size`` runs by that of a few."""

    def call() -> SelfTimed:
        start = time.perf_counter()
        for run in runs:
            run()
        return SelfTimed((time.perf_counter() - start) * size / len(runs))

    return call


def comparisons(small: bool = False) -> Iterator[Comparison]:
    """Yields populations of 1, 8, 32 and 128; ``small`` for a quick look."""
    settings = load_settings(CONFIG)
    sizes = ((1, 8), (4, 8)) if small else ((1, 64), (8, 64), (32, 64), (128, 64), (8, 512))
    steps = 2 if small else 20
    for size, batch_size in sizes:
        single_runs = [
            TrainingRun(settings, steps, batch_size=batch_size, seed=seed)
            for seed in range(min(size, MAX_TIMED_RUNS))
        ]
        peers = {"one after another": one_after_another(single_runs, size)}
        if size > 1:
            peers["one device"] = PopulationRun(settings, size, steps, batch_size=batch_size)
        ours = WorkerProcess("_population_worker.py", size, batch_size, steps)
        yield Comparison(
            f"{size} ring GANs, batch {batch_size}",
            ours=ours,
            peers=peers,
            steps=steps * size,
            max_rounds=9,
        )
        ours.close()
