"""The text form of named parts: ``name(key=value) + other``.

It is the one notation for the objective, networks, optimizers and every other named part, in config
files, on the command line, in sweeps and in config.json.
"""

import ast
import collections
import math
import re
import warnings
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np

STRING_OR_REFERENCE = re.compile(
    r"""(?P<string>'(?:[^'\\]|\\.)*'|"(?:[^"\\]|\\.)*")"""
    r"""|(?<==)\s*(?![\w.:]+(?:[\s,()]|$))(?P<path>(?:[A-Za-z_~/]|\.(?!\d))[^\s,()'"=]*)"""
    r"""|(?<==)\s*(?P<dots>\.{1,2})(?=[\s,)]|$)"""
    r"""|(?P<module>[A-Za-z_][\w.]*):(?P<function>[A-Za-z_]\w*)"""
    r"""|\b(?P<keyword>is)\b"""
)
"""What has to be told apart before Python's parser reads the text: strings, in which nothing is
replaced; values without quotes that are more than a name, such as ``/my/data`` or ``train[:80%]``;
references to functions of other packages; and ``is``, a metric and a word of Python's."""


@dataclass(frozen=True)
class Part:
    """A function by name, and the settings it is called with.

    Attributes:
      name: a name that the field of the config can take, such as ``"adam"``, or a function of any
        importable module, ``"package.module:function"``.
      settings: keyword arguments. A value may be a part itself: a schedule in place of a learning
        rate, the networks that are packed.
    """

    name: str
    settings: Mapping[str, Any] = field(default_factory=dict)

    def __str__(self) -> str:
        if not self.settings:
            return self.name
        return f"{self.name}({', '.join(f'{key}={_text(v)}' for key, v in self.settings.items())})"

    def updated(self, settings: Mapping[str, Any]) -> "Part":
        """Returns the part with some settings replaced or added."""
        return replace(self, settings={**self.settings, **settings})


def parts_text(parts: Iterable[Part]) -> str:
    """Returns parts as text, the inverse of `parse_parts`."""
    return " + ".join(map(str, parts))


def parse_parts(text: str, repeats: bool = False) -> tuple[Part, ...]:
    """Parses parts, which are joined by ``+`` or by commas.

    A setting is a number, a string, a tuple, true or false, or a part. A word or a path is a
    string, so ``labels=auxiliary`` and ``path=/my/data`` need no quotes. Text with spaces, commas
    or round brackets does.

    Args:
      text: ``"wasserstein + gradient_penalty(weight=10)"``; empty for no parts.
      repeats: whether a name may be there more than once. Functions of terms always may, each time
        for another term: ``every(n=16, term=r1) + every(n=4, term=path_length)``.

    Returns:
      The parts in their order.

    Raises:
      ValueError: the text is not of this form, or names a part twice. Nothing is evaluated.
    """
    if not text.strip():
        return ()
    try:
        parts = tuple(_Parser(text.strip()).parts())
    except RecursionError as error:
        raise ValueError("it has too many parts, or parts within parts") from error
    names = collections.Counter((part.name, _term_name(part)) for part in parts)
    for (name, term), count in names.items():
        if count > 1 and not repeats:
            raise ValueError(f"it names {name} twice{term and f' for {term}'}")
    return parts


def _term_name(part: Part) -> str:
    """The name of the term that a part is a function of, as in ``every(n=16, term=r1)``."""
    term = part.settings.get("term", "")
    return term.name if isinstance(term, Part) else str(term)


def labels(parts: Iterable[Part]) -> list[str]:
    """Returns what parts are called in paths: their names, and ``name_2`` for the second of a name.

    In ``every(n=16, term=r1) + every(n=4, term=path_length)`` the path of the 4 is
    ``objective.every_2.n``.
    """
    counts: collections.Counter[str] = collections.Counter()
    found = []
    for part in parts:
        counts[part.name] += 1
        count = counts[part.name]
        found.append(part.name if count == 1 else f"{part.name}_{count}")
    return found


def parse_value(text: str) -> Any:
    """Parses one setting: a number, a tuple, true or false, a part, or text.

    A bare word is text; a part has settings or is a function of another module. What is no setting,
    such as a number that is not finite, is text too.
    """
    if text.lower() in ("true", "false"):
        return text.lower() == "true"
    try:
        return _checked(ast.literal_eval(_syntax_tree(text)))
    except (ValueError, SyntaxError, TypeError, MemoryError, RecursionError):
        pass
    try:
        parts = parse_parts(text)
    except ValueError:
        return text
    if len(parts) == 1 and (parts[0].settings or ":" in text):
        return parts[0]
    return text


class _Parser:
    """Parses one text. Python's parser sees a name in place of each ``module:function``."""

    def __init__(self, text: str) -> None:
        self._references: dict[str, str] = {}
        try:
            self._tree = _syntax_tree(STRING_OR_REFERENCE.sub(self._replace, text))
        except (SyntaxError, ValueError, MemoryError, RecursionError) as error:
            raise ValueError(
                "a name, bracket or value is missing or misspelt, or text with spaces has no quotes"
            ) from error

    def parts(self) -> list[Part]:
        return self._parts(self._tree)

    def _replace(self, match: re.Match[str]) -> str:
        if match["string"]:
            return match["string"]
        text = match["path"] or match["dots"]
        if text:
            return repr(text)
        if match["keyword"]:
            return "inception_score"
        name = f"_reference_{len(self._references)}_"
        self._references[name] = match[0]
        return name

    def _parts(self, tree: ast.AST) -> list[Part]:
        if isinstance(tree, ast.BinOp) and isinstance(tree.op, ast.Add):
            return self._parts(tree.left) + self._parts(tree.right)
        if isinstance(tree, ast.Tuple):
            return [part for element in tree.elts for part in self._parts(element)]
        return [self._part(tree)]

    def _part(self, tree: ast.AST) -> Part:
        if not isinstance(tree, ast.Call):
            return Part(self._name(tree))
        settings: dict[str, Any] = {}
        for keyword in tree.keywords:
            if keyword.arg is None:
                raise ValueError(f"settings are written key=value, not {self._text(tree)}")
            settings[keyword.arg] = self._value(keyword.value)
        if tree.args:
            raise ValueError(f"settings are written key=value, not {self._text(tree)}")
        return Part(self._name(tree.func), settings)

    def _name(self, tree: ast.AST) -> str:
        if isinstance(tree, ast.Name):
            return self._references.get(tree.id, tree.id)
        hint = ""
        if isinstance(tree, ast.Attribute):
            hint = "; a function of another module is named package.module:function"
        raise ValueError(f"{self._text(tree)} is not the name of a part{hint}")

    def _value(self, tree: ast.AST) -> Any:
        if isinstance(tree, ast.Name):
            if tree.id in self._references:
                return Part(self._references[tree.id])
            return tree.id == "true" if tree.id in ("true", "false") else tree.id
        if isinstance(tree, ast.Call):
            return self._part(tree)
        if isinstance(tree, ast.Attribute):  # a.b.npz: a file, without quotes
            return self._text(tree)
        try:
            return _checked(ast.literal_eval(tree))
        except (ValueError, TypeError, MemoryError, RecursionError) as error:
            raise ValueError(f"{self._text(tree)} is not a value") from error

    def _text(self, tree: ast.AST) -> str:
        text = ast.unparse(tree)
        for name, reference in self._references.items():
            text = text.replace(name, reference)
        return text


def _syntax_tree(text: str) -> ast.expr:
    with warnings.catch_warnings():  # Python warns of texts like 1is, and then refuses them
        warnings.simplefilter("ignore")
        return ast.parse(text.strip(), mode="eval").body


def _checked(value: Any) -> Any:
    """The value with tuples for lists. Raises ValueError if it cannot be a setting."""
    if isinstance(value, list | tuple):
        return tuple(map(_checked, value))
    if isinstance(value, dict):
        return {_checked(key): _checked(entry) for key, entry in value.items()}
    if isinstance(value, float) and not math.isfinite(value):
        raise ValueError(f"{value} is not a finite number")
    if isinstance(value, int) and not is_int64(value):
        raise ValueError("an integer has more than 64 bits")
    if not isinstance(value, int | float | str | None):  # bytes, complex numbers, sets
        raise ValueError(f"{type(value).__name__} is no kind of setting")
    return value


def is_int64(value: int) -> bool:
    """Returns whether an integer fits into 64 bits, as all that are settings do."""
    return -(2**63) <= value < 2**63


def _text(value: Any) -> str:
    if isinstance(value, Part):
        return str(value)
    return repr(value.item() if isinstance(value, np.generic) else value)
