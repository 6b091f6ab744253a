"""Sums of a cubic kernel over pairs of features, in float64 where it matters and at the speed of float32 products."""

from typing import NamedTuple

import numpy as np

from gan_jax.metrics.checks import Array
from gan_jax.metrics.kernel_points import Points, centred_points
from gan_jax.metrics.kernel_subsets import stacked_sums
from gan_jax.metrics.neighbours import ROWS, slices

BLOCK = 1024  # rows of a kernel matrix held at once
STACKED = 4096  # points of a subset, real and generated, whose products are held at once


class _Subsets(NamedTuple):
    """Subsets of some points, and their sums over single points that sums over pairs are made of."""

    points: Points
    size: int
    counts: Array  # [n, subsets] float64: how often each point is in each
    offsets: list[Array]  # counts^T offset^k for k = 0 to 3, [subsets] float64
    moments: list[Array]  # counts^T (offset^k centred) for k = 0 to 2, [subsets, d] float64


def _subsets(points: Points, counts: Array, size: int) -> _Subsets:
    powers = [counts * points.offset[:, None] ** k for k in range(4)]
    weights = np.concatenate([power.T for power in powers[:3]]).astype(points.centred.dtype)
    total = np.zeros((len(weights), points.centred.shape[1]))
    for rows in slices(len(counts), 2 * ROWS):
        total += weights[:, rows] @ points.centred[rows]
    moments = np.split(total, 3)
    return _Subsets(points, size, counts, [power.sum(axis=0) for power in powers], moments)


def full_distance(real: Array, fake: Array) -> float:
    """The unbiased estimate from all samples."""
    n, m = len(real), len(fake)
    x, y = centred_points(real, fake, min(n, m))
    return float(_distances(_subsets(x, np.ones((n, 1)), n), _subsets(y, np.ones((m, 1)), m))[0])


def subset_distances(real: Array, fake: Array, rows: Array, columns: Array) -> Array:
    """The unbiased estimate for each pair of subsets, rows of either set ``[subsets, size]``: ``[subsets]``."""
    count, size = rows.shape
    (used, rows), (matched, columns) = (
        np.unique(part, return_inverse=True) for part in (rows, columns)
    )
    rows, columns, n, m = (
        rows.reshape(count, size),
        columns.reshape(count, size),
        len(used),
        len(matched),
    )
    # Subsets that overlap much: one pass over all pairs, counted for every subset, is less work.
    overlapping = 2 * count * size**2 > (n + m) ** 2 / 2
    if 2 * size > STACKED and not overlapping:
        return np.array(
            [full_distance(real[used[i]], fake[matched[j]]) for i, j in zip(rows, columns)]
        )
    x, y = centred_points(real, fake, size, (used, matched))
    first, second = _subsets(x, _counts(rows, n), size), _subsets(y, _counts(columns, m), size)
    return _distances(first, second, None if overlapping else stacked_sums(x, y, rows, columns))


def _counts(rows: Array, n: int) -> Array:
    """How often each of n samples is in each subset: ``[n, subsets]``."""
    counts = np.zeros((n, len(rows)))
    for column, subset in zip(counts.T, rows):
        np.add.at(column, subset, 1.0)
    return counts


def _distances(x: _Subsets, y: _Subsets, visited: Array | None = None) -> Array:
    """The estimate for each pair of subsets: ``[subsets]``; ``visited``: what `_visited` gives for real, fake and both."""
    n, m, pairs = x.size, y.size, ((x, x), (y, y), (x, y))
    if visited is None:
        visited = np.stack([_visited(*pair) for pair in pairs])
    real, fake, both = visited + [_linear_sums(*pair) for pair in pairs]
    return real / (n * (n - 1)) + fake / (m * (m - 1)) - 2 * both / (n * m)


def _linear_sums(x: _Subsets, y: _Subsets) -> Array:
    """The sum of ``c^3 + 3 c^2 p`` over each subset's pairs, p the product of centred features and c the sum of offsets.

    ``(p + c)^3`` is this and ``p^2 (p + 3 c)``, the only part for which pairs must be visited. Where both sides are the
    same, no sample is paired with itself.
    """
    total = sum(
        binomial * x.offsets[k] * y.offsets[3 - k] for k, binomial in enumerate((1, 3, 3, 1))
    )
    for k, binomial in enumerate((1, 2, 1)):
        total = total + 3 * binomial * np.einsum("sd,sd->s", x.moments[k], y.moments[2 - k])
    if x is y:
        c = 2 * x.points.offset
        total = total - (c**3 + 3 * c**2 * x.points.own) @ x.counts
    return np.asarray(total)


def _visited(x: _Subsets, y: _Subsets) -> Array:
    """The sum of ``p^2 (p + 3 c)`` over each subset's pairs, visiting all pairs of the points once."""
    total = np.zeros(x.counts.shape[1])
    (a, b), dtype = (x.points.offset, y.points.offset), x.points.centred.dtype
    for rows in slices(len(a), BLOCK):
        # Pairs of one set: those beyond the block stand for their mirror images too.
        columns = slice(rows.start if x is y else 0, None)
        weights = y.counts[columns].astype(dtype)
        if x is y:
            weights[rows.stop - rows.start :] *= 2
        products = x.points.centred[rows] @ y.points.centred[columns].T
        if x is y:
            np.fill_diagonal(products, 0)
        terms = products * products
        products += (3 * a[rows, None]).astype(dtype)
        products += (3 * b[columns]).astype(dtype)
        terms *= products
        total = total + np.sum(x.counts[rows] * (terms @ weights), axis=0)
    return total
