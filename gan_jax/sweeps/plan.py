"""The runs of a sweep: each trial's config, name and folder, and which of them train together."""

import contextlib
import fcntl
import json
import os
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

from gan_jax import errors
from gan_jax.errors import UserError
from gan_jax.experiment import config as configs
from gan_jax.experiment import population
from gan_jax.experiment.run_directory import FREE
from gan_jax.experiment.run_writer import DIVERGED
from gan_jax.sweeps import naming, space


class Trial(NamedTuple):
    """One run of a sweep."""

    number: int  # in the search space
    name: str
    parameters: dict[str, Any]
    config: dict[str, Any]
    key: str  # the same for the same run, however its sweep was extended


class Plan(NamedTuple):
    """A sweep in its workdir."""

    workdir: Path
    sweep: space.Sweep
    trials: tuple[Trial, ...]
    groups: tuple[tuple[Trial, ...], ...]  # trained together, in this order


def trials(
    sweep: space.Sweep, spec: str, overrides: Sequence[str], seed: int, group: str
) -> list[Trial]:
    """Every trial with its config; of trials that are alike, the first. Raises UserError for a wrong parameter or value.

    ``overrides``: config flags for all; ``group``: the runs' group in W&B where the config names none.
    """
    fixed = {text.partition("=")[0] for text in overrides}
    for name in sweep.parameters:
        if name.removeprefix("config.") in fixed:
            raise UserError(f"--{name} is swept: leave the flag out, or the parameter")
    found: dict[str, Trial] = {}
    for index, parameters in enumerate(space.trials(sweep, seed)):
        config = configs.to_dict(
            configs.load(spec, [*sweep.overrides, *overrides, *space.flags(parameters)])
        )
        if config.get("population"):
            raise UserError(
                "config.population is a population of its own: sweep the values that it lists"
            )
        config["wandb"] |= {
            "group": config["wandb"]["group"] or group,
            "tags": (*config["wandb"]["tags"], "sweep"),
        }
        if not config["best_metric"] and sweep.metric:
            config |= {"best_metric": sweep.metric, "best_mode": "max" if sweep.highest else "min"}
        key = _key(config, parameters)
        if key not in found:
            name = naming.folder(parameters, index if sweep.method == "random" else None)
            taken = {trial.name for trial in found.values()}
            found[key] = Trial(
                index, name if name not in taken else f"{name}_{key[:6]}", parameters, config, key
            )
    return list(found.values())


def _key(config: Mapping[str, Any], parameters: Mapping[str, Any]) -> str:
    """What makes a run this run: all that changes its numbers, and what the sweep varies."""
    swept = [name.removeprefix("config.") for name in parameters]
    leaves = {
        path: value
        for path, value in configs.flat(config).items()
        if path.split(".")[0] not in FREE
        or any(path == name or path.startswith(f"{name}.") for name in swept)
    }
    return naming.digest(sorted(leaves.items()))


def opened(workdir: Path, sweep: space.Sweep, found: Sequence[Trial], most: int) -> Plan:
    """The plan of a sweep in ``workdir``: a new one, or the one there, perhaps extended by more trials.

    Trials that differ only in numbers form groups of at most ``most``; groups that were formed stay as they are, as a
    population resumes whole. Raises UserError where the sweep there has a run that this one has not, touching nothing.
    """
    file = workdir / "sweep.json"
    before: dict[str, Any] = {"runs": {}, "groups": []}
    if file.exists():
        try:
            before = json.loads(file.read_text())
        except ValueError as error:
            raise UserError(f"{file} cannot be read: {errors.first_line(error)}") from error
    elif workdir.exists() and (
        not workdir.is_dir() or any(path.name != "lock" for path in workdir.iterdir())
    ):
        raise UserError(
            f"{workdir} is not the workdir of a sweep: it has no sweep.json. Choose another --workdir"
        )
    names = {key: name for name, key in before["runs"].items()}
    keys = {trial.key for trial in found}
    lost = [name for key, name in names.items() if key not in keys]
    if lost:
        raise UserError(
            f"workdir {workdir} holds another sweep: {len(lost)} of its {len(names)} runs, such as {lost[0]}, are not in "
            "this one. Add values to it, or choose another --workdir"
        )
    found = [trial._replace(name=names.get(trial.key, trial.name)) for trial in found]
    if len({trial.name for trial in found}) < len(found):  # an old name may be that of a new trial
        old = set(names.values())
        found = [
            trial
            if trial.key in names or trial.name not in old
            else trial._replace(name=f"{trial.name}_{trial.key[:6]}")
            for trial in found
        ]
    by_name = {trial.name: trial for trial in found}
    old_groups = [tuple(by_name[name] for name in group) for group in before["groups"]]
    grouped = {trial.name for group in old_groups for trial in group}
    groups = (
        *old_groups,
        *groups_of([trial for trial in found if trial.name not in grouped], most),
    )
    return Plan(workdir, sweep, tuple(found), tuple(groups))


def save(plan: Plan) -> None:
    """Notes in the sweep's workdir which runs it has, and which of them train together."""
    record = {
        "sweep": {
            "method": plan.sweep.method,
            "parameters": plan.sweep.parameters,
            "run_cap": plan.sweep.run_cap,
        },
        "runs": {trial.name: trial.key for trial in plan.trials},
        "groups": [[trial.name for trial in group] for group in plan.groups],
    }
    plan.workdir.mkdir(parents=True, exist_ok=True)
    write(plan.workdir / "sweep.json", json.dumps(record, indent=1) + "\n")


def groups_of(found: Sequence[Trial], most: int) -> list[tuple[Trial, ...]]:
    """Partitions trials into the largest groups that can train as one population, of at most ``most`` trials each."""
    alike: list[list[Trial]] = []
    for trial in found:
        fits = (
            group
            for group in alike
            if most > 1 and population.joined([group[0].config, trial.config]) is not None
        )
        group = next(fits, None)
        if group is None:
            alike.append([trial])
        else:
            group.append(trial)
    parts = [
        tuple(group[first : first + most])
        for group in alike
        for first in range(0, len(group), most)
    ]
    whole = [
        part
        for part in parts
        if len(part) == 1 or population.joined([trial.config for trial in part]) is not None
    ]
    rest = [(trial,) for part in parts if part not in whole for trial in part]
    return sorted([*whole, *rest], key=lambda group: group[0].number)


def folder(workdir: Path, trial: Trial) -> Path:
    """The workdir of one run."""
    return workdir / "runs" / trial.name


def failure(workdir: Path, trial: Trial) -> Path:
    """The file that says why a run failed, if it did."""
    return workdir / "failures" / f"{trial.name}.txt"


def status(workdir: Path, trial: Trial) -> str:
    """``finished``, ``diverged``, ``failed``, ``started`` or ``waiting``, as the run's folder says."""
    run = folder(workdir, trial)
    if (run / DIVERGED).exists():
        return "diverged"
    # The checkpoint is the last that a run writes, and appears whole.
    steps = [int(path.name) for path in (run / "checkpoints").glob("*") if path.name.isdecimal()]
    if steps and max(steps) >= trial.config["steps"]:
        return "finished"
    if failure(workdir, trial).exists():
        return "failed"
    return "started" if (run / "config.json").exists() else "waiting"


def write(path: Path, text: str) -> None:
    """Writes a file whole or not at all, whoever else writes it at the same time."""
    temporary = path.with_name(f".{path.name}.{os.getpid()}")
    temporary.write_text(text, encoding="utf-8")
    os.replace(temporary, path)


@contextlib.contextmanager
def locked(workdir: Path) -> Iterator[None]:
    """Keeps a second command out of a sweep's workdir; a kill ends it. Raises UserError."""
    try:
        workdir.mkdir(parents=True, exist_ok=True)
        file = open(workdir / "lock", "w")  # noqa: SIM115 - open as long as the sweep runs
    except OSError as error:
        raise UserError(f"workdir {workdir} cannot be used: {error.strerror}") from error
    with file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError as error:
            raise UserError(f"another sweep runs in {workdir}") from error
        yield
