"""Exact Wasserstein distances between two sets of samples of equal weight."""

import numpy as np

from gan_jax.metrics.checks import Array, ArrayLike, feature_pair


def wasserstein_1(x: ArrayLike, y: ArrayLike) -> float:
    """Computes the exact 1-Wasserstein ("earth mover's") distance between two sets of samples.

    ``min over couplings of E|x - y|``, Euclidean, with equal weights within a set. It is computed
    by sorting in one dimension, by linear assignment if n = m, and otherwise by a linear programme,
    which is for a few hundred samples.

    Args:
      x: samples ``[n, d]``, or ``[n]`` in one dimension, any real dtype; computed in float64.
      y: samples ``[m, d]`` or ``[m]``.

    Returns:
      The distance, in units of the samples.

    Raises:
      ValueError: if the samples have a wrong rank, different d or a value that is not finite, or
        if the linear programme has no solution within the solver's limits.

    References:
      Peyré and Cuturi 2019, Computational optimal transport, section 2.
    """
    return _transport_cost(x, y, power=1)


def wasserstein_2(x: ArrayLike, y: ArrayLike) -> float:
    """Computes the exact 2-Wasserstein distance between two sets of samples.

    ``(min over couplings of E|x - y|^2)^(1/2)``, by the methods of `wasserstein_1`.

    Args:
      x: samples ``[n, d]``, or ``[n]`` in one dimension, any real dtype; computed in float64.
      y: samples ``[m, d]`` or ``[m]``.

    Returns:
      The distance (the root is taken), in units of the samples.

    Raises:
      ValueError: as `wasserstein_1`.

    References:
      As `wasserstein_1`.
    """
    return float(np.sqrt(_transport_cost(x, y, power=2)))


def _transport_cost(x: ArrayLike, y: ArrayLike, power: int) -> float:
    x, y = feature_pair(_with_feature_axis(x), _with_feature_axis(y), ("x", "y"))
    if x.shape[1] == 1:
        return cost_on_a_line(np.sort(x[:, 0]), np.sort(y[:, 0]), power)

    from scipy.spatial.distance import cdist

    costs = cdist(x, y, "euclidean" if power == 1 else "sqeuclidean")
    if len(x) == len(y):
        from scipy.optimize import linear_sum_assignment

        return float(costs[linear_sum_assignment(costs)].mean())
    return _cost_by_linear_programme(costs)


def _with_feature_axis(samples: ArrayLike) -> ArrayLike:
    return np.asarray(samples)[:, None] if np.ndim(samples) == 1 else samples


def cost_on_a_line(x: Array, y: Array, power: int) -> float:
    """Computes the cost of sorted samples; on a line the best coupling joins equal quantiles."""
    n, m = len(x), len(y)
    # Quantile functions are constant between multiples of 1/n and of 1/m; in units of 1/(n m) these
    # are whole numbers.
    edges = np.union1d(np.arange(n + 1) * m, np.arange(m + 1) * n)
    left = edges[:-1]
    return float(np.sum(np.diff(edges) / (n * m) * np.abs(x[left // m] - y[left // n]) ** power))


def _cost_by_linear_programme(costs: Array) -> float:
    """Solves the transport problem in which each row carries 1/n and each column 1/m."""
    from scipy.optimize import linprog
    from scipy.sparse import eye_array, kron, vstack

    n, m = costs.shape
    rows, columns = kron(eye_array(n), np.ones((1, m))), kron(np.ones((1, n)), eye_array(m))
    # Supplies are scaled to whole numbers, and costs to one, so that the solver's absolute
    # tolerances mean little.
    supplies = np.concatenate([np.full(n, float(m)), np.full(m, float(n))])
    scale = costs.max()
    if scale == 0:
        scale = 1.0
    solution = linprog(
        costs.ravel() / scale, A_eq=vstack([rows, columns]).tocsr(), b_eq=supplies, method="highs"
    )
    if solution.status != 0:
        raise ValueError(
            f"x, y: the linear programme of {n} x {m} samples was not solved: {solution.message}"
        )
    return float(solution.fun * scale / (n * m))
