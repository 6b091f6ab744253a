"""Density and coverage of generated features."""

from typing import NamedTuple

import numpy as np

from gan_jax.metrics.checks import ArrayLike, at_least, feature_pair
from gan_jax.metrics.neighbours import balls, blocks, inside, prepared, products


class DensityCoverage(NamedTuple):
    """Density (>= 0, may exceed 1) and coverage (in [0, 1])."""

    density: float
    coverage: float


def density_coverage(
    real: ArrayLike, fake: ArrayLike, k: int = 5, *, closed: bool = False
) -> DensityCoverage:
    """Density and coverage: precision and recall that outliers cannot inflate.

    Around each real point a ball reaches to its k-th nearest other real point. Density is the mean number of balls that
    hold a generated point, over k; coverage is the share of balls that hold a generated point at all.

    Args:
      real: features ``[n, d]``, any real dtype, n > k.
      fake: features ``[m, d]``.
      k: neighbours; the paper's default is 5.
      closed: whether a point on a ball's surface is in it; False as in the paper and its prdc package.

    Returns:
      `DensityCoverage`. For equal distributions density is 1 on average and coverage about ``1 - 2^-k`` when n = m.

    Raises:
      ValueError: a wrong rank, too few samples for k, different d, or a value that is not finite.

    References:
      Naeem et al. 2020, Reliable fidelity and diversity metrics for generative models, equations 3-4.
    """
    real, fake = feature_pair(real, fake, as_given=True)
    k = at_least(k, 1, "k")
    x, y = prepared(real, fake)
    around_real = balls(x, k, "real")
    held, covered = 0, np.zeros(len(real), bool)
    everything = slice(0, len(fake))
    for rows in blocks(len(real), len(fake)):
        holds = inside(around_real, rows, y, everything, products(x, rows, y), closed)
        held += int(np.count_nonzero(holds))
        covered[rows] = holds.any(axis=1)
    return DensityCoverage(held / (k * len(fake)), float(covered.mean()))
