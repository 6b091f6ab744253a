"""The FactorVAE score: whether the code that varies least tells which factor was held fixed."""

from typing import NamedTuple

import numpy as np

from gan_jax.metrics.checks import Array, ArrayLike, finite


class FactorVaeScore(NamedTuple):
    """The FactorVAE score.

    Attributes:
      score: the share of the test groups whose fixed factor is told, in [0, 1].
      votes: ``[d, k]`` int64, how often code i varied least when factor j was fixed, of the groups
        that the classifier was made from.
    """

    score: float
    votes: Array


def factor_vae_score(
    codes: ArrayLike,
    fixed: ArrayLike,
    test_codes: ArrayLike,
    test_fixed: ArrayLike,
    variances: ArrayLike,
    least_std: float = 0.05,
) -> FactorVaeScore:
    """Computes the FactorVAE score of groups of samples, in each of which one factor is fixed.

    Of each group, the code with the least ``variance in the group / variance of all samples`` is
    taken. Each code votes for the factor that it was most often taken for; the score is the
    accuracy of this on other groups. Chance is 1 over the number of factors. A representation that
    has several codes for one factor is not marked down.

    Args:
      codes: ``[groups, n, d]`` float, n >= 2: 10,000 groups of 64 in the code of Locatello et al.
      fixed: ``[groups]`` integers from 0 on, which factor is fixed.
      test_codes: ``[test groups, n, d]`` float: 5,000 groups in that code.
      test_fixed: ``[test groups]`` integers.
      variances: ``[d]``, of each code over all samples.
      least_std: codes whose standard deviation is smaller are left out, as those that a VAE has
        left at their prior.

    Returns:
      `FactorVaeScore`. The score is 0 if all codes are left out.

    Raises:
      ValueError: an array has another shape.

    References:
      Kim & Mnih, "Disentangling by Factorising" (2018), section 4.
      Locatello et al., "Challenging Common Assumptions in the Unsupervised Learning of Disentangled
      Representations" (2019), and code: 0.05.
    """
    variances = finite(variances, "variances")
    groups, factors = _groups(codes, fixed, "")
    test_groups, test_factors = _groups(test_codes, test_fixed, "test_")
    d = groups.shape[2]
    if variances.shape != (d,) or test_groups.shape[2] != d:
        raise ValueError(
            f"variances, test_codes: found {variances.shape} and {test_groups.shape[2]} codes, "
            f"expected {d} codes in each"
        )
    votes = np.zeros((d, int(max(factors.max(), test_factors.max())) + 1), np.int64)
    is_used = np.sqrt(variances) >= least_std
    if not is_used.any():
        return FactorVaeScore(0.0, votes)
    np.add.at(votes, (_least_varied(groups, variances, is_used), factors), 1)
    told = votes.argmax(1)[_least_varied(test_groups, variances, is_used)]
    return FactorVaeScore(float(np.mean(told == test_factors)), votes)


def _least_varied(groups: Array, variances: Array, is_used: Array) -> Array:
    """The code ``[groups]`` that varies the least in each group."""
    ratios = groups[..., is_used].var(1, ddof=1) / variances[is_used]
    used: Array = np.flatnonzero(is_used)[ratios.argmin(1)]
    return used


def _groups(codes: ArrayLike, fixed: ArrayLike, prefix: str) -> tuple[Array, Array]:
    groups, factors = finite(codes, f"{prefix}codes"), np.asarray(fixed)
    if groups.ndim != 3 or groups.shape[1] < 2 or 0 in groups.shape:
        raise ValueError(
            f"{prefix}codes: found shape {groups.shape}, expected [groups, n, d] with n >= 2"
        )
    if factors.shape != groups.shape[:1] or factors.dtype.kind not in "iu" or factors.min() < 0:
        raise ValueError(
            f"{prefix}fixed: found {factors.dtype} of shape {factors.shape}, expected integers "
            f"from 0 on, [{len(groups)}]"
        )
    return groups, factors
