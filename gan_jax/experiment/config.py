"""Experiment configs as values: load a file, change it by flags, compare two.

A named part of a config, such as the objective, is `{"name": settings}`: the public function of that name is called with
those settings. As text the same is `name(setting=value)`, parts joined with `+`:
`--config.objective='wasserstein + gradient_penalty(weight=10)'`.
"""

import ast
import contextlib
import copy
import importlib.util
import json
import re
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from types import ModuleType
from typing import Any

from ml_collections import ConfigDict

from gan_jax.errors import UserError, did_you_mean, first_line

NAMED = ("dataset", "networks", "objective", "update_rule", "metrics")
"""Fields that hold named parts in any order: a dict of `{name: settings}`."""
CHAINS = ("generator_optimizer", "discriminator_optimizer", "augmentation")
"""Fields that hold named parts in order: a tuple of one-name dicts."""


def load(spec: str, overrides: Sequence[str] = ()) -> ConfigDict:
    """The config of `path.py` or `path.py:variant`, changed by `key.path=value` overrides, the last of a key winning.

    A config file defines `get_config(variant)` and, where it has several, `VARIANTS`, the first being the default.
    Raises UserError, one line each: a missing file, an unknown variant or key, a value of the wrong type.
    """
    path, _, variant = spec.partition(":")
    module = load_module(path)
    variants = getattr(module, "VARIANTS", ())
    if variant and variant not in variants:
        raise UserError(
            f"{path} has no variant {variant!r}: {did_you_mean(variant, variants) if variants else 'it has none'}"
        )
    try:
        config = module.get_config(variant) if variant else module.get_config()
    except UserError:
        raise
    except Exception as error:
        raise UserError(
            f"config file {path} cannot be loaded: {type(error).__name__}: {first_line(error)}"
        ) from error
    for (
        chain
    ) in CHAINS:  # two chains of one file may share a dict: setting one must not set the other
        config[chain] = tuple(copy.deepcopy(stage) for stage in config[chain])
    for text in overrides:
        key, equals, value = text.partition("=")
        if not equals:
            raise UserError(f"config.{key} needs a value: --config.{key}=VALUE")
        override(config, key, value)
    return config


def load_module(path: str) -> ModuleType:
    """The module of a config file. Raises UserError, one line: a missing file, one that is broken."""
    file = Path(path)
    if not file.is_file():
        raise UserError(
            f"no config file {path}: configs lie under configs/, for example configs/ring.py"
        )
    root = str(file.resolve().parent.parent)
    if root not in sys.path:  # config files import configs.default
        sys.path.insert(0, root)
    module_spec = importlib.util.spec_from_file_location(f"configs.{file.stem}", file)
    if module_spec is None or module_spec.loader is None:
        raise UserError(f"config file {path} is not a Python file")
    module = importlib.util.module_from_spec(module_spec)
    try:
        module_spec.loader.exec_module(module)
    except Exception as error:
        raise UserError(
            f"config file {path} cannot be loaded: {type(error).__name__}: {first_line(error)}"
        ) from error
    return module


def override(config: ConfigDict, path: str, value: Any) -> None:
    """Sets `config.<path>` to `value`, in place; text is read as the type that the field has now.

    `path` may lead into a named part: `objective.gradient_penalty.weight`, `discriminator_optimizer.adam.b1`. A whole
    named part takes the text form (`wasserstein + drift(weight=0.001)`). Raises UserError.
    """
    *parents, last = path.split(".")
    top, node, seen = (parents or [last])[0], config, "config"
    if top == "population" and parents:
        _set_column(config, parents[1:], last, value)
        return
    for part in parents:
        node = _child(node, part, seen)
        seen = f"{seen}.{part}"
    if not isinstance(node, (dict, ConfigDict, tuple)):
        _child(node, last, seen)
    in_named_part = top in NAMED + CHAINS and len(parents) >= 2
    if isinstance(node, tuple):
        raise UserError(
            f"config.{path} cannot be set alone: set all of {seen}, as in 'adam(learning_rate=0.0001)'"
        )
    if last in node:
        new = _read(path, value, node[last], top if not parents else "")
    elif in_named_part:
        new = _literal(value)  # a setting left at its default so far; building checks name and type
    else:
        _child(node, last, seen)
    with node.unlocked() if isinstance(node, ConfigDict) else contextlib.nullcontext():
        if isinstance(node, ConfigDict) and last in node:
            del node[last]  # ConfigDict keeps an int field an int even where int | float is meant
        node[last] = (
            ConfigDict(new) if isinstance(new, dict) and isinstance(node, ConfigDict) else new
        )


def _set_column(config: ConfigDict, parents: Sequence[str], last: str, value: Any) -> None:
    """Sets the values of one field in `config.population`, which has any fields: `0,1,2`, `range(32)`."""
    many = re.fullmatch(r"range\((\d+)\)", str(value).strip())
    values = tuple(range(int(many[1]))) if many else _literal(value)
    with config.unlocked():
        node = config.population
        for part in parents:
            node[part] = node.get(part, ConfigDict())
            node = node[part]
        node[last] = tuple(values) if isinstance(values, (tuple, list)) else (values,)


def _child(node: Any, part: str, seen: str) -> Any:
    if isinstance(node, tuple):  # a chain: look for the stage of that name
        for stage in node:
            if isinstance(stage, dict) and part in stage:
                return stage[part]
        raise UserError(f"{seen} has no stage {part!r}: it is {to_text(node)}")
    if not isinstance(node, (dict, ConfigDict)):
        raise UserError(f"unknown config key {seen}.{part}: {seen} is {node!r} and has no parts")
    if part not in node:
        known = list(node)
        raise UserError(
            f"unknown config key {seen}.{part}: {did_you_mean(part, known) if known else f'{seen} is empty'}"
        )
    return node[part]


def _read(path: str, value: Any, old: Any, named: str) -> Any:
    """Reads `value` as the type of the `old` value of the field."""
    if named in NAMED:
        return parse_parts(path, value) if isinstance(value, str) else dict(value)
    if named in CHAINS:
        parts = parse_parts(path, value).items() if isinstance(value, str) else ()
        return tuple({name: settings} for name, settings in parts) or value
    if isinstance(old, (dict, ConfigDict)):
        raise UserError(
            f"config.{path} has parts: set them one by one, {', '.join(f'config.{path}.{key}' for key in old)}"
        )
    new = value if isinstance(old, str) else _literal(value)
    if isinstance(old, bool):
        new = {"true": True, "false": False, "1": True, "0": False}.get(str(value).lower(), new)
    elif isinstance(old, tuple):
        words = new.split(",") if isinstance(new, str) else (new,)  # a,b
        new = tuple(new) if isinstance(new, (tuple, list)) else tuple(words)
        kinds = {type(entry) for entry in old}
        if old and not {type(entry) for entry in new} <= kinds | (
            {int} if float in kinds else set()
        ):
            raise UserError(f"config.{path} takes a tuple like {old!r}, not {value!r}")
    elif isinstance(old, int) and isinstance(new, float) and new.is_integer():
        new = int(new)  # 1e4
    elif isinstance(old, float) and isinstance(new, int) and not isinstance(new, bool):
        new = float(new)
    if (old is not None and not isinstance(new, type(old))) or (
        isinstance(new, bool) and not isinstance(old, bool | None)
    ):
        raise UserError(f"config.{path} takes {_kind(old)}, such as {old!r}, not {value!r}")
    return new


def _kind(value: Any) -> str:
    names = {
        bool: "true or false",
        int: "a whole number",
        float: "a number",
        str: "text",
        tuple: "a tuple",
    }
    return names.get(type(value), type(value).__name__)


def _literal(value: Any) -> Any:
    """A Python value from text: numbers, tuples, True/False/None, `name(key=value)`; anything else stays text."""
    if not isinstance(value, str):
        return value
    if value.lower() in ("true", "false"):
        return value.lower() == "true"
    try:
        return ast.literal_eval(value)
    except (ValueError, SyntaxError, TypeError):
        pass
    try:
        tree = ast.parse(value, mode="eval").body
    except (SyntaxError, ValueError):
        return value
    return _call(tree) if isinstance(tree, ast.Call) else value


def parse_parts(path: str, text: str) -> dict[str, dict[str, Any]]:
    """`"wasserstein + gradient_penalty(weight=10)"` as `{"wasserstein": {}, "gradient_penalty": {"weight": 10}}`.

    Python's dict notation is read too. Raises UserError.
    """
    try:
        tree = ast.parse(text, mode="eval").body
        parts = ast.literal_eval(tree) if isinstance(tree, ast.Dict) else _sum(tree)
    except (SyntaxError, ValueError, TypeError) as error:
        raise UserError(
            f"config.{path} takes parts like 'name(key=value) + other', not {text!r}"
        ) from error
    if not all(isinstance(settings, dict) for settings in parts.values()):
        raise UserError(f"config.{path} takes {{name: {{key: value}}}}, not {text!r}")
    return parts


def _sum(tree: ast.AST) -> dict[str, dict[str, Any]]:
    if isinstance(tree, ast.BinOp) and isinstance(tree.op, ast.Add):
        left, right = _sum(tree.left), _sum(tree.right)
        if set(left) & set(right):
            raise ValueError("the same part twice")
        return left | right
    return {tree.id: {}} if isinstance(tree, ast.Name) else _call(tree)


def _call(tree: ast.AST) -> dict[str, dict[str, Any]]:
    if not (isinstance(tree, ast.Call) and isinstance(tree.func, ast.Name) and not tree.args):
        raise ValueError("not a call with keywords")
    values: dict[str, Any] = {}
    for keyword in tree.keywords:
        if keyword.arg is None:
            raise ValueError("not a keyword")
        values[keyword.arg] = _value(keyword.value)
    return {tree.func.id: values}


def _value(tree: ast.AST) -> Any:
    if isinstance(tree, ast.Name) and tree.id in ("true", "false"):  # as in the other fields
        return tree.id == "true"
    return _call(tree) if isinstance(tree, ast.Call) else ast.literal_eval(tree)


def to_text(parts: Any) -> str:
    """Named parts as text, the inverse of `parse_parts`."""
    if isinstance(parts, (tuple, list)):
        return " + ".join(to_text(stage) for stage in parts)

    def value_text(value: Any) -> str:
        return to_text(value) if isinstance(value, dict) else repr(value)

    return " + ".join(
        name
        + (
            f"({', '.join(f'{key}={value_text(value)}' for key, value in settings.items())})"
            if settings
            else ""
        )
        for name, settings in dict(parts).items()
    )


def to_dict(config: ConfigDict | Mapping[str, Any]) -> dict[str, Any]:
    """A config as plain dicts, tuples and numbers."""
    return tupled(config.to_dict() if isinstance(config, ConfigDict) else config)


def tupled(value: Any) -> Any:
    """Lists as tuples, all through: JSON knows no tuples, and a config has no lists."""
    if isinstance(value, dict):
        return {key: tupled(entry) for key, entry in value.items()}
    return tuple(tupled(entry) for entry in value) if isinstance(value, (list, tuple)) else value


def dumps(config: ConfigDict | Mapping[str, Any]) -> str:
    return json.dumps(to_dict(config), indent=2) + "\n"


def loads(text: str) -> dict[str, Any]:
    return tupled(json.loads(text))


def flat(config: ConfigDict | Mapping[str, Any]) -> dict[str, Any]:
    """`{"objective.gradient_penalty.weight": 10.0, ...}`: every leaf by its path; stages of a chain by their names."""
    leaves: dict[str, Any] = {}

    def walk(path: str, value: Any) -> None:
        if isinstance(value, tuple) and value and all(isinstance(entry, dict) for entry in value):
            value = {name: settings for stage in value for name, settings in stage.items()}
        if isinstance(value, dict) and value:
            for key, entry in value.items():
                walk(f"{path}.{key}" if path else key, entry)
        else:
            leaves[path] = value

    walk("", to_dict(config))
    return leaves


def differences(old: Mapping[str, Any], new: Mapping[str, Any]) -> dict[str, tuple[Any, Any]]:
    """`{path: (old, new)}` of the leaves in which two configs differ; None where one has no such leaf."""
    a, b = flat(old), flat(new)
    return {
        path: (a.get(path), b.get(path))
        for path in sorted(a.keys() | b.keys())
        if a.get(path) != b.get(path)
    }
