"""What the commands share: config flags, and one line for bad input."""

import argparse
import os
import sys
import tempfile
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, NoReturn

from gan_jax.errors import STORAGE_EXIT_CODE, StorageError, UserError, storage_failure
from gan_jax.experiment.signals import StoppedBySignal
from gan_jax.files import check_local


class Parser(argparse.ArgumentParser):
    """An argument parser whose complaints are one line, and which takes no URL as a path.

    Args:
      description: of the command.
      urls: the flags that may be URLs of object stores all the same.
      **settings: of `argparse.ArgumentParser`.
    """

    def __init__(self, description: str | None, urls: Sequence[str] = (), **settings: Any) -> None:
        super().__init__(
            description=description,
            formatter_class=argparse.RawDescriptionHelpFormatter,
            allow_abbrev=False,
            **settings,
        )
        self._urls = frozenset(urls)

    def parse_known_args(self, args: Any = None, namespace: Any = None) -> Any:
        flags, rest = super().parse_known_args(args, namespace)
        for name, value in vars(flags).items():
            for path in value if isinstance(value, list) else [value]:
                if isinstance(path, str) and name not in self._urls:
                    check_local(path)
        return flags, rest

    def error(self, message: str) -> NoReturn:
        raise UserError(f"{message} (--help lists the flags)")


def split_overrides(arguments: Sequence[str]) -> tuple[list[str], list[str]]:
    """Separates config flags from the others: ``(["discriminator_steps=5"], rest)``.

    ``--config.discriminator_steps=5``, ``--config.discriminator_steps 5``, and for true-or-false
    fields ``--config.wandb.use``, ``--noconfig.wandb.use``.
    """
    overrides, rest, queue = [], [], list(arguments)
    while queue:
        argument = queue.pop(0)
        if argument.startswith("--noconfig."):
            overrides.append(argument.removeprefix("--noconfig.") + "=false")
        elif argument.startswith("--config."):
            key, equals, value = argument.removeprefix("--config.").partition("=")
            if not equals:
                value = queue.pop(0) if queue and not queue[0].startswith("--") else "true"
            overrides.append(f"{key}={value}")
        else:
            rest.append(argument)
    return overrides, rest


def split_settings(arguments: Sequence[str], prefix: str) -> tuple[dict[str, Any], list[str]]:
    """Separates the flags of one prefix from the others.

    ``--slurm.mem_gb=8`` gives ``({"mem_gb": 8}, rest)``.

    Whole numbers of 64 bits and true or false are read as such, all else is text. Raises UserError.
    """
    settings: dict[str, Any] = {}
    rest = []
    for argument in arguments:
        if not argument.startswith(f"--{prefix}."):
            rest.append(argument)
            continue
        name, equals, text = argument.removeprefix(f"--{prefix}.").partition("=")
        if not equals:
            raise UserError(f"--{prefix}.{name} needs a value: --{prefix}.{name}=VALUE")
        settings[name] = (
            int(text)
            if text.isdecimal() and len(text) < 19
            else {"true": True, "false": False}.get(text.lower(), text)
        )
    return settings, rest


def expanded(path: str) -> str:
    """Returns a path with its ``$NAMES`` replaced by environment variables. Raises UserError.

    W&B's agent starts commands without a shell, which would do that.
    """
    whole = os.path.expandvars(path)
    if "$" in whole:
        raise UserError(f"{path} names a variable that is not set")
    return whole


def check_output(path: Path, overwrite: bool = False) -> None:
    """Checks that a file can be written, before what is to be written is computed.

    Args:
      path: of the file. Directories that do not exist are made when it is written.
      overwrite: whether it may exist.

    Raises:
      UserError: it exists, it is a directory, or its directory cannot be written to.
    """
    try:
        if path.is_dir():
            raise UserError(f"{path} is a directory: choose a file as --out")
        if path.exists() and not overwrite:
            raise UserError(f"{path} exists: choose another --out or add --overwrite")
    except OSError as error:  # a name that is too long, a directory that cannot be read
        raise UserError(f"{path} cannot be written: {error.strerror}") from error
    _check_writable(path)


def check_output_folder(path: Path, overwrite: bool = False) -> None:
    """Checks that a folder of files can be written, before what is to be written is computed.

    Args:
      path: of the folder, which is made when it is written.
      overwrite: whether it may hold files, which stay unless one of the same name is written.

    Raises:
      UserError: it is a file, it is not empty, or it cannot be written to.
    """
    try:
        if path.exists() and not path.is_dir():
            raise UserError(f"{path} is a file: choose a folder as --out")
        if path.is_dir() and any(path.iterdir()) and not overwrite:
            raise UserError(f"{path} is not empty: choose another --out or add --overwrite")
    except OSError as error:
        raise UserError(f"{path} cannot be written: {error.strerror}") from error
    _check_writable(path / "file")


def _check_writable(path: Path) -> None:
    """Raises UserError if no file can be made in the directory of a path."""
    try:
        directory = next(parent for parent in path.absolute().parents if parent.exists())
    except OSError as error:  # a name that is too long, a directory that cannot be read
        raise UserError(f"{path} cannot be written: {error.strerror}") from error
    try:
        with tempfile.TemporaryFile(dir=directory):  # permissions alone say too little
            pass
    except OSError as error:
        raise UserError(
            f"{path} cannot be written, because of {directory} ({error.strerror}): "
            "choose another --out"
        ) from error


def main(program: Callable[[list[str]], int | None]) -> NoReturn:
    """Runs ``program(arguments)`` and exits with what it returns, or 0.

    Exits with 2 and one line for bad input, with 1 and one line if training diverged, with 74 and
    one line if the disk is full or fails, with 130 if it was interrupted, and with 128 and a
    signal's number if that has stopped a run.
    """
    try:
        code = program(sys.argv[1:]) or 0
    except UserError as error:
        print(f"error: {error}", file=sys.stderr)
        code = 2
    except KeyboardInterrupt as error:
        code = error.exit_code if isinstance(error, StoppedBySignal) else 130
    except (OSError, StorageError) as error:
        failure = storage_failure(error)
        if failure is None:
            raise
        print(f"error: {failure}", file=sys.stderr)
        code = STORAGE_EXIT_CODE
    except RuntimeError as error:
        if type(error).__name__ != "TrainingDiverged":
            raise
        print(f"error: training diverged: {error}", file=sys.stderr)
        code = 1
    for stream in (sys.stdout, sys.stderr):
        try:
            stream.flush()
        except OSError:  # the terminal is gone: what is left must not fail the exit either
            os.dup2(os.open(os.devnull, os.O_WRONLY), stream.fileno())
    sys.exit(code)
