"""Checkpoints as files: which there are, and whether they are whole. Nothing here imports JAX."""

import json
import os
import shutil
import zlib
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from gan_jax import files

STATE, RECORD, CONTENTS = "state", "record", "contents.json"
"""What a checkpoint holds: the arrays; what is saved next to them; and the sizes of all files."""

SEAL = "checksum"
"""The key of a record's own checksum."""

TEMPORARY = ".orbax-checkpoint-tmp"
"""In the names of checkpoints that are still being written, or being removed."""


def saved_steps(directory: Path) -> list[int]:
    """Returns the steps of the checkpoints in a directory, in order; none if it does not exist."""
    try:
        names = [entry.name for entry in os.scandir(directory) if entry.is_dir()]
    except FileNotFoundError:
        return []
    return sorted(int(name) for name in names if name.isdecimal() and str(int(name)) == name)


def remove_temporary(directory: Path) -> None:
    """Removes checkpoints that killed processes were writing or removing.

    Args:
      directory: of the checkpoints; nobody else may be writing to it.
    """
    for path in directory.glob(f"*{TEMPORARY}*"):
        if path.name.partition(TEMPORARY)[0].isdecimal() and not path.is_symlink():
            shutil.rmtree(path, ignore_errors=True)


def write_contents(path: Path) -> None:
    """Writes the sizes of all files of a checkpoint into it, so that `is_whole` can check them."""
    sizes = {
        str(file.relative_to(path)): file.stat().st_size
        for file in sorted(path.rglob("*"))
        if file.is_file() and file.parent != path  # Orbax updates the files at the top later
    }
    files.write_text(path / CONTENTS, json.dumps(sizes) + "\n")


def is_whole(path: Path) -> bool:
    """Returns whether a checkpoint has all its files in their sizes; the arrays are not read.

    Checkpoints of versions that did not write their sizes are whole if they can be opened.
    """
    try:
        if (path / CONTENTS).exists():
            sizes = json.loads((path / CONTENTS).read_text(encoding="utf-8"))
            return bool(sizes) and all(
                (path / name).stat().st_size == size for name, size in sizes.items()
            )
        read_record(path)
        return all((path / STATE / name).stat().st_size for name in ("_METADATA", "manifest.ocdbt"))
    except (OSError, ValueError, AttributeError, RecursionError):
        return False


def read_record(path: Path) -> dict[str, Any]:
    """Reads what was saved next to a state.

    Raises:
      OSError: it cannot be read.
      ValueError: it is damaged.
    """
    record = json.loads((path / RECORD / "metadata").read_text(encoding="utf-8"))
    if not (isinstance(record, dict) and isinstance(record.get("checksums"), dict)):
        raise ValueError("its record is damaged")
    seal = record.pop(SEAL, None)  # versions before this one wrote none
    if seal is not None and seal != _checksum(record):
        raise ValueError("the checksum of its record does not match")
    return record


def sealed(record: Mapping[str, Any]) -> dict[str, Any]:
    """Returns a record with a checksum of its own, which `read_record` looks at.

    Else a damaged name of a leaf would look like the state of another run, which is refused.
    """
    return {**record, SEAL: _checksum(record)}


def _checksum(record: Mapping[str, Any]) -> int:
    return zlib.crc32(json.dumps(json.loads(json.dumps(record)), sort_keys=True).encode())
