"""Runs a sweep's trials where the command was typed, one group after the other, each run once."""

import time
import traceback
from collections.abc import Sequence
from pathlib import Path

import jax

from gan_jax import evaluation
from gan_jax.errors import UserError, did_you_mean
from gan_jax.evaluation import protocols
from gan_jax.evaluation.protocol import BY_STEP
from gan_jax.experiment import population, training_loop
from gan_jax.experiment.builder import build
from gan_jax.experiment.validation import check_experiment as check_experiment
from gan_jax.experiment.validation import check_fields
from gan_jax.loggers import progress
from gan_jax.sweeps import report
from gan_jax.sweeps.plan import Plan, Trial, failure, folder, status

ENDED = ("finished", "diverged")
"""What a run never does again."""


def check(plan: Plan) -> None:
    """Builds one run of each group, and asks whether it gives the sweep's metric, before any starts. Raises UserError."""
    for group in plan.groups:
        config = group[0].config
        measured = evaluation.ordered(protocols.build(config["metrics"]))
        given = [name for protocol in measured for name in protocol.names()]
        if plan.sweep.metric not in given and not plan.sweep.metric.startswith(BY_STEP):
            known = did_you_mean(plan.sweep.metric, given) if given else "config.metrics is empty"
            raise UserError(
                f"the sweep's metric is {plan.sweep.metric!r}, which no metric of this config gives: {known}"
            )
        check_fields(config, 1 if len(group) > 1 else jax.device_count())
        experiment = build(config)
        check_experiment(experiment)
        evaluation.check(measured, evaluation.RealSamples(config, experiment.dataset))


def run(plan: Plan) -> int:
    """Runs what has not ended, in order, and reports; returns 1 where a run failed for a reason of its own, else 0.

    Runs that diverge are recorded and left. One that fails for another reason is tried again by the next command.
    """
    began, ended_before = time.monotonic(), _ended(plan)
    if ended_before:
        print(f"{ended_before} of {len(plan.trials)} runs have ended before", flush=True)
    for group in pending(plan):
        first, total = _ended(plan) + 1, len(plan.trials)
        size = len(left(plan.workdir, group))
        which = (
            f"run {first} of {total}"
            if size == 1
            else f"runs {first} to {first + size - 1} of {total}, together"
        )
        print(f"{which}: {group[0].name}{' ...' if size > 1 else ''}", flush=True)
        run_group(plan.workdir, group)
        rows = report.write_results(plan)
        _progress(plan, rows, began, ended_before)
    failed = [trial for trial in plan.trials if status(plan.workdir, trial) == "failed"]
    if failed:
        print(
            f"{len(failed)} runs failed: {failure(plan.workdir, failed[0])} says why; the same command tries again"
        )
    return int(bool(failed))


def pending(plan: Plan) -> list[tuple[Trial, ...]]:
    """The groups in which a run has not ended, in order."""
    return [group for group in plan.groups if left(plan.workdir, group)]


def sizes(plan: Plan) -> list[int]:
    """How many runs train together, one number a group that has not ended."""
    return [len(left(plan.workdir, group)) for group in pending(plan)]


def left(workdir: Path, group: Sequence[Trial]) -> list[Trial]:
    """The runs of a group that have not ended."""
    return [trial for trial in group if status(workdir, trial) not in ENDED]


def run_group(workdir: Path, group: Sequence[Trial]) -> None:
    """Trains the runs of one group that have not ended, together, each from where it was; the others are not touched.

    Raises KeyboardInterrupt where it was stopped; divergence and other failures are noted in the runs' folders.
    """
    group = left(workdir, group)
    if not group:
        return
    folders = [folder(workdir, trial) for trial in group]
    for trial in group:
        failure(workdir, trial).unlink(missing_ok=True)
    try:
        if len(group) == 1:
            training_loop.run(group[0].config, folders[0])
        else:
            together = population.joined([trial.config for trial in group])
            assert together is not None, "a group that was joined once"
            training_loop.run(together, workdir, folders)
    except training_loop.TrainingDiverged as error:
        print(f"diverged: {error}", flush=True)
    except Exception as error:  # one bad run must not end a night's sweep
        print(f"failed: {type(error).__name__}: {error}", flush=True)
        for trial in group:
            if status(workdir, trial) not in ENDED:
                file = failure(workdir, trial)
                file.parent.mkdir(parents=True, exist_ok=True)
                file.write_text(traceback.format_exc())


def _ended(plan: Plan) -> int:
    return sum(status(plan.workdir, trial) in ENDED for trial in plan.trials)


def _progress(plan: Plan, rows: Sequence[dict], began: float, ended_before: int) -> None:
    ended, total = _ended(plan), len(plan.trials)
    per_run = (time.monotonic() - began) / max(ended - ended_before, 1)
    top = report.best_row(rows, plan.sweep.highest)
    shown = (
        f", best so far {plan.sweep.metric} {progress.format_number(top['metric'])} ({top['name']})"
        if top
        else ""
    )
    print(
        f"{ended} of {total} runs done, {progress.format_duration(per_run * (total - ended))} left{shown}",
        flush=True,
    )
