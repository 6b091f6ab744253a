"""Layers with weights, and their initializers."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from gan_jax.networks.initializers import init_from_one_draw
from gan_jax.networks.weights import INITIALIZERS, Maxout, initializer


def test_maxout_is_the_largest_piece_and_learns_through_it_alone():
    """Against NumPy's maximum over the dense layers in the kernel, and the gradients of the
    winners."""
    rng = np.random.default_rng(0)
    layer = Maxout(4, 3, jax.nn.initializers.normal())
    x = rng.normal(size=(5, 2)).astype(np.float32)
    kernel = rng.normal(size=(2, 12)).astype(np.float32)
    bias = rng.normal(size=12).astype(np.float32)
    params = {"params": {"pieces": {"kernel": kernel, "bias": bias}}}
    pieces = np.stack(
        [x @ kernel[:, 4 * i : 4 * i + 4] + bias[4 * i : 4 * i + 4] for i in range(3)]
    )
    np.testing.assert_allclose(layer.apply(params, x), pieces.max(0), rtol=1e-5)
    gradient = jax.grad(lambda params: jnp.sum(layer.apply(params, x)))(params)["params"]["pieces"]
    won = pieces.argmax(0)[None] == np.arange(3)[:, None, None]  # [pieces, batch, features]
    np.testing.assert_allclose(gradient["bias"], won.sum(1).ravel(), rtol=1e-6)
    expected = np.einsum("bi,pbf->ipf", x, won).reshape(2, 12)
    np.testing.assert_allclose(gradient["kernel"], expected, rtol=1e-4, atol=1e-5)


DEVIATIONS = {
    "normal": 0.02,
    "he_normal": np.sqrt(2 / 60),
    "he_uniform": np.sqrt(2 / 60),
    "glorot_normal": np.sqrt(2 / (60 + 80)),
    "glorot_uniform": np.sqrt(2 / (60 + 80)),
    "lecun_normal": np.sqrt(1 / 60),
    "pytorch": np.sqrt(1 / (3 * 60)),
    "orthogonal": np.sqrt(1 / 80),  # orthonormal rows
    "zeros": 0.0,
}


@pytest.mark.parametrize("name", INITIALIZERS)
def test_initializers_have_the_variance_of_their_papers(name):
    """Kernels of 60 inputs and 80 outputs."""
    kernel = initializer(name)(jax.random.key(0), (60, 80), jnp.float32)
    np.testing.assert_allclose(kernel.std(), DEVIATIONS[name], rtol=0.05)
    assert abs(kernel.mean()) < 0.01
    doubled = initializer(name, 2 * (0.02 if name == "normal" else 1.0))
    np.testing.assert_allclose(doubled(jax.random.key(0), (60, 80)), 2 * kernel, rtol=1e-6)


def test_one_draw_gives_each_kernel_its_own_numbers():
    def init(rng):
        draw = initializer("lecun_normal")
        return [draw(rng, (20, 30)), draw(rng, (20, 30)), initializer("pytorch")(rng, (50, 4))]

    first, second, uniform = init_from_one_draw(init, jax.random.key(0))
    assert abs(np.corrcoef(first.ravel(), second.ravel())[0, 1]) < 0.1
    np.testing.assert_allclose(first.std(), np.sqrt(1 / 20), rtol=0.1)
    assert abs(uniform).max() <= np.sqrt(1 / 50)
