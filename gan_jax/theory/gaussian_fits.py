"""Gaussians fitted to a density, by a divergence, or to samples, by their posterior density."""

from typing import Literal, NamedTuple

import numpy as np
import numpy.typing as npt
from scipy.optimize import minimize

from gan_jax.theory.densities import Array, Grid, LogDensity, gaussian
from gan_jax.theory.divergences import js, kl


class Fit(NamedTuple):
    """A fitted Gaussian.

    Attributes:
      mean: its mean.
      std: its standard deviation.
      value: what was minimised: the divergence, or the mean negative log likelihood, in nats.
    """

    mean: float
    std: float
    value: float


def fit_gaussian(
    divergence: Literal["kl", "reverse_kl", "js"],
    log_p: LogDensity,
    grid: Grid,
    mean: float,
    std: float,
) -> Fit:
    """Finds a Gaussian q that locally minimises a divergence from p.

    Only the start decides between local minima: to learn whether a fit covers modes or seeks one,
    compare the fits from several starts.

    Args:
      divergence: ``"kl"`` is KL(p || q), ``"reverse_kl"`` is KL(q || p), ``"js"`` is the
        Jensen-Shannon divergence.
      log_p: the density p.
      grid: the quadrature.
      mean: the mean at the start.
      std: the standard deviation at the start.

    Returns:
      `Fit`, with the divergence as its value.

    Raises:
      ValueError: if the divergence is another.

    References:
      Goodfellow 2016, NIPS 2016 tutorial: generative adversarial networks, figure 14.
    """
    if divergence not in ("kl", "reverse_kl", "js"):
        raise ValueError(
            f"divergence: found {divergence!r}, expected one of 'kl', 'reverse_kl', 'js'"
        )

    def loss(parameters: Array) -> float:
        log_q = gaussian(parameters[0], np.exp(parameters[1]))
        if divergence == "kl":
            return kl(log_p, log_q, grid)
        if divergence == "reverse_kl":
            return kl(log_q, log_p, grid)
        return js(log_p, log_q, grid)

    result = minimize(
        loss,
        [mean, np.log(std)],
        method="Nelder-Mead",
        options={"xatol": 1e-7, "fatol": 1e-13, "maxiter": 2000},
    )
    return Fit(float(result.x[0]), float(np.exp(result.x[1])), float(result.fun))


def map_gaussian(
    samples: npt.ArrayLike, mean: float = 0.0, std: float = 1.0, strength: float = 0.0
) -> Fit:
    """Finds the Gaussian of greatest posterior density given samples.

    Maximises ``sum_i log N(x_i; m, s^2) + strength E_{N(mean, std^2)} log N(y; m, s^2)`` over m and
    log s. The second term is the conjugate prior, which weighs as much as ``strength`` samples of
    N(mean, std^2); with strength 0 the fit is that of maximum likelihood. As n grows the fit goes
    to that of KL(p || q), whatever the prior.

    Args:
      samples: ``[n]``.
      mean: the prior's mean.
      std: the prior's standard deviation.
      strength: the prior's weight, in samples.

    Returns:
      `Fit`, with the mean negative log likelihood of the samples as its value.

    Raises:
      ValueError: if there is neither a sample nor a prior.

    References:
      Goodfellow 2016, NIPS 2016 tutorial: generative adversarial networks, section 2.1 (likelihood
      as KL); Diaconis and Ylvisaker 1979, Conjugate priors for exponential families.
    """
    x = np.asarray(samples, float).ravel()
    total = len(x) + strength
    if strength < 0 or not total > 0:
        raise ValueError(
            f"map_gaussian needs samples or a prior: found {len(x)} samples and strength {strength}"
        )
    centre = (x.sum() + strength * mean) / total
    variance = (np.square(x - centre).sum() + strength * (std**2 + (mean - centre) ** 2)) / total
    fitted_mean, fitted_std = float(centre), float(np.sqrt(variance))
    value = float("nan")
    if len(x):
        value = float(-np.mean(gaussian(fitted_mean, fitted_std)(x)))
    return Fit(fitted_mean, fitted_std, value)
