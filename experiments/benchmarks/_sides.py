"""What the cases share: gan_jax's runs as calls, worker processes, access to PyTorch's side."""

import dataclasses
import json
import os
import shutil
import subprocess
import sys
import time
from collections.abc import Callable, Mapping
from pathlib import Path
from types import ModuleType
from typing import Any

import jax
import numpy as np

from gan_jax.benchmarking import Call, SelfTimed
from gan_jax.data import Dataset
from gan_jax.experiment import executors, population
from gan_jax.experiment.settings import Settings


class TrainingRun:
    """A run without files.

    Each call takes the next ``steps`` steps in one compiled program, as training does: batches are
    drawn and all metrics are computed. Health, which runs measure once in hundreds of steps, is
    not; the case `health` times it.
    """

    measures_health = False

    def __init__(
        self, settings: Settings, steps: int, dataset: Dataset | None = None, **fields: Any
    ) -> None:
        settings = _with_steps_per_call(dataclasses.replace(settings, **fields), steps)
        settings = dataclasses.replace(settings, health=self.measures_health)
        self.executor: executors.Executor = executors.SingleRun(settings, dataset)
        self.state = self.executor.init()
        self.steps, self.steps_done = steps, 0

    @property
    def settings(self) -> Settings:
        """The settings of the run; of a population those of its first member."""
        return self.executor.experiment.settings

    def __call__(self) -> None:
        end = self.steps_done + self.steps
        for chunk in self.executor.experiment.chunks(self.steps_done, end):
            batch = self.executor.batch(chunk)
            self.state, metrics = self.executor.step(chunk, self.state, batch)
        self.steps_done = end
        jax.block_until_ready((self.state, metrics))


class PopulationRun(TrainingRun):
    """A population of ``size`` runs that differ in their seeds, as one program."""

    def __init__(self, settings: Settings, size: int, steps: int, **fields: Any) -> None:
        settings = _with_steps_per_call(dataclasses.replace(settings, **fields), steps)
        settings = dataclasses.replace(settings, population={"seed": tuple(range(size))})
        self.executor = executors.PopulationRun(settings, population.member_settings(settings))
        self.state = self.executor.init()
        self.steps, self.steps_done = steps, 0


def _with_steps_per_call(settings: Settings, steps: int) -> Settings:
    """The settings with so many steps in a call, intervals to match, and without health."""
    intervals = (
        "steps_per_call",
        "log_every",
        "checkpoint_every",
        "sample_every",
        "evaluate_every",
    )
    return dataclasses.replace(settings, health=False, **dict.fromkeys(intervals, steps))


class WorkerProcess:
    """A call that is made in a process of its own, which runs a file of this folder; see `serve`.

    Args:
      file: the file's name.
      arguments: its command line.
      environment: environment variables of the process, in addition to those of this one.
    """

    def __init__(self, file: str, *arguments: object, **environment: str) -> None:
        path = str(Path(__file__).resolve().parent / file)
        self.command = [sys.executable, path, *map(str, arguments)]
        self.environment = environment
        self.process: subprocess.Popen[str] | None = None

    def __call__(self) -> SelfTimed:
        if self.process is None or self.process.poll() is not None:
            self.process = subprocess.Popen(
                self.command,
                env={**os.environ, **self.environment},
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                text=True,
            )
        assert self.process.stdin is not None and self.process.stdout is not None
        self.process.stdin.write("call\n")
        self.process.stdin.flush()
        seconds = self.process.stdout.readline()
        if not seconds:
            raise RuntimeError(f"{' '.join(self.command)} ended: see above")
        return SelfTimed(json.loads(seconds))

    def close(self) -> None:
        """Ends the process."""
        if self.process is not None:
            assert self.process.stdin is not None
            self.process.stdin.close()
            self.process.wait()
            self.process = None


def serve(call: Call) -> None:
    """Makes a call for each line of standard input, and prints its seconds.

    This is the other end of `WorkerProcess`.
    """
    call()
    for _ in sys.stdin:
        start = time.perf_counter()
        call()
        print(json.dumps(time.perf_counter() - start), flush=True)


def noise_images(side: int, channels: int = 3, count: int = 2048) -> Dataset:
    """Returns noise as uint8 images: timings do not depend on what the images show."""
    shape = (count, side, side, channels)
    return Dataset.from_arrays(np.random.default_rng(0).integers(0, 256, shape, dtype=np.uint8))


def pytorch_peers(make: Callable[[ModuleType], Mapping[str, Call]]) -> Mapping[str, Call]:
    """Returns PyTorch's side, or no peers if PyTorch is missing.

    Args:
      make: takes the package `_pytorch`.

    Returns:
      What ``make`` returns. Without PyTorch: nothing, and stderr says how to install it.
    """
    try:
        import _pytorch
    except ModuleNotFoundError as error:
        if error.name != "torch":
            raise
        print(
            "PyTorch is missing, so there are no peers: pip install -e '.[oracles]'",
            file=sys.stderr,
        )
        return {}
    return make(_pytorch)


def has_cpp_compiler() -> bool:
    """Whether ``torch.compile`` finds the C++ compiler that it needs."""
    return shutil.which("g++") is not None or shutil.which("clang++") is not None
