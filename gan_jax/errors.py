"""Errors caused by bad input."""

import difflib
from collections.abc import Iterable


class UserError(ValueError):
    """Bad input. The message is one line: what is wrong, where, and what would be right.

    The command lines print it without a traceback and exit with code 2.
    """


def did_you_mean(name: str, known: Iterable[str]) -> str:
    """Returns the end of an error message: the known names close to ``name``, or all known names if none is close."""
    known = sorted(known)
    close = difflib.get_close_matches(name, known, 3)
    return f"did you mean {' or '.join(close)}?" if close else f"known: {', '.join(known[:40])}"


def first_line(error: Exception) -> str:
    """Returns the first line of an error's message, or its type if the message is empty."""
    return (str(error).strip() or repr(error)).splitlines()[0]
