"""Trains what settings describe: computes steps, evaluates, draws, saves and resumes."""

import contextlib
import functools
import os
from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import jax
import numpy as np

from gan_jax import buckets, evaluation, files
from gan_jax.distributed import multihost
from gan_jax.errors import UserError, first_line
from gan_jax.evaluation import Protocol, RealSamples
from gan_jax.experiment import row_watch, run_directory
from gan_jax.experiment.builder import Experiment
from gan_jax.experiment.call_loop import Loop, OnStep
from gan_jax.experiment.executors import make_executor
from gan_jax.experiment.fine_tuning import load_source
from gan_jax.experiment.opening import (
    is_postponed,
    open_directories,
    roll_back,
    start_or_resume,
)
from gan_jax.experiment.part_building import build_protocols
from gan_jax.experiment.population import name_members
from gan_jax.experiment.probes import probe
from gan_jax.experiment.remote_runs import working_copy
from gan_jax.experiment.roll_backs import NeedsRollBack
from gan_jax.experiment.run_directory import CHECKPOINTS
from gan_jax.experiment.run_writer import RunWriter, TrainingDiverged
from gan_jax.experiment.settings import Settings
from gan_jax.experiment.signals import (
    PREEMPTION_SECONDS,
    StoppedBySignal,
    StopRequested,
    StopSignals,
)
from gan_jax.experiment.watchdog import Watchdog
from gan_jax.loggers import wandb
from gan_jax.loggers.progress import print_line

__all__ = ["StoppedBySignal", "TrainingDiverged", "run"]


def run(
    settings: Settings,
    run_dir: str | Path,
    member_dirs: Sequence[str | Path] = (),
    preemption_seconds: float = PREEMPTION_SECONDS,
    on_step: OnStep = lambda step, metrics: None,
) -> dict[str, float]:
    """Trains what settings describe in a directory, from its newest checkpoint on.

    Writes ``config.json``, ``metrics.jsonl``, ``checkpoints/`` and ``samples/``. With
    ``settings.population`` each member has these in a directory of its own and is a run like any
    other. SIGINT, SIGTERM, SIGHUP and SIGUSR1 stop a run once it is saved, see `Loop`.

    Args:
      settings: of one run or of a population.
      run_dir: the run directory, or the URL of one in an object store, such as
        ``"gs://bucket/runs/x"``, see `remote_runs`.
      member_dirs: a directory for each member, in place of ``members/000`` and so on in
        ``run_dir``.
      preemption_seconds: how long the process is left after the first signal. A run whose calls
        are too long for that says so.
      on_step: called as ``on_step(step, metrics)`` after each row of metrics that is written, of a
        population once for each member in order. What it raises ends the run; the same call resumes
        it from the last checkpoint.

    Returns:
      The last metrics; of a population their means over the members.

    Raises:
      UserError: bad input, before anything is written.
      TrainingDiverged: numbers are no longer finite. Members of a population that diverge are left
        behind, unless all do.
      StoppedBySignal: after a signal, a KeyboardInterrupt.
    """
    for directory in member_dirs:
        files.check_local(directory)
    if buckets.is_url(run_dir) and jax.process_count() > 1:
        raise UserError(
            f"{os.fspath(run_dir)}: several processes need a directory that all of them see: mount "
            "the bucket (gcsfuse, mountpoint-s3) and pass that path"
        )
    with working_copy(run_dir) as copy:

        def checked_on_step(step: int, metrics: Mapping[str, float]) -> None:
            copy.check()
            on_step(step, metrics)

        return _run(settings, copy.folder, member_dirs, preemption_seconds, checked_on_step)


def _run(
    settings: Settings,
    run_dir: Path,
    member_dirs: Sequence[str | Path],
    preemption_seconds: float,
    on_step: OnStep,
) -> dict[str, float]:
    executor = make_executor(settings)
    remarks = probe(executor.experiment)
    stop = StopSignals(quiet=not multihost.is_main_process())
    protocols, real = _scores_to_compute(settings, executor.experiment, stop)
    directories = [Path(directory) for directory in member_dirs] or executor.directories(run_dir)
    source = functools.cache(functools.partial(load_source, settings))
    if not all((path / CHECKPOINTS).is_dir() for path in directories):
        source()  # a run that cannot start is refused before anything is written
    # Directories that the caller names are the members' names in W&B too.
    members = executor.members if member_dirs else name_members(settings, executor.members)
    with contextlib.ExitStack() as resources:
        whole = [] if member_dirs or directories == [run_dir] else [(run_dir, settings)]
        open_directories([*whole, *zip(directories, members, strict=True)], resources)
        pictures = resources.enter_context(ThreadPoolExecutor(1, "pictures"))
        writers = [
            resources.enter_context(RunWriter(member, directory, executor.experiment, pictures))
            for member, directory in zip(members, directories, strict=True)
        ]
        title = str(run_dir) if len(writers) == 1 else f"{run_dir}: {len(writers)} members"
        state, first = start_or_resume(executor, writers, title, source)
        has_ended = all(writer.has_left for writer in writers)
        if has_ended or (first >= settings.steps and not is_postponed(writers, first)):
            why = {writer.end for writer in writers if writer.end}
            print_line(f"{title} is done: {', '.join(sorted(why)) or f'{first} steps'}")
            return _mean_metrics(directories)
        for writer in writers:
            writer.start()
        if multihost.is_main_process():
            contents = executor.experiment.dataset.contents
            for line in [*str(contents or "").splitlines(), *remarks]:
                print_line(line)
        if settings.wandb.use and multihost.is_main_process():
            where = wandb.describe_folders(directories, settings.wandb.mode)
            print_line(where)
            resources.callback(print_line, where)
        watchdog = resources.enter_context(Watchdog())
        loop = Loop(
            settings,
            executor,
            writers,
            protocols,
            real,
            stop,
            watchdog,
            preemption_seconds,
            on_step,
        )
        resources.callback(loop.first_call_done.set)
        # Importing matplotlib would hold up the first call.
        pictures.submit(loop.first_call_done.wait)
        try:
            with stop:
                while True:
                    try:
                        loop.train(state, first)
                        break
                    except NeedsRollBack as error:
                        state, first = roll_back(executor, writers, error, source)
        except jax.errors.JaxRuntimeError as error:
            if jax.process_count() > 1:
                multihost.exit_on_lost_process(first_line(error))
            raise
    return _mean_metrics(directories)


def _scores_to_compute(
    settings: Settings, experiment: Experiment, stop: StopSignals
) -> tuple[list[Protocol], RealSamples]:
    """Builds the protocols of ``config.metrics``, and checks that they suit the data."""
    protocols = evaluation.sort_protocols(build_protocols(settings.metrics))

    def before_chunk() -> None:
        # Several processes do not all read real samples: some have their statistics in a cache.
        if stop.number and jax.process_count() == 1:
            raise StopRequested

    real = experiment.real_samples(before_chunk)
    evaluation.check_protocols(protocols, real)
    for rule in row_watch.stop_rules(settings):
        evaluation.check_metric_name(rule.metric, protocols, "the metric of config.stop_when")
    if settings.best_metric:
        evaluation.check_metric_name(settings.best_metric, protocols, "config.best_metric")
    return protocols, real


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
