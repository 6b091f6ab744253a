"""R3GAN's networks."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from network_cases import check_shapes

from gan_jax import networks


def test_residual_blocks_start_as_the_identity():
    """So samples at initialisation do not depend on how many blocks there are."""
    settings = {"width": 4, "group_width": 4, "latent_size": 4}
    nets = {blocks: networks.r3gan((8, 8, 1), blocks=blocks, **settings) for blocks in (0, 1)}
    generator, _ = nets[1].init(jax.random.key(0))
    params = {
        name: value for name, value in generator["params"].items() if not name.startswith("block")
    }
    latents = nets[1].latent(jax.random.key(1), 3)
    samples = nets[1].generate(generator, latents)
    np.testing.assert_allclose(
        samples, nets[0].generate({"params": params}, latents), rtol=1e-5, atol=1e-6
    )
    assert jnp.abs(samples).max() > 0


@pytest.mark.slow
def test_every_promised_resolution_is_made():
    check_shapes(networks.r3gan((28, 28, 1)), (28, 28, 1))
