"""Trains what settings describe: computes steps, evaluates, draws, saves and resumes."""

import contextlib
import signal
import threading
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import jax
import numpy as np

from gan_jax import data, evaluation
from gan_jax.distributed import multihost
from gan_jax.errors import UserError, first_line
from gan_jax.evaluation import Protocol, RealSamples
from gan_jax.experiment import run_directory
from gan_jax.experiment.builder import Chunk, Experiment
from gan_jax.experiment.executors import Executor, make_executor
from gan_jax.experiment.loading import abstract_state
from gan_jax.experiment.population import name_members
from gan_jax.experiment.registry import build_protocols
from gan_jax.experiment.run_writer import RunWriter, TrainingDiverged
from gan_jax.experiment.settings import Settings
from gan_jax.game import Batch
from gan_jax.loggers import json_lines
from gan_jax.loggers.progress import Progress
from gan_jax.training.steps import TrainState

__all__ = ["TrainingDiverged", "run"]

Values = dict[int, dict[str, float]]
"""Metrics of each member that is still training, by its index."""


def run(
    settings: Settings, run_dir: str | Path, member_dirs: Sequence[str | Path] = ()
) -> dict[str, float]:
    """Trains what settings describe in a directory, from its newest checkpoint on.

    Writes ``config.json``, ``metrics.jsonl``, ``checkpoints/`` and ``samples/``. With
    ``settings.population`` each member has these in a directory of its own and is a run like any
    other. SIGINT and SIGTERM save a checkpoint first.

    Args:
      settings: of one run or of a population.
      run_dir: the run directory.
      member_dirs: a directory for each member, in place of ``members/000`` and so on in
        ``run_dir``.

    Returns:
      The last metrics; of a population their means over the members.

    Raises:
      UserError: bad input, before anything is written.
      TrainingDiverged: numbers are no longer finite. Members of a population that diverge are left
        behind, unless all do.
      KeyboardInterrupt: after a signal.
    """
    run_dir = Path(run_dir)
    executor = make_executor(settings)
    experiment = executor.experiment
    protocols, real = _scores_to_compute(settings, experiment)
    directories = [Path(directory) for directory in member_dirs] or executor.directories(run_dir)
    # Directories that the caller names are the members' names in W&B too.
    members = executor.members if member_dirs else name_members(settings, executor.members)
    with contextlib.ExitStack() as resources:
        whole = [] if member_dirs or directories == [run_dir] else [(run_dir, settings)]
        _open([*whole, *zip(directories, members, strict=True)], resources)
        pictures = resources.enter_context(ThreadPoolExecutor(1, "pictures"))
        writers = [
            resources.enter_context(RunWriter(member, directory, experiment, pictures))
            for member, directory in zip(members, directories, strict=True)
        ]
        restored = _restore(executor, writers)
        first = restored[0] if restored else 0
        title = str(run_dir) if len(writers) == 1 else f"{run_dir}: {len(writers)} members"
        if first >= settings.steps:
            print(f"{title} is done: {first} steps", flush=True)
            return _mean_metrics(directories)
        if multihost.is_main_process():
            how = f"resuming at step {first}" if restored else "starting"
            print(f"{title}: {how}, {settings.steps} steps", flush=True)
        state = executor.join(restored[1]) if restored else executor.init()
        for writer in writers:
            writer.start()
        loop = _Loop(settings, executor, writers, protocols, real)
        resources.callback(loop.first_call_done.set)
        # Importing matplotlib would hold up the first call.
        pictures.submit(loop.first_call_done.wait)
        try:
            loop.train(state, first)
        except jax.errors.JaxRuntimeError as error:
            if jax.process_count() > 1:
                multihost.exit_on_lost_process(first_line(error))
            raise
    return _mean_metrics(directories)


@dataclass(frozen=True)
class _Due:
    """What is to be done after a call."""

    log: bool
    evaluate: bool
    draw: bool
    save: bool


class _Loop:
    """The loop over calls of many steps each, and what happens between the calls."""

    def __init__(
        self,
        settings: Settings,
        executor: Executor,
        writers: Sequence[RunWriter],
        protocols: Sequence[Protocol],
        real: RealSamples,
    ) -> None:
        self.settings, self.executor, self.writers = settings, executor, writers
        self.protocols, self.real = protocols, real
        self.first_call_done = threading.Event()
        self._training = {i: writer for i, writer in enumerate(writers) if not writer.divergence}
        self._history: list[Any] = []

    def train(self, state: TrainState, first: int) -> None:
        """Trains from step ``first`` to the last one."""
        if not first:
            self._draw(self.executor.to_host(state), 0)
        progress = Progress(self.settings.steps, first, quiet=not multihost.is_main_process())
        with _StopSignals() as stop:
            for chunk, batch in self._batches(first):
                state, metrics = self.executor.step(chunk, state, batch)
                self._history.append(metrics)
                if chunk.first == first:
                    jax.block_until_ready(state)
                    self.first_call_done.set()
                    progress.report_first_call(chunk.end)
                # Read once: a signal from here on waits for the next call, which saves.
                name = stop.received
                stopping = multihost.any_process(bool(name))
                self._after_call(state, chunk.end, stopping, progress)
                if stopping and chunk.end < self.settings.steps:
                    self._stop(chunk.end, name or "a signal to another process")

    def _batches(self, first: int) -> Iterator[tuple[Chunk, Batch]]:
        """The chunks of the run and their batches; batches of host arrays are made ahead."""
        chunks = self.executor.experiment.chunks(first, self.settings.steps)
        batches = ((chunk, self.executor.batch(chunk)) for chunk in chunks)
        if self.executor.experiment.dataset.arrays is None:
            # Drawn on the device. All programs are started from this thread: two threads that start
            # programs while one waits for a collective can wait for each other for ever.
            return batches
        return data.prefetch(batches)

    def _after_call(self, state: TrainState, step: int, stopping: bool, progress: Progress) -> None:
        due = self._due(step, stopping)
        if not (due.log or due.evaluate or due.draw):
            return
        if due.evaluate or due.draw or due.save:
            state = self.executor.to_host(state)
        scores = self._evaluate(state, step) if due.evaluate else {}
        values: Values = {index: dict(scores.get(index, {})) for index in self._training}
        if due.log:
            self._add_means(values, step)
            shown = [_main_metrics(values[i], scores.get(i, {})) for i in self._training]
            rate = progress.report(step, shown)
            for index in self._training:
                values[index]["steps_per_second"] = rate
        for index, writer in self._training.items():
            if values[index]:
                writer.log(step, values[index])
        if due.draw:
            self._draw(state, step)
        if due.save:
            for index, writer in self._training.items():
                writer.save(self.executor.member(state, index), step, values[index])

    def _due(self, step: int, stopping: bool) -> _Due:
        settings = self.settings

        def interval(every: int) -> bool:
            return step % every == 0 or step == settings.steps

        save = interval(settings.checkpoint_every) or stopping
        return _Due(
            log=interval(settings.log_every) or save,
            evaluate=interval(settings.evaluate_every) and bool(self.protocols),
            draw=interval(settings.sample_every),
            save=save,
        )

    def _evaluate(self, state: TrainState, step: int) -> Values:
        return {
            index: writer.evaluate(
                self.protocols, self.real, self.executor.member(state, index), step
            )
            for index, writer in self._training.items()
        }

    def _draw(self, state: TrainState, step: int) -> None:
        for index, writer in self._training.items():
            writer.draw(self.executor.member(state, index), step, self.executor.key(index))

    def _add_means(self, values: Values, step: int) -> None:
        """Adds the means of the metrics since the last row; leaves diverged members behind."""
        history, self._history = jax.device_get(self._history), []
        for index, writer in list(self._training.items()):
            calls = [self.executor.member(call, index) for call in history]
            try:
                writer.check_finite(calls, step)
            except TrainingDiverged as error:
                del self._training[index], values[index]
                if not self._training:
                    raise
                print(f"member {index} diverged: {error}", flush=True)
                continue
            values[index] |= json_lines.mean_metrics(calls)

    def _stop(self, step: int, signal_name: str) -> None:
        for writer in self.writers:
            writer.checkpoints.close()
        print(
            f"stopped by {signal_name} at step {step}, saved; the same command resumes", flush=True
        )
        raise KeyboardInterrupt


class _StopSignals:
    """Notes SIGINT and SIGTERM, so that a run can save itself first; a second one stops at once."""

    def __enter__(self) -> "_StopSignals":
        self.received = ""
        self._handlers: dict[int, Callable[..., Any] | int | None] = {}
        for number in (signal.SIGINT, signal.SIGTERM):
            try:
                self._handlers[number] = signal.signal(number, self._note)
            except ValueError:  # not in the main thread, which handles signals in its own way
                pass
        return self

    def _note(self, number: int, frame: Any) -> None:
        if self.received:
            raise KeyboardInterrupt
        self.received = signal.Signals(number).name

    def __exit__(self, *_: Any) -> None:
        for number, handler in self._handlers.items():
            signal.signal(number, handler)


def _scores_to_compute(
    settings: Settings, experiment: Experiment
) -> tuple[list[Protocol], RealSamples]:
    """Builds the protocols of ``config.metrics``, and checks that they suit the data."""
    protocols = evaluation.sort_protocols(build_protocols(settings.metrics))
    real = experiment.real_samples()
    evaluation.check_protocols(protocols, real)
    if settings.best_metric:
        evaluation.check_metric_name(settings.best_metric, protocols, "config.best_metric")
    return protocols, real


def _open(runs: Sequence[tuple[Path, Settings]], resources: contextlib.ExitStack) -> None:
    """Opens all run directories in the first process; the others wait. Raises UserError."""
    refusal: UserError | None = None
    if multihost.is_main_process():
        try:
            for run_dir, settings in runs:
                resources.enter_context(run_directory.opened(run_dir, settings))
        except UserError as error:
            refusal = error
    if multihost.any_process(refusal is not None):
        raise refusal or UserError("process 0 refused the run directory: see its output")


def _restore(
    executor: Executor, writers: Sequence[RunWriter]
) -> tuple[int, list[TrainState]] | None:
    """Restores the newest step of which all runs have a sound checkpoint; None if there is none.

    A run that diverged may try again if it is alone; a member of a population stays behind, and
    gets any state.
    """
    like = abstract_state(executor.experiment)
    if executor.may_retry:
        (writer,) = writers
        writer.forget_divergence()
        restored = writer.checkpoints.restore(like)
        return (restored[0], [restored[1]]) if restored else None
    training = [writer for writer in writers if not writer.divergence]
    if not training:
        raise TrainingDiverged(
            "all members have diverged; choose another --workdir to try other settings"
        )
    common = set.intersection(*(set(writer.checkpoints.steps()) for writer in training))
    for step in sorted(common, reverse=True):
        states: dict[RunWriter, TrainState] = {}
        try:
            for writer in training:
                restored = writer.checkpoints.restore(like, step)
                assert restored is not None  # a step that is asked for is there, or refused
                states[writer] = restored[1]
        except UserError as error:
            print(f"warning: {error}; trying the one before it", flush=True)
            continue
        any_state = states[training[0]]
        return step, [states.get(writer, any_state) for writer in writers]
    return None


def _mean_metrics(directories: Sequence[Path]) -> dict[str, float]:
    runs = [run_directory.last_metrics(directory) for directory in directories]
    if len(runs) == 1:
        return runs[0]
    means: dict[str, float] = {}
    for name in runs[0]:
        values = [metrics[name] for metrics in runs if metrics.get(name) is not None]
        if values:
            means[name] = float(np.mean(values))
    return means


def _main_metrics(values: Mapping[str, float], scores: Mapping[str, float]) -> dict[str, float]:
    """What a progress line shows: the scores, and both losses."""
    losses = {name: values[name] for name in ("discriminator/loss", "generator/loss")}
    return dict(scores) | losses
