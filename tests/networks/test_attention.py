"""Self-attention against PyTorch, and where networks have it."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from gan_jax import networks
from gan_jax.errors import UserError
from gan_jax.networks.attention import SelfAttention


def test_attention_is_that_of_pytorch(float64):
    """PyTorch's own scaled_dot_product_attention, with a scale of 1, on shared weights."""
    torch = pytest.importorskip("torch")
    draws = np.random.default_rng(0)
    x = jnp.asarray(draws.normal(size=(2, 3, 5, 16)))
    module = SelfAttention(dtype=jnp.float64)
    params = module.init(jax.random.key(0), x)["params"]
    np.testing.assert_array_equal(module.apply({"params": params}, x), x)  # gamma is 0
    kernels = {
        name: draws.normal(size=leaf["kernel"].shape)
        for name, leaf in params.items()
        if name != "gamma"
    }
    assert {name: k.shape[2:] for name, k in kernels.items()} == {
        "f": (16, 2),
        "g": (16, 2),
        "h": (16, 2),
        "v": (2, 16),
    }
    given = {name: {"kernel": jnp.asarray(kernel)} for name, kernel in kernels.items()}
    found = module.apply({"params": given | {"gamma": jnp.float64(0.7)}}, x)
    flat = torch.tensor(np.array(x)).reshape(2, 15, 16)
    f, g, h = (flat @ torch.tensor(kernels[name][0, 0]) for name in "fgh")
    attended = torch.nn.functional.scaled_dot_product_attention(g, f, h, scale=1.0)
    expected = flat + 0.7 * attended @ torch.tensor(kernels["v"][0, 0])
    np.testing.assert_allclose(found, expected.reshape(2, 3, 5, 16), rtol=1e-10)


@pytest.mark.parametrize(
    ("make", "settings"),
    [
        (networks.dcgan, {"width": 4}),
        (networks.sngan, {"generator_widths": (8, 8, 8), "discriminator_widths": (8, 8, 8)}),
    ],
)
def test_networks_attend_once_at_a_size(make, settings):
    nets = make((16, 16, 1), attention=8, **settings)
    generator, discriminator = jax.eval_shape(nets.init, jax.random.key(0))
    assert "gamma" in generator["params"]["attention"]
    assert "gamma" in discriminator["params"]["attention"]
    if make is networks.sngan:
        assert set(discriminator["spectral"]["attention"]) == set("fghv")
    with pytest.raises(UserError, match="attention=16: both networks have feature maps of height"):
        make((16, 16, 1), attention=16, **settings)
