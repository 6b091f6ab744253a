"""Samples are a function of their key, index and label alone."""

import jax
import numpy as np
import pytest

from gan_jax import networks
from gan_jax.training.sampling import sampler


@pytest.fixture(scope="module")
def with_batch_norm():
    nets = networks.dcgan((8, 8, 1), width=4, latent_size=5)
    assert nets.standing is not None
    return nets, nets.init(jax.random.key(0))[0]


def test_samples_do_not_depend_on_their_neighbours_nor_on_the_batch_size(with_batch_norm):
    small = sampler(*with_batch_norm, batch_size=4, standing_latents=128)
    large = sampler(*with_batch_norm, batch_size=16, standing_latents=128)
    key = jax.random.key(1)
    samples = large(key, 20)
    assert samples.shape == (20, 8, 8, 1) and samples.dtype == np.float32
    np.testing.assert_array_equal(large(key, 7), samples[:7])
    np.testing.assert_allclose(small(key, 20), samples, rtol=1e-5, atol=1e-6)
    np.testing.assert_allclose(large(key, 5, first=9), samples[9:14], rtol=1e-5, atol=1e-6)
    assert np.abs(large(jax.random.key(2), 20) - samples).max() > 1e-3


def test_samples_are_generated_from_their_latents(with_batch_norm):
    draw = sampler(*with_batch_norm, batch_size=4, standing_latents=128)
    key = jax.random.key(1)
    latents = draw.latents(key, 6)
    assert latents.shape == (6, 5) and latents.dtype == np.float32
    np.testing.assert_array_equal(draw.latents(key, 2, first=3), latents[3:5])
    np.testing.assert_allclose(draw.generate(latents), draw(key, 6), rtol=1e-5, atol=1e-6)


def test_the_draws_of_a_generator_stay_the_same_for_samples_of_one_index():
    pair = networks.mlp((2,), latent_size=2, generator_widths=(4,))
    params, _ = pair.init(jax.random.key(0))

    def noisy(params, latents, rng):
        return pair.generate(params, latents) + jax.vmap(lambda key: jax.random.normal(key, (2,)))(
            rng
        )

    draw = sampler(pair._replace(generate=noisy, random=("generate",)), params, batch_size=4)
    latents = np.ones((4, 2), np.float32)
    still = draw.generate(latents, sample_index=np.zeros(4, int))
    np.testing.assert_array_equal(still, np.repeat(still[:1], 4, axis=0))
    flickering = draw.generate(latents)
    np.testing.assert_array_equal(flickering[:1], still[:1])
    assert np.abs(np.diff(flickering, axis=0)).min() > 1e-4


def test_without_standing_statistics_samples_depend_on_their_neighbours(with_batch_norm):
    nets, params = with_batch_norm
    latents = nets.latent(jax.random.key(3), 8)
    in_batch = nets.generate(params, latents)[:4]
    assert np.abs(in_batch - nets.generate(params, latents[:4])).max() > 1e-4
    standing = nets.standing(params, nets.latent(jax.random.key(4), 128))
    in_batch = nets.generate(standing, latents)[:4]
    np.testing.assert_allclose(in_batch, nets.generate(standing, latents[:4]), atol=1e-6)


def test_labels_default_to_all_classes_in_turn():
    nets = networks.mlp((2,), 3, latent_size=2, generator_widths=(), labels="concatenation")
    params = nets.init(jax.random.key(0))[0]
    draw = sampler(nets, params, classes=3, batch_size=8)
    key = jax.random.key(1)
    of_all_classes, of_last_class = draw(key, 9), draw(key, 9, np.full(9, 2))
    np.testing.assert_allclose(of_all_classes[2::3], of_last_class[2::3], rtol=1e-6)
    assert np.abs(of_all_classes[0::3] - of_last_class[0::3]).max() > 1e-4
    assert np.isfinite(of_all_classes).all()
