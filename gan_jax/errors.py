"""Errors caused by bad input."""

import difflib
import errno
import os
import re
from collections.abc import Iterable

CREDENTIAL = re.compile(
    r"(?<![\w/])[0-9a-f]{40}(?![\w/])"  # W&B's keys, but no folder that is named after a commit
    r"|wandb_v\d+_\w{20,}"
    r"|\beyJ[\w-]+\.[\w-]+\.[\w-]+"  # a JSON Web Token
    r"|(?<=://)[^/\s@]+(?=@)"  # user and password in a URL
    r"|(?P<name>(?:[?&]|--)[\w.-]*(?:key|token|password)=)\S+",
    re.IGNORECASE,
)
"""What looks like a key, a token or a password."""

LONGEST = 2000
"""Characters of an error message: as many as are read, whatever the values that it names."""


class UserError(ValueError):
    """Bad input. The message is one line: what is wrong, where, and what would be right.

    The command lines print it without a traceback and exit with code 2. Line breaks and control
    characters in the message, which file names can hold, are escaped, credentials are masked, and
    the middle of a message of more than `LONGEST` characters is left out.
    """

    def __init__(self, message: str) -> None:
        super().__init__(_shortened(_printable(masked(message)), LONGEST))


class StorageError(RuntimeError):
    """A disk that fails a command. The message is one line: what is lost, what is kept, what to do.

    The command lines print it without a traceback and exit with code `STORAGE_EXIT_CODE`.
    """

    def __init__(self, message: str) -> None:
        super().__init__(_shortened(_printable(masked(message)), LONGEST))


STORAGE_EXIT_CODE = 74
"""The exit code of commands that a disk fails: EX_IOERR of sysexits.h."""

_STORAGE_ERRORS = frozenset(
    (errno.ENOSPC, errno.EDQUOT, errno.EFBIG, errno.EIO, errno.EROFS, errno.ESTALE)
)


def storage_failure(error: BaseException) -> str | None:
    """Returns one line about an error that a full, read-only or broken disk has caused, else None.

    Args:
      error: any error; those of TensorStore have the operating system's code in their text.
    """
    if isinstance(error, StorageError):
        return str(error)
    if isinstance(error, OSError):
        code, file = error.errno, error.filename
    else:
        named = re.search(r"os_error_code='(\d+)'", str(error))
        code, file = (int(named[1]) if named else None), None
    if code not in _STORAGE_ERRORS:
        return None
    reason = os.strerror(code)
    return _printable(f"{os.fspath(file)}: {reason}" if isinstance(file, str) else reason)


def _printable(text: str) -> str:
    """Escapes what would not print as itself on one line; all other characters are kept."""
    return "".join(
        character if character.isprintable() else repr(character)[1:-1] for character in text
    )


def _shortened(text: str, longest: int) -> str:
    half = longest // 2
    return text if len(text) <= longest else f"{text[:half]} ... {text[-half:]}"


def masked(text: str) -> str:
    """Returns text with keys, tokens and passwords replaced by ``***``: see `CREDENTIAL`."""
    key = os.environ.get("WANDB_API_KEY", "")
    if len(key) >= 8:  # not a placeholder such as "x"
        text = text.replace(key, "***")
    return CREDENTIAL.sub(lambda match: f"{match['name'] or ''}***", text)


def brief(value: object) -> str:
    """Returns the ``repr`` of a value for an error message; the middle of a long one is dropped."""
    try:
        return _shortened(repr(value), 200)
    except (ValueError, RecursionError):  # an integer of thousands of digits
        return f"a value of type {type(value).__name__}"


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
