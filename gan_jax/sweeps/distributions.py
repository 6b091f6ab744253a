"""The values of a sweep's parameter, by W&B's distributions: listed or drawn."""

import math
import zlib
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np


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

    def grid_size(self) -> int:
        """Returns how many values a grid search tries."""
        return len(self.values)

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

    def grid_size(self) -> float:
        """Returns about how many values a grid search tries, without listing them."""
        low, high = self.settings["min"], self.settings["max"]
        return (high - low) / self.settings.get("q", 1) + 1

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
