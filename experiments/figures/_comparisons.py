"""Claims about the means over seeds of two runs."""

from collections.abc import Mapping, Sequence
from typing import Any

import _image_runs as images
import numpy as np

from gan_jax.reproduction import Claim


def difference(
    name: str,
    values: Sequence[float],
    others: Sequence[float],
    asked: str,
    low: float | None = None,
    high: float | None = None,
    note: str = "",
) -> list[Claim]:
    """Returns the claim that the difference of two means lies in a band; none without seeds.

    Args:
      name: of the difference.
      values: a value of each seed of one run.
      others: a value of each seed of the run whose mean is subtracted.
      asked: the statement that is judged.
      low: the lower end of the band; None for no limit.
      high: the upper end of the band; None for no limit.
      note: what a reader has to know about the measurement.
    """
    if not values or not others:
        return []
    apart = float(np.mean(values) - np.mean(others))
    return [Claim(name, (apart,), asked, low, high, note)]


def mean_above(
    name: str, higher: Sequence[float], lower: Sequence[float], why: str, note: str = ""
) -> list[Claim]:
    """Returns the claim that one mean over seeds is above another, as `difference`."""
    return difference(name, higher, lower, f"{why}; asked > 0", 1e-9, None, note)


def diverged(numbers: Mapping[str, Any], *runs: str) -> str:
    """Returns which of the runs have seeds that diverged, and how many; empty if none has."""
    notes = {run: images.divergence_note(numbers, run) for run in runs}
    return "; ".join(f"{run}: {note}" for run, note in notes.items() if note)
