"""Gaussians fitted by a divergence or to samples."""

import numpy as np
import pytest

from gan_jax import theory
from gan_jax.theory import grid, mixture


@pytest.mark.parametrize(
    "weights, divergence, start, expected",
    [
        ((1, 1), "kl", (0, 2), (0, 2.062, 0.72355)),
        ((1, 1), "reverse_kl", (2.2, 0.6), (2.0, 0.5, 0.69305)),
        ((1, 1), "reverse_kl", (0, 2), (0, 1.736, 1.871)),
        ((1, 1), "js", (0, 2), (0, 2.042, 0.20096)),
        ((1, 1), "js", (-2, 0.6), (-2.0, None, 0.21573)),
        ((7, 3), "kl", (0, 2), (-0.8, 1.900, 0.72422)),
        ((7, 3), "reverse_kl", (-2, 0.6), (-2.0, 0.5, 0.35661)),
        ((7, 3), "js", (-2, 0.6), (-2.0, None, 0.11725)),
        ((7, 3), "js", (-0.5, 2), (None, None, 0.20105)),
    ],
)
def test_gaussian_fits_of_two_modes_are_those_of_the_tutorial(weights, divergence, start, expected):
    """Figure 14 in numbers: KL covers, reverse KL seeks, the JS divergence does either."""
    p = mixture([-2, 2], [0.5, 0.5], weights)
    fit = theory.fit_gaussian(divergence, p, grid(-16, 16, 80), *start)
    value_tolerance = 6e-4 if expected[2] == 1.871 else 6e-6  # as many digits as are known
    tolerances = (5e-3, 6e-4, value_tolerance)
    for fitted, known, tolerance in zip(fit, expected, tolerances, strict=True):
        assert known is None or abs(fitted - known) < tolerance, (fit, expected)


def test_an_unknown_divergence_is_refused():
    with pytest.raises(ValueError, match="found 'hinge', expected one of 'kl'"):
        theory.fit_gaussian("hinge", theory.gaussian(), grid(-5, 5), 0.0, 1.0)


def test_the_best_js_fit_switches_from_covering_to_seeking():
    """Modes at +-c sigma of equal weight: covering is the better fit below c = 4.246."""

    def covering_minus_seeking(c):
        p = mixture([-c, c], [1, 1], [1, 1])
        quadrature = grid(-c - 14, c + 14, 60)
        covering = theory.fit_gaussian("js", p, quadrature, 0, c)
        seeking = theory.fit_gaussian("js", p, quadrature, c, 1.1)
        return covering.value - seeking.value

    assert covering_minus_seeking(4.241) < 0 < covering_minus_seeking(4.251)


@pytest.mark.parametrize("strength", [0.0, 10.0])
def test_the_posterior_is_greatest_at_the_map_fit(strength):
    x = np.random.default_rng(1).normal(1.0, 2.0, 25)
    prior_mean, prior_std = -2.0, 0.5
    fit = theory.map_gaussian(x, prior_mean, prior_std, strength)

    def posterior(mean, std):
        expected = -0.5 * (prior_std**2 + (prior_mean - mean) ** 2) / std**2 - np.log(std)
        return np.sum(-0.5 * ((x - mean) / std) ** 2 - np.log(std)) + strength * expected

    best = posterior(fit.mean, fit.std)
    for step in (0.02, -0.02):
        assert posterior(fit.mean + step, fit.std) < best
        assert posterior(fit.mean, fit.std * (1 + step)) < best
    if strength == 0:
        assert fit[:2] == pytest.approx((x.mean(), x.std()))
        assert fit.value == pytest.approx(np.log(x.std()) + 0.5 + 0.5 * np.log(2 * np.pi))
    else:
        assert prior_mean < fit.mean < x.mean()


def test_a_map_fit_without_samples_and_prior_is_refused():
    with pytest.raises(ValueError, match="needs samples or a prior"):
        theory.map_gaussian(np.zeros(0))
