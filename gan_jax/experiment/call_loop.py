"""The loop over calls of many steps each, and what happens between the calls."""

import contextlib
import threading
from collections.abc import Callable, Generator, Iterable, Mapping, Sequence
from functools import partial
from typing import Any

import jax

from gan_jax import data
from gan_jax.distributed import multihost
from gan_jax.evaluation import Protocol, RealSamples
from gan_jax.experiment.builder import Chunk
from gan_jax.experiment.calls import Calls
from gan_jax.experiment.due import due_after
from gan_jax.experiment.executors import Executor
from gan_jax.experiment.fused_steps import health_row
from gan_jax.experiment.nonfinite import (
    describe_bad_state,
    describe_nonfinite,
    interval_metrics,
    warn_of_skipped_updates,
)
from gan_jax.experiment.opening import is_postponed
from gan_jax.experiment.pace import Pace, describe
from gan_jax.experiment.roll_backs import NeedsRollBack
from gan_jax.experiment.run_directory import PROFILE
from gan_jax.experiment.run_writer import RunWriter, TrainingDiverged
from gan_jax.experiment.settings import Settings
from gan_jax.experiment.signals import (
    StopRequested,
    StopSignals,
    warn_of_long_calls,
)
from gan_jax.experiment.step_trace import StepTrace
from gan_jax.experiment.watchdog import Watchdog
from gan_jax.experiment.watches import Watches, leave
from gan_jax.game import Batch
from gan_jax.loggers.progress import Progress, print_line
from gan_jax.training.steps import TrainState

Values = dict[int, dict[str, float]]
"""Metrics of each member that is still training, by its index."""


OnStep = Callable[[int, Mapping[str, float]], None]
"""Called on the host with a step and the row of metrics that was written after it."""


class Loop:
    """Trains, evaluates, draws and saves.

    After a signal the run saves its state and raises `StoppedBySignal`. What would be evaluated or
    drawn then is left out, and an evaluation that is being made is given up between two batches:
    both are made when the run resumes.

    Args:
      settings: of one run or of a population.
      executor: its programs.
      writers: of each member, in order.
      protocols: what is evaluated.
      real: the real data.
      stop: the signals, handled already.
      watchdog: what watches the device.
      preemption_seconds: how long the process is left after the first signal.
      on_step: called with each row of metrics.
    """

    def __init__(
        self,
        settings: Settings,
        executor: Executor,
        writers: Sequence[RunWriter],
        protocols: Sequence[Protocol],
        real: RealSamples,
        stop: StopSignals,
        watchdog: Watchdog,
        preemption_seconds: float,
        on_step: OnStep = lambda step, metrics: None,
    ) -> None:
        self.settings, self.executor, self.writers = settings, executor, writers
        self.protocols, self.real = protocols, real
        self.first_call_done = threading.Event()
        self._stop, self._watchdog = stop, watchdog
        self._preemption_seconds, self._on_step = preemption_seconds, on_step
        self._pace = Pace()
        self._calls = Calls(executor, watchdog, self._pace)
        self._training: dict[int, RunWriter] = {}
        self._watches = Watches({}, 0, is_population=False)
        self._history: list[Any] = []

    def train(self, state: TrainState, first: int) -> None:
        """Trains from step ``first`` to the last one.

        Raises:
          TrainingDiverged: numbers of all members are no longer finite.
          NeedsRollBack: those of a member are not, or the run is in trouble, and settings ask for
            it.
          StoppedBySignal: after a signal.
        """
        self._training = {
            index: writer for index, writer in enumerate(self.writers) if not writer.has_left
        }
        self._watches = Watches(self._training, first, is_population=len(self.writers) > 1)
        self._history = []
        self._watches.check(first)  # a kill may have come between a checkpoint and its roll-back
        if first:
            self._make_postponed(state, first)
        else:
            self._draw(self.executor.to_host(state), 0)
        progress = Progress(self.settings.steps, first, quiet=not multihost.is_main_process())
        traced = self.settings.profile if multihost.is_main_process() else 0
        trace = StepTrace(self.writers[0].run_dir / PROFILE, traced)
        self._pace = Pace()
        self._calls = Calls(self.executor, self._watchdog, self._pace)
        with (
            contextlib.closing(progress),
            contextlib.closing(self.batches(first)) as batches,
            contextlib.closing(trace),
        ):
            while self._training and (item := self._next(batches)) is not None:
                chunk, batch = item
                is_first = chunk.first == first
                if not is_first:
                    trace.begin(self._calls.wait)
                state = self._call(chunk, state, batch, progress, is_first)
                trace.end(chunk.steps, self._calls.wait)
                number = multihost.highest_of_processes(self._stop.number)
                number = self._after_call(state, chunk, number, progress)
                if number:
                    leave(self.writers, chunk.end, number)

    def batches(self, first: int) -> Generator[tuple[Chunk, Batch]]:
        """Yields the chunks of the run and their batches; those of host arrays are made ahead."""
        chunks = self.executor.experiment.chunks(first, self.settings.steps)
        batches = ((chunk, self.executor.batch(chunk)) for chunk in chunks)
        if self._draws_on_device:
            # Drawn on the device. All programs are started from this thread: two threads that start
            # programs while one waits for a collective can wait for each other for ever.
            yield from batches
        else:
            yield from data.prefetch(batches)

    def _next(self, batches: Generator[tuple[Chunk, Batch]]) -> tuple[Chunk, Batch] | None:
        # Data that is drawn on the device waits for the call before it, and so for training.
        watched = self._watchdog.watch("batch", "making the next batch", behind=self._calls.kind)
        on_device = self._draws_on_device
        with contextlib.nullcontext() if on_device else self._pace.spent_on("input"), watched:
            return next(batches, None)

    @property
    def _draws_on_device(self) -> bool:
        return self.executor.experiment.dataset.arrays is None

    def _call(
        self, chunk: Chunk, state: TrainState, batch: Batch, progress: Progress, is_first: bool
    ) -> TrainState:
        """Starts a chunk's steps, and waits for those before it; for the first ones, too."""
        state, metrics = self._calls.start(chunk, state, batch)
        self._history.append(metrics)
        if is_first:
            self._calls.wait()
            self.first_call_done.set()
            progress.report_first_call(chunk.end)
        return state

    def _after_call(self, state: TrainState, chunk: Chunk, number: int, progress: Progress) -> int:
        """Does what is due; returns the number of the signal that stops the run, or 0."""
        step = chunk.end
        progress.show(step)
        due = due_after(self.settings, step, stopping=bool(number))
        if not (due.log or due.evaluate or due.draw):
            return number
        self._calls.wait()
        if due.evaluate or due.draw or due.save:
            state = self.executor.to_host(state)
        scores: Values = {}
        if due.evaluate:
            progress.show(step, "evaluating")
            try:
                scores = self._evaluate(state, step)
            except StopRequested:
                number = multihost.highest_of_processes(self._stop.number)
                due = due_after(self.settings, step, stopping=True)
        values: Values = {index: dict(scores.get(index, {})) for index in self._training}
        if due.log:
            self._add_means(values, state, step, due.save)
            shown = [_main_metrics(values[i], scores.get(i, {})) for i in self._training]
            pace = self._pace.measure()
            rate = progress.report(step, [] if number else shown, describe(pace))
            if rate:  # unknown after the first call, which compiled
                pace = {"steps_per_second": rate} | pace
            for index in self._training:
                values[index] |= pace
        for index, writer in self._training.items():
            if values[index]:
                writer.log(step, values[index])
                self._on_step(step, values[index])
        if due.draw:
            self._draw(state, step)
        if due.save:
            self._save(state, step, values, due.postponed, self._training)
        if not number:
            self._warn(values, step)
            if due.log:
                ended = self._watches.judge(values, step)
                if not due.save:
                    self._save(state, step, values, False, list(ended))
                for index, reason in ended.items():
                    self._training.pop(index).end_early(step, reason)
                if self._training:
                    self._watches.check(step)
        return number

    def _evaluate(self, state: TrainState, step: int) -> Values:
        """Scores all members. Raises StopRequested if a signal comes."""

        def between_batches() -> None:
            if multihost.any_process(bool(self._stop.number)):
                raise StopRequested

        stage, fade = self.executor.experiment.stage_after(step)
        kind = ("evaluation", id(stage), fade is None)
        with (
            self._pace.spent_on("evaluation"),
            self._watchdog.watch(kind, f"the evaluation of step {step}"),
        ):
            return {
                index: writer.evaluate(
                    self.protocols,
                    self.real,
                    self.executor.member(state, index),
                    step,
                    between_batches,
                )
                for index, writer in self._training.items()
            }

    def _draw(self, state: TrainState, step: int) -> None:
        stage, fade = self.executor.experiment.stage_after(step)
        kind = ("picture", id(stage), fade is None)
        with (
            self._pace.spent_on("evaluation"),
            self._watchdog.watch(kind, f"the samples of step {step}"),
        ):
            for index, writer in self._training.items():
                writer.draw(self.executor.member(state, index), step, self.executor.key(index))

    def _make_postponed(self, state: TrainState, step: int) -> None:
        """Evaluates and draws what a run that was stopped or killed here left out."""
        if is_postponed(self.writers, step):
            due, state = due_after(self.settings, step), self.executor.to_host(state)
            if due.evaluate:
                try:
                    scores = self._evaluate(state, step)
                except StopRequested:
                    leave(self.writers, step, multihost.highest_of_processes(self._stop.number))
                for index, writer in self._training.items():
                    writer.log(step, scores[index])
                    writer.checkpoints.add_scores({step: scores[index]})
            if due.draw:
                self._draw(state, step)
        elif due_after(self.settings, step).draw and self._lacks_picture(step):
            self._draw(self.executor.to_host(state), step)
        for writer in self._training.values():
            writer.end_postponement()

    def _lacks_picture(self, step: int) -> bool:
        """Whether a kill came between a checkpoint and the picture of its samples."""
        lacks = not all(writer.has_picture(step) for writer in self._training.values())
        return multihost.any_process(lacks and multihost.is_main_process())

    def _add_means(self, values: Values, state: TrainState, step: int, saving: bool) -> None:
        """Adds the means of the metrics since the last row; leaves diverged members behind."""
        history, self._history = jax.device_get(self._history), []
        reasons: dict[int, str] = {}
        for index, writer in self._training.items():
            calls = [self.executor.member(call, index) for call in history]
            reason = describe_nonfinite(calls, step, partial(self.executor.member, state, index))
            if saving and not reason:
                reason = describe_bad_state(self.executor.member(state, index), step)
            if reason:
                reasons[index] = reason
            values[index] |= interval_metrics(calls) | health_row(self.settings, calls, step)
            if writer.roll_backs:
                values[index]["roll_backs"] = float(len(writer.roll_backs))
        if reasons and self.settings.nonfinite == "roll_back":
            raise NeedsRollBack(reasons)
        for index, reason in reasons.items():
            reason = self._training.pop(index).note_divergence(reason)
            del values[index]
            if not self._training:
                raise TrainingDiverged(reason)
            print_line(f"member {index} diverged: {reason}")

    def _save(
        self, state: TrainState, step: int, values: Values, postponed: bool, members: Iterable[int]
    ) -> None:
        for index in members:
            writer = self._training[index]
            if postponed:
                writer.postpone(step)
            with self._pace.spent_on("saving"):
                writer.save(self.executor.member(state, index), step, values[index])

    def _warn(self, values: Values, step: int) -> None:
        """Warns of skipped updates, and once of calls that are too long for a signal's time."""
        if multihost.is_main_process():
            for index in self._training:
                whose = f" of member {index}" if len(self.writers) > 1 else ""
                warn_of_skipped_updates(values[index], step, whose)
            if 2 * self._calls.longest > self._preemption_seconds:
                warn_of_long_calls(self.settings, self._calls.longest, self._preemption_seconds)
                self._preemption_seconds = float("inf")  # once is enough


def _main_metrics(values: Mapping[str, float], scores: Mapping[str, float]) -> dict[str, float]:
    """What a progress line shows: the scores, and both losses."""
    losses = {name: values[name] for name in ("discriminator/loss", "generator/loss")}
    return dict(scores) | losses
