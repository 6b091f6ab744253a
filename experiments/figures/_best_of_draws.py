"""What the best of so many random draws is expected to score, and what more draws gain."""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

WORST = 2.0
"""The score of a run that diverged, or ended farther off: that of a point in the ring's middle."""

Rows = Sequence[Mapping[str, Any]]


def distances(rows: Rows) -> np.ndarray:
    """Returns the distances of the runs, that of a point in the middle at most."""
    values = [WORST if row["distance"] is None else row["distance"] for row in rows]
    return np.minimum(np.array(values, float), WORST)


def best_row(rows: Rows) -> Mapping[str, Any]:
    """Returns the row with the smallest distance."""
    return rows[int(np.argmin(distances(rows)))]


def by_objective(rows: Rows, stage: str | None = None) -> dict[str, Rows]:
    """Returns the rows, of one stage or of all, by objective."""
    names = dict.fromkeys(row["objective"] for row in rows)
    of_stage = [row for row in rows if stage in (None, row.get("stage"))]
    return {name: [row for row in of_stage if row["objective"] == name] for name in names}


def expected_best(scores: np.ndarray) -> np.ndarray:
    """Computes the expected minimum of n of the N scores, without replacement, for n = 1 ... N.

    Of n scores, the i-th smallest of all (from 0) is the minimum with probability
    ``C(N - 1 - i, n - 1) / C(N, n)``.
    """
    total = len(scores)
    n, i = np.arange(1, total + 1)[:, None], np.arange(total - 1)
    ratios = np.maximum(total - n - i, 0) / (total - 1 - i)  # of consecutive probabilities
    ratios = np.concatenate([np.ones((total, 1)), ratios], 1)
    probabilities = n / total * np.cumprod(ratios, 1)
    expectations: np.ndarray = probabilities @ np.sort(scores)
    return expectations


def gains(scores: Sequence[np.ndarray], few_draws: int) -> tuple[float, float]:
    """Compares what the budget gains with what the choice of objective gains.

    Args:
      scores: those of all draws, by objective.
      few_draws: the small budget.

    Returns:
      The gain in log score from few draws to all, as the median of the objectives; and the gain
      from the middle objective to the best one, with all draws.
    """
    best = [expected_best(of_objective) for of_objective in scores]
    few = np.log([curve[min(few_draws, len(scores[0])) - 1] for curve in best])
    many = np.log([curve[-1] for curve in best])
    return float(np.median(few - many)), float(np.median(many) - many.min())


def ratio_of_gains(scores: Sequence[np.ndarray], few_draws: int) -> float:
    """Returns what the budget gains over what the choice of objective gains; see `gains`."""
    budget, algorithm = gains(scores, few_draws)
    return budget / max(algorithm, 1e-12)


def bootstrap(scores: Sequence[np.ndarray], few_draws: int, times: int) -> tuple[float, float]:
    """Returns the 95% interval of `ratio_of_gains` over draws drawn again with replacement."""
    rng = np.random.default_rng(0)
    ratios = [
        ratio_of_gains(
            [rng.choice(of_objective, len(of_objective)) for of_objective in scores], few_draws
        )
        for _ in range(times)
    ]
    low, high = np.quantile(ratios, (0.025, 0.975))
    return float(low), float(high)
