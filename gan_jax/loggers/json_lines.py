"""Where a run's numbers and pictures go: `metrics.jsonl` and PNGs in the workdir; `wandb_writer.py` has W&B."""

import json
import math
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np

Scalars = Mapping[str, float]


class JsonLines:
    """Appends one JSON object a call to ``path``, flushed: a killed run loses nothing that was written."""

    def __init__(self, path: str | Path) -> None:
        self.path = Path(path)
        text = self.path.read_bytes() if self.path.exists() else b""
        self._file = open(self.path, "a", encoding="utf-8")  # noqa: SIM115 - it lives as long as the run
        if text and not text.endswith(b"\n"):
            self._file.write("\n")  # a kill in the middle of a line must not spoil the next one

    def scalars(self, step: int, values: Scalars) -> None:
        self._file.write(
            json.dumps({"step": step} | {name: _number(value) for name, value in values.items()})
            + "\n"
        )
        self._file.flush()

    def image(self, step: int, name: str, path: Path) -> None:
        """Pictures are in the workdir already."""

    def histograms(self, step: int, values: Mapping[str, np.ndarray]) -> None:
        """The scores of single samples are no metrics; the workdir keeps their means."""

    def close(self) -> None:
        self._file.close()


def _number(value: Any) -> float | int | str | None:
    """JSON has no NaN and no infinity: they become null."""
    if isinstance(value, str | None):
        return value
    number = value if isinstance(value, int) else float(value)
    return number if math.isfinite(number) else None


def read_metrics(path: str | Path) -> list[dict[str, Any]]:
    """The rows of a `metrics.jsonl` by step; of a step that was run again after a crash, the later values.

    Rows of named protocols (`evaluate.py` appends them) are kept apart, one row a protocol, seed and step. A line that a
    crash cut short is skipped.
    """
    rows: dict[tuple, dict[str, Any]] = {}
    for line in Path(path).read_text(encoding="utf-8").splitlines():
        try:
            row = json.loads(line)
            key = (row["step"], row.get("protocol") or "", row.get("seed") or 0)
        except (ValueError, KeyError, TypeError):
            continue
        rows[key] = rows.get(key, {}) | row
    return [rows[key] for key in sorted(rows)]


def best(rows: list[dict[str, Any]], name: str, highest: bool) -> tuple[int, float] | None:
    """The step and the best value of a metric, the first where several are equal; None where it was never finite."""
    found = [(row["step"], row[name]) for row in rows if isinstance(row.get(name), int | float)]
    return (max if highest else min)(found, key=lambda entry: entry[1]) if found else None


def mean_of(history: list[Mapping[str, np.ndarray]]) -> dict[str, float]:
    """Means over all steps of the metrics of several calls, each ``[steps]``."""
    names = history[0] if history else ()
    return {
        name: float(np.mean(np.concatenate([np.ravel(call[name]) for call in history])))
        for name in names
    }
