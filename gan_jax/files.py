"""Files that are written whole or not at all, and JSON lines that are read whatever is in them."""

import contextlib
import json
import os
import tempfile
from pathlib import Path
from typing import Any


def write_text(path: str | Path, text: str) -> None:
    """Writes a text file, as UTF-8, whole or not at all: see `write_bytes`."""
    write_bytes(path, text.encode("utf-8"))


def write_bytes(path: str | Path, content: bytes) -> None:
    """Writes a file whole or not at all, whatever happens meanwhile.

    The content goes to a temporary file in the same directory and reaches the disk before that file
    takes the place of ``path``. A reader sees the old file or the new one.

    Raises:
      OSError: the file cannot be written; the old one is still there.
    """
    path = Path(path)
    handle, temporary = tempfile.mkstemp(prefix=f".{path.name}.", suffix=".part", dir=path.parent)
    try:
        with os.fdopen(handle, "wb") as file:
            file.write(content)
            file.flush()
            os.fsync(file.fileno())
        os.chmod(temporary, 0o666 & ~_umask())  # mkstemp's files are private
        os.replace(temporary, path)
    except BaseException:
        with contextlib.suppress(OSError):
            os.unlink(temporary)
        raise
    _sync_directory(path.parent)


def read_json_lines(path: str | Path) -> list[dict[str, Any]]:
    """Reads the JSON objects in a file of one per line, and skips lines that are no JSON object.

    A crash may have cut a line short, and a damaged file may hold bytes that are not UTF-8.

    Raises:
      FileNotFoundError: there is no such file.
    """
    rows = []
    for line in Path(path).read_text(encoding="utf-8", errors="replace").splitlines():
        try:
            row = json.loads(line)
        except ValueError:
            continue
        if isinstance(row, dict):
            rows.append(row)
    return rows


def _umask() -> int:
    umask = os.umask(0)
    os.umask(umask)
    return umask


def _sync_directory(directory: Path) -> None:
    """Makes a rename last through a power loss, where the system can open directories."""
    with contextlib.suppress(OSError):
        handle = os.open(directory, os.O_RDONLY)
        try:
            os.fsync(handle)
        finally:
            os.close(handle)
