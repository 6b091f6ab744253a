"""Quadrature, and divergences of densities against their closed forms."""

import numpy as np
import pytest

from gan_jax import theory
from gan_jax.objectives.f_divergences import DIVERGENCES
from gan_jax.theory import Grid, gaussian, grid, mixture

WIDE = grid(-14, 18, panels=160)


def test_quadrature_is_exact_for_densities():
    for density in (gaussian(1.0, 0.7), mixture([-2, 3], [0.5, 1.0], [3, 1])):
        mass = np.sum(WIDE.weights * np.exp(density(WIDE.points)))
        np.testing.assert_allclose(mass, 1.0, rtol=1e-13)
    assert isinstance(WIDE, Grid) and np.all(np.diff(WIDE.points) > 0)
    fifth_moment = np.sum(WIDE.weights * WIDE.points**5)
    np.testing.assert_allclose(fifth_moment, (18**6 - 14**6) / 6, rtol=1e-12)


def test_divergences_of_gaussians_have_their_closed_form():
    mean, std = 1.5, 0.8
    p, q = gaussian(), gaussian(mean, std)
    kl = np.log(std) + (1 + mean**2) / (2 * std**2) - 0.5
    reverse_kl = -np.log(std) + (std**2 + mean**2) / 2 - 0.5
    np.testing.assert_allclose(theory.kl(p, q, WIDE), kl, rtol=1e-10)
    np.testing.assert_allclose(theory.kl(q, p, WIDE), reverse_kl, rtol=1e-10)
    shifted = gaussian(mean)
    erf_half = 0.5467452952462635  # erf(1.5 / (2 sqrt 2))
    fine = grid(-10, 12, panels=2000)  # |p - q| has a kink
    np.testing.assert_allclose(theory.total_variation(p, shifted, fine), erf_half, rtol=1e-6)
    np.testing.assert_allclose(theory.wasserstein_1(p, shifted, fine), mean, rtol=1e-5)
    # Between concentric Gaussians W1 = |std - 1| E|z|.
    concentric = theory.wasserstein_1(p, gaussian(0, 2), grid(-20, 20, 2000))
    np.testing.assert_allclose(concentric, np.sqrt(2 / np.pi), rtol=1e-5)
    assert theory.kl(p, p, WIDE) == 0 and theory.js(p, p, WIDE) < 1e-15


def test_f_divergences_equal_the_divergences_they_are_named_after():
    p, q = gaussian(), gaussian(0.5)
    shift = 0.25
    expected = {
        "kl": shift / 2,
        "reverse_kl": shift / 2,
        "pearson": np.expm1(shift),
        "neyman": np.expm1(shift),
        "squared_hellinger": 2 - 2 * np.exp(-shift / 8),
        "js": 2 * theory.js(p, q, WIDE),
        "gan": 2 * theory.js(p, q, WIDE),
        "total_variation": theory.total_variation(p, q, WIDE),
    }
    assert expected.keys() == DIVERGENCES.keys()
    for name, value in expected.items():
        divergence = theory.f_divergence(name, p, q, WIDE)
        np.testing.assert_allclose(divergence, value, rtol=1e-9, err_msg=name)


@pytest.mark.parametrize("name", DIVERGENCES)
def test_f_gan_is_tight_at_its_optimal_score(name):
    """The term's functions reach the divergence at the optimal score and stay below elsewhere."""
    p, q, quadrature = gaussian(), gaussian(0.5), grid(-9, 9)
    divergence = DIVERGENCES[name]
    logit = p(quadrature.points) - q(quadrature.points)
    real, fake = np.exp(p(quadrature.points)), np.exp(q(quadrature.points))

    def bound(score):
        on_real, on_fake = divergence.on_real(score), divergence.on_fake(score)
        return np.sum(
            quadrature.weights * (real * np.asarray(on_real) - fake * np.asarray(on_fake))
        )

    exact = theory.f_divergence(name, p, q, quadrature)
    if name == "gan":
        exact -= 2 * np.log(2)
    best = np.clip(divergence.optimal(logit), -50, 50)  # total variation's is infinite
    assert abs(bound(best) - exact) < 2e-5
    finite = np.clip(best, -3, 3)
    assert bound(finite + 0.3) < exact - 1e-5 and bound(0.8 * finite) < exact - 1e-5
