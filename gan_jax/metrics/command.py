"""What this package's commands share: bad input is reported in one line, and no file replaced."""

import argparse
import contextlib
import os
from collections.abc import Iterator
from typing import BinaryIO, NoReturn


class Parser(argparse.ArgumentParser):
    """An argument parser whose errors are one line, without the usage; they exit with code 2."""

    def __init__(self, description: str | None) -> None:
        super().__init__(
            description=description, formatter_class=argparse.RawDescriptionHelpFormatter
        )

    def error(self, message: str) -> NoReturn:
        self.exit(2, f"error: {message} (--help lists the arguments)\n")

    def fail(self, error: Exception) -> NoReturn:
        """Ends the program because of bad input."""
        text = str(error)
        if isinstance(error, OSError) and error.filename and error.strerror:
            text = f"{error.filename}: {error.strerror}"
        self.exit(2, f"error: {text}\n")


@contextlib.contextmanager
def new_file(path: str | os.PathLike[str]) -> Iterator[BinaryIO]:
    """Opens a file to write that does not exist yet; it is removed again if the block raises.

    Args:
      path: the file.

    Yields:
      A binary file.

    Raises:
      OSError: it cannot be written.
      ValueError: it exists.
    """
    try:
        file = open(path, "xb")  # noqa: SIM115 - closed below, before it may be removed
    except FileExistsError as error:
        raise ValueError(f"{path} exists: choose another file to write") from error
    try:
        with file:
            yield file
    except BaseException:
        os.unlink(path)
        raise
