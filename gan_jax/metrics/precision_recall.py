"""Precision and recall of generated features, by nearest-neighbour manifolds."""

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


class PrecisionRecall(NamedTuple):
    """Improved precision and recall, each in [0, 1]."""

    precision: float
    recall: float


def precision_recall(
    real: ArrayLike, fake: ArrayLike, k: int = 3, *, closed: bool = False
) -> PrecisionRecall:
    """Computes improved precision and recall.

    A set's manifold is the union of balls around its samples, each reaching to the sample's k-th
    nearest other sample. Precision is the share of generated samples in the real manifold; recall
    is the share of real samples in the generated manifold.

    Example:

      >>> import numpy as np
      >>> from gan_jax import metrics
      >>> real = [[0.0], [1.0], [2.0], [10.0]]
      >>> fake = [[0.5], [1.5], [-20.0]]  # two good samples and one off the data
      >>> result = metrics.precision_recall(real, fake, k=1)
      >>> print(f"{result.precision:.2f}, {result.recall:.2f}")
      0.67, 0.75

    Args:
      real: features ``[n, d]``, any real dtype, n > k.
      fake: features ``[m, d]``, m > k.
      k: which neighbour; the paper's default is 3.
      closed: whether a sample on the surface of a ball is in it: False as in the prdc package, True
        as in torch-fidelity. It matters only for ties.

    Returns:
      `PrecisionRecall`. Both depend on n and m, so compare only scores of the same numbers of
      samples.

    Raises:
      ValueError: if the features have a wrong rank, too few samples for k, different d or a value
        that is not finite.

    References:
      Kynkäänniemi et al. 2019, Improved precision and recall metric for assessing generative
      models, equations 1-2.
    """
    real, fake = feature_pair(real, fake, copy=False)
    k = at_least(k, 1, "k")
    x, y = scale_together(real, fake)
    real_balls, fake_balls = neighbour_balls(x, k, "real"), neighbour_balls(y, k, "fake")
    fake_in_real, real_in_fake = np.zeros(len(fake), bool), np.zeros(len(real), bool)
    all_fake = slice(0, len(fake))
    for block in split_for_products(len(real), len(fake)):
        products = inner_products(x, block, y)
        fake_in_real |= contains(real_balls, block, y, all_fake, products, closed).any(axis=0)
        in_fake_balls = contains(fake_balls, all_fake, x, block, products.T, closed)
        real_in_fake[block] = in_fake_balls.any(axis=0)
    return PrecisionRecall(float(fake_in_real.mean()), float(real_in_fake.mean()))
