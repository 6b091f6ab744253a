"""What lies in some folders: runs, populations, sweeps, and figures of papers."""

import csv
import json
import os
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from gan_jax.buckets import is_url, local_copy
from gan_jax.errors import UserError, first_line
from gan_jax.experiment.run_directory import CHECKPOINTS, CONFIG, METRICS, SAMPLES
from gan_jax.report.runs import Run, read_run
from gan_jax.reproduction.records import CLAIMS_FILE, PICTURE_FILES, RESULTS_FILE
from gan_jax.sweeps.plan_file import PLAN_FILE
from gan_jax.sweeps.report import PICTURES, SENSITIVITY_FILE

NOT_SEARCHED = (CHECKPOINTS, SAMPLES, "wandb", "failures")
"""Folders in which no run lies."""

MEMBER_FOLDERS = ("members", "runs")
"""Folders between a population or a sweep and its runs."""

Table = list[list[str]]
"""Rows of text, the header first."""


@dataclass(frozen=True)
class Pictures:
    """A result with pictures and a table: of a sweep, or of a figure.

    Attributes:
      name: its path below the folder that the report is of.
      title: what it shows; empty for a sweep.
      lines: what is said of it.
      pictures: the files.
      table: of a sweep what moves its metric, of a figure its claims; empty if there is none.
    """

    name: str
    title: str
    lines: tuple[str, ...]
    pictures: tuple[Path, ...]
    table: Table


@dataclass(frozen=True)
class Contents:
    """What some folders hold, each in the order of the names."""

    runs: tuple[Run, ...]
    sweeps: tuple[Pictures, ...]
    figures: tuple[Pictures, ...]


def read_folders(folders: Sequence[str | Path]) -> Contents:
    """Reads all runs, sweeps and figures in folders and in what lies below them.

    Args:
      folders: run directories, or folders with run directories at any depth, also by the URLs of
        object stores, from which all but checkpoints is copied to this machine. Links are not
        followed.

    Raises:
      UserError: a folder does not exist or cannot be read, or there is nothing to show in any of
        them.
    """
    runs: list[Run] = []
    sweeps: list[Pictures] = []
    figures: list[Pictures] = []
    for given in folders:
        folder = local_copy(given, leave_out=(CHECKPOINTS,))
        if not folder.is_dir():
            raise UserError(f"{given} is not a folder: pass one with run directories")
        base = Path(given).name if is_url(given) else folder.resolve().name or str(folder)
        prefix = f"{base}/" if len(folders) > 1 else ""
        for directory, names in _walk(folder):
            name = _name(folder, directory, base, prefix)
            if PLAN_FILE in names:
                sweeps.append(_sweep(directory, name))
            if CLAIMS_FILE in names:
                figures.append(_figure(directory, name))
            is_population = "members" in names and METRICS not in names
            if (CONFIG in names or METRICS in names) and not is_population:
                group = _name(folder, _group(directory), base, prefix)
                runs.append(read_run(directory, name, group if directory != folder else ""))
    if not (runs or sweeps or figures):
        raise UserError(
            f"no run lies in {', '.join(map(str, folders))}: a run directory has a {CONFIG}"
        )
    return Contents(tuple(runs), tuple(sweeps), tuple(figures))


def _walk(folder: Path) -> list[tuple[Path, set[str]]]:
    """Returns each directory with the names of what it holds, in the order of their paths."""
    visited = []
    for path, directories, names in os.walk(folder):
        visited.append((Path(path), {*directories, *names}))
        directories[:] = sorted(
            name for name in directories if not name.startswith(".") and name not in NOT_SEARCHED
        )
    return visited


def _group(directory: Path) -> Path:
    above = directory.parent
    return above.parent if above.name in MEMBER_FOLDERS else above


def _name(folder: Path, directory: Path, base: str, prefix: str) -> str:
    """Returns the path of a directory below a folder, and the folder's own name for itself."""
    if not directory.is_relative_to(folder) or directory == folder:
        return base
    return prefix + directory.relative_to(folder).as_posix()


def _sweep(directory: Path, name: str) -> Pictures:
    table, lines = _table(directory / SENSITIVITY_FILE)
    pictures = tuple(directory / file for file in PICTURES if (directory / file).is_file())
    return Pictures(name, "", lines, pictures, table)


def _figure(directory: Path, name: str) -> Pictures:
    table, lines = _table(directory / CLAIMS_FILE)
    record: dict[str, Any] = {}
    try:
        loaded = json.loads((directory / RESULTS_FILE).read_text(encoding="utf-8"))
        record = loaded if isinstance(loaded, dict) else {}
    except (OSError, ValueError, RecursionError) as error:
        lines = (*lines, f"{RESULTS_FILE} cannot be read: {first_line(error)}")
    verdict = record.get("verdict")
    if isinstance(verdict, list):
        lines = (*lines, *map(str, verdict))
    if record.get("scale") not in (None, "paper"):
        lines = (*lines, f"a shortened form: scale {record['scale']}")
    picture = directory / PICTURE_FILES[0]
    pictures = (picture,) if picture.is_file() else ()
    return Pictures(name, str(record.get("title", "")), lines, pictures, table)


def _table(file: Path) -> tuple[Table, tuple[str, ...]]:
    """Returns the rows of a CSV file, or a line that says why they cannot be read."""
    if not file.exists():
        return [], ()
    try:
        with open(file, newline="", encoding="utf-8", errors="replace") as opened:
            return list(csv.reader(opened)), ()
    except (OSError, csv.Error) as error:
        return [], (f"{file.name} cannot be read: {first_line(error)}",)
