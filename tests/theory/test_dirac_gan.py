"""The Dirac-GAN's field and its eigenvalues."""

import numpy as np
import pytest

from gan_jax import theory


def eigenvalues(field, spacing):
    """Eigenvalues ``[2]`` of the field's Jacobian at (0, 0), by central differences."""
    shifts = np.eye(2) * spacing
    columns = [np.subtract(field(*shift), field(*-shift)) / (2 * spacing) for shift in shifts]
    return np.sort_complex(np.linalg.eigvals(np.stack(columns, 1)))


@pytest.mark.parametrize(
    "objective, gamma, slope",
    [
        ("minimax", 0.0, 0.5),
        ("minimax", 0.3, 0.5),
        ("minimax", 1.0, 0.5),
        ("minimax", 2.0, 0.5),
        ("non_saturating", 0.3, 0.5),
        ("wasserstein", 0.0, 1.0),
    ],
)
def test_eigenvalues_are_those_of_the_field(objective, gamma, slope):
    numerical = eigenvalues(theory.dirac_field(objective, gamma), 1e-6)
    exact = np.sort_complex(theory.dirac_eigenvalues(gamma, slope))
    # At the critical weight both coincide, and a perturbation of size e moves them by sqrt(e).
    np.testing.assert_allclose(numerical, exact, atol=1e-5 if gamma == 1.0 else 1e-8)


def test_an_unknown_objective_is_refused():
    with pytest.raises(ValueError, match="has no objective 'hinge'"):
        theory.dirac_field("hinge")


def test_the_field_under_instance_noise_is_the_mean_of_drawn_noise():
    field, std = theory.dirac_field("instance_noise", 0.7), 0.7
    fake_noise, real_noise = np.random.default_rng(0).normal(size=(2, 400_000)) * std
    theta, psi = 0.8, 1.3
    sigmoid = lambda t: 1 / (1 + np.exp(-t))
    fake = theta + fake_noise
    drawn = (
        -psi * np.mean(sigmoid(-psi * fake)),
        np.mean(fake * sigmoid(-psi * fake) - real_noise * sigmoid(psi * real_noise)),
    )
    np.testing.assert_allclose(field(theta, psi), drawn, atol=4e-3)
    without_noise = theory.dirac_field("instance_noise", 0.0)(theta, psi)
    np.testing.assert_allclose(without_noise, theory.dirac_field("minimax")(theta, psi))


def test_instance_noise_acts_like_a_penalty_at_the_equilibrium():
    std = 0.7
    numerical = eigenvalues(theory.dirac_field("instance_noise", std), 1e-5)
    exact = np.sort_complex(theory.dirac_eigenvalues(std**2 / 2))
    np.testing.assert_allclose(numerical, exact, atol=1e-8)
