"""The numbers of a step do not depend on the devices that it runs on."""

import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest

from gan_jax import data, losses, networks, penalties
from gan_jax.game import adversarial
from gan_jax.parallel import device_mesh, sharded
from gan_jax.training import alternating, fused, init_state
from gan_jax.unrolling import unrolled

# SGD: Adam would hide a factor in the gradients.
SGD = optax.sgd(0.1)
CASES = {
    "non_saturating with BatchNorm": ({"non_saturating": losses.non_saturating()}, {"discriminator_norm": "batch"}, 0),
    "WGAN-GP": ({"wasserstein": losses.wasserstein(), "gp": penalties.gradient_penalty()}, {"discriminator_norm": "layer"}, 0),
    "unrolled 2 steps": ({"minimax": losses.minimax()}, {"discriminator_norm": "batch"}, 2),
}


@pytest.mark.parametrize("case", CASES)
def test_four_devices_give_the_numbers_of_one(case):
    terms, settings, unroll = CASES[case]
    nets = networks.dcgan((8, 8, 1), width=4, latent_size=3, **settings)
    objective = unrolled(adversarial(nets, terms), unroll, SGD)
    step = fused(alternating(objective, SGD, SGD), data.decode)
    key = jax.random.key(0)
    images = np.random.default_rng(0).integers(0, 256, (2, 2, 16, 8, 8, 1), np.uint8)
    batch = {"real": images, "row": np.tile(np.arange(16, dtype=np.int32), (2, 2, 1))}
    ends, metrics = {}, {}
    for devices in (1, 4):
        run = sharded(step, device_mesh(jax.devices()[:devices]))
        ends[devices], metrics[devices] = jax.device_get(run(init_state(nets, SGD, SGD, key), batch, key))
    start = jax.device_get(init_state(nets, SGD, SGD, key))
    for player in ("generator", "discriminator"):
        def moved(end, player=player):
            return jax.tree.map(jnp.subtract, getattr(end, player).params, getattr(start, player).params)

        # What SGD moved is the gradient times its rate.
        distance = optax.global_norm(jax.tree.map(jnp.subtract, moved(ends[1]), moved(ends[4])))
        assert distance < 1e-5 * optax.global_norm(moved(ends[1]))
    for name, values in metrics[1].items():
        np.testing.assert_allclose(values, metrics[4][name], rtol=1e-4, atol=1e-6, err_msg=name)
