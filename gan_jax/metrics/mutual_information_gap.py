"""The mutual information gap: how much more one code says about a factor than the next."""

from typing import NamedTuple

import numpy as np

from gan_jax.metrics.checks import Array, ArrayLike, at_least, codes_and_factors


class MutualInformationGap(NamedTuple):
    """The mutual information gap of codes.

    Attributes:
      score: the mean gap over factors, in [0, 1].
      gaps: ``[k]`` float64, of each factor.
      information: ``[d, k]`` float64, the mutual information of each code and factor, in nats.
    """

    score: float
    gaps: Array
    information: Array


def mutual_information_gap(
    codes: ArrayLike, factors: ArrayLike, bins: int = 20
) -> MutualInformationGap:
    """Computes MIG, ``mean_k (I(c_1; v_k) - I(c_2; v_k)) / H(v_k)``.

    c_1 and c_2 are the codes with the greatest and the second greatest mutual information with the
    factor v_k. It is 1 if each factor is known from one code, and no other says anything about it.
    A factor that is spread over two codes alike has a gap of 0. One code that knows all factors has
    full marks: see `dci`.

    Information is that of counts. Each code is cut into bins of equal width between its least and
    its greatest value, as in the code of Locatello et al.; the paper integrates over the posterior
    of a VAE. With n samples and v values, codes of pure noise have some
    ``(bins - 1) (v - 1) / (2 n)`` nats each.

    Args:
      codes: ``[n, d]`` float, d >= 2.
      factors: ``[n, k]`` integers, each of which takes 2 values or more.
      bins: into which each code is cut; 20 in that code, with n = 10,000.

    Returns:
      `MutualInformationGap`.

    Raises:
      ValueError: an array has another shape, there is only one code, or a factor has one value.

    References:
      Chen et al., "Isolating Sources of Disentanglement in Variational Autoencoders" (2018), eq. 6.
      Locatello et al., "Challenging Common Assumptions in the Unsupervised Learning of Disentangled
      Representations" (2019), and code: 20 bins.
    """
    codes, factors = codes_and_factors(codes, factors)
    bins = at_least(bins, 2, "bins")
    if codes.shape[1] < 2:
        raise ValueError("codes: found 1 code, expected 2 or more, between which there is a gap")
    binned = [_binned(code, bins) for code in codes.T]
    values = [np.unique(factor, return_inverse=True)[1] for factor in factors.T]
    entropies = np.array([mutual_information(value, value) for value in values])
    for index, value in enumerate(values):
        if not value.any():
            raise ValueError(f"factors: found one value of factor {index}, expected 2 or more")
    information = np.array([[mutual_information(b, v) for v in values] for b in binned])
    ranked = np.sort(information, axis=0)
    gaps = (ranked[-1] - ranked[-2]) / entropies
    return MutualInformationGap(float(gaps.mean()), gaps, information)


def mutual_information(first: Array, second: Array) -> float:
    """Computes the mutual information of two columns of integers from 0 on, ``[n]`` each, in nats.

    It is that of their joint counts, ``sum p(a, b) log(p(a, b) / (p(a) p(b)))``.
    """
    joint = np.zeros((first.max() + 1, second.max() + 1))
    np.add.at(joint, (first, second), 1 / len(first))
    apart = joint.sum(1, keepdims=True) * joint.sum(0, keepdims=True)
    occurs = joint > 0
    return float(np.sum(joint[occurs] * np.log(joint[occurs] / apart[occurs])))


def _binned(code: Array, bins: int) -> Array:
    """The bin of each value, from 0 on; the greatest value lies in the last one."""
    low, high = code.min(), code.max()
    if high == low:
        return np.zeros(len(code), int)
    edges = np.linspace(low, high, bins + 1)[1:-1]
    binned: Array = np.searchsorted(edges, code, side="right")
    return binned
