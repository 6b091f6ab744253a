"""The first GAN's fully connected networks, with dropout in a discriminator of maxout units."""

import flax.linen as nn
import jax
import jax.numpy as jnp

from gan_jax.game import Array, Networks
from gan_jax.networks.dropout import dropout
from gan_jax.networks.label_conditioning import Head, LabelCode, append_code
from gan_jax.networks.linen_pair import LinenPair
from gan_jax.networks.mlp import Generator
from gan_jax.networks.settings import CommonSettings
from gan_jax.networks.weights import Maxout, initializer

KERNEL_INIT = initializer("normal", 0.05)


class Discriminator(nn.Module):
    """``(samples, label, rng) -> (scores, None)``: maxout layers, entries dropped before each.

    Attributes:
      widths: of the hidden layers.
      pieces: of a maxout unit.
      drop_input: probability with which a pixel is dropped.
      drop_hidden: the same of a hidden unit.
      settings: those that all networks share.
    """

    widths: tuple[int, ...]
    pieces: int
    drop_input: float
    drop_hidden: float
    settings: CommonSettings

    @nn.compact
    def __call__(
        self, samples: Array, label: Array | None = None, rng: Array | None = None
    ) -> tuple[Array, Array | None]:
        settings = self.settings
        x = (samples.reshape(len(samples), -1) + 1) / 2
        x = self._dropped(x, rng, 0, self.drop_input)
        if settings.conditioning == "concatenation":
            x = append_code(x, LabelCode(settings.classes, 0, name="label")(label))
        for index, width in enumerate(self.widths):
            x = Maxout(width, self.pieces, KERNEL_INIT, name=f"maxout_{index}")(x)
            x = self._dropped(x, rng, index + 1, self.drop_hidden)
        return Head(settings.conditioning, settings.classes, KERNEL_INIT, name="head")(x, label)

    def _dropped(self, x: Array, rng: Array | None, layer: int, rate: float) -> Array:
        if rng is None:
            return x
        return dropout(x, jax.vmap(lambda key: jax.random.fold_in(key, layer))(rng), rate)


def dropout_mlp(
    shape: tuple[int, ...],
    classes: int = 0,
    *,
    latent_size: int = 100,
    generator_widths: tuple[int, ...] = (1200, 1200),
    discriminator_widths: tuple[int, ...] = (240, 240),
    pieces: int = 5,
    drop_input: float = 0.2,
    drop_hidden: float = 0.5,
) -> Networks:
    """Returns the networks of Goodfellow et al. (2014) for MNIST, by default in their sizes.

    Latents are uniform with unit variance. Images are in [-1, 1], after a tanh, not a sigmoid, and
    the discriminator sees them in [0, 1].

    Args:
      shape: shape of one image.
      classes: number of labels, which both networks are given one-hot; 0 for none.
      latent_size: numbers in one latent vector.
      generator_widths: of its hidden layers of ReLUs.
      discriminator_widths: of its hidden layers of maxout units.
      pieces: of a maxout unit.
      drop_input: probability with which the discriminator drops a pixel.
      drop_hidden: the same of a hidden unit.
    """
    settings = CommonSettings(
        classes=classes,
        latent_size=latent_size,
        latent="standard_uniform",
        labels=None,
        default_labels="concatenation",
        embedding_size=0,
        dtype=jnp.float32,
    )
    generator = Generator(
        shape=tuple(shape),
        widths=tuple(generator_widths),
        activations=("relu",) * len(generator_widths),
        output="tanh",
        kernel_init=KERNEL_INIT,
        settings=settings,
    )
    discriminator = Discriminator(
        tuple(discriminator_widths), pieces, drop_input, drop_hidden, settings
    )
    pair = LinenPair(generator, discriminator, tuple(shape), settings, output="tanh", draws=True)
    return pair.networks()
