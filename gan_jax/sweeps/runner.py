"""Runs a sweep on this machine, one group of trials after the other, each trial once."""

import time
import traceback
from collections.abc import Sequence
from pathlib import Path

import jax

from gan_jax import evaluation, files
from gan_jax.errors import masked, storage_failure
from gan_jax.experiment import population, training_loop
from gan_jax.experiment.builder import build
from gan_jax.experiment.part_building import build_protocols
from gan_jax.experiment.validation import check_experiment, check_settings
from gan_jax.loggers import progress
from gan_jax.sweeps import report
from gan_jax.sweeps.plan import (
    ENDED,
    Plan,
    Trial,
    failure_file,
    run_directory,
    run_status,
    unfinished,
    unfinished_groups,
)


def check_groups(plan: Plan) -> None:
    """Builds one run of each group, and checks that it gives the sweep's metric. Trains nothing.

    Raises:
      UserError: if a run cannot be built, or does not give the metric.
    """
    for group in plan.groups:
        settings = group[0].settings
        protocols = build_protocols(settings.metrics)
        evaluation.check_metric_name(plan.sweep.metric, protocols, "the sweep's metric")
        check_settings(settings, 1 if len(group) > 1 else jax.device_count())
        experiment = build(settings)
        check_experiment(experiment)
        evaluation.check_protocols(protocols, experiment.real_samples())


def run_sweep(plan: Plan) -> int:
    """Runs the unfinished trials in order, and writes ``results.csv`` after each group.

    Runs that diverge are recorded, and never continued. The next call tries a run again that failed
    for another reason.

    Returns:
      1 if a run failed, else 0.

    Raises:
      KeyboardInterrupt: if it was interrupted. The same call resumes.
    """
    began = time.monotonic()
    ended_before = _count_ended(plan)
    total = len(plan.trials)
    if ended_before:
        print(f"{ended_before} of {total} runs have ended before", flush=True)
    for group in unfinished_groups(plan):
        first = _count_ended(plan) + 1
        size = len(unfinished(plan.workdir, group))
        if size == 1:
            print(f"run {first} of {total}: {group[0].name}", flush=True)
        else:
            which = f"runs {first} to {first + size - 1} of {total}, together"
            print(f"{which}: {group[0].name} ...", flush=True)
        run_group(plan.workdir, group)
        _print_progress(plan, report.write_results(plan), began, ended_before)
    failed = [trial for trial in plan.trials if run_status(plan.workdir, trial) == "failed"]
    if failed:
        file = failure_file(plan.workdir, failed[0])
        print(f"{len(failed)} runs failed: {file} says why; the same command tries again")
    return 1 if failed else 0


def run_group(workdir: Path, group: Sequence[Trial]) -> None:
    """Trains the unfinished trials of a group together, each from its newest checkpoint.

    Divergence and other failures are recorded in the sweep's workdir.

    Raises:
      OSError, StorageError: if the disk is full or fails. The same call resumes.
      KeyboardInterrupt: if it was interrupted. The same call resumes.
    """
    trials = unfinished(workdir, group)
    if not trials:
        return
    for trial in trials:
        failure_file(workdir, trial).unlink(missing_ok=True)
    try:
        _train(workdir, trials)
    except training_loop.TrainingDiverged as error:
        print(f"diverged: {error}", flush=True)
    except Exception as error:  # one bad run must not end a sweep of many hours
        if storage_failure(error):
            raise  # all others would fail too
        print(f"failed: {type(error).__name__}: {masked(str(error))}", flush=True)
        for trial in unfinished(workdir, trials):
            file = failure_file(workdir, trial)
            file.parent.mkdir(parents=True, exist_ok=True)
            files.write_text(file, masked(traceback.format_exc()))


def _train(workdir: Path, trials: Sequence[Trial]) -> None:
    directories = [run_directory(workdir, trial) for trial in trials]
    if len(trials) == 1:
        training_loop.run(trials[0].settings, directories[0])
        return
    settings = population.joined([trial.settings for trial in trials])
    assert settings is not None, "the trials of a group can always be joined"
    training_loop.run(settings, workdir, directories)


def _count_ended(plan: Plan) -> int:
    return sum(run_status(plan.workdir, trial) in ENDED for trial in plan.trials)


def _print_progress(
    plan: Plan, rows: Sequence[report.Row], began: float, ended_before: int
) -> None:
    """Prints how many runs are done, the time left, and the best run so far."""
    ended, total = _count_ended(plan), len(plan.trials)
    seconds_per_run = (time.monotonic() - began) / max(ended - ended_before, 1)
    time_left = progress.format_duration(seconds_per_run * (total - ended))
    line = f"{ended} of {total} runs done, {time_left} left"
    best = report.best_row(rows, plan.sweep.maximize)
    if best is not None:
        value = progress.format_number(best["metric"])
        line += f", best so far {plan.sweep.metric} {value} ({best['name']})"
    print(line, flush=True)
