"""The search space of a sweep: W&B's schema for sweeps, with the same meaning, and its trials as flags.

    method: grid                            # or random
    metric: {name: modes/covered, goal: maximize}
    parameters:                             # named like the flags of train.py
      config.unroll: {values: [0, 5, 10]}
      config.discriminator_optimizer.adam.learning_rate: {distribution: log_uniform_values, min: 1.0e-5, max: 1.0e-3}
      config.seed: {values: [0, 1, 2]}
    run_cap: 20                             # at most so many runs

A YAML file with such a mapping serves `wandb sweep` too. Its `command` may name a config and flags of its own.
"""

import inspect
import itertools
from collections.abc import Mapping
from pathlib import Path
from typing import Any, NamedTuple

from gan_jax.errors import UserError, did_you_mean, first_line
from gan_jax.experiment.command_line import split_overrides
from gan_jax.experiment.config import load_module
from gan_jax.sweeps import distributions

KNOWN = (
    "method", "metric", "parameters", "run_cap", "command", "program", "name", "description", "project", "entity",
    "controller", "settings",
)  # fmt: skip
"""Keys of a sweep; those that only W&B's server reads are left to it."""

SEED = "config.seed"


class Sweep(NamedTuple):
    """A search space that has been checked."""

    method: str
    parameters: dict[
        str, dict[str, Any]
    ]  # flag without its hyphens -> {"values": [...]}, {"distribution": ..., ...}
    metric: str  # empty: the config's best_metric
    highest: bool
    run_cap: int | None
    name: str
    config: str  # the config file that the sweep's own command names, or empty
    overrides: tuple[str, ...]  # the config flags that it names


def read(path: str | Path) -> dict[str, Any]:
    """The mapping of a sweep YAML. Raises UserError."""
    import yaml

    try:
        definition = yaml.safe_load(Path(path).read_text(encoding="utf-8"))
    except OSError as error:
        raise UserError(f"no sweep file {path}: {error.strerror}") from error
    except (yaml.YAMLError, UnicodeDecodeError) as error:
        raise UserError(f"sweep file {path} is not YAML: {' '.join(str(error).split())}") from error
    if not isinstance(definition, dict):
        raise UserError(f"sweep file {path} holds no mapping with method, metric and parameters")
    return definition


def parse(definition: Mapping[str, Any]) -> Sweep:
    """Checks a sweep in W&B's schema. Raises UserError, one line."""
    for key in definition:
        if key == "early_terminate":
            raise UserError(
                "a sweep's early_terminate needs W&B's server: leave it out, or use `wandb sweep`"
            )
        if key not in KNOWN:
            raise UserError(f"a sweep has no key {key!r}: {did_you_mean(str(key), KNOWN)}")
    method = definition.get("method")
    if method == "bayes":
        raise UserError(
            "a sweep's method 'bayes' needs W&B's server: use `wandb sweep`, or method grid or random here"
        )
    if method not in ("grid", "random"):
        raise UserError(f"a sweep's method is 'grid' or 'random', not {method!r}")
    metric = definition.get("metric") or {}
    if not isinstance(metric, Mapping) or (metric and not isinstance(metric.get("name"), str)):
        raise UserError(
            f"a sweep's metric is {{name: ..., goal: minimize or maximize}}, not {metric!r}"
        )
    goal = metric.get("goal", "minimize")
    if goal not in ("minimize", "maximize"):
        raise UserError(f"a sweep's goal is 'minimize' or 'maximize', not {goal!r}")
    run_cap = definition.get("run_cap")
    if run_cap is not None and (
        not isinstance(run_cap, int) or isinstance(run_cap, bool) or run_cap < 1
    ):
        raise UserError(f"a sweep's run_cap is a whole number of runs, not {run_cap!r}")
    if method == "random" and run_cap is None:
        raise UserError("random search has no end of its own: say how many runs by run_cap")
    parameters = definition.get("parameters")
    if not isinstance(parameters, Mapping) or not parameters:
        raise UserError("a sweep needs parameters: {config.unroll: {values: [0, 5]}, ...}")
    command = definition.get("command") or ()
    overrides, rest = split_overrides(
        [str(part) for part in command if not str(part).startswith("${")]
    )
    spec = next(
        (part.removeprefix("--config=") for part in rest if part.startswith("--config=")), ""
    )
    checked = {
        str(name): distributions.checked(str(name), settings, method)
        for name, settings in parameters.items()
    }
    return Sweep(
        method, checked, metric.get("name", ""), goal == "maximize", run_cap, str(definition.get("name") or ""), spec,
        tuple(overrides),
    )  # fmt: skip


def trials(sweep: Sweep, seed: int = 0) -> list[dict[str, Any]]:
    """The parameters of each trial, ``{"config.unroll": 5, ...}``.

    A grid's are all combinations, the last parameter changing fastest, the first ``run_cap`` of them. A random search's
    i-th trial depends on (``seed``, i) and its parameters' names alone, so a higher ``run_cap`` only adds trials.
    """
    if sweep.method == "grid":
        names, axes = (
            list(sweep.parameters),
            [distributions.listed(settings) for settings in sweep.parameters.values()],
        )
        combined = itertools.islice(itertools.product(*axes), sweep.run_cap)
        return [dict(zip(names, values)) for values in combined]
    return [
        {
            name: distributions.drawn(settings, seed, index, name)
            for name, settings in sweep.parameters.items()
        }
        for index in range(sweep.run_cap or 0)
    ]


def flags(parameters: Mapping[str, Any]) -> list[str]:
    """A trial's parameters as config overrides, in the words of W&B's ``${args}``: ``["unroll=5", ...]``."""
    return [f"{name.removeprefix('config.')}={value}" for name, value in parameters.items()]


def of_config(spec: str) -> dict[str, Any]:
    """What ``sweep()`` of a config file returns, asked with the variant where there is one. Raises UserError."""
    path, _, variant = spec.partition(":")
    module = load_module(path)
    if not callable(getattr(module, "sweep", None)):
        raise UserError(f"{path} has no sweep(): define one, or name a YAML file by --sweep")
    try:
        takes = inspect.signature(module.sweep).parameters
        definition = module.sweep(variant) if takes and variant else module.sweep()
    except UserError:
        raise
    except Exception as error:
        raise UserError(
            f"sweep() of {path} fails: {type(error).__name__}: {first_line(error)}"
        ) from error
    if not isinstance(definition, Mapping):
        raise UserError(
            f"sweep() of {path} returns {definition!r}, not a mapping with method, metric and parameters"
        )
    return dict(definition)
