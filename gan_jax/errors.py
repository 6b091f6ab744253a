"""Errors caused by bad input."""

import difflib
from collections.abc import Iterable


class UserError(ValueError):
    """Bad input. The message is one line: what is wrong, where, and what would be right.

    The command lines print it without a traceback and exit with code 2. Line breaks and control
    characters in the message, which file names can hold, are escaped.
    """

    def __init__(self, message: str) -> None:
        super().__init__(_printable(message))


def _printable(text: str) -> str:
    """Escapes what would not print as itself on one line; all other characters are kept."""
    return "".join(
        character if character.isprintable() else repr(character)[1:-1] for character in text
    )


def did_you_mean(name: str, known: Iterable[str]) -> str:
    """Returns the end of an error message that suggests names.

    Args:
      name: an unknown name.
      known: the names that are known.

    Returns:
      ``"did you mean ...?"`` with up to three similar names, or ``"known: ..."`` with the first 40
      of them in alphabetical order if none is similar.
    """
    known = sorted(known)
    similar = difflib.get_close_matches(name, known, 3)
    if similar:
        return f"did you mean {' or '.join(similar)}?"
    return f"known: {', '.join(known[:40])}"


def first_line(error: BaseException) -> str:
    """Returns the first line of an error's message, or its type if the message is empty."""
    return (str(error).strip() or repr(error)).splitlines()[0]
