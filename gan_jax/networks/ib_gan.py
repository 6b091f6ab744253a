"""IB-GAN's networks: a bottleneck of a chosen capacity between the latents and the generator."""

import flax.linen as nn
import jax
import jax.numpy as jnp

from gan_jax.errors import UserError
from gan_jax.game import Array, Networks, Params, PRNGKey, per_sample
from gan_jax.networks.bottlenecks import diagonal_gaussian, draw_gaussian, kl_divergence
from gan_jax.networks.factory import NetworksFactory
from gan_jax.networks.latent_code import recognising, without_label
from gan_jax.networks.latents import latent_distribution
from gan_jax.networks.linen_pair import apply_module, init_module
from gan_jax.networks.mlp import HiddenLayers
from gan_jax.networks.weights import Dense, initializer


class LatentEncoder(nn.Module):
    """``latents [batch, size] -> [batch, 2 code_size]``: means and log variances of e(r | z).

    Attributes:
      widths: of the hidden layers.
      code_size: numbers in r.
    """

    widths: tuple[int, ...]
    code_size: int

    @nn.compact
    def __call__(self, latents: Array) -> Array:
        kernel_init = initializer("orthogonal", 1.0)
        hidden = HiddenLayers(
            self.widths,
            ("leaky_relu",) * len(self.widths),
            kernel_init,
            norm="none",
            weight="plain",
            pieces=0,
            dtype=jnp.float32,
            name="hidden",
        )
        return Dense(2 * self.code_size, kernel_init, name="moments")(hidden(latents))


def ib_gan(
    shape: tuple[int, ...],
    classes: int = 0,
    *,
    latent_size: int = 10,
    latent: str = "normal",
    widths: tuple[int, ...] = (64,),
    networks: NetworksFactory,
) -> Networks:
    """Returns IB-GAN's networks: InfoGAN's, with a stochastic bottleneck in the generator.

    Latents z become a normal distribution e(r | z) of independent entries, and samples are made of
    a draw r of it by the generator of ``networks``. The discriminator's classifier predicts z: it
    is the mean of q(z | x), the representation of a sample. With
    ``mutual_information(categories=0, continuous=latent_size, weight=1) + kl(weight=beta)`` in the
    objective, the generator keeps at most so much information on z as is worth beta per nat: beta
    is that of the beta-VAE. With ``kl`` left out it is InfoGAN with a generator that draws.

    Args:
      shape: shape of one sample.
      classes: must be 0.
      latent_size: numbers in z, at least 2.
      latent: the distribution of z, see `latents.latent_distribution`.
      widths: of the hidden layers of e; may be empty.
      networks: makes networks whose discriminator classifies, such as
        ``functools.partial(infogan, labels="auxiliary")``; called with ``latent_size`` classes. Its
        latents take the form of r: their number is that of r.

    Returns:
      The networks. Their ``outputs`` hold ``"kl"``, ``KL(e(r | z), N(0, I))`` of each sample.

    Raises:
      UserError: there are classes, a ``latent_size`` below 2, or no classifier.

    References:
      Jeon et al., "IB-GAN: Disentangled Representation Learning with Information Bottleneck
      Generative Adversarial Networks" (2021).
    """
    if latent_size < 2:
        raise UserError(f"ib_gan has 2 latents or more, not {latent_size}")
    inner = without_label(recognising(networks, shape, classes, latent_size, "ib_gan"))
    draw_latents = latent_distribution(latent, latent_size)
    draw_code = inner.latent
    if draw_code is None:
        raise UserError("ib_gan makes the latents of a generator, and this one takes none")
    (code_size,) = jax.eval_shape(lambda key: draw_code(key, 1), jax.random.key(0)).shape[1:]
    encoder = LatentEncoder(tuple(widths), code_size)

    def init(rng: PRNGKey) -> tuple[Params, Params]:
        encoder_rng, rng = jax.random.split(rng)
        latents = jax.ShapeDtypeStruct((2, latent_size), jnp.float32)
        generator, discriminator = inner.init(rng)
        return {
            "encoder": init_module(encoder, encoder_rng, latents),
            "generator": generator,
        }, discriminator

    def bottleneck(params: Params, latents: Array, rng: PRNGKey | None) -> tuple[Array, Array]:
        """r, which is its mean without keys, and the divergence of its distribution."""
        gaussian = diagonal_gaussian(apply_module(encoder, params["encoder"], latents, {}))
        code = gaussian.mean if rng is None else draw_gaussian(gaussian, rng)
        return code, kl_divergence(gaussian)

    def outputs(
        params: Params, latents: Array, /, *, rng: PRNGKey | None = None, **conditions: Array
    ) -> tuple[Array, dict[str, Array]]:
        code, divergence = bottleneck(params, latents, rng)
        return inner.generate(params["generator"], code, **conditions), {"kl": divergence}

    def generate(
        params: Params, latents: Array, /, *, rng: PRNGKey | None = None, **conditions: Array
    ) -> Array:
        return outputs(params, latents, rng=rng, **conditions)[0]

    def standing(params: Params, latents: Array, /, **conditions: Array) -> Params:
        assert inner.standing is not None
        keys = per_sample(jax.random.key(0), jnp.arange(len(latents)), lambda key: key)
        code, _ = bottleneck(params, latents, keys)
        return params | {"generator": inner.standing(params["generator"], code, **conditions)}

    return inner._replace(
        init=jax.jit(init),
        latent=draw_latents,
        generate=generate,
        outputs=outputs,
        standing=standing if inner.standing else None,
        random=(*inner.random, "generate", "outputs"),
    )
