"""Short readable names for the runs of a sweep."""

import hashlib
import re
from collections.abc import Mapping
from typing import Any

from gan_jax.experiment.run_name import format_value, short_names

LONGEST_NAME = 100
"""The largest number of characters in the name of a trial."""


def trial_name(parameters: Mapping[str, Any], number: int | None) -> str:
    """Returns the name of a trial and of its folder: ``"unroll=5_seed=0"``.

    Args:
      parameters: the trial's parameters.
      number: its number, which then comes first, or None.
    """
    short = short_names(parameters)
    assignments = [f"{short[path]}={format_value(value)}" for path, value in parameters.items()]
    name = re.sub(r"[^\w.,=+-]+", "-", "_".join(assignments), flags=re.ASCII).strip("-")
    if len(name) > LONGEST_NAME:
        name = f"{name[: LONGEST_NAME - 7]}_{digest(parameters)[:6]}"
    return name if number is None else f"{number:03d}_{name}"


def digest(value: Any) -> str:
    """Returns the SHA-256 of the ``repr`` of plain values."""
    return hashlib.sha256(repr(value).encode()).hexdigest()
