"""Divergences between two densities in one dimension, by quadrature, in nats."""

import numpy as np

from gan_jax.theory.densities import Array, Grid, LogDensity, integral


def kl(log_p: LogDensity, log_q: LogDensity, grid: Grid) -> float:
    """Computes ``KL(p || q) = E_p (log p - log q)``.

    The reverse KL is ``kl(log_q, log_p, grid)``.
    """
    log_p_values, log_q_values = log_p(grid.points), log_q(grid.points)
    p = np.exp(log_p_values)
    # If p underflows to 0, its share is 0, however small q is.
    log_ratio = np.where(p > 0, log_p_values - log_q_values, 0.0)
    return integral(np.where(p > 0, p * log_ratio, 0.0), grid)


def js(log_p: LogDensity, log_q: LogDensity, grid: Grid) -> float:
    """Computes the Jensen-Shannon divergence ``KL(p || m) / 2 + KL(q || m) / 2``, m = (p + q) / 2.

    It is at most log 2. At the optimal discriminator V = -log 4 + 2 JS.

    References:
      Goodfellow et al. 2014, Generative adversarial nets, theorem 1.
    """

    def log_middle(x: Array) -> Array:
        value: Array = np.logaddexp(log_p(x), log_q(x)) - np.log(2)
        return value

    return 0.5 * kl(log_p, log_middle, grid) + 0.5 * kl(log_q, log_middle, grid)


def total_variation(log_p: LogDensity, log_q: LogDensity, grid: Grid) -> float:
    """Computes ``integral |p - q| / 2``, in [0, 1]."""
    difference = np.abs(np.exp(log_p(grid.points)) - np.exp(log_q(grid.points)))
    return integral(difference, grid) / 2


def f_divergence(divergence: str, log_p: LogDensity, log_q: LogDensity, grid: Grid) -> float:
    """Computes ``E_q f(p / q)``, which `losses.f_gan` bounds from below.

    Args:
      divergence: the name of f in `gan_jax.objectives.f_divergences.DIVERGENCES`.
      log_p: the density of real data.
      log_q: the density of generated data.
      grid: the quadrature.

    References:
      Nowozin et al. 2016, f-GAN, equation 2 and table 5.
    """
    # Late: the table's other columns need JAX, and nothing else in this module does.
    from gan_jax.objectives.f_divergences import DIVERGENCES

    log_p_values, log_q_values = log_p(grid.points), log_q(grid.points)
    ratio = np.exp(log_p_values - log_q_values)
    return integral(np.exp(log_q_values) * DIVERGENCES[divergence].f(ratio), grid)


def wasserstein_1(log_p: LogDensity, log_q: LogDensity, grid: Grid) -> float:
    """Computes the Wasserstein-1 distance ``integral |P(x) - Q(x)| dx`` of distribution functions.

    The distribution functions are trapezoidal sums over the grid's points: error O(spacing^2).
    """
    x = grid.points
    density = np.exp(log_p(x)) - np.exp(log_q(x))
    gap = np.concatenate([[0.0], np.cumsum((density[1:] + density[:-1]) / 2 * np.diff(x))])
    return integral(np.abs(gap), grid)
