"""Networks whose blocks are computed twice: the same numbers, and less that is kept."""

import functools

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from gan_jax import networks
from gan_jax.errors import UserError
from gan_jax.experiment.builder import build
from gan_jax.experiment.config_files import load_settings

SHAPE, BATCH = (8, 8, 1), 4
RESNET = {
    "latent_size": 3,
    "generator_widths": (4, 4),
    "discriminator_widths": (4, 4),
}
CASES = {
    "r3gan": functools.partial(
        networks.r3gan, SHAPE, latent_size=3, width=4, max_width=4, group_width=2
    ),
    "resnet with BatchNorm and labels": functools.partial(
        networks.resnet, SHAPE, classes=3, **RESNET
    ),
    "sngan": functools.partial(networks.sngan, SHAPE, **RESNET),
    "vqgan": functools.partial(
        networks.vqgan,
        SHAPE,
        bottleneck="fsq",
        widths=(32, 32),
        levels=(3, 3),
        blocks=2,
        discriminator_width=4,
        discriminator_layers=1,
    ),
}


def game(networks, conditions):
    """The loss of both players of a GAN with R1, whose gradient goes through a gradient."""
    latents = jax.random.normal(jax.random.key(1), (BATCH, 3))
    real = jax.random.normal(jax.random.key(2), (BATCH, *SHAPE))
    if networks.autoencoder:
        latents, conditions = None, {"real": real}

    def loss(generator, discriminator):
        fake = networks.generate(generator, latents, **conditions)
        if networks.autoencoder:
            return jnp.sum(jnp.square(fake - real))
        score = functools.partial(networks.score, discriminator, **conditions)
        slopes = jax.grad(lambda samples: jnp.sum(score(samples)))(real)
        return jnp.mean(score(fake)) + jnp.sum(jnp.square(slopes))

    return loss


@pytest.mark.parametrize("case", CASES)
def test_numbers_are_the_same_and_less_is_kept(case, float64):
    kept, gradients, starts = [], [], []
    for rematerialise in (False, True):
        made = CASES[case](rematerialise=rematerialise, dtype=jnp.float64)
        conditions = {"label": jnp.arange(BATCH) % 3} if "labels" in case else {}
        params = jax.tree.map(lambda leaf: leaf.astype(jnp.float64), made.init(jax.random.key(0)))
        # R3GAN's last kernels start at 0, where the insides of blocks do not matter.
        params = jax.tree.map(lambda leaf: leaf + 0.1, params)
        starts.append(params)
        loss = game(made, conditions)
        gradients.append(jax.jit(jax.grad(loss, (0, 1)))(*params))
        _, backward = jax.vjp(lambda params, loss=loss: loss(*params), params)
        kept.append(sum(leaf.size for leaf in jax.tree.leaves(backward)))
    jax.tree.map(np.testing.assert_array_equal, *starts)
    for one, other in zip(*map(jax.tree.leaves, gradients), strict=True):
        np.testing.assert_allclose(one, other, rtol=1e-6, atol=1e-8 * np.abs(one).max())
    assert kept[1] < 0.7 * kept[0]


def test_a_config_names_it_and_networks_without_blocks_refuse_it(root, fashion_mnist):
    def experiment(part):
        config = root / "configs" / "fashion_mnist.py:dcgan"
        return build(load_settings(str(config), [f"networks={part}", "batch_size=8"]))

    made = experiment("resnet(generator_widths=(4, 4, 4), rematerialise=True)").stages[0].networks
    generator, _ = jax.eval_shape(made.init, jax.random.key(0))
    latents = jax.ShapeDtypeStruct((2, 128), jnp.float32)
    jaxpr = str(jax.make_jaxpr(made.generate)(generator, latents))
    assert "prevent_cse" in jaxpr  # jax.checkpoint
    with pytest.raises(UserError, match="rematerialise"):
        experiment("dcgan(rematerialise=True)")
