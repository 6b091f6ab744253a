"""The Inception Score, from a classifier's logits."""

from itertools import pairwise
from typing import NamedTuple

import numpy as np

from gan_jax.metrics.checks import Array, ArrayLike, at_least, feature_matrix


class InceptionScore(NamedTuple):
    """Inception Score over splits of the samples.

    Attributes:
      mean: over the splits.
      std: over the splits, population (divided by their number).
      values: ``[splits]`` float64, the score of each split.
    """

    mean: float
    std: float
    values: Array


def inception_score(logits: ArrayLike, splits: int = 10) -> InceptionScore:
    """Computes ``exp(E_x KL(p(y|x) || p(y)))`` for each split of the samples, their mean and std.

    Split i holds the samples from ``i n // splits`` to ``(i + 1) n // splits``, in the order given;
    shuffle first if the order carries meaning. The score lies in ``[1, classes]``, and is biased
    upwards if there are few samples per split.

    Args:
      logits: ``[n, classes]``, any real dtype: raw scores, not probabilities. Infinities are
        refused; -1000 is fine.
      splits: the number of splits, at most n.

    Returns:
      `InceptionScore`.

    Raises:
      ValueError: if the logits are not ``[n, classes]`` or not finite, or there are more splits
        than samples.

    References:
      Salimans et al. 2016, Improved techniques for training GANs, section 4.
    """
    logits = feature_matrix(logits, "logits")
    splits = at_least(splits, 1, "splits")
    if splits > len(logits):
        raise ValueError(f"splits: found {splits}, expected at most the {len(logits)} samples")
    # Log-probabilities from the logits: a probability that rounds to zero still has a logarithm.
    logits -= logits.max(axis=1, keepdims=True)
    log_p = logits - np.log(np.exp(logits).sum(axis=1, keepdims=True))
    bounds = [i * len(log_p) // splits for i in range(splits + 1)]
    values = np.array([_score(log_p[start:stop]) for start, stop in pairwise(bounds)])
    return InceptionScore(float(values.mean()), float(values.std()), values)


def _score(log_p: Array) -> float:
    p = np.exp(log_p)
    # The log of the mean probability, safe even if every p of a class underflows.
    highest = log_p.max(axis=0)
    log_marginal = highest + np.log(np.exp(log_p - highest).mean(axis=0))
    return float(np.exp(np.mean(np.sum(p * (log_p - log_marginal), axis=1))))
