"""Density and coverage of generated features."""

from typing import NamedTuple

import numpy as np

from gan_jax.metrics.checks import ArrayLike, at_least, feature_pair
from gan_jax.metrics.neighbours import (
    contains,
    inner_products,
    neighbour_balls,
    scale_together,
    split_for_products,
)


class DensityCoverage(NamedTuple):
    """Density and coverage.

    Attributes:
      density: at least 0, may exceed 1.
      coverage: in [0, 1].
    """

    density: float
    coverage: float


def density_coverage(
    real: ArrayLike, fake: ArrayLike, k: int = 5, *, closed: bool = False
) -> DensityCoverage:
    """Computes density and coverage: precision and recall that outliers cannot inflate.

    Around each real sample, a ball reaches to its k-th nearest other real sample. Density is the
    mean number of balls that contain a generated sample, divided by k; coverage is the share of
    balls that contain at least one generated sample.

    Example:

      >>> import numpy as np
      >>> from gan_jax import metrics
      >>> real = [[0.0], [1.0], [2.0], [10.0]]
      >>> fake = [[0.5], [1.5]]  # nothing near the fourth real sample, whose ball reaches to 2
      >>> metrics.density_coverage(real, fake, k=1)
      DensityCoverage(density=2.0, coverage=0.75)

    Args:
      real: features ``[n, d]``, any real dtype, n > k.
      fake: features ``[m, d]``.
      k: which neighbour; the paper's default is 5.
      closed: whether a sample on the surface of a ball is in it; False as in the paper and its prdc
        package.

    Returns:
      `DensityCoverage`. For equal distributions density is 1 on average, and coverage is about
      ``1 - 2^-k`` if n = m.

    Raises:
      ValueError: if the features have a wrong rank, too few samples for k, different d or a value
        that is not finite.

    References:
      Naeem et al. 2020, Reliable fidelity and diversity metrics for generative models, equations
      3-4.
    """
    real, fake = feature_pair(real, fake, copy=False)
    k = at_least(k, 1, "k")
    x, y = scale_together(real, fake)
    real_balls = neighbour_balls(x, k, "real")
    containments, covered = 0, np.zeros(len(real), bool)
    all_fake = slice(0, len(fake))
    for block in split_for_products(len(real), len(fake)):
        products = inner_products(x, block, y)
        contained = contains(real_balls, block, y, all_fake, products, closed)
        containments += int(np.count_nonzero(contained))
        covered[block] = contained.any(axis=1)
    return DensityCoverage(containments / (k * len(fake)), float(covered.mean()))
