"""The plan of a sweep: each trial's config and name, and which trials train together."""

import contextlib
import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Literal

from gan_jax import files
from gan_jax.errors import UserError
from gan_jax.experiment import population
from gan_jax.experiment.config_files import load_settings
from gan_jax.experiment.differences import RESUMABLE
from gan_jax.experiment.lock import locked
from gan_jax.experiment.overrides import flat
from gan_jax.experiment.run_directory import CONFIG, has_ended
from gan_jax.experiment.settings import Settings
from gan_jax.sweeps import naming, space
from gan_jax.sweeps.plan_file import PLAN_FILE, read_plan_file
from gan_jax.sweeps.space import Sweep

Status = Literal["finished", "diverged", "failed", "started", "waiting"]
"""What has become of a run."""

ENDED: tuple[Status, ...] = ("finished", "diverged")
"""The status of runs that are never continued."""


@dataclass(frozen=True)
class Trial:
    """One run of a sweep.

    Attributes:
      number: its position in the search space.
      name: its name, and that of its folder.
      parameters: its parameters, ``{"config.unroll": 5, ...}``.
      settings: its settings.
      key: identifies the run, however its sweep is extended.
    """

    number: int
    name: str
    parameters: dict[str, Any]
    settings: Settings
    key: str


Group = tuple[Trial, ...]
"""Trials that train together, as one population."""


@dataclass(frozen=True)
class Plan:
    """A sweep in its workdir.

    Attributes:
      workdir: the folder of the sweep.
      sweep: the search space.
      trials: all runs.
      groups: the runs that train together, in the order in which they are trained.
    """

    workdir: Path
    sweep: Sweep
    trials: tuple[Trial, ...]
    groups: tuple[Group, ...]


def make_trials(
    sweep: Sweep, spec: str, overrides: Sequence[str], seed: int, wandb_group: str
) -> list[Trial]:
    """Returns every trial with its settings. If several trials are the same run, the first is kept.

    Args:
      sweep: the search space.
      spec: the config file and its variant.
      overrides: config flags for all trials, ``"steps=1000"``.
      seed: the seed of a random search.
      wandb_group: the group of the runs in W&B, if the config names none.

    Raises:
      UserError: if a parameter is no field of the config, has a wrong value, or is set by a flag
        too; or if the config has a population.
    """
    fixed = {override.partition("=")[0] for override in overrides}
    for name in sweep.parameters:
        if name.removeprefix("config.") in fixed:
            raise UserError(f"--{name} is swept: leave the flag out, or the parameter")
    trials: dict[str, Trial] = {}
    for number, parameters in enumerate(space.trial_parameters(sweep, seed)):
        all_overrides = [*sweep.overrides, *overrides, *space.to_overrides(parameters)]
        settings = _trial_settings(sweep, spec, all_overrides, wandb_group)
        key = _trial_key(settings, parameters)
        if key in trials:
            continue
        name = naming.trial_name(parameters, number if sweep.method == "random" else None)
        if name in {trial.name for trial in trials.values()}:
            name = f"{name}_{key[:6]}"
        trials[key] = Trial(number, name, parameters, settings, key)
    return list(trials.values())


def _trial_settings(
    sweep: Sweep, spec: str, overrides: Sequence[str], wandb_group: str
) -> Settings:
    """Returns the settings of one trial, with the sweep's group and metric if they name none."""
    settings = load_settings(spec, overrides)
    if settings.population:
        raise UserError("config.population cannot be swept: sweep the values that it lists")
    wandb = settings.wandb
    wandb = replace(wandb, group=wandb.group or wandb_group, tags=(*wandb.tags, "sweep"))
    settings = replace(settings, wandb=wandb)
    if not settings.best_metric and sweep.metric:
        mode = "max" if sweep.maximize else "min"
        settings = replace(settings, best_metric=sweep.metric, best_mode=mode)
    return settings


def _trial_key(settings: Settings, parameters: Mapping[str, Any]) -> str:
    """Returns a hash of everything that changes a run's numbers, and of what the sweep varies."""
    swept = [name.removeprefix("config.") for name in parameters]

    def matters(path: str) -> bool:
        is_swept = any(path == name or path.startswith(f"{name}.") for name in swept)
        return is_swept or path.split(".")[0] not in RESUMABLE

    leaves = {path: value for path, value in flat(settings).items() if matters(path)}
    return naming.digest(sorted(leaves.items()))


def make_plan(workdir: Path, sweep: Sweep, trials: Sequence[Trial], group_size: int) -> Plan:
    """Returns the plan of a sweep in ``workdir``, which may extend the plan that is there.

    Groups that exist stay as they are, because a population resumes as a whole. Nothing is written.

    Args:
      workdir: the folder of the sweep.
      sweep: the search space.
      trials: all runs, from `make_trials`.
      group_size: the largest number of trials that train together.

    Raises:
      UserError: if the sweep in the folder has a run that this one lacks, or if the folder is not
        that of a sweep.
    """
    recorded = read_plan_file(workdir)
    names = {key: name for name, key in recorded["runs"].items()}
    keys = {trial.key for trial in trials}
    missing = [name for key, name in names.items() if key not in keys]
    if missing:
        raise UserError(
            f"workdir {workdir} holds another sweep: {len(missing)} of its {len(names)} runs, such "
            f"as {missing[0]}, are not in this one. Add values to it, or choose another --workdir"
        )
    trials = _with_recorded_names(trials, names)
    by_name = {trial.name: trial for trial in trials}
    groups = [tuple(by_name[name] for name in group) for group in recorded["groups"]]
    grouped = {trial.name for group in groups for trial in group}
    new_trials = [trial for trial in trials if trial.name not in grouped]
    groups += group_trials(new_trials, group_size)
    return Plan(workdir, sweep, tuple(trials), tuple(groups))


def _with_recorded_names(trials: Sequence[Trial], names: Mapping[str, str]) -> list[Trial]:
    """Returns the trials with the names that were recorded for their keys.

    A new trial whose name is that of a recorded one gets another name.
    """
    taken = set(names.values())

    def name_of(trial: Trial) -> str:
        if trial.key in names:
            return names[trial.key]
        return f"{trial.name}_{trial.key[:6]}" if trial.name in taken else trial.name

    return [replace(trial, name=name_of(trial)) for trial in trials]


def save_plan(plan: Plan) -> None:
    """Records in the sweep's workdir which runs it has, and which of them train together."""
    record = {
        "sweep": {
            "method": plan.sweep.method,
            "parameters": {
                name: parameter.as_schema() for name, parameter in plan.sweep.parameters.items()
            },
            "run_cap": plan.sweep.run_cap,
        },
        "runs": {trial.name: trial.key for trial in plan.trials},
        "groups": [[trial.name for trial in group] for group in plan.groups],
    }
    plan.workdir.mkdir(parents=True, exist_ok=True)
    files.write_text(plan.workdir / PLAN_FILE, json.dumps(record, indent=1) + "\n")


def group_trials(trials: Sequence[Trial], group_size: int) -> list[Group]:
    """Partitions trials into the largest groups that can train as one population.

    Args:
      trials: the trials.
      group_size: the largest number of trials in a group.

    Returns:
      The groups, in the order of their first trials.
    """
    compatible: list[list[Trial]] = []
    for trial in trials:
        for members in compatible if group_size > 1 else []:
            if _can_train_together([members[0], trial]):
                members.append(trial)
                break
        else:
            compatible.append([trial])
    groups: list[Group] = []
    for members in compatible:
        for first in range(0, len(members), group_size):
            group = tuple(members[first : first + group_size])
            if len(group) == 1 or _can_train_together(group):
                groups.append(group)
            else:
                groups += [(trial,) for trial in group]
    return sorted(groups, key=lambda group: group[0].number)


def _can_train_together(trials: Sequence[Trial]) -> bool:
    return population.joined([trial.settings for trial in trials]) is not None


def run_directory(workdir: Path, trial: Trial) -> Path:
    """Returns the run directory of a trial."""
    return workdir / "runs" / trial.name


def failure_file(workdir: Path, trial: Trial) -> Path:
    """Returns the file that says why a run failed, which exists only if it did."""
    return workdir / "failures" / f"{trial.name}.txt"


def run_status(workdir: Path, trial: Trial) -> Status:
    """Returns what has become of a run, from its files."""
    directory = run_directory(workdir, trial)
    ended = has_ended(directory, trial.settings.steps)
    if ended:
        return ended
    if failure_file(workdir, trial).exists():
        return "failed"
    return "started" if (directory / CONFIG).exists() else "waiting"


def unfinished(workdir: Path, group: Sequence[Trial]) -> list[Trial]:
    """Returns the trials of a group that have neither finished nor diverged."""
    return [trial for trial in group if run_status(workdir, trial) not in ENDED]


def unfinished_groups(plan: Plan) -> list[Group]:
    """Returns the groups with unfinished trials, in order."""
    return [group for group in plan.groups if unfinished(plan.workdir, group)]


@contextlib.contextmanager
def lock(workdir: Path) -> Iterator[None]:
    """Keeps other sweeps out of ``workdir`` during the ``with`` block. It ends with the process.

    Raises:
      UserError: if another sweep runs there, or if the folder cannot be used.
    """
    with contextlib.ExitStack() as held:
        try:
            workdir.mkdir(parents=True, exist_ok=True)
            held.enter_context(locked(workdir, f"the sweep in {workdir}"))
        except OSError as error:
            raise UserError(f"workdir {workdir} cannot be used: {error.strerror}") from error
        yield
