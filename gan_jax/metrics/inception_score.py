"""The Inception Score, from a classifier's logits."""

from itertools import pairwise
from typing import NamedTuple

import numpy as np

from gan_jax.metrics.checks import Array, ArrayLike, at_least, feature_matrix


class InceptionScore(NamedTuple):
    """Inception Score over splits of the samples."""

    mean: float
    std: float  # over the splits, population (divided by their number)
    values: Array  # [splits] float64


def inception_score(logits: ArrayLike, splits: int = 10) -> InceptionScore:
    """Inception Score: ``exp(E_x KL(p(y|x) || p(y)))`` for each split of the samples, their mean and std.

    Split i holds the samples from ``i n // splits`` to ``(i + 1) n // splits``, in the order given; shuffle first where the
    order carries meaning. The score lies in ``[1, classes]``, and is biased upwards by few samples a split.

    Args:
      logits: ``[n, classes]``, any real dtype: raw scores, not probabilities. Infinities are refused; -1000 is fine.
      splits: number of splits, at most n.

    Returns:
      `InceptionScore`.

    Raises:
      ValueError: logits are not ``[n, classes]`` or not finite, or there are more splits than samples.

    References:
      Salimans et al. 2016, Improved techniques for training GANs, section 4.
    """
    logits = feature_matrix(logits, "logits")
    splits = at_least(splits, 1, "splits")
    if splits > len(logits):
        raise ValueError(f"splits: found {splits}, expected at most the {len(logits)} samples")
    # Log-probabilities from the logits: a probability that rounds to zero then still has a logarithm.
    logits -= logits.max(axis=1, keepdims=True)
    log_p = logits - np.log(np.exp(logits).sum(axis=1, keepdims=True))
    bounds = [i * len(log_p) // splits for i in range(splits + 1)]
    values = np.array([_score(log_p[start:stop]) for start, stop in pairwise(bounds)])
    return InceptionScore(float(values.mean()), float(values.std()), values)


def _score(log_p: Array) -> float:
    p = np.exp(log_p)
    highest = log_p.max(
        axis=0
    )  # log of the mean probability, safe where every p of a class underflows
    log_marginal = highest + np.log(np.exp(log_p - highest).mean(axis=0))
    return float(np.exp(np.mean(np.sum(p * (log_p - log_marginal), axis=1))))
