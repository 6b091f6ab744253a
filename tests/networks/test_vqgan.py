"""VQGAN's networks: shapes, outputs, draws by sample, gradients through the bottleneck."""

import functools

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from gan_jax import networks
from gan_jax.errors import UserError
from gan_jax.game import call

SMALL = {
    "widths": (2, 4),
    "codes": 16,
    "code_size": 3,
    "levels": (3, 4),
    "discriminator_width": 2,
    "discriminator_layers": 1,
    "discriminator_norm": "none",
}
IMAGES = np.random.default_rng(0).uniform(-1, 1, (4, 8, 8, 1)).astype(np.float32)
OUTPUTS = {"vq": {"codes", "codebook", "commitment"}, "fsq": {"codes"}, "kl": {"kl"}}


@functools.cache
def made(bottleneck):
    nets = networks.vqgan((8, 8, 1), bottleneck=bottleneck, **SMALL)
    return nets, *nets.init(jax.random.key(0))


@functools.cache
def reconstruction(bottleneck):
    """A jitted function of the generator's parameters, images and sample indices."""
    nets, _, _ = made(bottleneck)

    @jax.jit
    def run(params, images, index):
        conditions = {"real": images}
        return call(nets, "outputs", params, None, conditions, index, jax.random.key(7), use=0)

    return run


@pytest.mark.parametrize("bottleneck", OUTPUTS)
def test_images_are_reconstructed_each_by_itself(bottleneck):
    nets, generator, discriminator = made(bottleneck)
    assert set(generator) == set(discriminator) == {"params"}
    images, outputs = reconstruction(bottleneck)(generator, IMAGES, jnp.arange(4))
    assert images.shape == IMAGES.shape and images.dtype == jnp.float32
    assert outputs.keys() == OUTPUTS[bottleneck]
    for name, output in outputs.items():
        assert output.shape == ((4, 4, 4) if name == "codes" else (4,))
    scores = jax.eval_shape(nets.score, discriminator, images)
    assert scores.shape == (4, 2, 2) and nets.latent is None
    # Another order of the samples, with their indices.
    order = jnp.asarray([2, 0, 3, 1])
    again, others = reconstruction(bottleneck)(generator, IMAGES[order], order)
    np.testing.assert_allclose(again, images[order], rtol=1e-5, atol=1e-6)
    for name, output in outputs.items():
        np.testing.assert_allclose(others[name], output[order], rtol=1e-5, atol=1e-6)


@pytest.mark.parametrize(
    "bottleneck", ["vq", *(pytest.param(name, marks=pytest.mark.slow) for name in ("fsq", "kl"))]
)
def test_gradients_reach_the_encoder_through_the_bottleneck(bottleneck):
    _, generator, _ = made(bottleneck)

    def loss(params):
        images, _ = reconstruction(bottleneck)(params, IMAGES, jnp.arange(4))
        return jnp.mean(jnp.square(images - IMAGES))

    gradient = jax.jit(jax.grad(loss))(generator)["params"]
    for name in ("input", "output"):
        assert np.any(gradient["encoder"][name]["kernel"])
    if bottleneck == "vq":  # which the codebook's loss alone moves
        assert not np.any(gradient["bottleneck"]["codebook"])


def test_the_codebook_is_the_authors_at_the_start():
    codebook = np.asarray(made("vq")[1]["params"]["bottleneck"]["codebook"])
    assert codebook.shape == (16, 3)
    assert 0.9 / 16 < np.abs(codebook).max() <= 1 / 16


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"bottleneck": "vqvae"}, "bottleneck cannot be 'vqvae': choose one of vq, fsq, kl"),
        ({"levels": (8, 1)}, "levels are whole numbers of at least 2"),
        ({"codes": 0}, "codes is at least 1, not 0"),
        ({"widths": ()}, "widths are whole numbers of at least 1"),
        ({"widths": (4, 4, 4, 4, 4)}, "sides are multiples of 16, not samples"),
        ({"discriminator_norm": "spectral"}, "discriminator_norm cannot be 'spectral'"),
    ],
)
def test_bad_settings_are_refused(settings, message):
    with pytest.raises(UserError, match=message):
        networks.vqgan((8, 8, 1), **settings)
