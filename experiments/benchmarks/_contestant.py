"""Our side of the training cases: what a config describes, timed as a run plays it."""

import shutil
import sys
from collections.abc import Callable, Mapping
from typing import Any

import jax
import numpy as np

from gan_jax import config as configs
from gan_jax import experiment, programs
from gan_jax.data import Dataset
from gan_jax.data.dataset import finite
from gan_jax.training import TrainState

Call = Callable[[], None]


class Contestant:
    """A run without files. Each call plays the next ``steps`` steps in one program: batches drawn, all metrics computed."""

    def __init__(self, config: Any, steps: int, dataset: Dataset | None = None, **fields: Any) -> None:
        self.config = {**configs.to_dict(config), **fields}
        self.steps, self.done = steps, 0
        self.experiment = experiment.build(self.config, dataset)
        self.program = programs.Alone(self.config, self.experiment)
        self.state: TrainState = self.program.init()

    def __call__(self) -> None:
        for chunk in self.experiment.chunks(self.done, self.done + self.steps, self.steps):
            self.state, metrics = self.program(chunk, self.state, self.program.batch(chunk))
        self.done += self.steps
        jax.block_until_ready((self.state, metrics))


def images(side: int, channels: int = 3, count: int = 2048) -> Dataset:
    """Noise as uint8 images: what they show changes no timing."""
    shape = (count, side, side, channels)
    return finite(np.random.default_rng(0).integers(0, 256, shape, dtype=np.uint8))


def opponents(make: Callable[[Any], Mapping[str, Call]]) -> Mapping[str, Call]:
    """``make(module _opponents)``, or nothing and a line that says why where PyTorch is missing."""
    try:
        import _opponents
    except ModuleNotFoundError as error:
        if error.name != "torch":
            raise
        print("without PyTorch there is no one to race against: pip install -e '.[oracles]'", file=sys.stderr)
        return {}
    return make(_opponents)


def has_compiler() -> bool:
    """Whether ``torch.compile`` finds the C++ compiler that it needs."""
    return shutil.which("g++") is not None or shutil.which("clang++") is not None
