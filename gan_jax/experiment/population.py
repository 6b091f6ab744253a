"""Populations: many runs that differ only in numbers, trained as one program.

``config.population`` holds a tuple of values, one for each member, for each field in which the
members differ: ``{"seed": (0, 1, 2), "generator_optimizer.adam.learning_rate": (1e-4, 2e-4,
4e-4)}``. Each member is an ordinary run: it has settings, a run directory and checkpoints of its
own, as if it were trained alone.
"""

import dataclasses
import math
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from gan_jax.errors import UserError, brief, did_you_mean
from gan_jax.experiment.differences import differences
from gan_jax.experiment.overrides import flat, with_value
from gan_jax.experiment.part_building import Hyperparameters
from gan_jax.experiment.part_text import Part, is_int64
from gan_jax.experiment.run_name import format_value
from gan_jax.experiment.settings import Settings

VARIABLE_FIELDS = (
    "seed",
    "objective",
    "transformations",
    "generator_optimizer",
    "discriminator_optimizer",
    "update_rule",
    "ema_decay",
    "gradient_regularisation",
    "augmentation_target",
)
"""Fields whose numbers may differ between members: no shape and no program depends on them."""


def member_settings(settings: Settings) -> list[Settings]:
    """Returns the settings of each member, those of ordinary runs; empty without a population.

    Raises:
      UserError: a field that cannot differ, or values that do not fit it.
    """
    columns = settings.population
    _check(settings)
    size = len(next(iter(columns.values()))) if columns else 0
    alone = dataclasses.replace(settings, population={})
    members = []
    for index in range(size):
        member = alone
        for path, values in columns.items():
            member = with_value(member, path, values[index])
        members.append(member)
    return members


def name_members(settings: Settings, members: Sequence[Settings]) -> list[Settings]:
    """Returns the members with names in W&B, by their numbers: ``"learning_rate 0.001, seed 0"``.

    Args:
      settings: of the population.
      members: the settings of its members, which keep the names that they have.

    Returns:
      The settings of all members, unchanged if W&B is not used or if there is no population.
    """
    if not settings.population or not settings.wandb.use or settings.wandb.name:
        return list(members)
    names = [
        ", ".join(
            f"{path.split('.')[-1]} {format_value(values[index])}"
            for path, values in settings.population.items()
        )
        for index in range(len(members))
    ]
    return [
        dataclasses.replace(member, wandb=dataclasses.replace(member.wandb, name=name))
        for member, name in zip(members, names, strict=True)
    ]


def hyperparameters(settings: Settings) -> Hyperparameters:
    """Returns the numbers of all members but their seeds, ``[members]`` float32, by path."""
    return {
        path: np.asarray(values, np.float32)
        for path, values in settings.population.items()
        if path != "seed"
    }


def joined(runs: Sequence[Settings]) -> Settings | None:
    """Returns the settings of the population of some runs.

    Returns None if the runs differ in more than numbers that may differ between members.
    """
    first = runs[0]
    paths = sorted({path for other in runs[1:] for path in differences(first, other)}) or ["seed"]
    columns: dict[str, tuple[Any, ...]] = {}
    for path in paths:
        values = tuple(flat(run).get(path) for run in runs)
        if path.split(".")[0] not in VARIABLE_FIELDS or not all(map(_kind_check(path), values)):
            return None
        if path != "seed" and all(isinstance(value, int) for value in values):
            return None  # perhaps a count, on which a shape may depend
        columns[path] = values
    return dataclasses.replace(first, population=columns)


def _check(settings: Settings) -> None:
    columns = settings.population
    leaves = flat(dataclasses.replace(settings, population={}))
    known = [path for path in leaves if path.split(".")[0] in VARIABLE_FIELDS]
    for path, values in columns.items():
        field = f"config.population.{path}"
        if not isinstance(values, tuple) or not values:
            raise UserError(
                f"{field} takes a tuple with a value for each member, not {brief(values)}"
            )
        top = path.split(".")[0]
        if top not in {leaf.split(".")[0] for leaf in leaves}:
            raise UserError(f"{field} is no field of this config: {did_you_mean(path, known)}")
        if top not in VARIABLE_FIELDS:
            raise UserError(
                f"{field} cannot differ between members: only numbers in "
                f"{', '.join(VARIABLE_FIELDS)} can"
            )
        for value in values:
            if not _kind_check(path)(value):
                kind = "whole numbers" if path == "seed" else "numbers"
                shown = str(value) if isinstance(value, Part) else brief(value)
                raise UserError(f"{field} takes {kind}, not {shown}")
        try:
            with_value(settings, path, values[0])
        except UserError as error:
            if not str(error).startswith("unknown config key"):
                raise
            raise UserError(
                f"{field} is no field of this config: {did_you_mean(path, known)}"
            ) from error
    sizes = {path: len(values) for path, values in columns.items()}
    if len(set(sizes.values())) > 1:
        raise UserError(
            f"config.population needs a value for each member in each field: there are {sizes}"
        )


def _kind_check(path: str) -> Callable[[Any], bool]:
    def is_number(value: Any) -> bool:
        if isinstance(value, float):
            return path != "seed" and math.isfinite(value)
        return isinstance(value, int) and not isinstance(value, bool) and is_int64(value)

    return is_number
