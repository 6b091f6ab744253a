"""What evaluation costs: the ring's runs with their metrics, next to the same runs without.

Both are whole runs of configs/ring.py:vanilla, which evaluates every 1,000 steps; they save and
draw at the same steps. The time is that from the first row of metrics to the last, so that neither
the start nor compilation counts. The ratio is 1 if evaluation costs nothing.
"""

import dataclasses
import tempfile
import time
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path

from gan_jax.benchmarking import Comparison, SelfTimed
from gan_jax.experiment.config_files import load_settings
from gan_jax.experiment.settings import Settings
from gan_jax.experiment.training_loop import run as train

PACKAGES = ("flax", "optax")
CONFIG = Path(__file__).resolve().parents[2] / "configs" / "ring.py"
INTERVALS = (
    "steps_per_call",
    "log_every",
    "evaluate_every",
    "checkpoint_every",
    "sample_every",
)


def timed(settings: Settings) -> Callable[[], SelfTimed]:
    """Returns a call that trains a new run, and returns the seconds after its first row."""

    def call() -> SelfTimed:
        times: list[float] = []

        def note(step: int, metrics: Mapping[str, float]) -> None:
            times.append(time.perf_counter())

        with tempfile.TemporaryDirectory() as folder:
            train(settings, f"{folder}/run", on_step=note)
        return SelfTimed(times[-1] - times[0])

    return call


def comparisons(small: bool = False) -> Iterator[Comparison]:
    """Yields the ring; ``small``: 30 steps of a small batch."""
    settings = dataclasses.replace(load_settings(f"{CONFIG}:vanilla"), steps=5_000)
    if small:
        intervals = dict.fromkeys(INTERVALS, 10)
        settings = dataclasses.replace(settings, steps=30, batch_size=16, **intervals)
    yield Comparison(
        f"the ring, evaluated every {settings.evaluate_every} steps",
        ours=timed(settings),
        peers={"not evaluated": timed(dataclasses.replace(settings, metrics=()))},
        goal=0.95,
        steps=settings.steps - settings.log_every,
        max_rounds=9,
    )
