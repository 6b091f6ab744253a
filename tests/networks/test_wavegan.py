"""WaveGAN: the tables of the paper, convolutions along one axis, and phase shuffle."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from jax import lax

from gan_jax import networks
from gan_jax.errors import UserError
from gan_jax.networks.convolution import conv, transposed_conv
from gan_jax.networks.wavegan import shuffle_phase

KEY = jax.random.key(0)


def kernels(params):
    leaves = jax.tree_util.tree_leaves_with_path(params)
    shapes = [leaf.shape for path, leaf in leaves if "kernel" in jax.tree_util.keystr(path)]
    return sorted(shapes, key=np.prod)


def test_the_layers_are_those_of_the_papers_tables():
    nets = networks.wavegan((16384, 1))
    generator, discriminator = jax.eval_shape(nets.init, KEY)
    d = 64
    dense = [(100, 16 * 16 * d)]
    up = [(25, 1, 2**i * d, 2 ** (i - 1) * d) for i in range(4, 0, -1)] + [(25, 1, d, 1)]
    assert kernels(generator) == sorted(dense + up, key=np.prod)
    down = [(25, 1, 1, d)] + [(25, 1, 2**i * d, 2 ** (i + 1) * d) for i in range(4)]
    assert kernels(discriminator) == sorted([*down, (16 * 16 * d, 1)], key=np.prod)
    assert nets.bounds == (-1, 1) and nets.random == ("score",)


@pytest.mark.parametrize("shape", [(64,), (64, 1), (100, 2), (17,), (33, 3)])
def test_signals_of_any_length_have_their_shape(shape):
    nets = networks.wavegan(shape, width=2, latent_size=3, kernel=5, phase_shuffle=1)
    generator, discriminator = jax.eval_shape(nets.init, KEY)
    latents = jax.ShapeDtypeStruct((4, 3), jnp.float32)
    samples = jax.eval_shape(nets.generate, generator, latents)
    assert samples.shape == (4, *shape)
    assert jax.eval_shape(nets.score, discriminator, samples).shape == (4,)


def test_convolutions_along_one_axis_are_those_of_one_dimension():
    length = 98
    shapes = ((8, length, 8), (25, 8, 16), (8, -(-length // 4), 16))
    keys = jax.random.split(KEY, 3)
    x, w, y = (jax.random.normal(key, shape) for key, shape in zip(keys, shapes, strict=True))
    after = (-(-length // 4) - 1) * 4 + 25 - length - 12

    def plain(x, w):
        dimensions = ("NWC", "WIO", "NWC")
        return lax.conv_general_dilated(x, w, (4,), [(12, after)], dimension_numbers=dimensions)

    def along_an_axis(x, w):
        return conv(x[:, :, None], w[:, None], stride=4)[:, :, 0]

    expected, vjp = jax.vjp(plain, x, w)
    made, made_vjp = jax.vjp(along_an_axis, x, w)
    for one, other in zip((expected, *vjp(y)), (made, *made_vjp(y)), strict=True):
        np.testing.assert_allclose(one, other, rtol=1e-4, atol=1e-4)
    kernel = jnp.swapaxes(w, 1, 2)[:, None]
    transposed = transposed_conv(y[:, :, None], kernel, 4, (length, 1))[:, :, 0]
    np.testing.assert_allclose(transposed, vjp(y)[0], rtol=1e-4, atol=1e-4)


def test_phases_are_shifted_and_reflected():
    x = jax.random.normal(KEY, (64, 7, 1, 2))
    keys = jax.random.split(jax.random.key(1), 64)
    shifted = np.asarray(shuffle_phase(x, keys, 2))
    seen = set()
    for before, after in zip(np.asarray(x), shifted, strict=True):
        padded = np.pad(before, ((2, 2), (0, 0), (0, 0)), mode="reflect")
        shifts = [s for s in range(-2, 3) if (padded[2 - s : 9 - s] == after).all()]
        assert len(shifts) == 1
        seen.update(shifts)
    assert seen == {-2, -1, 0, 1, 2}


def test_a_score_is_drawn_by_the_key_of_its_sample():
    nets = networks.wavegan((64,), width=2, latent_size=3, kernel=5, stride=2)
    _, discriminator = nets.init(KEY)
    samples, keys = jax.random.normal(KEY, (4, 64)), jax.random.split(KEY, 4)
    score = jax.jit(nets.score)
    scores = score(discriminator, samples, rng=keys)
    other = score(discriminator, samples[::-1], rng=keys[::-1])[::-1]
    np.testing.assert_allclose(scores, other, rtol=1e-5)
    assert (scores != score(discriminator, samples)).any()


@pytest.mark.parametrize(
    ("shape", "settings", "message"),
    [
        ((8, 8, 1), {}, r"signals \[t\] or"),
        ((16,), {}, "not longer than 16"),
        ((64,), {"depth": 9}, "cannot be shortened 9 times"),
        ((64,), {"phase_shuffle": 16}, "from 0 to 15"),
        ((64,), {"stride": 1}, "stride is at least 2"),
        ((64,), {"output": "sine"}, "no activation"),
    ],
)
def test_what_cannot_be_is_refused(shape, settings, message):
    with pytest.raises(UserError, match=message):
        networks.wavegan(shape, **settings)
