"""What a function takes, read from its signature, and whether plain values fit it."""

import inspect
import types
import typing
from collections.abc import Callable, Mapping
from typing import Any

from gan_jax.errors import UserError, brief


def parameters_of(function: Callable[..., Any]) -> dict[str, tuple[Any, bool]]:
    """Returns the annotation of each parameter, and whether it has to be given."""
    annotations = hints(function)
    taken: dict[str, tuple[Any, bool]] = {}
    for name, parameter in inspect.signature(function).parameters.items():
        if parameter.kind is parameter.VAR_POSITIONAL:
            continue
        if parameter.kind is parameter.VAR_KEYWORD:  # **settings: Unpack[SomeTypedDict]
            for unpacked in typing.get_args(annotations.get(name)):
                for key, annotation in typing.get_type_hints(unpacked).items():
                    taken[key] = (annotation, False)
            continue
        taken[name] = (annotations.get(name), parameter.default is parameter.empty)
    return taken


def hints(function: Callable[..., Any]) -> dict[str, Any]:
    """Returns the annotations of a function; none if they cannot be resolved."""
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


def check_type(path: str, value: Any, annotation: Any) -> None:
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
