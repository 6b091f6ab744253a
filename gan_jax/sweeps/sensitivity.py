"""Which hyperparameter moves a metric, more than the seed does: an analysis of variance."""

import itertools
import math
from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

import numpy as np

from gan_jax.experiment.run_name import format_value

MOST_LEVELS = 8
"""Numbers with more different values than this are put into bins."""

PERMUTATIONS = 999
"""The number of shuffles of the permutation test."""

Array = np.ndarray


class Levels(NamedTuple):
    """A parameter's values as a few levels.

    Attributes:
      names: the levels, in order.
      indices: ``[runs]``, the level of each run, as an index of ``names``.
    """

    names: tuple[str, ...]
    indices: Array


class Effect(NamedTuple):
    """What one parameter does to a metric.

    Attributes:
      parameter: its name.
      levels: the number of its levels.
      share: the share of the metric's variance over all runs that it explains.
      p_value: of the share, by a permutation test.
      best: the level with the best mean.
      best_mean: that mean.
      effect: the best mean minus the worst.
      standard_error: of that difference, from runs that differ only in their seeds; NaN without
        such runs.
    """

    parameter: str
    levels: int
    share: float
    p_value: float
    best: str
    best_mean: float
    effect: float
    standard_error: float


class Analysis(NamedTuple):
    """The variance of a metric over a sweep's runs, in parts.

    Attributes:
      effects: one per parameter, the largest share first.
      seeds: the share of the variance among runs that differ only in their seeds; NaN without such
        runs.
      runs: the number of runs.
      cut: of a grid, whether combinations are missing. The parameters are then not balanced, so
        that their shares overlap and no longer add up.
    """

    effects: tuple[Effect, ...]
    seeds: float
    runs: int
    cut: bool


def levels(values: Sequence[Any]) -> Levels:
    """Returns each value as a level.

    Numbers with more than `MOST_LEVELS` different values are put into bins that are equally full:
    ``round(sqrt(n))`` bins for n runs, but at least 2 and at most 5. Everything else has one level
    per value: numbers in ascending order, text in the order of its first appearance.

    Args:
      values: ``[runs]``.
    """
    if not all(_is_number(value) for value in values):
        texts = [format_value(value) for value in values]
        names = list(dict.fromkeys(texts))
        return Levels(tuple(names), np.array([names.index(text) for text in texts]))
    numbers = np.asarray(values, float)
    distinct = np.unique(numbers)
    if len(distinct) <= MOST_LEVELS:
        texts = [format_value(float(value)) for value in distinct]
        return Levels(tuple(texts), np.searchsorted(distinct, numbers))
    bins = int(np.clip(round(np.sqrt(len(numbers))), 2, 5))
    edges = np.unique(np.quantile(numbers, np.linspace(0, 1, bins + 1)))
    index = np.clip(np.searchsorted(edges, numbers, side="right") - 1, 0, len(edges) - 2)
    texts = [
        f"{format_value(float(low))} to {format_value(float(high))}"
        for low, high in itertools.pairwise(edges)
    ]
    return Levels(tuple(texts), index)


def _is_number(value: Any) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool)


def analyse(
    parameters: Mapping[str, Sequence[Any]],
    seeds: Sequence[Any],
    metric: Array,
    maximize: bool,
    grid: bool,
) -> Analysis:
    """Computes the share of a metric's variance that each parameter explains by itself.

    With y_i the metric of run i, m its mean over all n runs, and m_l its mean over the n_l runs at
    level l of a parameter::

        share = sum_l n_l (m_l - m)^2 / sum_i (y_i - m)^2

    which is eta squared, the main effect. With m_c the mean over the runs of one cell c, which are
    the runs that differ only in their seeds::

        seeds = sum_c sum_{i in c} (y_i - m_c)^2 / sum_i (y_i - m)^2
        standard_error = s sqrt(1 / n_best + 1 / n_worst)
        s^2 = sum_c sum_{i in c} (y_i - m_c)^2 / (n - number of cells)

    On a complete grid the shares of the parameters, of the seeds and of the interactions add up to
    1. By chance alone a share is about (levels - 1) / (n - 1).

    The p-value is that of a permutation test of the share: ``(1 + k) / 1000`` if k of 999 shuffles
    have a share that is not smaller. On a grid the metric is exchanged among runs that differ only
    in this parameter; in a random search, which draws each parameter independently of the others,
    among all runs.

    Args:
      parameters: the values of each parameter but the seed, ``[n]``.
      seeds: ``[n]``, which tell apart runs with the same parameters.
      metric: ``[n]``, finite.
      maximize: whether a higher metric is better.
      grid: whether all combinations were tried, rather than random ones.

    Returns:
      The effects of all parameters that vary, none if the metric does not vary.

    References:
      Fisher, "The Design of Experiments" (1935). The main effects are those of the functional ANOVA
      of Hutter et al., "An Efficient Approach for Assessing Hyperparameter Importance" (2014),
      computed from the runs instead of a model.
    """
    metric = np.asarray(metric, float)
    n = len(metric)
    total = float(np.sum((metric - metric.mean()) ** 2)) if n else 0.0
    texts = {
        name: np.array([format_value(value) for value in values])
        for name, values in parameters.items()
    }
    cells = _cells(list(texts.values()), n)
    within = _sum_of_squares_within(cells, metric)
    degrees_of_freedom = n - len(set(cells.tolist()))
    deviation = float(np.sqrt(within / degrees_of_freedom)) if degrees_of_freedom else np.nan
    generator = np.random.Generator(np.random.PCG64(0))
    effects = []
    for name, values in parameters.items():
        parameter_levels = levels(values)
        if total == 0 or len(np.unique(parameter_levels.indices)) < 2:
            continue
        if grid:
            others = [column for other, column in texts.items() if other != name]
            blocks = _cells([*others, np.array([str(seed) for seed in seeds])], n)
        else:
            blocks = np.zeros(n, int)
        p_value = _p_value(parameter_levels.indices, metric, blocks, generator)
        effects.append(_effect(name, parameter_levels, metric, total, p_value, deviation, maximize))
    effects.sort(key=lambda effect: -effect.share)
    share_of_seeds = within / total if degrees_of_freedom and total else np.nan
    columns = [*texts.values(), np.array([str(seed) for seed in seeds])]
    cut = grid and len(set(_cells(columns, n).tolist())) < math.prod(
        len(np.unique(column)) for column in columns
    )
    return Analysis(tuple(effects), share_of_seeds, n, cut)


def _effect(
    name: str,
    parameter_levels: Levels,
    metric: Array,
    total: float,
    p_value: float,
    deviation: float,
    maximize: bool,
) -> Effect:
    """Returns the effect of one parameter, given the standard deviation over seeds."""
    names, index = parameter_levels
    present = np.unique(index)
    means = np.array([metric[index == level].mean() for level in present])
    best, worst = int(np.argmax(means)), int(np.argmin(means))
    if not maximize:
        best, worst = worst, best
    counts = [np.sum(index == present[level]) for level in (best, worst)]
    error = deviation * np.sqrt(sum(1 / count for count in counts))
    return Effect(
        parameter=name,
        levels=len(present),
        share=float(_sum_of_squares_between(index, metric[None])[0]) / total,
        p_value=p_value,
        best=names[present[best]],
        best_mean=float(means[best]),
        effect=float(means[best] - means[worst]),
        standard_error=float(error),
    )


def _p_value(index: Array, metric: Array, blocks: Array, generator: np.random.Generator) -> float:
    """Returns the p-value of a parameter's share, by shuffling the metric within blocks."""
    observed = float(_sum_of_squares_between(index, metric[None])[0])
    shuffled = _sum_of_squares_between(index, _shuffled(metric, blocks, generator))
    not_smaller = int(np.sum(shuffled >= observed * (1 - 1e-9)))
    return (1 + not_smaller) / (PERMUTATIONS + 1)


def _cells(columns: Sequence[Array], n: int) -> Array:
    """Returns the same number for runs with the same values in all columns, ``[n]``."""
    if not columns:
        return np.zeros(n, int)
    return np.unique(np.stack(columns, 1), axis=0, return_inverse=True)[1].reshape(-1)


def _sum_of_squares_within(cells: Array, metric: Array) -> float:
    """Returns the sum of squares around the mean of each cell."""
    return float(
        sum(
            np.sum((metric[cells == cell] - metric[cells == cell].mean()) ** 2)
            for cell in np.unique(cells)
        )
    )


def _sum_of_squares_between(index: Array, metric: Array) -> Array:
    """Returns the sum of squares between levels, ``[..., runs]`` -> ``[...]``."""
    indicators = np.eye(index.max() + 1)[index]
    sums = (metric - metric.mean(-1, keepdims=True)) @ indicators
    between: Array = np.sum(sums**2 / np.maximum(indicators.sum(0), 1), -1)
    return between


def _shuffled(metric: Array, blocks: Array, generator: np.random.Generator) -> Array:
    """Returns the metric with its values exchanged within blocks, ``[permutations, runs]``."""
    order = np.argsort(blocks + generator.random((PERMUTATIONS, len(metric))), axis=1)
    shuffled = np.empty((PERMUTATIONS, len(metric)))
    shuffled[:, np.argsort(blocks, kind="stable")] = metric[order]
    return shuffled
