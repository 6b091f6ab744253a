"""Nearest-neighbour checks of overfitting: does the generator copy its training data?"""

from typing import NamedTuple

import numpy as np

from gan_jax.metrics.checks import Array, ArrayLike, at_least, feature_matrix, feature_pair
from gan_jax.metrics.neighbours import nearest


class NearestNeighbours(NamedTuple):
    """The training sample that is nearest to each generated one."""

    indices: Array  # [n] int64, rows of the training set
    distances: Array  # [n] float64, Euclidean


class Memorisation(NamedTuple):
    """How near generated samples lie to the training set, beside held-out data."""

    z_score: float  # data-copying statistic: about N(0, 1) for a generator as good as held-out data; far below 0 copies
    closer: float  # P(a generated sample lies nearer to the training set than a held-out one), ties half; 1/2 is ideal
    fake_distances: Array  # [m] float64, to the nearest training sample
    test_distances: Array  # [t] float64


def nearest_neighbours(
    fake: ArrayLike, train: ArrayLike, *, exclude_self: bool = False
) -> NearestNeighbours:
    """The nearest training sample of each generated sample, for the figure that shows them side by side.

    Args:
      fake: features or flattened pixels ``[n, d]``, any real dtype; computed in float64.
      train: the training set ``[m, d]``.
      exclude_self: row i of ``fake`` is row i of ``train``, and is not its own neighbour.

    Returns:
      `NearestNeighbours`.

    Raises:
      ValueError: a wrong rank, different d, or a value that is not finite.
    """
    fake, train = feature_pair(fake, train, ("fake", "train"))
    if exclude_self and len(fake) != len(train):
        raise ValueError(
            f"fake: found {len(fake)} samples, expected train's {len(train)} to exclude each one's self"
        )
    at_least(len(train), 2 if exclude_self else 1, "train samples")
    return NearestNeighbours(*nearest(fake, train, exclude_self))


def memorisation(train: ArrayLike, test: ArrayLike, fake: ArrayLike) -> Memorisation:
    """Three-sample test for data copying, over the whole space.

    Distances of generated samples to the nearest training sample are ranked among those of held-out samples. The
    Mann-Whitney statistic U counts pairs in which the generated sample lies farther; its z-score,
    ``(U - m t / 2) / sqrt(m t (m + t + 1) / 12)``, is far below 0 where the generator copies and far above 0 where its samples
    lie off the data.

    Args:
      train: training features ``[n, d]``, any real dtype.
      test: held-out features ``[t, d]`` of the same distribution.
      fake: generated features ``[m, d]``.

    Returns:
      `Memorisation`.

    Raises:
      ValueError: a wrong rank, different d, or a value that is not finite.

    References:
      Meehan, Chaudhuri and Dasgupta 2020, A non-parametric test to detect data-copying in generative models, section 3.
    """
    train = feature_matrix(train, "train")
    test_distances = nearest_neighbours(
        feature_pair(train, test, ("train", "test"))[1], train
    ).distances
    fake_distances = nearest_neighbours(
        feature_pair(train, fake, ("train", "fake"))[1], train
    ).distances
    m, t = len(fake_distances), len(test_distances)
    order = np.sort(test_distances)
    below = np.searchsorted(order, fake_distances, "left").sum()
    ties = np.searchsorted(order, fake_distances, "right").sum() - below
    farther = below + ties / 2
    z_score = (farther - m * t / 2) / np.sqrt(m * t * (m + t + 1) / 12)
    return Memorisation(
        float(z_score), float(1 - farther / (m * t)), fake_distances, test_distances
    )
