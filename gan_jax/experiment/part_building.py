"""How the parts that a config names are built.

A part is ``name(setting=value)``: the function of that name is called with those settings.
"""

import contextlib
import inspect
import types
import typing
from collections.abc import Callable, Iterator, Mapping
from functools import partial
from typing import Any

import optax

from gan_jax.errors import UserError, did_you_mean, first_line
from gan_jax.evaluation import Protocol
from gan_jax.experiment.part_text import Part, labels, parse_parts, parts_text
from gan_jax.experiment.registry import NAMESPACES, resolve, resolve_setting
from gan_jax.experiment.signatures import check_type, parameters_of
from gan_jax.game import Term
from gan_jax.networks import FeatureMapsFn, NetworksFactory

Hyperparameters = Mapping[str, Any]
"""Numbers that replace those of the settings, by the dotted path of their config field.

They may be traced: the members of a population differ in them, inside one program.
"""


def build_part(
    field: str,
    part: Part,
    hyperparameters: Hyperparameters = types.MappingProxyType({}),
    label: str | None = None,
    **context: Any,
) -> Any:
    """Calls the function that a part names, with the part's settings.

    Args:
      field: of the config, a key of `NAMESPACES`.
      part: the function's name and its settings.
      hyperparameters: values that replace settings of this part, by full path.
      label: what the part is called in paths; None: its name.
      **context: arguments that come from the rest of the run, such as ``shape`` for networks; each
        is passed if the function takes it, and cannot be set by the part.

    Returns:
      What the function returns: a dataset, networks, a term, ...

    Raises:
      UserError: an unknown name or setting, a missing one, or a value of another type.
    """
    function = resolve(field, part.name)
    path = f"{field}.{label or part.name}"
    made = _call(path, field, function, part, hyperparameters, context)
    _check_result(field, part, made)
    return made


def build_parts(
    field: str,
    parts: tuple[Part, ...],
    hyperparameters: Hyperparameters = types.MappingProxyType({}),
) -> list[Any]:
    """Builds parts in their order: see `build_part`."""
    return [
        build_part(field, part, hyperparameters, label)
        for label, part in zip(labels(parts), parts, strict=True)
    ]


def takes(field: str, part: Part, setting: str) -> bool:
    """Returns whether the function that a part names takes a setting."""
    return setting in parameters_of(resolve(field, part.name))


def build_protocols(
    parts: tuple[Part, ...], samples: int | None = None, weights: str = ""
) -> list[Protocol]:
    """Builds the protocols that a text of metrics names.

    Args:
      parts: as in ``config.metrics``.
      samples: replaces every protocol's own number of generated samples.
      weights: file of the extractor's weights, for each protocol that takes one and names none.

    Raises:
      UserError: an unknown name or setting, or weights that are missing, or that no protocol takes.
    """
    if weights and not any(takes("metrics", part, "weights") for part in parts):
        raise UserError(f"none of {parts_text(parts)} takes weights: leave {weights} out")
    built = []
    for part in parts:
        settings: dict[str, Any] = {} if samples is None else {"samples": samples}
        if weights and "weights" not in part.settings and takes("metrics", part, "weights"):
            settings["weights"] = weights
        built.append(build_part("metrics", part.updated(settings)))
    return built


def parse_metrics(text: str) -> tuple[Part, ...]:
    """Parses names of protocols with settings, as of the flag --metrics. Raises UserError."""
    try:
        return parse_parts(text)
    except ValueError as error:
        raise UserError(
            "--metrics takes names like 'fid50k,kid' or 'frechet(samples=500)', "
            f"not {text!r}: {error}"
        ) from error


def _call(
    path: str,
    field: str,
    function: Callable[..., Any],
    part: Part,
    hyperparameters: Hyperparameters,
    context: Mapping[str, Any],
) -> Any:
    parameters = parameters_of(function)
    arguments = _arguments(path, field, part, parameters, hyperparameters, context)
    arguments |= {name: value for name, value in context.items() if name in parameters}
    _check_required(path, part, parameters, set(arguments))
    if field in ("generator_optimizer", "discriminator_optimizer"):
        scheduled = [name for name, value in part.settings.items() if isinstance(value, Part)]
        if not all(_takes_schedule(name, parameters[name][0]) for name in scheduled):
            function = optax.inject_hyperparams(function)
    with naming_bad_settings(path, part):
        return function(**arguments)


def _takes_schedule(name: str, annotation: Any) -> bool:
    """Whether an argument of an optimizer may be a function of the step, as learning rates are."""
    kinds = typing.get_args(annotation)
    return name == "learning_rate" or any(
        typing.get_origin(kind) in (Callable, typing.Callable) for kind in kinds
    )


@contextlib.contextmanager
def naming_bad_settings(path: str, part: Part) -> Iterator[None]:
    """Turns what a function of gan_jax or optax raises for its settings into a line that names it.

    What a function of one's own raises is left as it is: its traceback leads to the mistake.

    Args:
      path: of the part, for the error.
      part: what is built in the block.
    """
    try:
        yield
    except UserError:
        raise
    except (ValueError, TypeError, AttributeError, ArithmeticError, MemoryError) as error:
        if ":" in str(part):
            raise
        raise UserError(
            f"config.{path} cannot be built with these settings, {part}: {first_line(error)}"
        ) from error


def _check_required(
    path: str, part: Part, parameters: Mapping[str, tuple[Any, bool]], given: set[str]
) -> None:
    for name, (_, required) in parameters.items():
        if required and name not in given:
            raise UserError(f"config.{path} needs {name}: {part.name}({name}=...)")


def _arguments(
    path: str,
    field: str,
    part: Part,
    parameters: Mapping[str, tuple[Any, bool]],
    hyperparameters: Hyperparameters,
    context: Mapping[str, Any],
) -> dict[str, Any]:
    """The settings of a part as its function takes them: parts built, numbers replaced."""
    arguments: dict[str, Any] = {}
    for name, value in part.settings.items():
        if name not in parameters or name in context:
            known = set(parameters) - set(context)
            hint = did_you_mean(name, known) if known else "it has none"
            raise UserError(f"config.{path} has no setting {name!r}: {hint}")
        annotation = parameters[name][0]
        if annotation in (Term, FeatureMapsFn):
            value = _one_part(f"{path}.{name}", value)
        if annotation is NetworksFactory:
            arguments[name] = _networks_factory(f"{path}.{name}", value, context)
        elif isinstance(value, Part):
            inner = f"{path}.{name}.{value.name}"
            function = resolve_setting(field, f"{path}.{name}", value.name)
            arguments[name] = _call(inner, field, function, value, hyperparameters, {})
        else:
            check_type(f"config.{path}.{name}", value, annotation)
            arguments[name] = hyperparameters.get(f"{path}.{name}", value)
    for full_path, number in hyperparameters.items():  # a setting that was left at its default
        above, _, name = full_path.rpartition(".")
        if above == path and name in parameters:
            arguments[name] = number
    return arguments


def _networks_factory(path: str, value: Any, context: Mapping[str, Any]) -> NetworksFactory:
    """The networks that others are made of: a function of the sample's shape and the classes."""
    part = _one_part(path, value)
    function = resolve("networks", part.name)
    parameters = parameters_of(function)
    made_later = {"shape": None, "classes": None}
    settings = _arguments(f"{path}.{part.name}", "networks", part, parameters, {}, made_later)
    if "dtype" in parameters and "dtype" in context:
        settings.setdefault("dtype", context["dtype"])
    _check_required(f"{path}.{part.name}", part, parameters, {*settings, *made_later})
    return typing.cast(NetworksFactory, partial(function, **settings))


def _one_part(path: str, value: Any) -> Part:
    if isinstance(value, Part):
        return value
    try:
        (part,) = parse_parts(str(value))
    except ValueError as error:
        raise UserError(
            f"config.{path} names one part, such as mlp(latent_size=2), not {value!r}"
        ) from error
    return part


def _check_result(field: str, part: Part, made: Any) -> None:
    returns = NAMESPACES[field].returns
    if inspect.isclass(returns) and not _is_protocol(returns):
        fits = isinstance(made, returns)
    else:  # train steps and augmentations are functions
        fits = callable(made)
    if not fits:
        expected = getattr(returns, "__name__", str(returns))
        raise UserError(
            f"config.{field} names {part.name}, which returns {type(made).__name__}, not {expected}"
        )


def _is_protocol(kind: Any) -> bool:
    return bool(getattr(kind, "_is_protocol", False))
