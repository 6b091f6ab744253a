"""Games of two numbers whose steps are known in closed form."""

import numpy as np
import pytest

from gan_jax import theory
from gan_jax.theory import games

BILINEAR = theory.dirac_field("wasserstein")  # (-psi, theta)
STEP_SIZE = 0.2


def test_simultaneous_play_of_the_bilinear_game_spirals_outwards():
    path = games.descend(BILINEAR, (1.0, 1.0), STEP_SIZE, 50)
    assert path.shape == (51, 2) and tuple(path[0]) == (1, 1)
    growth = np.sqrt(1 + STEP_SIZE**2)
    radius = np.sqrt(2) * (1 + STEP_SIZE**2) ** (np.arange(51) / 2)
    np.testing.assert_allclose(np.hypot(*path.T), radius, rtol=1e-12)
    exact = games.rate(games.jacobian(BILINEAR), STEP_SIZE)
    assert exact == pytest.approx(growth, rel=1e-9)
    assert games.measured_rate(path, 50) == pytest.approx(growth, rel=1e-9)


@pytest.mark.parametrize("discriminator_steps", [1, 3])
def test_alternating_play_moves_theta_first_and_then_psi(discriminator_steps):
    path = games.descend(BILINEAR, (1.0, 0.5), STEP_SIZE, 2, discriminator_steps)
    theta = 1 - STEP_SIZE * 0.5
    assert path[1] == pytest.approx((theta, 0.5 + discriminator_steps * STEP_SIZE * theta))
    theta -= STEP_SIZE * path[1, 1]
    assert path[2] == pytest.approx((theta, path[1, 1] + discriminator_steps * STEP_SIZE * theta))
    # The Jacobian of a step has determinant 1 and complex eigenvalues: the game circles.
    rate = games.rate(games.jacobian(BILINEAR), STEP_SIZE, discriminator_steps)
    assert rate == pytest.approx(1.0, abs=1e-9)


def test_psi_stays_within_its_clip():
    path = games.descend(BILINEAR, (1.0, 2.0), STEP_SIZE, 100, clip=0.3)
    assert path[0, 1] == 0.3 and np.abs(path[:, 1]).max() <= 0.3


@pytest.mark.parametrize("gamma", [0.3, 2.0])
def test_jacobians_and_rates_are_those_of_the_regularised_dirac_gan(gamma):
    field = theory.dirac_field("minimax", gamma)
    slopes = games.jacobian(field)
    np.testing.assert_allclose(slopes, [[0, -0.5], [0.5, -gamma]], atol=1e-9)
    exact = max(abs(1 + STEP_SIZE * value) for value in theory.dirac_eigenvalues(gamma))
    assert games.rate(slopes, STEP_SIZE) == pytest.approx(exact, abs=1e-9)
    measured = games.measured_rate(games.descend(field, steps=600), 300)
    assert measured == pytest.approx(exact, abs=2e-3)


def test_the_rate_of_a_path_that_reached_the_equilibrium_is_nan():
    assert np.isnan(games.measured_rate(np.zeros((11, 2)), 10))
