"""A modern baseline: residual networks without any normalisation."""

import math

import flax.linen as nn
import jax
import jax.numpy as jnp
from jax.typing import DTypeLike

from gan_jax.errors import UserError
from gan_jax.game import Array, Networks
from gan_jax.networks import initializers
from gan_jax.networks.dcgan import halvings
from gan_jax.networks.initializers import Initializer
from gan_jax.networks.label_conditioning import Head, LabelCode, append_code
from gan_jax.networks.layers import along_channels
from gan_jax.networks.linen_pair import LinenPair
from gan_jax.networks.rematerialisation import rematerialised
from gan_jax.networks.settings import CommonSettings
from gan_jax.networks.weights import Conv, Dense

SLOPE = 0.2
LEAKY_RELU_GAIN = math.sqrt(2 / (1 + SLOPE**2))
"""The gain of He et al. (2015) for a leaky ReLU of this slope."""


def _fan_in_init(gain: float) -> Initializer:
    return initializers.variance_scaling(gain**2, "fan_in", "normal")


LINEAR_INIT = _fan_in_init(1.0)


def _conv(
    features: int,
    name: str,
    dtype: DTypeLike,
    kernel_init: Initializer = LINEAR_INIT,
    size: int = 1,
    groups: int = 1,
    resample: str = "none",
) -> Conv:
    """A convolution without bias."""
    return Conv(
        features,
        kernel_init,
        bias=False,
        dtype=dtype,
        size=size,
        groups=groups,
        resample=resample,
        name=name,
    )


class Block(nn.Module):
    """``x + W3 f(W2 f(W1 x))``: an inverted bottleneck; ``f`` is a leaky ReLU with a bias.

    ``W1`` and ``W3`` are 1x1 convolutions, ``W2`` is a grouped 3x3 convolution. The initialisation
    is Fix-up's: ``W3`` is 0, and the others are scaled by ``blocks ** (-1 / 4)``. The network
    starts as its resampling layers alone, and a step changes it as little as it would change one
    block.

    Attributes:
      expansion: how much wider ``W2`` is than ``x``.
      group_width: channels of each of its groups.
      blocks: blocks in the whole network.
      dtype: of the computation.
    """

    expansion: int
    group_width: int
    blocks: int
    dtype: DTypeLike

    @nn.compact
    def __call__(self, x: Array) -> Array:
        width = self.expansion * x.shape[-1]
        init = _fan_in_init(LEAKY_RELU_GAIN * self.blocks ** (-1 / 4))
        widen = _conv(width, "widen", self.dtype, init)
        h = self._leaky_relu(widen(x), "bias_0")
        groups = width // self.group_width
        grouped = _conv(width, "grouped", self.dtype, init, size=3, groups=groups)
        h = self._leaky_relu(grouped(h), "bias_1")
        narrow = _conv(x.shape[-1], "narrow", self.dtype, initializers.zeros)
        return x + narrow(h)

    def _leaky_relu(self, h: Array, name: str) -> Array:
        bias = self.param(name, initializers.zeros, h.shape[-1:], jnp.float32)
        return jax.nn.leaky_relu(h + along_channels(bias.astype(h.dtype), h), SLOPE)


class Generator(nn.Module):
    """``(latents, label) -> samples``.

    Attributes:
      base: height and width of the smallest feature map.
      widths: channels at each size, smallest size first.
      channels: of the image.
      blocks: at each size.
      expansion, group_width: of the blocks.
      settings: those that all networks share.
    """

    base: tuple[int, int]
    widths: tuple[int, ...]
    channels: int
    blocks: int
    expansion: int
    group_width: int
    settings: CommonSettings

    @nn.compact
    def __call__(self, latents: Array, label: Array | None = None) -> Array:
        settings = self.settings
        height, width = self.base
        code = LabelCode(settings.classes, settings.embedding_size, name="label")(label)
        x = append_code(latents, code)
        # A learned feature map, whose channels the latents scale.
        shape = (1, height, width, self.widths[0])
        basis = self.param("basis", initializers.normal(1.0), shape, jnp.float32)
        modulate = Dense(
            self.widths[0], LINEAR_INIT, bias=False, dtype=settings.dtype, name="modulate"
        )
        scale = modulate(x)
        x = basis.astype(scale.dtype) * along_channels(scale, basis)
        block_type = rematerialised(Block, settings.rematerialise)
        for size_index, features in enumerate(self.widths):
            if size_index:
                up = _conv(features, f"up_{size_index}", settings.dtype, resample="up")
                x = up(x)
            for block_index in range(self.blocks):
                block = block_type(
                    self.expansion,
                    self.group_width,
                    blocks=self.blocks * len(self.widths),
                    dtype=settings.dtype,
                    name=f"block_{size_index}_{block_index}",
                )
                x = block(x)
        output = _conv(self.channels, "output", settings.dtype)
        image: Array = output(x)
        return image


class Discriminator(nn.Module):
    """``(samples, label) -> (scores, label logits or None)``.

    Attributes:
      widths: channels at each size, largest size first.
      blocks: at each size.
      expansion, group_width: of the blocks.
      settings: those that all networks share.
    """

    widths: tuple[int, ...]
    blocks: int
    expansion: int
    group_width: int
    settings: CommonSettings

    @nn.compact
    def __call__(self, samples: Array, label: Array | None = None) -> tuple[Array, Array | None]:
        settings = self.settings
        x = samples
        if settings.conditioning == "concatenation":
            code = LabelCode(settings.classes, settings.embedding_size, name="label")(label)
            x = append_code(x, code)
        x = _conv(self.widths[0], "input", settings.dtype)(x)
        block_type = rematerialised(Block, settings.rematerialise)
        for size_index, features in enumerate(self.widths):
            if size_index:
                down = _conv(features, f"down_{size_index}", settings.dtype, resample="down")
                x = down(x)
            for block_index in range(self.blocks):
                block = block_type(
                    self.expansion,
                    self.group_width,
                    blocks=self.blocks * len(self.widths),
                    dtype=settings.dtype,
                    name=f"block_{size_index}_{block_index}",
                )
                x = block(x)
        # One kernel per channel over the whole feature map.
        kernel_init = initializers.normal(1 / math.sqrt(x[0, ..., 0].size))
        kernel = self.param("gather", kernel_init, x.shape[1:], jnp.float32)
        x = jnp.sum(x * kernel.astype(x.dtype)[None], (1, 2))
        head = Head(settings.conditioning, settings.classes, LINEAR_INIT, bias=False, name="head")
        return head(x, label)


def r3gan(
    shape: tuple[int, ...],
    classes: int = 0,
    *,
    latent_size: int = 64,
    latent: str = "normal",
    width: int = 128,
    max_width: int = 512,
    depth: int | None = None,
    blocks: int = 2,
    expansion: int = 2,
    group_width: int = 16,
    labels: str | None = None,
    embedding_size: int = 0,
    dtype: DTypeLike = jnp.float32,
    rematerialise: bool = False,
) -> Networks:
    """Returns networks in R3GAN's style: deep, residual, without normalisation.

    They consist of grouped inverted bottlenecks with Fix-up-like initialisation, and are meant for
    the objective of that paper, ``relativistic`` with ``r1`` and ``r2``. Resampling is by nearest
    neighbour and by means of blocks, with a 1x1 convolution; the paper interpolates linearly.

    The arguments ``latent_size``, ``latent``, ``labels``, ``embedding_size``, ``dtype`` and
    ``rematerialise`` are those of `settings.CommonSettings`; ``labels`` is "projection" by default
    if there are classes.

    Args:
      shape: shape of one image, ``(height, width, channels)``.
      classes: number of labels, 0 for none.
      width: channels at full size; each halving doubles them up to ``max_width``.
      max_width: the most channels.
      depth: how often the image is halved; None: while its sides are even and above 4.
      blocks: residual blocks at each size.
      expansion: how much wider the 3x3 convolutions are than the blocks' inputs.
      group_width: channels of each of their groups; must divide ``expansion * width``.

    Raises:
      UserError: a shape that is not an image's or cannot be halved so often, groups that do not
        fit, or an unknown name.

    References:
      Huang et al., "The GAN is dead; long live the GAN! A Modern Baseline GAN" (2024), section 4.
    """
    sizes = halvings(shape, depth)
    halved = len(sizes) - 1
    if any(n % 2**halved for n in shape[:2]):
        raise UserError(f"an image of {shape[0]}x{shape[1]} cannot be halved evenly {halved} times")
    widths = tuple(min(width * 2**index, max_width) for index in range(halved + 1))
    for channels in widths:
        if expansion * channels % group_width:
            raise UserError(
                f"group_width {group_width} does not divide {expansion} x {channels} channels"
            )
    settings = CommonSettings(
        classes=classes,
        latent_size=latent_size,
        latent=latent,
        labels=labels,
        default_labels="projection",
        embedding_size=embedding_size,
        dtype=dtype,
        rematerialise=rematerialise,
    )
    generator = Generator(
        base=sizes[0],
        widths=widths[::-1],
        channels=shape[2],
        blocks=blocks,
        expansion=expansion,
        group_width=group_width,
        settings=settings,
    )
    discriminator = Discriminator(
        widths=widths,
        blocks=blocks,
        expansion=expansion,
        group_width=group_width,
        settings=settings,
    )
    return LinenPair(generator, discriminator, tuple(shape), settings).networks()
