"""Populations: many runs that differ only in numbers, as one program.

``config.population`` holds a tuple of values, one a member, for each field in which they differ, laid out like the config
itself: ``{"seed": (0, 1, 2), "generator_optimizer": {"adam": {"learning_rate": (1e-4, 2e-4, 4e-4)}}}``. Each member is
an ordinary run: it has a config, a workdir and checkpoints of its own, which know nothing of the others.
"""

import copy
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from gan_jax.data import Dataset
from gan_jax.errors import UserError, did_you_mean
from gan_jax.experiment.builder import Stage, build
from gan_jax.experiment.config import differences, flat
from gan_jax.game import Batch
from gan_jax.training import TrainState, TrainStep, fused

Numbers = Mapping[str, Any]
"""Values by the paths of their config fields, one of each a member."""

TRACED = (
    "seed", "objective", "generator_optimizer", "discriminator_optimizer", "update_rule", "ema_decay", "gradient_regularisation",
    "augmentation_target",
)  # fmt: skip
"""Fields whose numbers may differ between the members of a population: no shape and no program depends on them."""


def columns(config: Mapping[str, Any]) -> dict[str, tuple]:
    """The values of each field that differs, by its path. Raises UserError, naming the field."""
    found: dict[str, tuple] = {}
    for path, values in flat(config["population"]).items() if config["population"] else ():
        if not isinstance(values, tuple) or not values:
            raise UserError(
                f"config.population.{path} takes a tuple with a value for each member, not {values!r}"
            )
        known = [name for name in flat(config) if name.split(".")[0] in TRACED]
        if path.split(".")[0] not in config:
            raise UserError(
                f"config.population.{path} is no field of this config: {did_you_mean(path, known)}"
            )
        if path.split(".")[0] not in TRACED:
            raise UserError(
                f"config.population.{path} cannot differ between members: only numbers in {', '.join(TRACED)} can"
            )
        kinds = (int,) if path == "seed" else (int, float)
        wrong = [
            value for value in values if not isinstance(value, kinds) or isinstance(value, bool)
        ]
        if wrong:
            kind = "whole numbers" if path == "seed" else "numbers"
            raise UserError(f"config.population.{path} takes {kind}, not {wrong[0]!r}")
        try:
            with_numbers(config, {path: values[0]})
        except (KeyError, StopIteration, TypeError) as error:
            raise UserError(
                f"config.population.{path} is no field of this config: {did_you_mean(path, known)}"
            ) from error
        found[path] = values
    sizes = {path: len(values) for path, values in found.items()}
    if len(set(sizes.values())) > 1:
        raise UserError(
            f"config.population needs a value for each member in each field: there are {sizes}"
        )
    return found


def members(config: Mapping[str, Any], called: bool = False) -> list[dict[str, Any]]:
    """The config of each member, that of an ordinary run; ``called``: in W&B by its numbers. Raises UserError."""
    found = columns(config)
    size = len(next(iter(found.values()))) if found else 0
    made = []
    for index in range(size):
        own = {path: values[index] for path, values in found.items()}
        member = with_numbers({**config, "population": {}}, own)
        if called and member["wandb"]["use"] and not member["wandb"]["name"]:
            name = ", ".join(f"{path.split('.')[-1]} {value:.4g}" for path, value in own.items())
            member["wandb"] = {**member["wandb"], "name": name}
        made.append(member)
    return made


def joined(configs: Sequence[Mapping[str, Any]]) -> dict[str, Any] | None:
    """One config for the population of all of these, or None where they differ in more than numbers that may."""
    first = configs[0]
    paths = sorted({path for other in configs[1:] for path in differences(first, other)})
    found: dict[str, Any] = {}
    for path in paths or ["seed"]:
        values = tuple(flat(config).get(path) for config in configs)
        kinds = (int,) if path == "seed" else (int, float)
        fits = all(isinstance(value, kinds) and not isinstance(value, bool) for value in values)
        whole = path != "seed" and all(
            isinstance(value, int) for value in values
        )  # a count, perhaps
        if path.split(".")[0] not in TRACED or not fits or whole:
            return None
        *parents, last = path.split(".")
        node = found
        for part in parents:
            node = node.setdefault(part, {})
        node[last] = values
    return {**first, "population": found}


def with_numbers(config: Mapping[str, Any], numbers: Numbers) -> dict[str, Any]:
    """A config with the numbers (which may be traced) put in at their paths."""
    made: dict[str, Any] = copy.deepcopy(dict(config))
    for path, value in numbers.items():
        *parents, last = path.split(".")
        node: Any = made
        for part in parents:
            node = (
                next(stage[part] for stage in node if part in stage)
                if isinstance(node, tuple)
                else node[part]
            )
        node[last] = value
    return made


def step_of_member(
    config: Mapping[str, Any], dataset: Dataset, stage: int
) -> Callable[[Numbers], TrainStep]:
    """``numbers -> step``: the fused step of one member, whose numbers may be traced."""

    def step(numbers: Numbers) -> TrainStep:
        made = stages(config, dataset, numbers)[stage]
        return fused(made.train_step, made.prepare)

    return step


def stages(config: Mapping[str, Any], dataset: Dataset, numbers: Numbers) -> tuple[Stage, ...]:
    """The stages of one member. Raises UserError where a number has to be known before the program is compiled."""
    try:
        return build(with_numbers({**config, "population": {}}, numbers), dataset).stages
    except jax.errors.ConcretizationTypeError as error:
        raise UserError(
            f"one of {', '.join(numbers)} cannot differ between the members of a population: run them one by one"
        ) from error


def numbers(config: Mapping[str, Any]) -> dict[str, np.ndarray]:
    """The numbers of all members, ``[members]`` float32 each; seeds are no hyperparameter and are left out."""
    return {
        path: np.asarray(values, np.float32)
        for path, values in columns(config).items()
        if path != "seed"
    }


def batches(make: Callable[[int], Batch], seeds: Sequence[int]) -> Batch:
    """The batches of all members, ``[members, ...]``, by ``make(seed)``; what members of one seed share is made once."""
    made = {seed: make(seed) for seed in dict.fromkeys(seeds)}
    return jax.tree.map(lambda *leaves: _stacked(leaves), *(made[seed] for seed in seeds))


def stacked(states: Sequence[TrainState]) -> TrainState:
    """One state of all members, leaves ``[members, ...]``, on the host."""
    return jax.tree.map(lambda *leaves: np.stack([np.asarray(leaf) for leaf in leaves]), *states)


def _stacked(leaves: Sequence[Any]) -> Any:
    return jnp.stack(leaves) if isinstance(leaves[0], jax.Array) else np.stack(leaves)
