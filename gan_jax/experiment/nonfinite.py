"""Rows of metrics, and what in them and in the state is not finite."""

from collections.abc import Callable, Mapping, Sequence

import numpy as np

from gan_jax.diagnosis.health import PREFIX
from gan_jax.loggers.progress import print_line
from gan_jax.training.nonfinite import SKIPPED_UPDATES, first_nonfinite_parameter
from gan_jax.training.steps import TrainState

Calls = Sequence[Mapping[str, np.ndarray]]
"""The metrics of consecutive calls, ``[steps]`` each."""

DERIVED = ("loss", "gradient_norm")
"""Ends of the names of metrics that are made from all terms of a player."""


def interval_metrics(calls: Calls) -> dict[str, float]:
    """Computes the row of some calls: the mean of each metric over their steps.

    Steps whose update was skipped count in none of the means, and are themselves counted in
    ``skipped_updates``. A mean over no steps is NaN.
    """
    columns = _columns(calls)
    skipped = _skipped(columns)
    row = {}
    for name, values in columns.items():
        kept = values if skipped is None else values[~skipped]
        row[name] = float(np.mean(kept)) if kept.size else float("nan")
    if skipped is not None:
        row[SKIPPED_UPDATES] = float(np.sum(skipped))
    return row


def warn_of_skipped_updates(row: Mapping[str, float], step: int, whose: str = "") -> None:
    """Prints how many updates of a row were skipped, if any was.

    Args:
      row: of `interval_metrics`.
      step: of the row.
      whose: ``" of member 3"``; empty if the run is alone.
    """
    skipped = row.get(SKIPPED_UPDATES, 0)
    if skipped:
        print_line(
            f"warning: {skipped:.0f} updates{whose} up to step {step} were not finite and were "
            "skipped"
        )


def describe_nonfinite(calls: Calls, step: int, state: Callable[[], TrainState]) -> str:
    """Says which metric is not finite, since which step, and the first such parameter.

    Of the metrics that went bad at the same step, a term is named before what is made from it.

    Args:
      calls: the metrics of some calls. Steps whose update was skipped are not looked at.
      step: how many steps there were after the last of them.
      state: returns the state then, if it is needed.

    Returns:
      A line, or an empty text if all metrics are finite.
    """
    columns = _columns(calls)
    skipped = _skipped(columns)
    first_bad: dict[str, int] = {}
    for name, values in columns.items():
        finite = np.isfinite(values) if skipped is None else np.isfinite(values) | skipped
        if not finite.all():
            first_bad[name] = int(np.argmin(finite)) - len(finite) + 1 + step
    if not first_bad:
        return ""
    name = min(first_bad, key=lambda name: (first_bad[name], name.endswith(DERIVED), name))
    leaf = first_nonfinite_parameter(state(), name.partition("/")[0])
    where = f"the first bad leaf of the state is {leaf}" if leaf else "all parameters are finite"
    return f"{name} is not finite from step {first_bad[name]} on; {where}"


def describe_bad_state(state: TrainState, step: int) -> str:
    """Says which parameter is not finite, though the metrics were; empty if all are finite.

    Args:
      state: which is to be saved.
      step: how many steps there were.
    """
    leaf = first_nonfinite_parameter(state)
    return f"{leaf} is not finite after step {step}" if leaf else ""


def _columns(calls: Calls) -> dict[str, np.ndarray]:
    """Each metric at all steps of the calls; those of health are not of single steps."""
    names = [name for name in (calls[0] if calls else ()) if not name.startswith(PREFIX)]
    return {name: np.concatenate([np.ravel(call[name]) for call in calls]) for name in names}


def _skipped(columns: Mapping[str, np.ndarray]) -> np.ndarray | None:
    """Which updates were skipped; None if none can be."""
    skipped = columns.get(SKIPPED_UPDATES)
    return None if skipped is None else skipped > 0
