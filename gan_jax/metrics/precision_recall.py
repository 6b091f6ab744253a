"""Precision and recall of generated features, by nearest-neighbour manifolds."""

from typing import NamedTuple

import numpy as np

from gan_jax.metrics.checks import ArrayLike, at_least, feature_pair
from gan_jax.metrics.neighbours import balls, blocks, inside, prepared, products


class PrecisionRecall(NamedTuple):
    """Improved precision and recall, each in [0, 1]."""

    precision: float
    recall: float


def precision_recall(
    real: ArrayLike, fake: ArrayLike, k: int = 3, *, closed: bool = False
) -> PrecisionRecall:
    """Improved precision and recall.

    A set's manifold is the union of balls around its points, each reaching to the point's k-th nearest other point.
    Precision is the share of generated points in the real manifold, recall the share of real points in the generated one.

    Args:
      real: features ``[n, d]``, any real dtype, n > k.
      fake: features ``[m, d]``, m > k.
      k: neighbours; the paper's default is 3.
      closed: whether a point on a ball's surface is in it. False, as in the prdc package; torch-fidelity has True. It
        matters only for ties.

    Returns:
      `PrecisionRecall`. Both depend on n and m, so compare only scores of the same numbers of samples.

    Raises:
      ValueError: a wrong rank, too few samples for k, different d, or a value that is not finite.

    References:
      Kynkäänniemi et al. 2019, Improved precision and recall metric for assessing generative models, equations 1-2.
    """
    real, fake = feature_pair(real, fake, as_given=True)
    k = at_least(k, 1, "k")
    x, y = prepared(real, fake)
    around_real, around_fake = balls(x, k, "real"), balls(y, k, "fake")
    precise, recalled = np.zeros(len(fake), bool), np.zeros(len(real), bool)
    everything = slice(0, len(fake))
    for rows in blocks(len(real), len(fake)):
        shared = products(x, rows, y)
        precise |= inside(around_real, rows, y, everything, shared, closed).any(axis=0)
        recalled[rows] = inside(around_fake, everything, x, rows, shared.T, closed).any(axis=0)
    return PrecisionRecall(float(precise.mean()), float(recalled.mean()))
