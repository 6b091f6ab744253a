"""Nearest neighbours among features: exact answers, block by block, at the speed of float32.

Squared distances from float32 inner products of centred features are known to within a bound. A
comparison that this bound leaves open is decided by float64 differences, so ties and near ties come
out right, however many digits they share.
"""

from collections.abc import Iterator
from typing import NamedTuple

import numpy as np

from gan_jax.metrics.checks import Array

BLOCK_PRODUCTS = 2**26  # inner products held at once: 256 MiB of float32
BLOCK_VALUES = 2**22  # feature values gathered at once for exact distances
BLOCK_ROWS = 256  # samples converted at once, while they are in the cache


class ScaledFeatures(NamedTuple):
    """Features prepared for fast comparisons.

    Attributes:
      exact: ``[n, d]`` float32 or float64, as given.
      scaled: ``[n, d]`` float32, centred and scaled into [-1, 1].
      squared_norms: ``[n]`` float64, those of ``scaled``.
    """

    exact: Array
    scaled: Array
    squared_norms: Array

    @property
    def relative_error(self) -> float:
        """A bound for ``squared_norms_i + squared_norms_j - 2 products_ij``.

        Rounding errors of an inner product of d terms grow like sqrt(d) (Higham and Mary 2019), and
        slower in blocked sums.
        """
        return float(np.finfo(np.float32).eps) * max(8.0, float(np.sqrt(self.scaled.shape[1])))


class NeighbourBalls(NamedTuple):
    """Around each sample, a ball that reaches to its k-th nearest other sample.

    Attributes:
      features: the centres.
      k: which neighbour.
      lower: ``[n]`` float64, lower bounds of the squared radii, in the units of ``scaled``.
      upper: ``[n]`` float64, upper bounds.
    """

    features: ScaledFeatures
    k: int
    lower: Array
    upper: Array


def scale_together(real: Array, fake: Array) -> tuple[ScaledFeatures, ScaledFeatures]:
    """Centres and scales two sets of features ``[n, d]``, ``[m, d]``, float32 or float64."""
    centre = approximate_mean(real)
    # No more than is needed to keep squares within float32's range.
    extremes = (real.min(), real.max(), fake.min(), fake.max())
    scale = np.abs(centre).max() + max(abs(float(extreme)) for extreme in extremes)
    if scale == 0:
        scale = 1.0
    return _scale(real, centre, scale), _scale(fake, centre, scale)


def _scale(features: Array, centre: Array, scale: float) -> ScaledFeatures:
    scaled, squared_norms = np.empty(features.shape, np.float32), np.empty(len(features))
    for block in split(len(features), BLOCK_ROWS):
        part = features[block] - centre
        part /= scale
        scaled[block] = part
        squared_norms[block] = np.einsum("ij,ij->i", part, part)
    return ScaledFeatures(features, scaled, squared_norms)


def approximate_mean(features: Array) -> Array:
    """Computes the float64 mean of some 500 samples: near enough for centring."""
    mean: Array = features[:: max(1, len(features) // 500)].mean(axis=0, dtype=np.float64)
    return mean


def split(n: int, size: int) -> Iterator[slice]:
    """Yields slices of at most ``size`` that cover ``range(n)``."""
    for start in range(0, n, size):
        yield slice(start, min(start + size, n))


def split_for_products(n: int, m: int) -> Iterator[slice]:
    """Yields slices that cover ``range(n)``, so short that products with m samples fit a block."""
    return split(n, max(1, BLOCK_PRODUCTS // m))


def inner_products(
    features: ScaledFeatures, chosen: slice | Array, others: ScaledFeatures
) -> Array:
    """Computes inner products ``[chosen, m]`` float32 of scaled features."""
    products: Array = features.scaled[chosen] @ others.scaled.T
    return products


def neighbour_balls(features: ScaledFeatures, k: int, name: str) -> NeighbourBalls:
    """Finds the ball around each sample; raises ValueError if there is no k-th other sample."""
    n, error = len(features.exact), features.relative_error
    if n <= k:
        raise ValueError(f"{name}: found {n} samples, expected more than k = {k}")
    upper = np.empty(n)
    for block in split_for_products(n, n):
        closeness = inner_products(features, block, features)
        closeness -= ((1 + error) / 2 * features.squared_norms).astype(np.float32)
        _exclude_self(closeness, block)
        closeness.partition(n - k, axis=1)
        upper[block] = (1 + error) * features.squared_norms[block] - 2 * closeness[:, n - k]
    lower = upper - 2 * error * (features.squared_norms + features.squared_norms.max())
    return NeighbourBalls(features, k, lower, upper)


def contains(
    balls: NeighbourBalls,
    centres: slice,
    features: ScaledFeatures,
    samples: slice,
    products: Array,
    closed: bool,
) -> Array:
    """Tells which balls contain which samples.

    Args:
      balls: the balls.
      centres: which balls to look at.
      features: the features of the samples.
      samples: which samples to look at.
      products: ``[centres, samples]``, their `inner_products`.
      closed: whether a sample on the surface of a ball is in it.

    Returns:
      ``[centres, samples]`` bool.
    """
    error = features.relative_error
    centre_norms = balls.features.squared_norms[centres]
    sample_norms = features.squared_norms[samples]
    # distance^2 < radius^2, that is norm_i + norm_j - 2 product_ij < radius_i^2: surely, possibly.
    surely = _exceeds(
        products,
        (1 + error) / 2 * sample_norms,
        ((1 + error) * centre_norms - balls.lower[centres]) / 2,
    )
    undecided = _exceeds(
        products,
        (1 - error) / 2 * sample_norms,
        ((1 - error) * centre_norms - balls.upper[centres]) / 2,
    )
    undecided ^= surely
    i, j = np.nonzero(undecided)
    if len(i):
        ball, position = np.unique(i + (centres.start or 0), return_inverse=True)
        squared_radii = _exact_squared_radii(balls, ball)[position]
        distances = squared_distances(
            balls.features.exact, ball[position], features.exact, j + (samples.start or 0)
        )
        surely[i, j] = distances <= squared_radii if closed else distances < squared_radii
    return surely


def squared_distances(x: Array, i: Array, y: Array, j: Array) -> Array:
    """Computes ``|x_i - y_j|^2`` for pairs of indices, in float64 from differences.

    Equal samples have the distance zero, and equal pairs have the same bits.
    """
    distances = np.empty(len(i))
    for block in split(len(i), max(1, BLOCK_VALUES // x.shape[1])):
        difference = x[i[block]].astype(np.float64) - y[j[block]]
        distances[block] = np.einsum("ij,ij->i", difference, difference)
    return distances


def nearest_samples(x: Array, y: Array, exclude_self: bool = False) -> tuple[Array, Array]:
    """Finds the sample of y that is nearest to each sample of x.

    Args:
      x: ``[n, d]`` float64.
      y: ``[m, d]`` float64.
      exclude_self: whether sample i of y is excluded as a neighbour of sample i of x.

    Returns:
      The indices ``[n]`` int64 and the Euclidean distances ``[n]`` float64.
    """
    centre = y.mean(axis=0)
    centred = y - centre
    half_norms = np.einsum("ij,ij->i", centred, centred) / 2
    indices = np.empty(len(x), np.int64)
    for block in split_for_products(len(x), len(y)):
        closeness = (x[block] - centre) @ centred.T
        closeness -= half_norms
        if exclude_self:
            _exclude_self(closeness, block)
        indices[block] = closeness.argmax(axis=1)
    return indices, np.sqrt(squared_distances(x, np.arange(len(x)), y, indices))


def _exclude_self(closeness: Array, block: slice) -> None:
    """Makes each sample of the block infinitely far from itself, in place."""
    closeness[np.arange(block.stop - block.start), np.arange(block.start, block.stop)] = -np.inf


def _exceeds(products: Array, sample_terms: Array, centre_terms: Array) -> Array:
    differences = products - sample_terms.astype(np.float32)
    exceeds: Array = differences > centre_terms.astype(np.float32)[:, None]
    return exceeds


def _exact_squared_radii(balls: NeighbourBalls, centres: Array) -> Array:
    """Computes squared radii, float64 and unscaled, of the balls around these centres."""
    features, k = balls.features, balls.k
    error, norms = features.relative_error, features.squared_norms
    squared_radii = np.empty(len(centres))
    for block in split_for_products(len(centres), len(features.exact)):
        chosen = centres[block]
        reach = (norms[chosen] * (1 - error) - balls.upper[chosen]) / 2
        products = inner_products(features, chosen, features)
        closeness = products - ((1 - error) / 2 * norms).astype(np.float32)
        for i, centre in enumerate(chosen):
            candidates = np.flatnonzero(closeness[i] >= reach[i].astype(np.float32))
            candidates = candidates[candidates != centre]
            distances = squared_distances(
                features.exact, np.full(len(candidates), centre), features.exact, candidates
            )
            squared_radii[block.start + i] = np.partition(distances, k - 1)[k - 1]
    return squared_radii
