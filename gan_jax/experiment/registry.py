"""Named parts of a config: `{"name": settings}` calls the public function of that name.

Modules are the registry: what a module defines in public, and returns the kind of thing that the field holds, can be named.
"""

import inspect
import types
import typing
from collections.abc import Callable, Mapping
from typing import Any

from gan_jax.errors import UserError, did_you_mean

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
    parameters = inspect.signature(function).parameters
    hints = _hints(function)
    built = {}
    for key, value in settings.items():
        if key not in parameters or key in given:
            raise UserError(
                f"{where} has no setting {key!r}: {did_you_mean(key, set(parameters) - set(given))}"
            )
        if isinstance(value, dict) and len(value) == 1 and "Mapping" not in str(hints.get(key)):
            ((inner, inner_settings),) = value.items()
            value = build_part(f"{field}.{name}.{key}", rooms, None, inner, inner_settings)
        else:
            _check_type(f"{where}.{key}", value, hints.get(key))
        built[key] = value
    built |= {key: value for key, value in given.items() if key in parameters}
    for key, parameter in parameters.items():
        if (
            parameter.default is parameter.empty
            and key not in built
            and parameter.kind != parameter.VAR_KEYWORD
        ):
            raise UserError(f"{where} needs {key}: {name}({key}=...)")
    return function(**built)


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
        return typing.get_type_hints(function)
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
