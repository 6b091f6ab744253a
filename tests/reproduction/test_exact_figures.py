"""Numbers of dirac_gan and vanishing_gradient that have a closed form, by other means."""

import numpy as np
import pytest
from figure_modules import load

from gan_jax import theory


def test_the_published_consensus_field_halves_one_summand():
    """Central differences of |v|^2 / 2 agree with our field, and not with the published one."""
    figure, consensus = load("dirac_gan"), theory.dirac_field("consensus", 1.0)
    plain = theory.dirac_field("minimax")

    def energy(theta, psi):
        return 0.5 * sum(np.square(plain(theta, psi)))

    theta, psi, h = 0.7, -1.3, 1e-5
    by_theta = energy(theta + h, psi) - energy(theta - h, psi)
    by_psi = energy(theta, psi + h) - energy(theta, psi - h)
    expected = np.array(plain(theta, psi)) - np.array([by_theta, by_psi]) / (2 * h)
    np.testing.assert_allclose(consensus(theta, psi), expected, atol=1e-9)
    assert np.abs(np.array(figure.published_consensus(theta, psi)) - expected).max() > 0.01


def test_the_gradient_left_by_the_optimal_discriminator_agrees_with_a_million_draws():
    figure = load("vanishing_gradient")
    z = np.random.default_rng(0).normal(size=1_000_000)
    answers = 1 / (1 + np.exp(4.0 * (2 + z)))  # s = 1: D*(x) = sigmoid(-4 x)
    expected = 4.0 * np.hypot(np.mean(answers), np.mean(answers * z))
    assert figure.optimal_norm(1.0) == pytest.approx(expected, rel=0.02)
