"""Curves of runs as compact text: columns of float32, and the steps that many of them share."""

import base64
from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np

from gan_jax.evaluation import is_result
from gan_jax.report.runs import Run

NOT_METRICS = ("step", "time", "seed")

LOSSES = ("discriminator/loss", "generator/loss")


class Curves(NamedTuple):
    """The metrics of all runs.

    Attributes:
      names: of the metrics, results first, then both losses, then all else.
      steps: the different columns of steps, float64 as base64.
      runs: of each run, by metric, the index of its steps and its values, float32 as base64. NaN
        stands for a value that is not finite.
    """

    names: list[str]
    steps: list[str]
    runs: list[dict[str, tuple[int, str]]]


def encode(runs: Sequence[Run], most_rows: int) -> Curves:
    """Returns the curves of runs.

    Args:
      runs: the runs.
      most_rows: of a curve; longer ones are thinned to rows at equal distances, the first and the
        last one included.
    """
    index_of: dict[bytes, int] = {}
    curves = [
        {
            name: (index_of.setdefault(steps.tobytes(), len(index_of)), _base64(values.tobytes()))
            for name, (steps, values) in _columns(run.rows, most_rows).items()
        }
        for run in runs
    ]
    names = sorted({name for run in curves for name in run}, key=_order)
    return Curves(names, [_base64(steps) for steps in index_of], curves)


def _columns(
    rows: Sequence[dict[str, Any]], most_rows: int
) -> dict[str, tuple[np.ndarray, np.ndarray]]:
    """Returns the steps, little-endian float64, and the values, float32, of each metric."""
    found: dict[str, tuple[list[int], list[float]]] = {}
    for row in rows:
        for name, value in row.items():
            if name not in NOT_METRICS:
                steps, values = found.setdefault(name, ([], []))
                steps.append(row["step"])
                values.append(np.nan if value is None else value)
    columns = {}
    for name, (steps, values) in found.items():
        kept: Any = slice(None)
        if len(steps) > most_rows:
            kept = np.unique(np.linspace(0, len(steps) - 1, most_rows).round().astype(int))
        with np.errstate(over="ignore"):  # beyond float32 the page shows a gap
            columns[name] = (np.array(steps, "<f8")[kept], np.array(values, "<f4")[kept])
    return columns


def _order(name: str) -> tuple[int, str]:
    if name in LOSSES:
        return 1, name
    return (0 if is_result(name) else 2), name


def _base64(data: bytes) -> str:
    return base64.b64encode(data).decode("ascii")
