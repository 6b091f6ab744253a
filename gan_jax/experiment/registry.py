"""What the named parts of a config can name: the functions of the modules in `NAMESPACES`.

A function of any other module is named ``package.module:function``.
"""

import importlib
import inspect
import types
import typing
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import optax

from gan_jax import data, networks
from gan_jax.data import Dataset
from gan_jax.diagnosis import responses, stopping
from gan_jax.diagnosis.responses import Response
from gan_jax.diagnosis.stopping import StopRule
from gan_jax.errors import UserError, did_you_mean, first_line
from gan_jax.evaluation import Protocol, protocols
from gan_jax.experiment.signatures import hints
from gan_jax.game import Array, Networks, Objective, Term
from gan_jax.metrics import efficientnet
from gan_jax.objectives import (
    augmentation,
    autoencoding,
    losses,
    penalties,
    reconstruction,
    regularisers,
    saddle_point,
    sample_history,
    slicing,
    timing,
    weighting,
)
from gan_jax.objectives.augmentation import Augmentation
from gan_jax.training import (
    alternating_updates,
    data_parallel,
    joint_updates,
    moving_averages,
    optimizers,
    schedules,
)
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
    "networks": Namespace((networks,), Networks, inner=(efficientnet,)),
    "objective": Namespace(
        (losses, penalties, regularisers, reconstruction, autoencoding, slicing, timing),
        Term,
        inner=(schedules, optax),
    ),
    "transformations": Namespace(
        (saddle_point, weighting, sample_history), Objective, inner=(schedules, optax)
    ),
    "augmentation": Namespace((augmentation,), Augmentation, hidden=("composed",)),
    "update_rule": Namespace((alternating_updates, joint_updates), TrainStep),
    "generator_optimizer": Namespace(
        (optimizers, optax), optax.GradientTransformation, inner=(schedules,)
    ),
    "discriminator_optimizer": Namespace(
        (optimizers, optax), optax.GradientTransformation, inner=(schedules,)
    ),
    "parallelism": Namespace((data_parallel,), TrainStep),
    "ema": Namespace((moving_averages, schedules), Callable[[Array], Array], inner=(optax,)),
    "metrics": Namespace((protocols,), Protocol),
    "on_trouble": Namespace((responses,), Response),
    "stop_when": Namespace((stopping,), StopRule),
}
"""The namespace of each field that holds named parts."""


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


def resolve(field: str, name: str) -> Callable[..., Any]:
    """Returns the function that a field of the config names. Raises UserError."""
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
    if not inspect.isfunction(function) or hints(function).get("return") != namespace.returns:
        return None
    return function


def _is_public(module: types.ModuleType, name: str) -> bool:
    if module is not optax and name not in module.__all__:
        return False  # what the module imports for itself
    return not name.startswith("_") and inspect.isfunction(getattr(module, name, None))


def resolve_setting(field: str, path: str, name: str) -> Callable[..., Any]:
    """Returns a function that a setting names, such as a schedule, whatever it returns."""
    if ":" in name:
        return _import(path, name)
    modules = NAMESPACES[field].modules + NAMESPACES[field].inner
    for module in modules:
        if _is_public(module, name):
            return typing.cast(Callable[..., Any], getattr(module, name))
    known = {n for module in modules for n in dir(module) if _is_public(module, n)}
    raise UserError(f"config.{path} names {name!r}: {did_you_mean(name, known)}")
