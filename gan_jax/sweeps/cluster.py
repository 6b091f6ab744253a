"""A sweep's groups as one SLURM array, through submitit."""

import importlib.util
import json
import os
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from gan_jax.errors import UserError, did_you_mean, first_line
from gan_jax.sweeps.plan import Plan, Trial, status, write

SHARED = (
    "timeout_min", "mem_gb", "cpus_per_task", "gpus_per_node", "nodes", "tasks_per_node", "name", "stderr_to_stdout",
)  # fmt: skip
"""Settings that submitit names alike on all clusters; others, such as ``partition``, are SLURM's."""


class Task:
    """One group's runs, as a job; where SLURM stops it before the end it is queued again, and goes on."""

    def __call__(self, workdir: str, group: Sequence[Trial]) -> list[str]:
        from gan_jax.distributed.cpu import set_up_jax
        from gan_jax.sweeps import runner

        set_up_jax([len(runner.left(Path(workdir), group))])
        runner.run_group(Path(workdir), group)
        return [status(Path(workdir), trial) for trial in group]

    def checkpoint(self, *arguments: Any) -> Any:
        """What submitit queues again: the same task, as runs resume by themselves."""
        from submitit.helpers import DelayedSubmission

        return DelayedSubmission(self, *arguments)


def submit(plan: Plan, groups: Sequence[Sequence[Trial]], settings: Mapping[str, Any]) -> list[Any]:
    """Submits each group as a task of one array; returns submitit's jobs. Raises UserError.

    ``settings``: those of ``--slurm.*``; ``cluster`` may be ``local`` or ``debug``, which need no SLURM.
    """
    if importlib.util.find_spec("submitit") is None:
        raise UserError("SLURM arrays need submitit: pip install 'gan_jax[slurm]'")
    import submitit

    folder = plan.workdir / "slurm"
    chosen = dict(settings)
    try:
        executor = submitit.AutoExecutor(folder, cluster=chosen.pop("cluster", None))
    except (RuntimeError, ValueError) as error:
        raise UserError(f"SLURM cannot be used here: {first_line(error)}") from error
    _refuse_twice(folder, executor)
    slurm = {name: value for name, value in chosen.items() if name not in SHARED}
    prefix = f"{executor.cluster}_" if executor.cluster == "slurm" else "slurm_"
    try:
        executor.update_parameters(
            **(
                {"name": plan.workdir.name}
                | {name: chosen[name] for name in SHARED if name in chosen}
            ),
            **{f"{prefix}{name}": value for name, value in slurm.items()},
        )
    except (NameError, ValueError, TypeError, AssertionError) as error:
        known = did_you_mean(next(iter(slurm), ""), [*SHARED, *_slurm_names()])
        raise UserError(f"--slurm settings: {first_line(error).rstrip('.')} ({known})") from error
    try:
        jobs = executor.map_array(Task(), [str(plan.workdir.resolve())] * len(groups), groups)
    except submitit.core.utils.FailedJobError as error:
        raise UserError(f"SLURM refused the array: {first_line(error)}") from error
    folder.mkdir(exist_ok=True)
    write(
        folder / "jobs.json",
        json.dumps({"cluster": executor.cluster, "jobs": [job.job_id for job in jobs]}) + "\n",
    )
    return jobs


def _slurm_names() -> list[str]:
    from submitit.slurm.slurm import SlurmExecutor

    return sorted(SlurmExecutor._valid_parameters())


def _refuse_twice(folder: Path, executor: Any) -> None:
    """Two tasks must not write one run: raises UserError where an array that was submitted before has not ended."""
    file = folder / "jobs.json"
    if not file.exists():
        return
    before = json.loads(file.read_text())
    if before["cluster"] != executor.cluster or executor.cluster == "debug":
        return
    pending = [name for name in before["jobs"] if not _ended(executor, folder, name)]
    if pending:
        raise UserError(
            f"{len(pending)} tasks of this sweep have not ended, such as job {pending[0]}: wait, or cancel them"
        )


def _ended(executor: Any, folder: Path, name: str) -> bool:
    job = executor.job_class(folder, name)
    if job.paths.result_pickle.exists():
        return True
    if executor.cluster == "local":  # where the name is that of a process
        try:
            os.kill(int(name), 0)
        except ProcessLookupError:
            return True
        return False
    return job.done(force_check=True)
