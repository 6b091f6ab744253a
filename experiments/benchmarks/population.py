"""Many ring GANs as one program, beside the same runs one after another, and beside that program on one device.

Ours is a process of its own, set up as the commands are: each core of a CPU is a device, and the members are spread over
them. Members differ in their seed. Times are those of one step of one member; of the runs one after another at most
four are played, and count for all. Batch 64, where a step is small, and 512, that of configs/ring.py.
"""

import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import jax
from _contestant import Contestant, Elsewhere

from gan_jax.benchmarking import Contest, Seconds
from gan_jax.experiment import builder, executors, population
from gan_jax.experiment import config as configs

PACKAGES = ("flax", "optax")
CONFIG = f"{Path(__file__).resolve().parents[2] / 'configs' / 'ring.py'}:non_saturating"
PLAYED = 4


class Members:
    """A population without files. Each call plays the next ``steps`` steps of all members in one program."""

    def __init__(self, config: Any, size: int, steps: int, **fields: Any) -> None:
        config = {**configs.to_dict(config), **fields, "population": {"seed": tuple(range(size))}}
        members = population.members(config)
        self.steps, self.done = steps, 0
        self.experiment = builder.build(members[0])
        self.program = executors.PopulationRun(config, self.experiment, members)
        self.state = self.program.init()

    def __call__(self) -> None:
        for chunk in self.experiment.chunks(self.done, self.done + self.steps, self.steps):
            self.state, metrics = self.program(chunk, self.state, self.program.batch(chunk))
        self.done += self.steps
        jax.block_until_ready((self.state, metrics))


def one_after_another(runs: list[Contestant], size: int) -> Callable[[], Seconds]:
    """The time of ``size`` runs, from that of a few."""

    def call() -> Seconds:
        start = time.perf_counter()
        for run in runs:
            run()
        return Seconds((time.perf_counter() - start) * size / len(runs))

    return call


def contests(small: bool = False) -> Iterator[Contest]:
    """Populations of 1, 8, 32 and 128; ``small`` for a quick look."""
    config = configs.load(CONFIG)
    sizes = ((1, 8), (4, 8)) if small else ((1, 64), (8, 64), (32, 64), (128, 64), (8, 512))
    for size, batch in sizes:
        steps = 2 if small else 20
        ours = Elsewhere("_members.py", size, batch, steps)
        alone = [
            Contestant(config, steps, batch_size=batch, seed=seed)
            for seed in range(min(size, PLAYED))
        ]
        peers = {"one after another": one_after_another(alone, size)}
        if size > 1:
            peers["one device"] = Members(config, size, steps, batch_size=batch)
        yield Contest(f"{size} ring GANs, batch {batch}", ours, peers, steps=steps * size, most=9)
        ours.close()
