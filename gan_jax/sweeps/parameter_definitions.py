"""Checks the definitions of a sweep's parameters, in W&B's schema."""

import math
from collections.abc import Mapping
from typing import Any

from gan_jax.errors import UserError, brief, did_you_mean
from gan_jax.sweeps.distributions import (
    CATEGORICAL,
    DISTRIBUTIONS,
    Choices,
    Distribution,
    Parameter,
)


def parse_parameter(name: str, definition: Any, method: str) -> Parameter:
    """Checks one parameter of a sweep in W&B's schema.

    Args:
      name: a flag of train.py without its hyphens, ``"config.unroll"``.
      definition: ``{"values": [...]}``, ``{"min": ..., "max": ...}`` or ``{"distribution": ...}``
        with the settings of that distribution.
      method: ``"grid"`` or ``"random"``.

    Raises:
      UserError: if the definition is wrong, or cannot be searched by the method.
    """
    described = f"the sweep's parameter {name}"
    if not name.startswith("config."):
        hint = f"did you mean config.{name}?"
        raise UserError(f"the sweep's parameter {name!r} is no flag of train.py: {hint}")
    if not isinstance(definition, Mapping):
        schema = "{values: [...]} or {min: ..., max: ...}"
        raise UserError(f"{described} takes {schema}, not {brief(definition)}")
    if "parameters" in definition:
        hint = f"name its parts in full, {name}.part: {{values: [...]}}"
        raise UserError(f"{described} is nested: {hint}")
    settings = dict(definition)
    if "value" in settings:
        settings.setdefault("values", [settings["value"]])
        del settings["value"]
    distribution = settings.pop("distribution", None)
    if "values" in settings:
        if distribution is not None and distribution not in CATEGORICAL:
            raise UserError(f"{described} has values, and the distribution {distribution!r} too")
        return _parse_choices(described, settings, method)
    return _parse_distribution(described, distribution, settings, method)


def _parse_choices(described: str, settings: dict[str, Any], method: str) -> Choices:
    """Checks a parameter with a list of values."""
    values, probabilities = settings.pop("values"), settings.pop("probabilities", None)
    if settings:
        others = ", ".join(map(repr, settings))
        raise UserError(f"{described} has values, and {others} too")
    if not isinstance(values, list | tuple) or not values:
        raise UserError(f"{described} takes a list of values, not {brief(values)}")
    if len({str(value) for value in values}) < len(values):
        raise UserError(f"{described} has a value twice: {brief(list(values))}")
    if probabilities is None:
        return Choices(tuple(values))
    if method == "grid":
        raise UserError(f"{described} has probabilities, which are for method random, not grid")
    if not _are_probabilities(probabilities, len(values)):
        raise UserError(
            f"{described} needs {len(values)} probabilities with the sum 1, "
            f"not {brief(probabilities)}"
        )
    return Choices(tuple(values), tuple(probabilities))


def _are_probabilities(weights: Any, count: int) -> bool:
    if not isinstance(weights, list | tuple) or len(weights) != count:
        return False
    if not all(isinstance(weight, int | float) and weight >= 0 for weight in weights):
        return False
    return math.isclose(sum(weights), 1, abs_tol=1e-6)


def _parse_distribution(
    described: str, name: str | None, settings: dict[str, Any], method: str
) -> Distribution:
    """Checks a parameter with a distribution, which may be left to ``min`` and ``max``."""
    if name is None:
        if not {"min", "max"} <= settings.keys():
            raise UserError(f"{described} needs values, or min and max, or a distribution")
        whole = all(isinstance(settings[key], int) for key in ("min", "max"))
        name = "int_uniform" if whole else "uniform"
    if not isinstance(name, str) or name not in DISTRIBUTIONS:
        hint = did_you_mean(str(name), DISTRIBUTIONS)
        raise UserError(f"{described} has no distribution {brief(name)}: {hint}")
    defaults = DISTRIBUTIONS[name].defaults
    for key in settings:
        if key not in defaults:
            raise UserError(
                f"{described}: {name} has no {key!r}: {did_you_mean(str(key), defaults)}"
            )
    numbers = {
        key: _parse_number(described, name, key, value)
        for key, value in {**defaults, **settings}.items()
    }
    if "min" in numbers and not numbers["min"] < numbers["max"]:
        ends = f"min {numbers['min']} is not below max {numbers['max']}"
        raise UserError(f"{described}: {ends}")
    positive = ["q", "sigma", "a", "b"]
    if name.endswith("log_uniform_values"):
        positive.append("min")
    for key in positive:
        if numbers.get(key, 1) <= 0:
            raise UserError(f"{described}: {key} of {name} must be above 0, not {numbers[key]}")
    if method == "grid" and name not in ("int_uniform", "q_uniform"):
        raise UserError(
            f"{described} is continuous ({name}), so grid search cannot try all its values: "
            "list the values, or use method random"
        )
    distribution = Distribution(name, numbers)
    if method == "random" and not _is_finite_at_ends(distribution):
        raise UserError(f"{described}: {name} with these settings has values beyond all floats")
    return distribution


def _is_finite_at_ends(distribution: Distribution) -> bool:
    try:
        return all(math.isfinite(distribution.value_at(u)) for u in (0.0, 1 - 2.0**-53))
    except (OverflowError, ValueError):
        return False


def _parse_number(described: str, name: str, key: str, value: Any) -> float:
    """Checks one setting of the distribution ``name``."""
    if value is None:
        raise UserError(f"{described}: {name} needs {key}")
    is_number = isinstance(value, int | float) and not isinstance(value, bool)
    if not is_number or not math.isfinite(value):
        hint = " (YAML reads 1e-4 as text: write 1.0e-4)" if isinstance(value, str) else ""
        raise UserError(f"{described}: {key} takes a number, not {brief(value)}{hint}")
    if name == "int_uniform" and not isinstance(value, int):
        raise UserError(f"{described}: {key} of int_uniform is a whole number, not {value!r}")
    number: float = value
    return number
