"""Latent distributions."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from gan_jax.errors import UserError
from gan_jax.networks.latents import LATENTS, latent_distribution


def draw(name):
    return latent_distribution(name, 64)(jax.random.key(0), 500)


@pytest.mark.parametrize("name", LATENTS)
def test_latents_have_the_size_that_is_asked_for(name):
    assert draw(name).shape == (500, 64) and draw(name).dtype == jnp.float32


def test_uniform_latents_are_within_their_bounds():
    assert 0.99 < abs(draw("uniform")).max() <= 1
    assert 1.72 < abs(draw("standard_uniform")).max() <= 1.7321


@pytest.mark.parametrize("name", ["normal", "standard_uniform", "spherical"])
def test_standardised_latents_have_mean_0_and_variance_1(name):
    assert abs(draw(name).mean()) < 0.02 and abs(draw(name).std() - 1) < 0.02


def test_spherical_latents_have_one_length():
    lengths = jnp.sqrt(jnp.sum(draw("spherical") ** 2, -1))
    np.testing.assert_allclose(lengths, 8.0, rtol=1e-5)


@pytest.mark.parametrize(("name", "size"), [("cauchy", 4), ("normal", 0)])
def test_unknown_names_and_empty_latents_are_refused(name, size):
    with pytest.raises(UserError, match="latent"):
        latent_distribution(name, size)
