"""Densities in one dimension, and quadrature.

Float64 on the host. Densities are given by their logarithms, so that tails do not underflow;
integrals are sums over a `Grid` of Gauss-Legendre nodes. Logarithms are natural.
"""

from collections.abc import Sequence
from typing import Any, NamedTuple, Protocol

import numpy as np
import numpy.typing as npt
from scipy.special import logsumexp

Array = npt.NDArray[Any]


class LogDensity(Protocol):
    """The logarithm of a density."""

    def __call__(self, x: Array, /) -> Array:
        """Returns log densities ``[n]`` float64 at points ``[n]``."""
        ...


class Grid(NamedTuple):
    """Nodes of a quadrature.

    Attributes:
      points: ``[n]`` float64, ascending.
      weights: ``[n]`` float64; the integral of g is ``sum(weights * g(points))``.
    """

    points: Array
    weights: Array


def grid(low: float, high: float, panels: int = 200, order: int = 16) -> Grid:
    """Returns composite Gauss-Legendre quadrature on ``[low, high]``.

    Args:
      low: the lower bound.
      high: the upper bound.
      panels: the number of equal pieces.
      order: nodes per piece.
    """
    nodes, weights = np.polynomial.legendre.leggauss(order)
    edges = np.linspace(low, high, panels + 1)
    half = np.diff(edges)[:, None] / 2
    points = edges[:-1, None] + half * (nodes + 1)
    return Grid(points.ravel(), (half * weights).ravel())


def integral(values: Array, grid: Grid) -> float:
    """Computes the integral of a function from its values ``[n]`` at the grid's points."""
    return float(np.sum(grid.weights * values))


def gaussian(mean: float = 0.0, std: float = 1.0) -> LogDensity:
    """Returns ``log N(x; mean, std^2)``."""

    def log_density(x: Array) -> Array:
        value: Array = -0.5 * np.square((x - mean) / std) - np.log(std) - 0.5 * np.log(2 * np.pi)
        return value

    return log_density


def mixture(means: Sequence[float], stds: Sequence[float], weights: Sequence[float]) -> LogDensity:
    """Returns ``log sum_k weights_k N(x; means_k, stds_k^2)``; weights are normalised to sum 1."""
    portions = np.asarray(weights, float) / np.sum(weights)
    parts = [gaussian(mean, std) for mean, std in zip(means, stds, strict=True)]

    def log_density(x: Array) -> Array:
        terms = [part(x) + np.log(w) for part, w in zip(parts, portions, strict=True)]
        return np.asarray(logsumexp(terms, axis=0))

    return log_density
