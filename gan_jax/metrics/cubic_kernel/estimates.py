"""Unbiased estimates of the squared MMD, in float64 where it matters, at float32's speed."""

from typing import NamedTuple

import numpy as np

from gan_jax.metrics.checks import Array
from gan_jax.metrics.cubic_kernel.centring import CentredFeatures, centre_together
from gan_jax.metrics.cubic_kernel.subset_sums import sums_per_subset
from gan_jax.metrics.neighbours import BLOCK_ROWS, split

BLOCK = 1024  # rows of a kernel matrix that are held at once
MAX_STACKED = 4096  # samples of a subset, real and generated, whose products are held at once


class _Subsets(NamedTuple):
    """Subsets of a set of features, and the sums over single samples that make up sums over pairs.

    Attributes:
      features: the whole set, n samples.
      size: samples per subset.
      counts: ``[n, subsets]`` float64, how often each sample is in each subset.
      offset_sums: ``counts^T offsets^k`` for k = 0 to 3, each ``[subsets]`` float64.
      moments: ``counts^T (offsets^k values)`` for k = 0 to 2, each ``[subsets, d]`` float64.
    """

    features: CentredFeatures
    size: int
    counts: Array
    offset_sums: list[Array]
    moments: list[Array]


def full_distance(real: Array, fake: Array) -> float:
    """Computes the estimate from all samples of features ``[n, d]`` and ``[m, d]``."""
    n, m = len(real), len(fake)
    x, y = centre_together(real, fake, min(n, m))
    all_real, all_fake = _subsets(x, np.ones((n, 1)), n), _subsets(y, np.ones((m, 1)), m)
    return float(_distances(all_real, all_fake, _sums_over_all_pairs(all_real, all_fake))[0])


def subset_distances(real: Array, fake: Array, real_indices: Array, fake_indices: Array) -> Array:
    """Computes the estimate for each pair of subsets.

    Args:
      real: features ``[n, d]``.
      fake: features ``[m, d]``.
      real_indices: ``[subsets, size]`` int, the real samples of each subset.
      fake_indices: ``[subsets, size]`` int, the generated samples of each subset.

    Returns:
      ``[subsets]`` float64.
    """
    subsets, size = real_indices.shape
    used_real, real_indices = _renumber(real_indices)
    used_fake, fake_indices = _renumber(fake_indices)
    n, m = len(used_real), len(used_fake)
    # If subsets overlap much, one pass over all pairs, counted for every subset, is less work.
    overlapping = 2 * subsets * size**2 > (n + m) ** 2 / 2
    if 2 * size > MAX_STACKED and not overlapping:
        return np.array(
            [
                full_distance(real[used_real[i]], fake[used_fake[j]])
                for i, j in zip(real_indices, fake_indices)
            ]
        )
    x, y = centre_together(real, fake, size, (used_real, used_fake))
    real_subsets = _subsets(x, _counts(real_indices, n), size)
    fake_subsets = _subsets(y, _counts(fake_indices, m), size)
    if overlapping:
        pair_sums = _sums_over_all_pairs(real_subsets, fake_subsets)
    else:
        pair_sums = sums_per_subset(x, y, real_indices, fake_indices)
    return _distances(real_subsets, fake_subsets, pair_sums)


def _renumber(indices: Array) -> tuple[Array, Array]:
    """Returns the samples ``[n]`` that occur, and ``indices`` as positions among these."""
    used, positions = np.unique(indices, return_inverse=True)
    return used, positions.reshape(indices.shape)


def _counts(indices: Array, n: int) -> Array:
    """Counts how often each of n samples is in each subset: ``[n, subsets]``."""
    counts = np.zeros((n, len(indices)))
    for column, subset in zip(counts.T, indices):
        np.add.at(column, subset, 1.0)
    return counts


def _subsets(features: CentredFeatures, counts: Array, size: int) -> _Subsets:
    powers = [counts * features.offsets[:, None] ** k for k in range(4)]
    weights = np.concatenate([power.T for power in powers[:3]]).astype(features.values.dtype)
    total = np.zeros((len(weights), features.values.shape[1]))
    for block in split(len(counts), 2 * BLOCK_ROWS):
        total += weights[:, block] @ features.values[block]
    moments = np.split(total, 3)
    return _Subsets(features, size, counts, [power.sum(axis=0) for power in powers], moments)


def _distances(x: _Subsets, y: _Subsets, pair_sums: Array) -> Array:
    """Computes the estimate ``[subsets]`` for each pair of subsets.

    ``pair_sums`` ``[3, subsets]`` holds the sums of ``p^2 (p + 3 c)`` over pairs of real, of
    generated and of mixed samples; here the rest of ``(p + c)^3`` is added.
    """
    n, m = x.size, y.size
    rest = [_sum_without_visiting(a, b) for a, b in ((x, x), (y, y), (x, y))]
    real, fake, mixed = pair_sums + rest
    estimates: Array = real / (n * (n - 1)) + fake / (m * (m - 1)) - 2 * mixed / (n * m)
    return estimates


def _sum_without_visiting(x: _Subsets, y: _Subsets) -> Array:
    """Sums ``c^3 + 3 c^2 p`` over the pairs of each subset.

    Here p is the inner product of a pair's centred features and c the sum of its offsets.
    ``(p + c)^3`` is this plus ``p^2 (p + 3 c)``, the only part for which pairs must be visited. If
    both sides are the same, no sample is paired with itself.
    """
    total = np.asarray(0)
    for k, binomial in enumerate((1, 3, 3, 1)):
        total = total + binomial * x.offset_sums[k] * y.offset_sums[3 - k]
    for k, binomial in enumerate((1, 2, 1)):
        total = total + 3 * binomial * np.einsum("sd,sd->s", x.moments[k], y.moments[2 - k])
    if x is y:
        c = 2 * x.features.offsets
        total = total - (c**3 + 3 * c**2 * x.features.squared_norms) @ x.counts
    return total


def _sums_over_all_pairs(x: _Subsets, y: _Subsets) -> Array:
    """Sums ``p^2 (p + 3 c)`` as `sums_per_subset` does, but visits all pairs once: [3, subsets]."""
    return np.stack([_sum_over_pairs(a, b) for a, b in ((x, x), (y, y), (x, y))])


def _sum_over_pairs(x: _Subsets, y: _Subsets) -> Array:
    total = np.zeros(x.counts.shape[1])
    dtype = x.features.values.dtype
    for rows in split(len(x.features.offsets), BLOCK):
        # Pairs within a set: those beyond the block stand for their mirror images too.
        columns = slice(rows.start if x is y else 0, None)
        weights = y.counts[columns].astype(dtype)
        if x is y:
            weights[rows.stop - rows.start :] *= 2
        products = x.features.values[rows] @ y.features.values[columns].T
        if x is y:
            np.fill_diagonal(products, 0)
        terms = products * products
        products += (3 * x.features.offsets[rows, None]).astype(dtype)
        products += (3 * y.features.offsets[columns]).astype(dtype)
        terms *= products
        total = total + np.sum(x.counts[rows] * (terms @ weights), axis=0)
    return total
