"""The search space of a sweep in W&B's schema, and the parameters of its trials.

    method: grid                            # or random
    metric: {name: modes/covered, goal: maximize}
    parameters:                             # named like the flags of train.py
      config.unroll: {values: [0, 5, 10]}
      config.discriminator_optimizer.adam.learning_rate:
        {distribution: log_uniform_values, min: 1.0e-5, max: 1.0e-3}
      config.seed: {values: [0, 1, 2]}
    run_cap: 20                             # at most this many runs

The same YAML file works with ``wandb sweep``, and means the same there. Its ``command`` may name a
config and flags of its own.
"""

import inspect
import itertools
import math
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from gan_jax.errors import UserError, brief, did_you_mean, first_line
from gan_jax.experiment.command_line import split_overrides
from gan_jax.experiment.config_files import load_module
from gan_jax.experiment.part_text import is_int64
from gan_jax.sweeps import distributions
from gan_jax.sweeps.distributions import Parameter
from gan_jax.sweeps.parameter_definitions import parse_parameter

KEYS = (
    "method",
    "metric",
    "parameters",
    "run_cap",
    "command",
    "program",
    "name",
    "description",
    "project",
    "entity",
    "controller",
    "settings",
)
"""The keys of a sweep. Those that only W&B's server reads are ignored here."""

MOST_VALUES = 100_000
"""Values in a sweep file, and trials of a sweep, that are still taken for meant."""

SEED = "config.seed"
"""The parameter that is a replicate rather than a hyperparameter."""


@dataclass(frozen=True)
class Sweep:
    """A search space that has been checked.

    Attributes:
      method: ``"grid"`` or ``"random"``.
      parameters: what each parameter may be, by the flag of train.py without its hyphens.
      metric: the name of the metric; empty for the config's ``best_metric``.
      maximize: whether a higher metric is better.
      run_cap: the largest number of runs; None for all of a grid.
      name: the sweep's name; may be empty.
      config: the config file that the sweep's command names; may be empty.
      overrides: the config flags that the sweep's command names, ``("steps=1000",)``.
    """

    method: str
    parameters: Mapping[str, Parameter]
    metric: str
    maximize: bool
    run_cap: int | None
    name: str
    config: str
    overrides: tuple[str, ...]


def read_yaml(path: str | Path) -> dict[str, Any]:
    """Reads the definition of a sweep from a YAML file.

    Raises:
      UserError: if there is no such file, or if it holds no mapping.
    """
    import yaml

    try:
        definition = yaml.safe_load(Path(path).read_text(encoding="utf-8"))
    except OSError as error:
        raise UserError(f"no sweep file {path}: {error.strerror}") from error
    except Exception as error:  # PyYAML raises many kinds, for dates that are none and the like
        raise UserError(f"sweep file {path} is not YAML: {' '.join(str(error).split())}") from error
    if not isinstance(definition, dict):
        raise UserError(f"sweep file {path} holds no mapping with method, metric and parameters")
    _check_values(path, definition)
    return definition


def _check_values(path: str | Path, definition: Any) -> None:
    """Refuses values that cannot be written, and more of them than anyone writes.

    A few lines of YAML can hold any number of values, by references to each other.
    """
    queue, seen = [definition], 0
    while queue:
        value = queue.pop()
        seen += 1
        if seen > MOST_VALUES:
            raise UserError(f"sweep file {path} holds more than {MOST_VALUES} values")
        if isinstance(value, dict):
            queue += [*value, *value.values()]
        elif isinstance(value, list | tuple | set):
            queue += value
        elif isinstance(value, int) and not is_int64(value):
            raise UserError(f"sweep file {path} holds an integer of more than 64 bits")
        elif isinstance(value, str) and value != value.encode(errors="replace").decode():
            raise UserError(f"sweep file {path} holds text that is not Unicode")


def read_config_sweep(spec: str) -> dict[str, Any]:
    """Returns the definition of a sweep from the function ``sweep`` of a config file.

    Args:
      spec: ``"configs/ring.py"`` or ``"configs/ring.py:unrolled"``. The variant is passed to the
        function if it takes an argument.

    Raises:
      UserError: if the file has no such function, or if the function fails.
    """
    path, _, variant = spec.partition(":")
    module = load_module(path)
    if not callable(getattr(module, "sweep", None)):
        raise UserError(f"{path} has no sweep(): define one, or name a YAML file by --sweep")
    try:
        takes_variant = bool(inspect.signature(module.sweep).parameters)
        definition = module.sweep(variant) if takes_variant and variant else module.sweep()
    except UserError:
        raise
    except Exception as error:
        reason = f"{type(error).__name__}: {first_line(error)}"
        raise UserError(f"sweep() of {path} fails: {reason}") from error
    if not isinstance(definition, Mapping):
        expected = "a mapping with method, metric and parameters"
        raise UserError(f"sweep() of {path} returns {definition!r}, not {expected}")
    return dict(definition)


def parse(definition: Mapping[str, Any]) -> Sweep:
    """Checks the definition of a sweep in W&B's schema.

    Raises:
      UserError: if the definition is wrong, or if it needs W&B's server.
    """
    _check_keys(definition)
    method = _parse_method(definition.get("method"))
    metric, maximize = _parse_metric(definition.get("metric") or {})
    run_cap = _parse_run_cap(definition.get("run_cap"), method)
    parameters = definition.get("parameters")
    if not isinstance(parameters, Mapping) or not parameters:
        raise UserError("a sweep needs parameters: {config.unroll: {values: [0, 5]}, ...}")
    config, overrides = _parse_command(definition.get("command") or ())
    parsed = {
        str(name): parse_parameter(str(name), parameter, method)
        for name, parameter in parameters.items()
    }
    if method == "grid":
        _check_size(parsed, run_cap)
    return Sweep(
        method=method,
        parameters=parsed,
        metric=metric,
        maximize=maximize,
        run_cap=run_cap,
        name=str(definition.get("name") or ""),
        config=config,
        overrides=overrides,
    )


def _check_size(parameters: Mapping[str, Parameter], run_cap: int | None) -> None:
    """Refuses a grid that has too many values or points to list them."""
    sizes = {name: parameter.grid_size() for name, parameter in parameters.items()}
    for name, size in sizes.items():
        if size > MOST_VALUES:
            raise UserError(f"the sweep's parameter {name} has more than {MOST_VALUES} values")
    if min(math.prod(sizes.values()), run_cap or math.inf) > MOST_VALUES:
        raise UserError(
            f"a sweep has at most {MOST_VALUES} runs: list fewer values, or set run_cap"
        )


def _check_keys(definition: Mapping[str, Any]) -> None:
    for key in definition:
        if key == "early_terminate":
            raise UserError(
                "a sweep's early_terminate needs W&B's server: leave it out, or use `wandb sweep`"
            )
        if key not in KEYS:
            raise UserError(f"a sweep has no key {brief(key)}: {did_you_mean(str(key), KEYS)}")


def _parse_method(method: Any) -> str:
    if method == "bayes":
        raise UserError(
            "a sweep's method 'bayes' needs W&B's server: use `wandb sweep`, or grid or random here"
        )
    if method not in ("grid", "random"):
        raise UserError(f"a sweep's method is 'grid' or 'random', not {brief(method)}")
    return str(method)


def _parse_metric(metric: Any) -> tuple[str, bool]:
    """Returns the metric's name, empty if none is given, and whether to maximize it."""
    if not isinstance(metric, Mapping) or (metric and not isinstance(metric.get("name"), str)):
        schema = "{name: ..., goal: minimize or maximize}"
        raise UserError(f"a sweep's metric is {schema}, not {brief(metric)}")
    goal = metric.get("goal", "minimize")
    if goal not in ("minimize", "maximize"):
        raise UserError(f"a sweep's goal is 'minimize' or 'maximize', not {brief(goal)}")
    return metric.get("name", ""), goal == "maximize"


def _parse_run_cap(run_cap: Any, method: str) -> int | None:
    if run_cap is None:
        if method == "random":
            raise UserError("random search has no end of its own: set the number of runs, run_cap")
        return None
    if type(run_cap) is not int or not 1 <= run_cap <= MOST_VALUES:
        raise UserError(
            f"a sweep's run_cap is a whole number of runs, at most {MOST_VALUES}, "
            f"not {brief(run_cap)}"
        )
    return run_cap


def _parse_command(command: Any) -> tuple[str, tuple[str, ...]]:
    """Returns the config file that a sweep's command names, and its config flags."""
    if not isinstance(command, list | tuple):
        raise UserError(f"a sweep's command is a list of words, not {brief(command)}")
    words = [str(word) for word in command if not str(word).startswith("${")]
    overrides, rest = split_overrides(words)
    configs = [word.removeprefix("--config=") for word in rest if word.startswith("--config=")]
    return configs[0] if configs else "", tuple(overrides)


def trial_parameters(sweep: Sweep, seed: int = 0) -> list[dict[str, Any]]:
    """Returns the parameters of each trial, ``{"config.unroll": 5, ...}``.

    A grid search has all combinations, the last parameter changing fastest, and ends after
    ``run_cap`` of them. Trial i of a random search depends only on ``seed``, i and the names and
    distributions of its parameters, so that a higher ``run_cap`` only adds trials.

    Args:
      sweep: the search space.
      seed: the seed of a random search.
    """
    if sweep.method == "grid":
        names = list(sweep.parameters)
        axes = [parameter.grid_values() for parameter in sweep.parameters.values()]
        combinations = itertools.islice(itertools.product(*axes), sweep.run_cap)
        return [dict(zip(names, values, strict=True)) for values in combinations]
    return [
        {
            name: distributions.draw(parameter, seed, index, name)
            for name, parameter in sweep.parameters.items()
        }
        for index in range(sweep.run_cap or 0)
    ]


def to_overrides(parameters: Mapping[str, Any]) -> list[str]:
    """Returns a trial's parameters as config overrides: ``["unroll=5", ...]``.

    Values are written as W&B's agent writes them for ``${args}``.
    """
    return [f"{name.removeprefix('config.')}={value}" for name, value in parameters.items()]
