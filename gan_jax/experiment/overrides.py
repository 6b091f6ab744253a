"""Changes to settings by dotted paths: ``objective.gradient_penalty.weight``."""

import dataclasses
import re
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from gan_jax.errors import UserError
from gan_jax.experiment.part_text import Part, labels, parse_value, parts_text
from gan_jax.experiment.settings import (
    Parts,
    Settings,
    field_types,
    parse_field,
    unknown_field,
)

MAX_MEMBERS = 2**16
"""The largest number of members that ``range(n)`` lists: each is a run of its own."""


def apply_overrides(settings: Settings, overrides: Iterable[str]) -> Settings:
    """Returns settings changed by flags, ``"key.path=value"`` each; the last of a key wins.

    A path may lead into a named part: ``discriminator_optimizer.adam.b1=0.9``. A whole field of
    named parts takes their text: ``objective=wasserstein + drift(weight=0.001)``.
    ``population.<path>`` takes the values of the members: ``0,1,2``, ``range(32)``.

    Raises:
      UserError: an unknown key, with the near ones, or a value of another type.
    """
    for override in overrides:
        path, equals, text = override.partition("=")
        if not equals:
            raise UserError(f"config.{path} needs a value: --config.{path}=VALUE")
        settings = with_value(settings, path, text)
    return settings


def with_value(settings: Settings, path: str, value: Any) -> Settings:
    """Returns settings with the value at ``path`` replaced; text is read as the field's type.

    Raises:
      UserError: as `apply_overrides`.
    """
    first, *rest = path.split(".")
    if first == "population" and rest:
        column = {".".join(rest): _members_values(path, value)}
        return dataclasses.replace(settings, population={**settings.population, **column})
    changed: Settings = _replaced(settings, path, path.split("."), value, "config")
    return changed


def value_at(settings: Settings, path: str) -> Any:
    """Returns the value at ``path``. Raises KeyError if there is no such field or setting."""
    return flat(settings)[path]


def flat(settings: Settings) -> dict[str, Any]:
    """Returns every leaf of settings by its path; a part without settings is a leaf ``{}``."""
    leaves: dict[str, Any] = {}
    for field in dataclasses.fields(settings):
        _add_leaves(leaves, field.name, getattr(settings, field.name))
    return leaves


def part_leaves(parts: Parts | Part) -> dict[str, Any]:
    """Returns the leaves below some parts by path: ``{"adam.b1": 0.5}``."""
    leaves: dict[str, Any] = {}
    _add_parts(leaves, "", parts if isinstance(parts, tuple) else (parts,))
    return leaves


def _add_leaves(leaves: dict[str, Any], path: str, value: Any) -> None:
    if isinstance(value, Part):
        _add_parts(leaves, f"{path}.", (value,))
    elif isinstance(value, tuple) and value and all(isinstance(part, Part) for part in value):
        _add_parts(leaves, f"{path}.", value)
    elif isinstance(value, Mapping):
        for key, entry in value.items():
            leaves[f"{path}.{key}"] = entry
    elif dataclasses.is_dataclass(value):
        for field in dataclasses.fields(value):
            _add_leaves(leaves, f"{path}.{field.name}", getattr(value, field.name))
    else:
        leaves[path] = value


def _add_parts(leaves: dict[str, Any], prefix: str, parts: Parts) -> None:
    for label, part in zip(labels(parts), parts, strict=True):
        if not part.settings:
            leaves[f"{prefix}{label}"] = {}
        for key, value in part.settings.items():
            _add_leaves(leaves, f"{prefix}{label}.{key}", value)


def _members_values(path: str, value: Any) -> tuple[Any, ...]:
    count = re.fullmatch(r"range\(0*(\d+)\)", value.strip()) if isinstance(value, str) else None
    if count:
        if len(count[1]) > len(str(MAX_MEMBERS)) or int(count[1]) > MAX_MEMBERS:
            raise UserError(f"config.{path} takes the values of at most {MAX_MEMBERS} members")
        return tuple(range(int(count[1])))
    values = parse_value(value) if isinstance(value, str) else value
    return tuple(values) if isinstance(values, list | tuple) else (values,)


def _replaced(node: Any, path: str, keys: Sequence[str], value: Any, above: str) -> Any:
    """Returns a copy of ``node``, which is at ``above``, with the value at ``keys`` replaced."""
    key, *rest = keys
    types = field_types(type(node))
    if key not in types:
        raise unknown_field(f"{above}.{key}", types)
    if not rest:
        return dataclasses.replace(node, **{key: parse_field(path, types[key], value)})
    child, here = getattr(node, key), f"{above}.{key}"
    if isinstance(child, Part) or types[key] == Parts:
        changed = _parts_replaced(child, path, rest, value, here)
    elif dataclasses.is_dataclass(child):
        changed = _replaced(child, path, rest, value, here)
    else:
        raise UserError(
            f"unknown config key {here}.{rest[0]}: {here} is {child!r} and has no parts"
        )
    return dataclasses.replace(node, **{key: changed})


def _parts_replaced(
    parts: Parts | Part, path: str, keys: Sequence[str], value: Any, above: str
) -> Parts | Part:
    """Returns parts with one setting of one of them replaced; building it checks the setting."""
    several = parts if isinstance(parts, tuple) else (parts,)
    by_label = dict(zip(labels(several), several, strict=True))
    label = next((label for label in by_label if _names(keys, label)), None)
    if label is None:
        text = parts_text(several) or "empty"
        raise UserError(f"unknown config key {above}.{keys[0]}: {above} is {text}")
    named, rest = by_label[label], keys[len(label.split(".")) :]
    if not rest:
        raise UserError(
            f"config.{path} cannot be set alone: set all of {above}, "
            "as in 'adam(learning_rate=0.0001)'"
        )
    changed = _setting_replaced(named, path, rest, value, f"{above}.{label}")
    if not isinstance(parts, tuple):
        return changed
    return tuple(changed if part is named else part for part in parts)


def _names(keys: Sequence[str], label: str) -> bool:
    """Whether keys begin with the label of a part, in which there may be dots."""
    name = label.split(".")
    return list(keys[: len(name)]) == name


def _setting_replaced(part: Part, path: str, keys: Sequence[str], value: Any, above: str) -> Part:
    key, *rest = keys
    if not rest:
        new = parse_value(value) if isinstance(value, str) else value
        return part.updated({key: tuple(new) if isinstance(new, list) else new})
    inner = part.settings.get(key)
    if not isinstance(inner, Part):
        raise UserError(f"unknown config key {above}.{key}.{rest[0]}: {above}.{key} is {inner!r}")
    changed = _parts_replaced(inner, path, rest, value, f"{above}.{key}")
    return part.updated({key: changed})
