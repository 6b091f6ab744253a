"""The values that a sweep's parameter takes, by W&B's distributions: checked, listed for a grid, drawn at random."""

import math
import zlib
from collections.abc import Callable, Mapping, Sequence
from typing import Any, NamedTuple

import numpy as np

from gan_jax.errors import UserError, did_you_mean


class Distribution(NamedTuple):
    """How a number is drawn: by ``quantile(u, **settings)`` of a uniform u in (0, 1)."""

    quantile: Callable[..., float]
    defaults: dict[str, float | None]  # settings; None where one has to be given


def _normal(u: float, mu: float, sigma: float) -> float:
    from scipy.special import ndtri

    return mu + sigma * float(ndtri(u))


def _beta(u: float, a: float, b: float) -> float:
    from scipy.special import betaincinv

    return float(betaincinv(a, b, u))


_RANGE: dict[str, float | None] = {"min": None, "max": None}
_BELL: dict[str, float | None] = {"mu": 0.0, "sigma": 1.0}
_linear = lambda u, min, max: min + u * (max - min)
_log = lambda u, min, max: math.exp(_linear(u, math.log(min), math.log(max)))
DISTRIBUTIONS: dict[str, Distribution] = {
    "uniform": Distribution(_linear, _RANGE),
    "int_uniform": Distribution(lambda u, min, max: min + int(u * (max - min + 1)), _RANGE),
    "log_uniform": Distribution(
        lambda u, min, max: math.exp(_linear(u, min, max)), _RANGE
    ),  # of the natural logarithm
    "log_uniform_values": Distribution(_log, _RANGE),
    "inv_log_uniform": Distribution(
        lambda u, min, max: math.exp(-_linear(1 - u, min, max)), _RANGE
    ),
    "inv_log_uniform_values": Distribution(_log, _RANGE),  # log(1/X) is uniform where log X is
    "normal": Distribution(_normal, _BELL),
    "log_normal": Distribution(lambda u, mu, sigma: math.exp(_normal(u, mu, sigma)), _BELL),
    "beta": Distribution(_beta, {"a": 1.0, "b": 1.0}),
}
"""By W&B's names. Each but the first two has a rounded sibling too, ``q_...``: X rounded to a multiple of ``q``."""

ROUNDED = ("uniform", "log_uniform", "log_uniform_values", "normal", "log_normal", "beta")
DISTRIBUTIONS |= {
    f"q_{name}": Distribution(DISTRIBUTIONS[name].quantile, DISTRIBUTIONS[name].defaults | {"q": 1})
    for name in ROUNDED
}


def checked(name: str, settings: Any, method: str) -> dict[str, Any]:
    """One parameter with its distribution spelled out. Raises UserError."""
    if not name.startswith("config."):
        raise UserError(
            f"the sweep's parameter {name!r} is no flag of train.py: did you mean config.{name}?"
        )
    if not isinstance(settings, Mapping):
        raise UserError(
            f"the sweep's parameter {name} takes {{values: [...]}} or {{min: ..., max: ...}}, not {settings!r}"
        )
    if "parameters" in settings:
        raise UserError(
            f"the sweep's parameter {name} is nested: name its parts in full, {name}.part: {{values: [...]}}"
        )
    given = dict(settings)
    if "value" in given:
        given = {"values": [given.pop("value")]} | given
    kind = given.pop("distribution", None)
    if "values" in given:
        if kind not in (None, "categorical", "constant", "categorical_w_probabilities"):
            raise UserError(
                f"the sweep's parameter {name} has values, and the distribution {kind!r} too"
            )
        return _categorical(name, given, method)
    if kind is None:
        if not {"min", "max"} <= given.keys():
            raise UserError(
                f"the sweep's parameter {name} needs values, or min and max, or a distribution"
            )
        whole = all(isinstance(given[key], int) for key in ("min", "max"))
        kind = "int_uniform" if whole else "uniform"
    if kind not in DISTRIBUTIONS:
        raise UserError(
            f"the sweep's parameter {name} has no distribution {kind!r}: {did_you_mean(str(kind), DISTRIBUTIONS)}"
        )
    defaults = DISTRIBUTIONS[kind].defaults
    for key in given:
        if key not in defaults:
            raise UserError(
                f"the sweep's parameter {name}: {kind} has no {key!r}: {did_you_mean(str(key), defaults)}"
            )
    filled = defaults | given
    for key, value in filled.items():
        if value is None:
            raise UserError(f"the sweep's parameter {name}: {kind} needs {key}")
        if (
            isinstance(value, bool)
            or not isinstance(value, int | float)
            or not math.isfinite(value)
        ):
            hint = " (YAML reads 1e-4 as text: write 1.0e-4)" if isinstance(value, str) else ""
            raise UserError(
                f"the sweep's parameter {name}: {key} takes a number, not {value!r}{hint}"
            )
        if kind == "int_uniform" and not isinstance(value, int):
            raise UserError(
                f"the sweep's parameter {name}: {key} of int_uniform is a whole number, not {value!r}"
            )
    if "min" in filled and not filled["min"] < filled["max"]:
        raise UserError(
            f"the sweep's parameter {name}: min {filled['min']} is not below max {filled['max']}"
        )
    for key in ("q", "sigma", "a", "b", *(("min",) if kind.endswith("log_uniform_values") else ())):
        if filled.get(key, 1) <= 0:
            raise UserError(
                f"the sweep's parameter {name}: {key} of {kind} must be above 0, not {filled[key]}"
            )
    if method == "grid" and kind not in ("int_uniform", "q_uniform"):
        raise UserError(
            f"grid search cannot go through {name}, which is continuous ({kind}): give values, or take random"
        )
    return {"distribution": kind, **filled}


def _categorical(name: str, given: dict[str, Any], method: str) -> dict[str, Any]:
    values, weights = given.pop("values"), given.pop("probabilities", None)
    if given:
        raise UserError(
            f"the sweep's parameter {name} has values, and {', '.join(map(repr, given))} too"
        )
    if not isinstance(values, list | tuple) or not values:
        raise UserError(f"the sweep's parameter {name} takes a list of values, not {values!r}")
    if len({str(value) for value in values}) < len(values):
        raise UserError(f"the sweep's parameter {name} has a value twice: {list(values)}")
    if weights is None:
        return {"values": list(values)}
    if method == "grid":
        raise UserError(
            f"grid search tries all values of {name}: its probabilities are for method random"
        )
    numbers = isinstance(weights, list | tuple) and all(
        isinstance(w, int | float) and w >= 0 for w in weights
    )
    if (
        not numbers
        or len(weights) != len(values)
        or not math.isclose(sum(weights), 1, abs_tol=1e-6)
    ):
        raise UserError(
            f"the sweep's parameter {name} needs {len(values)} probabilities with the sum 1, not {weights!r}"
        )
    return {"values": list(values), "probabilities": list(weights)}


def listed(settings: Mapping[str, Any]) -> list[Any]:
    """All values of a checked parameter, in order; of one that a grid can go through."""
    if "values" in settings:
        return settings["values"]
    low, high = settings["min"], settings["max"]
    if settings["distribution"] == "int_uniform":
        return list(range(low, high + 1))
    return np.arange(low, high, settings["q"]).tolist()  # without max, as W&B's own


def drawn(settings: Mapping[str, Any], seed: int, index: int, name: str) -> Any:
    """The value of the checked parameter ``name`` in trial ``index``: a pure function of these and ``seed``."""
    u = np.random.Generator(np.random.PCG64([seed, index, zlib.crc32(name.encode())])).random()
    if "values" in settings:
        values: Sequence[Any] = settings["values"]
        weights = settings.get("probabilities") or [1 / len(values)] * len(values)
        return values[
            min(int(np.searchsorted(np.cumsum(weights), u, side="right")), len(values) - 1)
        ]
    numbers = {key: value for key, value in settings.items() if key not in ("distribution", "q")}
    value = DISTRIBUTIONS[settings["distribution"]].quantile(max(u, 2.0**-53), **numbers)
    if "q" in settings:
        value = round(value / settings["q"]) * settings["q"]
    return value
