"""What the named parts of a config can name, and how a part is built.

A part is ``name(setting=value)``: the function of that name is called with those settings. Names
are those of the modules listed in `NAMESPACES`; a function of any other module is named
``package.module:function``.
"""

import contextlib
import importlib
import inspect
import types
import typing
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from functools import partial
from typing import Any

import optax

from gan_jax import data, networks
from gan_jax.data import Dataset
from gan_jax.errors import UserError, brief, did_you_mean, first_line
from gan_jax.evaluation import Protocol, protocols
from gan_jax.experiment.part_text import Part, parse_parts, parts_text
from gan_jax.game import Networks, Term
from gan_jax.networks import NetworksFactory
from gan_jax.objectives import augmentation, losses, penalties, regularisers, timing
from gan_jax.objectives.augmentation import Augmentation
from gan_jax.training import alternating_updates, joint_updates, optimizers
from gan_jax.training.steps import TrainStep


@dataclass(frozen=True)
class Namespace:
    """What a field of the config can name.

    Attributes:
      modules: where names are looked up, in this order.
      returns: what the functions return; functions that return something else cannot be named.
      hidden: functions of that kind that a config cannot name.
      inner: further modules whose functions the settings of a part can name, such as schedules.
    """

    modules: tuple[types.ModuleType, ...]
    returns: Any
    hidden: tuple[str, ...] = ()
    inner: tuple[types.ModuleType, ...] = ()


NAMESPACES: Mapping[str, Namespace] = {
    "dataset": Namespace((data,), Dataset),
    "networks": Namespace((networks,), Networks),
    "objective": Namespace((losses, penalties, regularisers, timing), Term, inner=(optax,)),
    "augmentation": Namespace((augmentation,), Augmentation, hidden=("composed",)),
    "update_rule": Namespace((alternating_updates, joint_updates), TrainStep),
    "generator_optimizer": Namespace((optimizers, optax), optax.GradientTransformation),
    "discriminator_optimizer": Namespace((optimizers, optax), optax.GradientTransformation),
    "metrics": Namespace((protocols,), Protocol),
}
"""The namespace of each field that holds named parts."""

Hyperparameters = Mapping[str, Any]
"""Numbers that replace those of the settings, by the dotted path of their config field.

They may be traced: the members of a population differ in them, inside one program.
"""


def names(field: str) -> list[str]:
    """Returns the names that a field of the config can name; optax's are in its documentation."""
    namespace = NAMESPACES[field]
    own = [module for module in namespace.modules if module is not optax]
    return sorted(
        name
        for module in own
        for name in module.__all__
        if _function(module, name, namespace) is not None
    )


def describe() -> str:
    """Returns the names of every field as text, for ``--help``."""
    lines = []
    for field, namespace in NAMESPACES.items():
        if field == "generator_optimizer":
            continue
        title = "optimizers" if field == "discriminator_optimizer" else field
        also = ", any function of optax" if optax in namespace.modules else ""
        lines.append(f"  {title}: {', '.join(names(field))}{also}")
    return "\n".join(lines)


def build_part(
    field: str,
    part: Part,
    hyperparameters: Hyperparameters = types.MappingProxyType({}),
    **context: Any,
) -> Any:
    """Calls the function that a part names, with the part's settings.

    Args:
      field: of the config, a key of `NAMESPACES`.
      part: the function's name and its settings.
      hyperparameters: values that replace settings of this part, by full path.
      **context: arguments that come from the rest of the run, such as ``shape`` for networks; each
        is passed if the function takes it, and cannot be set by the part.

    Returns:
      What the function returns: a dataset, networks, a term, ...

    Raises:
      UserError: an unknown name or setting, a missing one, or a value of another type.
    """
    function = _resolve(field, part.name)
    made = _call(f"{field}.{part.name}", field, function, part, hyperparameters, context)
    _check_result(field, part, made)
    return made


def build_parts(
    field: str,
    parts: tuple[Part, ...],
    hyperparameters: Hyperparameters = types.MappingProxyType({}),
) -> list[Any]:
    """Builds parts in their order: see `build_part`."""
    return [build_part(field, part, hyperparameters) for part in parts]


def takes(field: str, part: Part, setting: str) -> bool:
    """Returns whether the function that a part names takes a setting."""
    return setting in _parameters(_resolve(field, part.name))


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


def _resolve(field: str, name: str) -> Callable[..., Any]:
    if ":" in name:
        return _import(field, name)
    namespace = NAMESPACES[field]
    for module in namespace.modules:
        function = _function(module, name, namespace)
        if function is not None:
            return function
    known = set(names(field))
    if optax in namespace.modules:
        known |= {other for other in dir(optax) if _is_public(optax, other)}
    raise UserError(
        f"config.{field} names {name!r}: {did_you_mean(name, known)} "
        "(a function of your own is named package.module:function)"
    )


def _import(field: str, name: str) -> Callable[..., Any]:
    module_name, _, function_name = name.partition(":")
    try:
        module = importlib.import_module(module_name)
    except Exception as error:
        missing = error.name if isinstance(error, ModuleNotFoundError) else None
        if missing and f"{module_name}.".startswith(f"{missing}."):
            raise UserError(
                f"config.{field} names {name}, but {first_line(error)}: put the module's folder "
                "into PYTHONPATH or config.python_path"
            ) from error
        raise UserError(
            f"config.{field} names {name}, but importing {module_name} fails: "
            f"{type(error).__name__}: {first_line(error)}"
        ) from error
    function = getattr(module, function_name, None)
    if not callable(function):
        known = [n for n in dir(module) if callable(getattr(module, n)) and not n.startswith("_")]
        raise UserError(
            f"config.{field} names {name}, but {module_name} has no function {function_name!r}: "
            f"{did_you_mean(function_name, known)}"
        )
    try:
        inspect.signature(function)
    except ValueError as error:  # a function that is written in C may have none
        raise UserError(
            f"config.{field} names {name}, whose arguments cannot be read: name a function written "
            "in Python"
        ) from error
    return typing.cast(Callable[..., Any], function)


def _function(
    module: types.ModuleType, name: str, namespace: Namespace
) -> Callable[..., Any] | None:
    """The function of that name, if the module exports it and it returns the right kind."""
    if module is optax:
        return getattr(optax, name) if _is_public(optax, name) else None
    if name not in module.__all__ or name in namespace.hidden:
        return None
    function = getattr(module, name)
    if not inspect.isfunction(function) or _hints(function).get("return") != namespace.returns:
        return None
    return function


def _is_public(module: types.ModuleType, name: str) -> bool:
    return not name.startswith("_") and inspect.isfunction(getattr(module, name, None))


def _call(
    path: str,
    field: str,
    function: Callable[..., Any],
    part: Part,
    hyperparameters: Hyperparameters,
    context: Mapping[str, Any],
) -> Any:
    parameters = _parameters(function)
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
        if annotation is Term:
            value = _one_part(f"{path}.{name}", value)
        if annotation is NetworksFactory:
            arguments[name] = _networks_factory(f"{path}.{name}", value, context)
        elif isinstance(value, Part):
            inner = f"{path}.{name}.{value.name}"
            function = _resolve_any(field, f"{path}.{name}", value.name)
            arguments[name] = _call(inner, field, function, value, hyperparameters, {})
        else:
            _check_type(f"config.{path}.{name}", value, annotation)
            arguments[name] = hyperparameters.get(f"{path}.{name}", value)
    for full_path, number in hyperparameters.items():  # a setting that was left at its default
        above, _, name = full_path.rpartition(".")
        if above == path and name in parameters:
            arguments[name] = number
    return arguments


def _resolve_any(field: str, path: str, name: str) -> Callable[..., Any]:
    """A function that a setting names, such as a schedule, whatever it returns."""
    if ":" in name:
        return _import(path, name)
    modules = NAMESPACES[field].modules + NAMESPACES[field].inner
    for module in modules:
        if _is_public(module, name):
            return typing.cast(Callable[..., Any], getattr(module, name))
    known = {n for module in modules for n in dir(module) if _is_public(module, n)}
    raise UserError(f"config.{path} names {name!r}: {did_you_mean(name, known)}")


def _networks_factory(path: str, value: Any, context: Mapping[str, Any]) -> NetworksFactory:
    """The networks that others are made of: a function of the sample's shape and the classes."""
    part = _one_part(path, value)
    function = _resolve("networks", part.name)
    parameters = _parameters(function)
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


def _parameters(function: Callable[..., Any]) -> dict[str, tuple[Any, bool]]:
    """The annotation of each parameter, and whether it has to be given."""
    hints = _hints(function)
    parameters: dict[str, tuple[Any, bool]] = {}
    for name, parameter in inspect.signature(function).parameters.items():
        if parameter.kind is parameter.VAR_POSITIONAL:
            continue
        if parameter.kind is parameter.VAR_KEYWORD:  # **settings: Unpack[SomeTypedDict]
            for unpacked in typing.get_args(hints.get(name)):
                for key, annotation in typing.get_type_hints(unpacked).items():
                    parameters[key] = (annotation, False)
            continue
        parameters[name] = (hints.get(name), parameter.default is parameter.empty)
    return parameters


def _hints(function: Callable[..., Any]) -> dict[str, Any]:
    try:
        return typing.get_type_hints(function)
    except Exception:  # an annotation of another library may name what cannot be imported
        return {}


PLAIN_TYPES: Mapping[Any, tuple[type, ...]] = {
    int: (int,),
    float: (int, float),
    bool: (bool,),
    str: (str,),
    tuple: (tuple,),
    type(None): (type(None),),
}


def _check_type(path: str, value: Any, annotation: Any) -> None:
    """Refuses a plain value if the annotation names other plain types."""
    is_union = typing.get_origin(annotation) in (types.UnionType, typing.Union)
    kinds = typing.get_args(annotation) if is_union else (annotation,)
    # A schedule is a part, never a plain value.
    kinds = tuple(kind for kind in kinds if typing.get_origin(kind) is not Callable) or kinds
    allowed = [PLAIN_TYPES.get(typing.get_origin(kind) or kind) for kind in kinds]
    # A number or a schedule is never text: that is a misspelt part, cosine(0.1) in place of
    # cosine(init_value=0.1).
    is_misspelt = isinstance(value, str) and float in kinds and not {str, Any} & set(kinds)
    if (None in allowed and not is_misspelt) or not isinstance(
        value, int | float | bool | str | tuple | None
    ):
        return
    for accepted in allowed:
        if isinstance(value, accepted or ()) and (
            not isinstance(value, bool) or bool in (accepted or ())
        ):
            return
    kind_names = [getattr(kind, "__name__", str(kind)).rpartition(".")[2] for kind in kinds]
    expected = " or ".join(dict.fromkeys(kind_names))
    hint = "; settings of a part are written key=value" if "(" in str(value) else ""
    raise UserError(f"{path} takes {expected}, not {brief(value)}{hint}")


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
