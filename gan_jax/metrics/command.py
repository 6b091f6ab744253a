"""The parser of this package's commands, which reports bad input in one line."""

import argparse
from typing import NoReturn


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
        self.exit(2, f"error: {error}\n")
