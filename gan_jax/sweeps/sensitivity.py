"""Which hyperparameter moves a metric, and by how much more than the seed does: an analysis of variance."""

import itertools
from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

import numpy as np

from gan_jax.sweeps.naming import text

MOST_LEVELS = 8  # more values of a number than that are put into bins
PERMUTATIONS = 999


class Levels(NamedTuple):
    """A parameter's values as a few levels, in order."""

    names: tuple[str, ...]
    of: np.ndarray  # [runs], into names


class Effect(NamedTuple):
    """What one parameter does to a metric."""

    parameter: str
    levels: int
    share: float  # of the metric's variance over all runs
    p_value: float
    best: str  # the level with the best mean
    best_mean: float
    effect: float  # best mean - worst mean
    standard_error: (
        float  # of that difference, from the spread over seeds; NaN without repeated seeds
    )


class Analysis(NamedTuple):
    """The variance of a metric over a sweep's runs, in parts."""

    effects: tuple[Effect, ...]  # the largest first
    seeds: float  # share of the variance among runs that differ in their seed alone; NaN without such runs
    runs: int


def levels(values: Sequence[Any]) -> Levels:
    """Each value as a level; numbers of more than 8 different values in up to 5 bins, as full as one another.

    There are ``round(sqrt(n))`` bins for n runs, at least 2 and at most 5.
    """
    numeric = all(
        isinstance(value, int | float) and not isinstance(value, bool) for value in values
    )
    if not numeric:
        names = list(dict.fromkeys(text(value) for value in values))
        return Levels(tuple(names), np.array([names.index(text(value)) for value in values]))
    numbers = np.asarray(values, float)
    distinct = np.unique(numbers)
    if len(distinct) <= MOST_LEVELS:
        return Levels(
            tuple(text(float(value)) for value in distinct), np.searchsorted(distinct, numbers)
        )
    bins = int(np.clip(round(np.sqrt(len(numbers))), 2, 5))
    edges = np.unique(np.quantile(numbers, np.linspace(0, 1, bins + 1)))
    index = np.clip(np.searchsorted(edges, numbers, side="right") - 1, 0, len(edges) - 2)
    return Levels(
        tuple(f"{text(float(a))} to {text(float(b))}" for a, b in itertools.pairwise(edges)), index
    )


def analyse(
    parameters: Mapping[str, Sequence[Any]],
    seeds: Sequence[Any],
    metric: np.ndarray,
    highest: bool,
    grid: bool,
) -> Analysis:
    """The share of a metric's variance that each parameter explains by itself, over all others.

    With y_i the metric of run i, m its mean over all n runs, and m_l its mean over the n_l runs at level l of a parameter:

        share  = sum_l n_l (m_l - m)^2 / sum_i (y_i - m)^2                                (eta squared, the main effect)
        seeds  = sum_c sum_{i in c} (y_i - m_c)^2 / sum_i (y_i - m)^2                     (c: runs alike but for the seed)
        standard_error = s sqrt(1 / n_best + 1 / n_worst),  s^2 = sum_c sum_{i in c} (y_i - m_c)^2 / (n - number of c)

    On a complete grid the shares, that of the seeds and that of the interactions add up to 1. The p-value is that of a
    permutation test of the share: values of the metric are exchanged among runs that differ in this parameter alone (a grid),
    or among all runs (random search, where each parameter was drawn regardless of the others); ``(1 + k) / 1000``, for
    k of 999 shuffles with no smaller share. Small shares are expected of chance alone: of about (levels - 1) / (n - 1).

    Args:
      parameters: the values of each parameter, ``[n]``, without the seed.
      seeds: ``[n]``, replicates of the same settings.
      metric: ``[n]``, finite.
      highest: whether more is better.
      grid: whether all combinations were tried, and not random ones.

    Source: Fisher, "The Design of Experiments" (1935); the main effects are those of the functional ANOVA of Hutter et al.,
    "An Efficient Approach for Assessing Hyperparameter Importance" (2014), computed from the runs instead of a model.
    """
    metric = np.asarray(metric, float)
    n, total = len(metric), float(np.sum((metric - metric.mean()) ** 2)) if len(metric) else 0.0
    found = {name: levels(values) for name, values in parameters.items()}
    raw = {name: np.array([text(value) for value in values]) for name, values in parameters.items()}
    cells = _cells(list(raw.values()), n)
    within, freedom = _within(cells, metric), n - len(set(cells))
    spread = np.sqrt(within / freedom) if freedom else np.nan
    draws = np.random.Generator(np.random.PCG64(0))
    effects = []
    for name, (names, index) in found.items():
        present = np.unique(index)
        if len(present) < 2 or total == 0:
            continue
        others = [values for other, values in raw.items() if other != name]
        blocks = (
            _cells([*others, np.array([str(seed) for seed in seeds])], n)
            if grid
            else np.zeros(n, int)
        )
        share = float(_between(index, metric[None])[0])
        shuffled = _between(index, _shuffled(metric, blocks, draws))
        p_value = (1 + int(np.sum(shuffled >= share * (1 - 1e-9)))) / (PERMUTATIONS + 1)
        means = np.array([metric[index == level].mean() for level in present])
        best, worst = (
            (np.argmax(means), np.argmin(means))
            if highest
            else (np.argmin(means), np.argmax(means))
        )
        counts = [np.sum(index == present[level]) for level in (best, worst)]
        error = spread * np.sqrt(sum(1 / count for count in counts))
        effects.append(
            Effect(name, len(present), share / total, p_value, names[present[best]], float(means[best]),
                   float(means[best] - means[worst]), float(error))
        )  # fmt: skip
    effects.sort(key=lambda effect: -effect.share)
    return Analysis(tuple(effects), within / total if freedom and total else np.nan, n)


def _cells(columns: Sequence[np.ndarray], n: int) -> np.ndarray:
    """The same number for runs with the same values in all columns, ``[n]``."""
    if not columns:
        return np.zeros(n, int)
    return np.unique(np.stack(columns, 1), axis=0, return_inverse=True)[1].reshape(-1)


def _within(cells: np.ndarray, metric: np.ndarray) -> float:
    return float(
        sum(
            np.sum((metric[cells == cell] - metric[cells == cell].mean()) ** 2)
            for cell in np.unique(cells)
        )
    )


def _between(index: np.ndarray, metric: np.ndarray) -> np.ndarray:
    """The sum of squares between levels, ``[..., runs]`` -> ``[...]``."""
    at = np.eye(index.max() + 1)[index]
    sums = (metric - metric.mean(-1, keepdims=True)) @ at
    return np.sum(sums**2 / np.maximum(at.sum(0), 1), -1)


def _shuffled(metric: np.ndarray, blocks: np.ndarray, draws: np.random.Generator) -> np.ndarray:
    """``metric`` with its values exchanged within blocks, ``[permutations, runs]``."""
    order = np.argsort(blocks + draws.random((PERMUTATIONS, len(metric))), axis=1)
    shuffled = np.empty((PERMUTATIONS, len(metric)))
    shuffled[:, np.argsort(blocks, kind="stable")] = metric[order]
    return shuffled
