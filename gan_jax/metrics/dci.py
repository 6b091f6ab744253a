"""DCI: disentanglement, completeness and informativeness of codes."""

from typing import NamedTuple

import numpy as np

from gan_jax.metrics.checks import Array, ArrayLike, at_least, codes_and_factors, finite


class DCI(NamedTuple):
    """Disentanglement, completeness and informativeness.

    Attributes:
      disentanglement: whether each code is important for one factor alone, in [0, 1].
      completeness: whether each factor is predicted from one code alone, in [0, 1].
      informativeness: the accuracy with which factors are predicted on other samples, their mean.
      importance: ``[d, k]`` float64, of each code for each factor.
    """

    disentanglement: float
    completeness: float
    informativeness: float
    importance: Array


class ImportanceScores(NamedTuple):
    """What a matrix of importances says.

    Attributes:
      disentanglement: see `DCI`.
      completeness: see `DCI`.
    """

    disentanglement: float
    completeness: float


def dci(
    codes: ArrayLike,
    factors: ArrayLike,
    test_codes: ArrayLike,
    test_factors: ArrayLike,
    trees: int = 100,
    seed: int = 0,
) -> DCI:
    """Computes DCI, with importances of gradient boosted trees.

    One classifier predicts each factor from all codes. Its importances are those of scikit-learn,
    and depend a little on its version. It needs ``pip install -e '.[disentanglement]'``.

    Args:
      codes: ``[n, d]`` float, to which the trees are fitted.
      factors: ``[n, k]`` integers, each of which takes 2 values or more.
      test_codes: ``[m, d]`` float, of other samples.
      test_factors: ``[m, k]`` integers.
      trees: of each factor and value; 100, scikit-learn's default, in the code of Locatello et al.,
        with n = 10,000 and m = 5,000.
      seed: of the order in which trees try the codes, which decides between equally good ones.

    Returns:
      `DCI`.

    Raises:
      ValueError: an array has another shape, or a factor has one value.
      ModuleNotFoundError: scikit-learn is not installed.

    References:
      Eastwood & Williams, "A Framework for the Quantitative Evaluation of Disentangled
      Representations" (2018), section 2, with lasso or random forests and errors of regression.
      Locatello et al., "Challenging Common Assumptions in the Unsupervised Learning of Disentangled
      Representations" (2019): boosted trees, and accuracy.
    """
    try:
        from sklearn.ensemble import GradientBoostingClassifier
    except ModuleNotFoundError as error:
        raise ModuleNotFoundError(
            "dci needs scikit-learn: pip install -e '.[disentanglement]'", name=error.name
        ) from error

    codes, factors = codes_and_factors(codes, factors)
    test_codes, test_factors = codes_and_factors(test_codes, test_factors)
    if codes.shape[1] != test_codes.shape[1] or factors.shape[1] != test_factors.shape[1]:
        raise ValueError(
            f"test_codes, test_factors: found {test_codes.shape[1]} codes and "
            f"{test_factors.shape[1]} factors, expected {codes.shape[1]} and {factors.shape[1]}"
        )
    trees = at_least(trees, 1, "trees")
    importance = np.empty((codes.shape[1], factors.shape[1]))
    accuracies = []
    for index, (factor, test_factor) in enumerate(zip(factors.T, test_factors.T, strict=True)):
        if np.all(factor == factor[0]):
            raise ValueError(f"factors: found one value of factor {index}, expected 2 or more")
        model = GradientBoostingClassifier(n_estimators=trees, random_state=seed)
        model.fit(codes, factor)
        # Rounding leaves some importances of 0 a little below it.
        importance[:, index] = np.abs(model.feature_importances_)
        accuracies.append(np.mean(model.predict(test_codes) == test_factor))
    scores = dci_from_importance(importance)
    return DCI(*scores, float(np.mean(accuracies)), importance)


def dci_from_importance(importance: ArrayLike) -> ImportanceScores:
    """Computes disentanglement and completeness from importances R of any predictor.

    Disentanglement is ``sum_i rho_i (1 - H_k(P_i))``, with P_i the shares of row i (of code i), H_k
    their entropy to the base of the number of factors, and rho_i the share of row i in the sum of
    R. Completeness is the same of columns, with entropies to the base of the number of codes.

    Args:
      importance: ``[d, k]`` float, of codes for factors, 0 or more; d >= 2 and k >= 2. If all are 0
        both scores are 0.

    Returns:
      `ImportanceScores`.

    Raises:
      ValueError: the matrix has another shape, or an entry is below 0.

    References:
      Eastwood & Williams (2018), section 2.
    """
    matrix = finite(importance, "importance")
    if matrix.ndim != 2 or min(matrix.shape) < 2:
        raise ValueError(
            f"importance: found shape {matrix.shape}, expected [codes, factors], 2 or more of each"
        )
    if matrix.min() < 0:
        raise ValueError(f"importance: found {matrix.min()}, expected values of 0 or more")
    return ImportanceScores(_concentration(matrix), _concentration(matrix.T))


def _concentration(matrix: Array) -> float:
    """How much each row is about one column: 1 minus the entropy, weighted by the rows' sums."""
    sums = matrix.sum(1)
    if not sums.sum():
        return 0.0
    weighted = 0.0
    for row, total in zip(matrix, sums, strict=True):
        if total > 0:  # a code without importance has no weight
            shares = row[row > 0] / total
            entropy = -np.sum(shares * np.log(shares)) / np.log(matrix.shape[1])
            weighted += total / sums.sum() * (1 - entropy)
    return float(weighted)
