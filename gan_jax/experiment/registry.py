"""Named parts of a config: `{"name": settings}` calls the public function of that name.

Modules are the registry: what a module defines in public, and returns the kind of thing that the field holds, can be named.
"""

import inspect
import types
import typing
from collections.abc import Callable, Mapping
from typing import Any

from gan_jax.errors import UserError, did_you_mean
from gan_jax.game import Networks
from gan_jax.networks import NetworksFactory

Rooms = tuple[types.ModuleType, ...]


def build_part(
    field: str, rooms: Rooms, kind: Any, name: str, settings: Mapping[str, Any], **given: Any
) -> Any:
    """Calls the function ``name`` of ``rooms``, which returns ``kind``, with ``settings`` and what it takes of ``given``.

    A setting that is itself ``{name: settings}`` is built by the same rule (a schedule for a learning rate). Raises
    UserError: an unknown name or setting, or a value of another type than the function's signature says.
    """
    function = next((found for room in rooms if (found := _public(room, name, kind))), None)
    if function is None:
        known = {entry for room in rooms for entry in dir(room) if _public(room, entry, kind)}
        raise UserError(f"config.{field} names {name!r}: {did_you_mean(name, known)}")
    where = f"config.{field}.{name}"
    parameters, hints = _parameters(function), _hints(function)
    built: dict[str, Any] = {}
    for key, value in settings.items():
        if key not in parameters or key in given:
            raise UserError(
                f"{where} has no setting {key!r}: {did_you_mean(key, set(parameters) - set(given))}"
            )
        if hints.get(key) is NetworksFactory and isinstance(value, dict):
            value = _networks_factory(f"{field}.{name}.{key}", rooms, value, given)
        elif isinstance(value, dict) and len(value) == 1 and "Mapping" not in str(hints.get(key)):
            ((inner, inner_settings),) = value.items()
            value = build_part(f"{field}.{name}.{key}", rooms, None, inner, inner_settings)
        else:
            _check_type(f"{where}.{key}", value, hints.get(key))
        built[key] = value
    built |= {key: value for key, value in given.items() if key in parameters}
    for key, parameter in parameters.items():
        if parameter.default is parameter.empty and key not in built:
            raise UserError(f"{where} needs {key}: {name}({key}=...)")
    return function(**built)


def _networks_factory(
    field: str, rooms: Rooms, named: Mapping[str, Any], given: Mapping[str, Any]
) -> NetworksFactory:
    """The function of a shape that makes the named networks, in the run's dtype unless they set one."""
    if len(named) != 1:
        raise UserError(f"config.{field} names one network, not {sorted(named)}")
    ((name, settings),) = named.items()
    dtype = {"dtype": given["dtype"]} if "dtype" in given and "dtype" not in settings else {}

    def make(shape: tuple[int, ...], classes: int = 0) -> Networks:
        made: Networks = build_part(
            field, rooms, Networks, name, settings, shape=shape, classes=classes, **dtype
        )
        return made

    return make


def _parameters(function: Callable) -> dict[str, inspect.Parameter]:
    """The parameters by name, with those of ``**settings: Unpack[SomeTypedDict]`` as keywords."""
    parameters = {}
    for name, parameter in inspect.signature(function).parameters.items():
        if parameter.kind is not parameter.VAR_KEYWORD:
            parameters[name] = parameter
            continue
        for unpacked in typing.get_args(_hints(function).get(name)):
            for key in typing.get_type_hints(unpacked):
                parameters[key] = inspect.Parameter(key, parameter.KEYWORD_ONLY, default=None)
    return parameters


def _public(room: types.ModuleType, name: str, kind: Any) -> Callable | None:
    """The public function of that name which the room defines, if it returns ``kind`` (None: anything)."""
    found = None if name.startswith("_") else getattr(room, name, None)
    if not inspect.isfunction(found) or not found.__module__.startswith(room.__name__):
        return None
    # Other libraries' annotations are not ours to rely on.
    if (
        kind is None
        or not room.__name__.startswith("gan_jax")
        or _hints(found).get("return") == kind
    ):
        return found
    return None


def _hints(function: Callable) -> dict[str, Any]:
    try:
        hints = typing.get_type_hints(function)
        for unpacked in [
            hint for hint in hints.values() if typing.get_origin(hint) is typing.Unpack
        ]:
            hints |= typing.get_type_hints(typing.get_args(unpacked)[0])
        return hints
    except Exception:  # a library's annotation may name what cannot be imported
        return {}


PLAIN = {
    int: (int,),
    float: (int, float),
    bool: (bool,),
    str: (str,),
    tuple: (tuple,),
    type(None): (type(None),),
}


def _check_type(where: str, value: Any, hint: Any) -> None:
    """Refuses plain values where other plain types belong. Tracers (a population's hyperparameters) and the like pass."""
    kinds = typing.get_args(hint) if isinstance(hint, types.UnionType) else (hint,)
    allowed = [PLAIN.get(typing.get_origin(kind) or kind) for kind in kinds]
    plain = [types_ for types_ in allowed if types_ is not None]
    if len(plain) < len(allowed) or not isinstance(value, int | float | bool | str | tuple | None):
        return
    fits = [
        isinstance(value, types_) and (not isinstance(value, bool) or bool in types_)
        for types_ in plain
    ]
    if not any(fits):
        names = " or ".join(getattr(kind, "__name__", str(kind)) for kind in kinds)
        raise UserError(f"{where} takes {names}, not {value!r}")
