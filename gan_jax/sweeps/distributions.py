"""The values of a sweep's parameter, by W&B's distributions: checked, listed or drawn."""

import math
import zlib
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np

from gan_jax.errors import UserError, did_you_mean


class Kind(NamedTuple):
    """A distribution of W&B's.

    Attributes:
      quantile: ``(u, *settings) -> value``, the quantile function; u is in (0, 1), and the settings
        are in the order of ``defaults``, without ``q``.
      defaults: the default of each setting; None for a setting that has to be given.
    """

    quantile: Callable[..., float]
    defaults: Mapping[str, float | None]


def _uniform(u: float, low: float, high: float) -> float:
    return low + u * (high - low)


def _int_uniform(u: float, low: int, high: int) -> int:
    return low + int(u * (high - low + 1))


def _log_uniform(u: float, low: float, high: float) -> float:
    """``low`` and ``high`` are natural logarithms of the ends."""
    return math.exp(_uniform(u, low, high))


def _log_uniform_values(u: float, low: float, high: float) -> float:
    return math.exp(_uniform(u, math.log(low), math.log(high)))


def _inv_log_uniform(u: float, low: float, high: float) -> float:
    """log(1 / X) is uniform between ``low`` and ``high``."""
    return math.exp(-_uniform(1 - u, low, high))


def _normal(u: float, mu: float, sigma: float) -> float:
    from scipy.special import ndtri

    return mu + sigma * float(ndtri(u))


def _log_normal(u: float, mu: float, sigma: float) -> float:
    return math.exp(_normal(u, mu, sigma))


def _beta(u: float, a: float, b: float) -> float:
    from scipy.special import betaincinv

    return float(betaincinv(a, b, u))


_ENDS: dict[str, float | None] = {"min": None, "max": None}
_MOMENTS: dict[str, float | None] = {"mu": 0.0, "sigma": 1.0}
_SHAPE: dict[str, float | None] = {"a": 1.0, "b": 1.0}

DISTRIBUTIONS: dict[str, Kind] = {
    "uniform": Kind(_uniform, _ENDS),
    "int_uniform": Kind(_int_uniform, _ENDS),
    "log_uniform": Kind(_log_uniform, _ENDS),
    "log_uniform_values": Kind(_log_uniform_values, _ENDS),
    "inv_log_uniform": Kind(_inv_log_uniform, _ENDS),
    # log(1 / X) is uniform between log(1 / max) and log(1 / min) if and only if log X is uniform.
    "inv_log_uniform_values": Kind(_log_uniform_values, _ENDS),
    "normal": Kind(_normal, _MOMENTS),
    "log_normal": Kind(_log_normal, _MOMENTS),
    "beta": Kind(_beta, _SHAPE),
}
"""W&B's distributions by name. Those in `ROUNDED` also exist with the prefix ``q_``: the value is
then rounded to a multiple of the setting ``q``."""

ROUNDED = ("uniform", "log_uniform", "log_uniform_values", "normal", "log_normal", "beta")
DISTRIBUTIONS |= {
    f"q_{name}": Kind(DISTRIBUTIONS[name].quantile, {**DISTRIBUTIONS[name].defaults, "q": 1})
    for name in ROUNDED
}

CATEGORICAL = ("categorical", "constant", "categorical_w_probabilities")
"""W&B's distributions of parameters with a list of values."""


@dataclass(frozen=True)
class Choices:
    """A parameter that takes one of a list of values.

    Attributes:
      values: the values, without repetition.
      probabilities: the probability of each value; None if all are equally likely.
    """

    values: tuple[Any, ...]
    probabilities: tuple[float, ...] | None = None

    @property
    def is_logarithmic(self) -> bool:
        """Whether the values are spaced by their logarithms."""
        return False

    def grid_values(self) -> list[Any]:
        """Returns the values that a grid search tries, in order."""
        return list(self.values)

    def value_at(self, u: float) -> Any:
        """Returns the value for ``u``, which is uniform in [0, 1)."""
        weights = self.probabilities or [1 / len(self.values)] * len(self.values)
        index = int(np.searchsorted(np.cumsum(weights), u, side="right"))
        return self.values[min(index, len(self.values) - 1)]

    def as_schema(self) -> dict[str, Any]:
        """Returns the parameter in W&B's schema."""
        schema: dict[str, Any] = {"values": list(self.values)}
        if self.probabilities is not None:
            schema["probabilities"] = list(self.probabilities)
        return schema


@dataclass(frozen=True)
class Distribution:
    """A parameter that is drawn from a distribution.

    Attributes:
      name: one of `DISTRIBUTIONS`.
      settings: all settings of the distribution.
    """

    name: str
    settings: Mapping[str, float]

    @property
    def is_logarithmic(self) -> bool:
        """Whether the values are spaced by their logarithms."""
        return "log" in self.name

    def grid_values(self) -> list[Any]:
        """Returns the values that a grid search tries, in order.

        Only ``int_uniform`` and ``q_uniform`` can be on a grid. As in W&B, the values of the latter
        end before the maximum.
        """
        low, high = self.settings["min"], self.settings["max"]
        if self.name == "int_uniform":
            return list(range(int(low), int(high) + 1))
        values: list[Any] = np.arange(low, high, self.settings["q"]).tolist()
        return values

    def value_at(self, u: float) -> float:
        """Returns the quantile of ``u``, which is in [0, 1)."""
        settings = [value for key, value in self.settings.items() if key != "q"]
        value = DISTRIBUTIONS[self.name].quantile(max(u, 2.0**-53), *settings)
        if "q" in self.settings:
            value = round(value / self.settings["q"]) * self.settings["q"]
        return value

    def as_schema(self) -> dict[str, Any]:
        """Returns the parameter in W&B's schema."""
        return {"distribution": self.name, **self.settings}


Parameter = Choices | Distribution
"""What a parameter of a sweep may be."""


def draw(parameter: Parameter, seed: int, index: int, name: str) -> Any:
    """Draws the value of a parameter in one trial: a pure function of its arguments.

    Args:
      parameter: what to draw from.
      seed: the seed of the search.
      index: the number of the trial.
      name: the name of the parameter.
    """
    entropy = [seed, index, zlib.crc32(name.encode())]
    return parameter.value_at(np.random.Generator(np.random.PCG64(entropy)).random())


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
        raise UserError(f"{described} takes {schema}, not {definition!r}")
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
        raise UserError(f"{described} takes a list of values, not {values!r}")
    if len({str(value) for value in values}) < len(values):
        raise UserError(f"{described} has a value twice: {list(values)}")
    if probabilities is None:
        return Choices(tuple(values))
    if method == "grid":
        raise UserError(f"{described} has probabilities, which are for method random, not grid")
    if not _are_probabilities(probabilities, len(values)):
        raise UserError(
            f"{described} needs {len(values)} probabilities with the sum 1, not {probabilities!r}"
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
    if name not in DISTRIBUTIONS:
        hint = did_you_mean(str(name), DISTRIBUTIONS)
        raise UserError(f"{described} has no distribution {name!r}: {hint}")
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
    return Distribution(name, numbers)


def _parse_number(described: str, name: str, key: str, value: Any) -> float:
    """Checks one setting of the distribution ``name``."""
    if value is None:
        raise UserError(f"{described}: {name} needs {key}")
    is_number = isinstance(value, int | float) and not isinstance(value, bool)
    if not is_number or not math.isfinite(value):
        hint = " (YAML reads 1e-4 as text: write 1.0e-4)" if isinstance(value, str) else ""
        raise UserError(f"{described}: {key} takes a number, not {value!r}{hint}")
    if name == "int_uniform" and not isinstance(value, int):
        raise UserError(f"{described}: {key} of int_uniform is a whole number, not {value!r}")
    number: float = value
    return number
