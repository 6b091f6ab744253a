"""Files that appear whole or not at all, and tolerant reading of JSON lines."""

import contextlib
import json
import os
import re
import secrets
from collections.abc import Iterator
from pathlib import Path
from typing import Any, BinaryIO

from gan_jax.errors import UserError

URL = re.compile(r"[A-Za-z][A-Za-z0-9+.-]+:/")
"""How a URL begins, of whose two slashes `pathlib.Path` makes one. A drive of Windows has one
letter."""


def check_local(path: str | os.PathLike[str]) -> None:
    """Refuses URLs, which would be taken for folders of this machine.

    Args:
      path: of anything that is to be read or written.

    Raises:
      UserError: it is a URL, such as ``gs://bucket/runs``.
    """
    if URL.match(os.fspath(path)):
        raise UserError(
            f"{os.fspath(path)} is a URL, and only paths of a file system are read and written: "
            "mount the bucket (gcsfuse, mountpoint-s3) or copy what is in it, and pass that path"
        )


@contextlib.contextmanager
def replacing(path: str | os.PathLike[str]) -> Iterator[BinaryIO]:
    """Opens a file to write that takes the place of ``path`` once the block ends.

    The bytes go to a temporary file of a unique name in the same directory, are flushed to the
    disk, and the temporary file then replaces ``path`` in one operation of the file system. Readers
    see the old file or the new one, never a part, no matter how many processes write at once or
    whether one of them is killed. If the block raises, ``path`` is left as it was and the temporary
    file is removed.

    Args:
      path: the file to write; its directory must exist.

    Yields:
      A binary file.

    Raises:
      OSError: the file cannot be written.
    """
    path = Path(path)
    temporary = path.with_name(f".{secrets.token_hex(8)}.part")
    file = open(temporary, "xb")  # noqa: SIM115 - closed below, before it is moved
    try:
        with file:
            yield file
            file.flush()
            os.fsync(file.fileno())
        os.replace(temporary, path)
    except BaseException as error:
        temporary.unlink(missing_ok=True)
        if isinstance(error, OSError) and error.filename is None:
            error.filename = str(path)  # a full disk does not say which file it fails
        raise
    sync_directory(path.parent)


def make_directory(path: str | os.PathLike[str]) -> None:
    """Makes a directory and those above it, and puts their names on the disk.

    Args:
      path: the directory; it may exist.

    Raises:
      OSError: it cannot be made.
    """
    made = Path(os.path.abspath(path))
    missing = [folder for folder in (made, *made.parents) if not folder.exists()]
    made.mkdir(parents=True, exist_ok=True)
    for folder in missing:
        sync_directory(folder.parent)


def remove_temporary_files(directory: str | os.PathLike[str]) -> None:
    """Removes the temporary files of `replacing` that killed processes have left in a directory.

    Args:
      directory: nobody else may be writing to it. What lies in directories below it stays.
    """
    for path in Path(directory).glob(".*.part"):
        if re.fullmatch(r"\.[0-9a-f]{16}\.part", path.name):
            with contextlib.suppress(OSError):
                path.unlink()


def sync_directory(directory: str | os.PathLike[str]) -> None:
    """Puts a directory's names on the disk, if the file system can do that."""
    with contextlib.suppress(OSError):
        _sync(directory)


def sync_tree(directory: str | os.PathLike[str]) -> None:
    """Puts all files below a directory, and the names of all directories in it, on the disk.

    Args:
      directory: nothing may be written below it meanwhile.

    Raises:
      OSError: a file cannot be put on the disk.
    """
    for folder, _, names in os.walk(directory, topdown=False):
        for name in names:
            _sync(os.path.join(folder, name))
        sync_directory(folder)


def _sync(path: str | os.PathLike[str]) -> None:
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def write_bytes(path: str | os.PathLike[str], data: bytes) -> None:
    """Writes a file whole or not at all; see `replacing`.

    Args:
      path: the file to write; its directory must exist.
      data: all of its content.

    Raises:
      OSError: the file cannot be written.
    """
    with replacing(path) as file:
        file.write(data)


def write_text(path: str | os.PathLike[str], text: str) -> None:
    """Writes a text file whole or not at all; see `replacing`.

    It is encoded as UTF-8, and line ends are written as they are.

    Args:
      path: the file to write; its directory must exist.
      text: all of its content.

    Raises:
      OSError: the file cannot be written.
    """
    write_bytes(path, text.encode())


def read_json_lines(path: str | os.PathLike[str]) -> list[dict[str, Any]]:
    """Returns the JSON objects of a file with one of them per line.

    Lines that are no JSON object, such as one that a crash cut short, are skipped. Bytes that are
    not UTF-8 become the replacement character U+FFFD.

    Args:
      path: the file to read.

    Returns:
      The objects, in the order of the file.

    Raises:
      FileNotFoundError: there is no such file.
    """
    objects = []
    for line in Path(path).read_text(encoding="utf-8", errors="replace").split("\n"):
        try:
            value = json.loads(line)
        except (ValueError, RecursionError):
            continue
        if isinstance(value, dict):
            objects.append(value)
    return objects
