"""Samples: a function of their key, index and label alone."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from gan_jax import networks
from gan_jax.training.sampling import sampler


@pytest.fixture(scope="module")
def with_batchnorm():
    nets = networks.dcgan((8, 8, 1), width=4, latent_size=5)
    assert nets.standing is not None
    return nets, nets.init(jax.random.key(0))[0]


def test_samples_do_not_depend_on_their_neighbours_nor_on_the_batch(with_batchnorm):
    draw = {size: sampler(*with_batchnorm, batch_size=size, standing=128) for size in (4, 16)}
    key = jax.random.key(1)
    whole = draw[16](key, 20)
    assert whole.shape == (20, 8, 8, 1) and whole.dtype == np.float32
    np.testing.assert_array_equal(draw[16](key, 7), whole[:7])
    np.testing.assert_allclose(draw[4](key, 20), whole, rtol=1e-5, atol=1e-6)
    np.testing.assert_allclose(draw[16](key, 5, first=9), whole[9:14], rtol=1e-5, atol=1e-6)
    assert np.abs(draw[16](jax.random.key(2), 20) - whole).max() > 1e-3


def test_without_standing_statistics_neighbours_would_matter(with_batchnorm):
    nets, params = with_batchnorm
    latents = nets.latent(jax.random.key(3), 8)
    assert (
        np.abs(nets.generate(params, latents)[:4] - nets.generate(params, latents[:4])).max() > 1e-4
    )
    settled = nets.standing(params, nets.latent(jax.random.key(4), 128))
    np.testing.assert_allclose(
        nets.generate(settled, latents)[:4], nets.generate(settled, latents[:4]), atol=1e-6
    )


def test_labels_are_given_and_default_to_all_classes():
    nets = networks.mlp((2,), 3, latent_size=2, generator_widths=(), labels="concatenation")
    params = nets.init(jax.random.key(0))[0]
    draw = sampler(nets, params, classes=3, batch_size=8)
    key = jax.random.key(1)
    every, second = draw(key, 9), draw(key, 9, np.full(9, 2))
    np.testing.assert_allclose(every[2::3], second[2::3], rtol=1e-6)
    assert np.abs(every[0::3] - second[0::3]).max() > 1e-4
    assert jnp.isfinite(every).all()
