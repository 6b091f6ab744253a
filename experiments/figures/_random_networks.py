"""Convolutional networks that are drawn at random, as Gulrajani et al. (2017) did."""

import itertools
from typing import Any, NamedTuple

import jax.numpy as jnp
import numpy as np

from gan_jax.game import Array, Networks
from gan_jax.networks.dcgan import Discriminator as LeakyDiscriminator
from gan_jax.networks.dcgan import Generator, halvings
from gan_jax.networks.layers import Norm, nonlinearity
from gan_jax.networks.linen_pair import LinenPair
from gan_jax.networks.settings import CommonSettings

ACTIVATIONS = ("relu", "leaky_relu", "softplus", "tanh")
"""As `gan_jax.networks.layers.ACTIVATIONS`: softplus is (softplus(2x + 2)) / 2 - 1."""

DEPTHS, NORMALISED, WIDTHS = (2, 3, 4), (True, False), (8, 16, 32)


class Half(NamedTuple):
    """A generator or a discriminator.

    Attributes:
      activation: of the hidden layers.
      depth: strided convolutions.
      normalised: whether there is a norm after each of them but the image's.
      width: channels next to the image; each halving of the image doubles them.
    """

    activation: str
    depth: int
    normalised: bool
    width: int


class Net(NamedTuple):
    """A generator and a discriminator."""

    generator: Half
    discriminator: Half


def draw_nets(count: int, seed: int) -> list[Net]:
    """Draws different pairs of networks, each equally likely.

    Args:
      count: how many.
      seed: of the draw.
    """
    halves = [
        Half(*choice) for choice in itertools.product(ACTIVATIONS, DEPTHS, NORMALISED, WIDTHS)
    ]
    chosen = np.random.default_rng(seed).choice(len(halves) ** 2, count, replace=False)
    pairs = (divmod(int(index), len(halves)) for index in chosen)
    return [Net(halves[generator], halves[discriminator]) for generator, discriminator in pairs]


def override(net: Net, norm: str) -> str:
    """Returns the override that names these networks.

    Args:
      net: the networks.
      norm: of a discriminator that has one: "batch", or "layer" for a penalty on slopes.
    """
    settings: dict[str, Any] = {}
    for player, half, its_norm in (
        ("generator", net.generator, "batch"),
        ("discriminator", net.discriminator, norm),
    ):
        settings |= {
            f"{player}_activation": half.activation,
            f"{player}_depth": half.depth,
            f"{player}_norm": its_norm if half.normalised else "none",
            f"{player}_width": half.width,
        }
    text = ", ".join(f"{name}={value!r}" for name, value in settings.items())
    return f"networks=_random_networks:convolutional({text})"


class Discriminator(LeakyDiscriminator):
    """DCGAN's discriminator with any activation.

    Attributes:
      activation: of the hidden layers.
    """

    activation: str = "leaky_relu"

    def _activate(self, x: Array, norm: str, name: str) -> Array:
        layer = Norm(norm, self.affine, dtype=self.settings.dtype, name=f"norm_{name}")
        return nonlinearity(self.activation, self.slope)(layer(x))


def convolutional(
    shape: tuple[int, ...],
    classes: int = 0,
    *,
    generator_activation: str,
    generator_depth: int,
    generator_norm: str,
    generator_width: int,
    discriminator_activation: str,
    discriminator_depth: int,
    discriminator_norm: str,
    discriminator_width: int,
) -> Networks:
    """Returns networks as DCGAN's, whose halves are chosen one by one; see `Half`.

    Args:
      shape: shape of one image, ``(height, width, channels)``.
      classes: must be 0.
      generator_activation: see `Half`.
      generator_depth: see `Half`.
      generator_norm: "none" or "batch".
      generator_width: see `Half`.
      discriminator_activation: see `Half`.
      discriminator_depth: see `Half`.
      discriminator_norm: "none", "batch" or "layer".
      discriminator_width: see `Half`.
    """
    settings = CommonSettings(
        classes=classes,
        latent_size=100,
        latent="normal",
        labels=None,
        default_labels="none",
        embedding_size=0,
        dtype=jnp.float32,
        norm=generator_norm,
        discriminator_norm=discriminator_norm,
    )
    shared: dict[str, Any] = {
        "hidden": 0,
        "kernel": 5,
        "affine": True,
        "slope": 0.2,
        "attention": 0,
        "settings": settings,
    }
    up, down = generator_depth, discriminator_depth
    generator = Generator(
        sizes=halvings(shape, up),
        # The last entry is the image's size, which has no hidden map.
        widths=tuple(generator_width * 2 ** max(up - 1 - index, 0) for index in range(up + 1)),
        channels=shape[2],
        final_conv=False,
        activation=generator_activation,
        output="tanh",
        **shared,
    )
    discriminator = Discriminator(
        widths=tuple(discriminator_width * 2**index for index in range(down)),
        first_norm=False,
        activation=discriminator_activation,
        **shared,
    )
    return LinenPair(generator, discriminator, tuple(shape), settings, output="tanh").networks()
