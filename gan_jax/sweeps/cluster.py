"""The groups of a sweep as one SLURM array, with submitit."""

import importlib.util
import json
import os
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from gan_jax import files
from gan_jax.errors import UserError, did_you_mean, first_line
from gan_jax.sweeps.plan import Group, Plan, Status, Trial, run_status, unfinished

COMMON_SETTINGS = (
    "timeout_min",
    "mem_gb",
    "cpus_per_task",
    "gpus_per_node",
    "nodes",
    "tasks_per_node",
    "name",
    "stderr_to_stdout",
)
"""Settings that have the same name in submitit on every cluster. Others, such as ``partition``, are
SLURM's."""

JOBS_FILE = "jobs.json"


class GroupTask:
    """Trains one group of trials, as a task of an array.

    If SLURM stops the task before its end, it is queued again, and its runs resume.
    """

    def __call__(self, workdir: str, group: Sequence[Trial]) -> list[Status]:
        """Trains the unfinished trials of ``group``, and returns the status of all its trials."""
        from gan_jax.distributed.cpu import set_up_jax
        from gan_jax.sweeps import runner

        set_up_jax([len(unfinished(Path(workdir), group))])
        runner.run_group(Path(workdir), group)
        return [run_status(Path(workdir), trial) for trial in group]

    def checkpoint(self, *arguments: Any) -> Any:
        """Returns what submitit queues again: the same task, because runs resume by themselves."""
        from submitit.helpers import DelayedSubmission

        return DelayedSubmission(self, *arguments)


def submit(plan: Plan, groups: Sequence[Group], settings: Mapping[str, Any]) -> list[Any]:
    """Submits groups of a sweep as the tasks of one array.

    Args:
      plan: the sweep.
      groups: the groups to train.
      settings: the ``--slurm.*`` flags. ``cluster`` may be ``"local"`` or ``"debug"``, which need
        no SLURM.

    Returns:
      One job of submitit's per group.

    Raises:
      UserError: if submitit or SLURM is missing, if a setting is wrong, or if an array of this
        sweep has not ended.
    """
    if importlib.util.find_spec("submitit") is None:
        raise UserError("SLURM arrays need submitit: pip install 'gan_jax[slurm]'")
    import submitit

    folder = plan.workdir / "slurm"
    try:
        executor = submitit.AutoExecutor(folder, cluster=settings.get("cluster"))
    except (RuntimeError, ValueError) as error:
        raise UserError(f"SLURM cannot be used here: {first_line(error)}") from error
    _check_nothing_is_running(folder, executor)
    _configure(executor, {"name": plan.workdir.name, **settings})
    workdirs = [str(plan.workdir.resolve())] * len(groups)
    try:
        jobs: list[Any] = executor.map_array(GroupTask(), workdirs, groups)
    except submitit.core.utils.FailedJobError as error:
        raise UserError(f"SLURM refused the array: {first_line(error)}") from error
    folder.mkdir(exist_ok=True)
    record = {"cluster": executor.cluster, "jobs": [job.job_id for job in jobs]}
    files.write_text(folder / JOBS_FILE, json.dumps(record) + "\n")
    return jobs


def _configure(executor: Any, settings: Mapping[str, Any]) -> None:
    """Passes the settings to submitit, under the names that it has for them."""
    common = {name: settings[name] for name in COMMON_SETTINGS if name in settings}
    slurm = {
        name: value for name, value in settings.items() if name not in (*COMMON_SETTINGS, "cluster")
    }
    prefixed = {f"slurm_{name}": value for name, value in slurm.items()}
    try:
        executor.update_parameters(**common, **prefixed)
    except (NameError, ValueError, TypeError, AssertionError) as error:
        known = did_you_mean(next(iter(slurm), ""), [*COMMON_SETTINGS, *_slurm_parameters()])
        raise UserError(f"--slurm settings: {first_line(error).rstrip('.')} ({known})") from error


def _slurm_parameters() -> list[str]:
    from submitit.slurm.slurm import SlurmExecutor

    return sorted(SlurmExecutor._valid_parameters())


def _check_nothing_is_running(folder: Path, executor: Any) -> None:
    """Raises UserError if an earlier array has not ended: two tasks must not write one run."""
    file = folder / JOBS_FILE
    if not file.exists():
        return
    record = json.loads(file.read_text(encoding="utf-8"))
    if record["cluster"] != executor.cluster or executor.cluster == "debug":
        return
    running = [job_id for job_id in record["jobs"] if not _has_ended(executor, folder, job_id)]
    if running:
        raise UserError(
            f"{len(running)} tasks of this sweep have not ended, such as job {running[0]}: "
            "wait for them, or cancel them"
        )


def _has_ended(executor: Any, folder: Path, job_id: str) -> bool:
    job = executor.job_class(folder, job_id)
    if job.paths.result_pickle.exists():
        return True
    if executor.cluster == "local":  # the id of a local job is that of its process
        try:
            os.kill(int(job_id), 0)
        except ProcessLookupError:
            return True
        return False
    return bool(job.done(force_check=True))
