"""Rules that end a run before its last step, for ``config.stop_when``."""

import math
from collections.abc import Callable, Mapping, Sequence
from typing import Any, Literal

from gan_jax.errors import UserError

__all__ = ["StopRule", "patience", "reached"]


class StopRule:
    """A metric, and when its values end a run.

    Attributes:
      metric: its name in the rows of metrics.
    """

    def __init__(self, metric: str, look: Callable[[Sequence[float]], str]) -> None:
        self.metric, self._look = metric, look

    def __call__(self, rows: Sequence[Mapping[str, Any]]) -> str:
        """Returns why a run ends, in a few words; empty if it goes on.

        Args:
          rows: metrics by name, in order. Those without a finite value of the metric do not count.
        """
        values = [row.get(self.metric) for row in rows]
        return self._look([value for value in values if value is not None and math.isfinite(value)])


def patience(
    metric: str,
    evaluations: int,
    mode: Literal["min", "max"] = "min",
    least_change: float = 0.0,
) -> StopRule:
    """Returns the rule that ends a run once a metric has not improved for so many values.

    Args:
      metric: a score, such as ``"fd_lenet"``, or another metric of the rows, such as
        ``"generator/loss"``.
      evaluations: how many values in a row may be no better than the best one before.
      mode: whether lower or higher is better.
      least_change: by how much a value must be better to count as an improvement.

    Raises:
      UserError: an argument out of its bounds.
    """
    _check_mode(mode)
    if evaluations < 1 or least_change < 0:
        raise UserError(
            "patience takes evaluations of at least 1 and a least_change of at least 0, not "
            f"{evaluations} and {least_change}"
        )
    sign = 1 if mode == "min" else -1

    def look(values: Sequence[float]) -> str:
        best, waited = math.inf, 0
        for value in values:
            waited += 1
            if sign * value < best - least_change or best == math.inf:
                best, waited = sign * value, 0
        if waited < evaluations:
            return ""
        return f"{metric} has not been better than {sign * best:.4g} for {waited} values"

    return StopRule(metric, look)


def reached(metric: str, value: float, mode: Literal["min", "max"] = "min") -> StopRule:
    """Returns the rule that ends a run once a metric is as good as a value.

    Args:
      metric: as for `patience`.
      value: to reach.
      mode: whether lower or higher is better.

    Raises:
      UserError: another mode.
    """
    _check_mode(mode)

    def look(values: Sequence[float]) -> str:
        if not values or not (values[-1] <= value if mode == "min" else values[-1] >= value):
            return ""
        return f"{metric} is {values[-1]:.4g}, and {value:g} was asked for"

    return StopRule(metric, look)


def _check_mode(mode: str) -> None:
    if mode not in ("min", "max"):
        raise UserError(f"mode is 'min' or 'max', not {mode!r}")
