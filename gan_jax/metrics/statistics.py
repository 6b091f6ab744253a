"""Mean and covariance of features, from batches, in float64."""

from typing import NamedTuple

import numpy as np

from gan_jax.metrics.checks import Array, ArrayLike, feature_matrix

BLOCK = 1000  # samples: 16 MB of 2048 features; far fewer cost the rank-k update its speed


class FeatureStatistics(NamedTuple):
    """Number, mean and scatter of features.

    Statistics of sets that were seen apart merge exactly, see `merge_statistics`.

    Attributes:
      n: the number of samples.
      mean: ``[d]`` float64.
      scatter: ``[d, d]`` float64, the sum of ``(x - mean)(x - mean)^T``.
    """

    n: int
    mean: Array
    scatter: Array

    @property
    def covariance(self) -> Array:
        """Unbiased covariance ``[d, d]``, ``scatter / (n - 1)``."""
        if self.n < 2:
            raise ValueError(f"covariance: found {self.n} sample, expected at least 2")
        return self.scatter / (self.n - 1)


def feature_statistics(features: ArrayLike) -> FeatureStatistics:
    """Computes the statistics of one batch of features.

    Args:
      features: ``[n, d]``, any real dtype; cast to float64 before anything is summed. One sample is
        enough.

    Returns:
      `FeatureStatistics`.

    Raises:
      ValueError: if the features are not ``[n, d]`` or not finite.
    """
    features = feature_matrix(features, "features", copy=False)
    mean, lower = moments(features)
    return FeatureStatistics(len(features), mean, np.tril(lower) + np.tril(lower, -1).T)


def merge_statistics(first: FeatureStatistics, second: FeatureStatistics) -> FeatureStatistics:
    """Computes the statistics of two sets together, from the statistics of each.

    ``scatter = scatter1 + scatter2 + (n1 n2 / n) (mean1 - mean2)(mean1 - mean2)^T``: there is no
    difference of large sums, so a large mean costs no digits. To stream over batches, write
    ``functools.reduce(merge_statistics, map(feature_statistics, batches))``.

    Args:
      first: statistics of one set.
      second: statistics of the other set.

    Returns:
      `FeatureStatistics` of the union.

    Raises:
      ValueError: if the two have different d.

    References:
      Chan, Golub and LeVeque 1979, Updating formulae and a pairwise algorithm for computing sample
      variances.
    """
    if first.mean.shape != second.mean.shape:
        raise ValueError(
            f"second: found d = {second.mean.size}, expected first's d = {first.mean.size}"
        )
    n = first.n + second.n
    shift = second.mean - first.mean
    scatter = first.scatter + second.scatter + np.outer(shift, shift) * (first.n * second.n / n)
    return FeatureStatistics(n, first.mean + shift * (second.n / n), scatter)


def moments(features: Array) -> tuple[Array, Array]:
    """Computes the mean ``[d]`` and the lower triangle of the scatter ``[d, d]``, in float64.

    The values above the diagonal have no meaning. Blocks are cast and centred one at a time, so
    that no other array as large as the features is made.
    """
    from scipy.linalg import blas

    mean = features.mean(axis=0, dtype=np.float64)
    total, scatter = np.zeros_like(mean), np.zeros((mean.size, mean.size), order="F")
    for start in range(0, len(features), BLOCK):
        block = features[start : start + BLOCK].astype(np.float64)
        block -= mean
        total += block.sum(axis=0)
        scatter = blas.dsyrk(1.0, block.T, beta=1.0, c=scatter, lower=1, overwrite_c=1)
    rounding = total / len(
        features
    )  # the rounding error of a mean that is large compared with the spread
    if np.any(rounding):
        scatter -= len(features) * np.outer(rounding, rounding)
    return mean + rounding, scatter


def centred(features: Array) -> tuple[Array, Array]:
    """Computes the features less their mean, and the mean, in float64."""
    features = features.astype(np.float64)
    mean = features.mean(axis=0)
    features -= mean
    rounding = features.mean(axis=0)  # as in `moments`
    if np.any(rounding):
        features -= rounding
    return features, mean + rounding
