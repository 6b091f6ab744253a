"""Calls of many steps each: how they are started, waited for and watched."""

import contextlib
import time
from collections.abc import Hashable
from typing import Any, NamedTuple

import jax

from gan_jax.experiment.builder import Chunk
from gan_jax.experiment.executors import Executor
from gan_jax.experiment.pace import Pace
from gan_jax.experiment.watchdog import Watchdog
from gan_jax.game import Batch
from gan_jax.training.steps import TrainState


class _Running(NamedTuple):
    """A call that was started, and may not have ended."""

    kind: Hashable
    steps: str
    metrics: Any
    began: float


class Calls:
    """Starts calls; at most one waits behind the one that the device works on.

    So a signal waits for two calls at most, and the time between the ends of two calls is what one
    takes.

    Attributes:
      longest: how many seconds a call has taken so far, without those that compiled.
    """

    def __init__(self, executor: Executor, watchdog: Watchdog, pace: Pace) -> None:
        self.longest = 0.0
        self._executor, self._watchdog, self._pace = executor, watchdog, pace
        self._started: set[Hashable] = set()
        self._running: _Running | None = None
        self._ended = 0.0

    @property
    def kind(self) -> Hashable:
        """What the watchdog calls the call that is running; None if none is."""
        return self._running.kind if self._running else None

    def start(self, chunk: Chunk, state: TrainState, batch: Batch) -> tuple[TrainState, Any]:
        """Starts a chunk's steps, and waits for those before it.

        Returns:
          The state after the steps, and the metrics of each.
        """
        program = (chunk.stage, chunk.steps, chunk.discriminator_steps, chunk.fading)
        kind, steps = ("call", program), f"steps {chunk.first} to {chunk.end}"
        began, start = time.monotonic(), self._watchdog.now()
        new, measured = program not in self._started, self._running and program in self._started
        # Where a call runs is the backend's choice: while it is started, while the next one is, or
        # while it is waited for. So its time is that from its start, or the end of the call before
        # it, to its own end.
        with (
            self._pace.spent_on("compile") if new else contextlib.nullcontext(),
            self._watchdog.watch(kind, f"starting {steps}", behind=self.kind, is_whole=False),
        ):
            state, metrics = self._executor.step(chunk, state, batch)
        self._pace.add_samples(self._executor.samples(chunk))
        self.wait()
        if measured:
            self.longest = max(self.longest, time.monotonic() - began)
        self._started.add(program)
        self._running = _Running(kind, steps, metrics, start)
        return state, metrics

    def wait(self) -> None:
        """Waits for the call that was started last."""
        if self._running is not None:
            kind, steps, metrics, began = self._running
            with self._watchdog.watch(kind, steps, since=max(began, self._ended)):
                jax.block_until_ready(metrics)
            self._running, self._ended = None, self._watchdog.now()
