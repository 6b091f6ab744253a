"""Metrics as JSON lines, one object per call, and reading them back."""

import json
import math
import os
import sys
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any, TypeGuard

import numpy as np

from gan_jax import files


class JsonLines:
    """A `Logger` that appends JSON objects to a file, one per line.

    Each goes to the operating system at once, so a killed run loses nothing that was logged. `sync`
    puts them on the disk: a run does so before each checkpoint, so what a loss of power takes are
    rows of steps that the resumed run computes again. NaN and infinite values become null.
    """

    def __init__(self, path: str | os.PathLike[str]) -> None:
        """Opens the file to append to it.

        Args:
          path: the file; it is made if it does not exist.
        """
        self.path = Path(path)
        is_new = not self.path.exists()
        # Without a buffer of Python's, so that it is known what has been written.
        self._file = open(self.path, "ab", buffering=0)  # noqa: SIM115 - until `close`
        if is_new:
            files.sync_directory(self.path.parent)
        self._unwritten = bytearray()
        if _ends_within_a_line(self.path):  # cut by a kill; this must not spoil the next line
            self._unwritten += b"\n"

    def scalars(self, step: int, values: Mapping[str, float | str | None]) -> None:
        """Appends a row of metrics; text, such as the name of a protocol, is written as it is.

        Raises:
          OSError: the row cannot be written now, as on a full disk. It is written with the next.
        """
        row = {"step": step} | {name: _json_value(value) for name, value in values.items()}
        self._unwritten += json.dumps(row).encode() + b"\n"
        self._write()

    def image(self, step: int, name: str, path: Path) -> None:
        """Does nothing: pictures are files already."""

    def histograms(self, step: int, values: Mapping[str, np.ndarray]) -> None:
        """Does nothing: the means of these arrays are among the scalars."""

    def sync(self) -> None:
        """Puts all rows on the disk.

        Raises:
          OSError: they cannot be written.
        """
        self._write()
        os.fsync(self._file.fileno())

    def close(self) -> None:
        """Closes the file.

        Raises:
          OSError: rows are left that cannot be written.
        """
        if self._file.closed:
            return
        try:
            self.sync()
        finally:
            self._file.close()

    def _write(self) -> None:
        try:
            while self._unwritten:
                written = self._file.write(self._unwritten)
                del self._unwritten[:written]
        except OSError as error:
            error.filename = str(self.path)
            raise


def _ends_within_a_line(path: Path) -> bool:
    """Returns whether a file ends without a line break."""
    if not path.exists() or not path.stat().st_size:
        return False
    with open(path, "rb") as file:
        file.seek(-1, os.SEEK_END)
        return file.read(1) != b"\n"


def _json_value(value: Any) -> float | int | str | None:
    """Converts a value to JSON, which has no NaN and no infinity: they become null."""
    if value is None or isinstance(value, str):
        return value
    number = value if isinstance(value, int) else float(value)
    return number if math.isfinite(number) else None


def read_metrics(path: str | os.PathLike[str]) -> list[dict[str, Any]]:
    """Reads the rows of a ``metrics.jsonl``.

    Rows of one step are merged. If a step was run again after a crash, its later values count.
    Scores of named protocols, which ``evaluate.py`` appends, stay in rows of their own, one per
    protocol, seed and step. Damaged lines, and rows whose step or seed is no integer or whose
    protocol is no text, are skipped.

    Args:
      path: the file.

    Returns:
      The rows in the order of their steps, then protocols, then seeds.

    Raises:
      FileNotFoundError: there is no such file.
    """
    return merge_rows(files.read_json_lines(path))


def merge_rows(objects: Iterable[Mapping[str, Any]]) -> list[dict[str, Any]]:
    """Returns the rows of `read_metrics` from the JSON objects of a ``metrics.jsonl``, in order."""
    rows: dict[tuple[int, str, int], dict[str, Any]] = {}
    for row in objects:
        step, protocol, seed = row.get("step"), row.get("protocol"), row.get("seed")
        protocol = "" if protocol is None else protocol
        seed = 0 if seed is None else seed
        if isinstance(protocol, str) and _is_integer(step) and _is_integer(seed):
            key = (step, protocol, seed)
            rows[key] = rows.get(key, {}) | dict(row)
    return [rows[key] for key in sorted(rows)]


def _is_integer(value: Any) -> TypeGuard[int]:
    return type(value) is int and abs(value) < 2**63  # no booleans


def _is_number(value: Any) -> bool:
    """Returns whether a value is a finite number, which a float can hold."""
    largest = sys.float_info.max
    return isinstance(value, int | float) and -largest <= value <= largest


def metrics_in(row: Mapping[str, Any]) -> dict[str, Any]:
    """Returns the entries of a row that a run can have written: numbers, and null for NaN."""
    return {name: value for name, value in row.items() if value is None or _is_number(value)}


def find_best(
    rows: Sequence[Mapping[str, Any]], name: str, maximize: bool
) -> tuple[int, float] | None:
    """Finds the best value of a metric.

    Args:
      rows: rows of a ``metrics.jsonl``, see `read_metrics`.
      name: the metric.
      maximize: whether higher values are better.

    Returns:
      The step and the best value, the first if several are equal; None if no row has a finite
      value.
    """
    values = [(row["step"], row[name]) for row in rows if _is_number(row.get(name))]
    if not values:
        return None
    choose = max if maximize else min
    return choose(values, key=lambda entry: entry[1])


def mean_metrics(calls: Sequence[Mapping[str, np.ndarray]]) -> dict[str, float]:
    """Computes the mean of each metric over the steps of several calls of a train step.

    Args:
      calls: the metrics of each call, ``[steps]`` each, all of the same names.

    Returns:
      The mean of each metric; nothing if there were no calls.
    """
    names = calls[0] if calls else ()
    return {
        name: float(np.mean(np.concatenate([np.ravel(call[name]) for call in calls])))
        for name in names
    }
