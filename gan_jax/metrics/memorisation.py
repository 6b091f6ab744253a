"""Nearest-neighbour checks of overfitting: does the generator copy its training data?"""

from typing import NamedTuple

import numpy as np

from gan_jax.metrics.checks import Array, ArrayLike, at_least, feature_matrix, feature_pair
from gan_jax.metrics.neighbours import nearest_samples


class NearestNeighbours(NamedTuple):
    """The training sample that is nearest to each generated sample.

    Attributes:
      indices: ``[n]`` int64, indices into the training set.
      distances: ``[n]`` float64, Euclidean.
    """

    indices: Array
    distances: Array


class Memorisation(NamedTuple):
    """How near generated samples are to the training set, compared with held-out data.

    Attributes:
      z_score: the data-copying statistic: about N(0, 1) for a generator as good as held-out data,
        far below 0 for one that copies.
      closer: P(a generated sample is nearer to the training set than a held-out one), ties counted
        half; 1/2 is ideal.
      fake_distances: ``[m]`` float64, to the nearest training sample.
      test_distances: ``[t]`` float64, likewise.
    """

    z_score: float
    closer: float
    fake_distances: Array
    test_distances: Array


def nearest_neighbours(
    fake: ArrayLike, train: ArrayLike, *, exclude_self: bool = False
) -> NearestNeighbours:
    """Finds the nearest training sample of each generated sample, for figures that show both.

    Args:
      fake: features or flattened pixels ``[n, d]``, any real dtype; computed in float64.
      train: the training set ``[m, d]``.
      exclude_self: whether sample i of ``fake`` is sample i of ``train``, and so not its own
        neighbour.

    Returns:
      `NearestNeighbours`.

    Raises:
      ValueError: if the samples have a wrong rank, different d or a value that is not finite.
    """
    fake, train = feature_pair(fake, train, ("fake", "train"))
    if exclude_self and len(fake) != len(train):
        raise ValueError(
            f"fake: found {len(fake)} samples, "
            f"expected train's {len(train)}, because exclude_self pairs them"
        )
    at_least(len(train), 2 if exclude_self else 1, "train samples")
    return NearestNeighbours(*nearest_samples(fake, train, exclude_self))


def memorisation(train: ArrayLike, test: ArrayLike, fake: ArrayLike) -> Memorisation:
    """Computes the three-sample test for data copying, over the whole space.

    Distances of generated samples to the nearest training sample are ranked among those of held-out
    samples. The Mann-Whitney statistic U counts pairs in which the generated sample is farther; its
    z-score, ``(U - m t / 2) / sqrt(m t (m + t + 1) / 12)``, is far below 0 if the generator copies
    and far above 0 if its samples lie off the data.

    Args:
      train: training features ``[n, d]``, any real dtype.
      test: held-out features ``[t, d]`` of the same distribution.
      fake: generated features ``[m, d]``.

    Returns:
      `Memorisation`.

    Raises:
      ValueError: if the features have a wrong rank, different d or a value that is not finite.

    References:
      Meehan, Chaudhuri and Dasgupta 2020, A non-parametric test to detect data-copying in
      generative models, section 3.
    """
    train = feature_matrix(train, "train")
    _, test = feature_pair(train, test, ("train", "test"))
    _, fake = feature_pair(train, fake, ("train", "fake"))
    test_distances = nearest_neighbours(test, train).distances
    fake_distances = nearest_neighbours(fake, train).distances
    m, t = len(fake_distances), len(test_distances)
    sorted_test = np.sort(test_distances)
    farther = np.searchsorted(sorted_test, fake_distances, "left").sum()
    ties = np.searchsorted(sorted_test, fake_distances, "right").sum() - farther
    u = farther + ties / 2
    z_score = (u - m * t / 2) / np.sqrt(m * t * (m + t + 1) / 12)
    return Memorisation(float(z_score), float(1 - u / (m * t)), fake_distances, test_distances)
