"""The optimal discriminator of two densities, and the value of the game at a discriminator."""

from collections.abc import Callable

import numpy as np
from scipy.special import expit, log_expit

from gan_jax.theory.densities import Array, Grid, LogDensity, integral


def optimal_score(log_p: LogDensity, log_q: LogDensity) -> Callable[[Array], Array]:
    """Returns the score (logit) of the best discriminator, ``log p(x) - log q(x)``.

    Args:
      log_p: the density of real data.
      log_q: the density of generated data.

    References:
      Goodfellow et al. 2014, Generative adversarial nets, proposition 1.
    """
    return lambda x: log_p(x) - log_q(x)


def optimal_discriminator(log_p: LogDensity, log_q: LogDensity) -> Callable[[Array], Array]:
    """Returns ``D*(x) = p(x) / (p(x) + q(x))``, a probability.

    Args:
      log_p: the density of real data.
      log_q: the density of generated data.

    References:
      As `optimal_score`.
    """
    return lambda x: np.asarray(expit(log_p(x) - log_q(x)))


def value_function(
    log_p: LogDensity, log_q: LogDensity, score: Callable[[Array], Array], grid: Grid
) -> float:
    """Computes ``V(G, D) = E_p log D(x) + E_q log(1 - D(x))`` with D = sigmoid(score).

    Args:
      log_p: the density of real data.
      log_q: the density of generated data.
      score: points ``[n]`` -> raw scores ``[n]``.
      grid: the quadrature.

    References:
      Goodfellow et al. 2014, Generative adversarial nets, equation 1.
    """
    scores = score(grid.points)
    on_real = np.exp(log_p(grid.points)) * log_expit(scores)
    on_fake = np.exp(log_q(grid.points)) * log_expit(-scores)
    return integral(on_real + on_fake, grid)
