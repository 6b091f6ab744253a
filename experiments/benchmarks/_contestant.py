"""Our side of the training cases: what a config describes, timed as a run plays it."""

import json
import os
import shutil
import subprocess
import sys
import time
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import jax
import numpy as np

from gan_jax.benchmarking import Seconds
from gan_jax.data import Dataset
from gan_jax.data.dataset import finite
from gan_jax.experiment import builder, executors
from gan_jax.experiment import config as configs
from gan_jax.training import TrainState

Call = Callable[[], None]


class Contestant:
    """A run without files. Each call plays the next ``steps`` steps in one program: batches drawn, all metrics computed."""

    def __init__(
        self, config: Any, steps: int, dataset: Dataset | None = None, **fields: Any
    ) -> None:
        self.config = {**configs.to_dict(config), **fields}
        self.steps, self.done = steps, 0
        self.experiment = builder.build(self.config, dataset)
        self.program = executors.SingleRun(self.config, self.experiment)
        self.state: TrainState = self.program.init()

    def __call__(self) -> None:
        for chunk in self.experiment.chunks(self.done, self.done + self.steps, self.steps):
            self.state, metrics = self.program(chunk, self.state, self.program.batch(chunk))
        self.done += self.steps
        jax.block_until_ready((self.state, metrics))


class Elsewhere:
    """A process of its own, of a file beside this one, which plays a call each time it is asked to; see `answer`."""

    def __init__(self, file: str, *arguments: object, **environment: str) -> None:
        self.command = [
            sys.executable,
            str(Path(__file__).resolve().parent / file),
            *map(str, arguments),
        ]
        self.environment = environment
        self.process: subprocess.Popen | None = None

    def __call__(self) -> Seconds:
        if self.process is None or self.process.poll() is not None:
            self.process = subprocess.Popen(
                self.command,
                env={**os.environ, **self.environment},
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                text=True,
            )
        assert self.process.stdin is not None and self.process.stdout is not None
        self.process.stdin.write("play\n")
        self.process.stdin.flush()
        seconds = self.process.stdout.readline()
        if not seconds:
            raise RuntimeError(f"{' '.join(self.command)} ended: see above")
        return Seconds(json.loads(seconds))

    def close(self) -> None:
        if self.process is not None:
            self.process.stdin.close()  # type: ignore[union-attr]
            self.process.wait()
            self.process = None


def answer(play: Call) -> None:
    """Plays a call for each line on the standard input, and writes the seconds it took: the other end of `Elsewhere`."""
    play()
    for _ in sys.stdin:
        start = time.perf_counter()
        play()
        print(json.dumps(time.perf_counter() - start), flush=True)


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
        print(
            "without PyTorch there is no one to race against: pip install -e '.[oracles]'",
            file=sys.stderr,
        )
        return {}
    return make(_opponents)


def has_compiler() -> bool:
    """Whether ``torch.compile`` finds the C++ compiler that it needs."""
    return shutil.which("g++") is not None or shutil.which("clang++") is not None
