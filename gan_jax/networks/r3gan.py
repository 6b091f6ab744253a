"""A modern baseline: residual networks without any normalisation."""

import math
from typing import Any

import flax.linen as nn
import jax
import jax.numpy as jnp

from gan_jax.errors import UserError
from gan_jax.game import Array, Networks
from gan_jax.networks import initializers
from gan_jax.networks.adapters import assemble
from gan_jax.networks.dcgan import halvings
from gan_jax.networks.initializers import Initializer
from gan_jax.networks.label_conditioning import Code, Head, beside, way
from gan_jax.networks.latents import latent_distribution
from gan_jax.networks.layers import along_channels
from gan_jax.networks.weights import Conv, Dense

SLOPE = 0.2
GAIN = math.sqrt(2 / (1 + SLOPE**2))
"""He et al.'s (2015) gain for a leaky ReLU of this slope."""


def _scaled(gain: float) -> Initializer:
    return initializers.scaled(gain**2, "fan_in", "normal") if gain else initializers.zeros


class Block(nn.Module):
    """``x + W3 f(W2 f(W1 x))``: an inverted bottleneck of 1x1, grouped 3x3 and 1x1 convolutions, ``f`` a biased leaky ReLU.

    Fix-up initialisation: ``W3`` is 0, and the others are scaled by ``blocks ** (-1 / 4)`` with so many blocks in the
    network: it starts as its resampling layers alone, and a step moves it as little as it would one block.
    """

    expansion: int
    group_width: int
    blocks: int
    dtype: Any

    @nn.compact
    def __call__(self, x: Array) -> Array:
        width, gain = self.expansion * x.shape[-1], GAIN * self.blocks ** (-1 / 4)
        settings: dict[str, Any] = {"bias": False, "dtype": self.dtype}

        def rectified(h: Array, name: str) -> Array:
            bias = self.param(name, initializers.zeros, (width,), jnp.float32)
            return jax.nn.leaky_relu(h + along_channels(bias.astype(h.dtype), h), SLOPE)

        h = rectified(Conv(width, _scaled(gain), **settings, size=1, name="widen")(x), "bias_0")
        groups = width // self.group_width
        h = rectified(
            Conv(width, _scaled(gain), **settings, groups=groups, name="grouped")(h), "bias_1"
        )
        return x + Conv(x.shape[-1], _scaled(0.0), **settings, size=1, name="narrow")(h)


def _stage(x: Array, blocks: int, block: dict[str, Any], name: str) -> Array:
    for index in range(blocks):
        x = Block(**block, name=f"{name}_{index}")(x)
    return x


class Generator(nn.Module):
    base: tuple[int, int]
    widths: tuple[int, ...]  # smallest size first
    channels: int
    blocks: int
    block: dict[str, Any]
    code: tuple[int, int]
    dtype: Any

    @nn.compact
    def __call__(self, latents: Array, label: Array | None = None) -> Array:
        settings: dict[str, Any] = {"bias": False, "dtype": self.dtype}
        height, width = self.base
        x = beside(latents, Code(*self.code, name="label")(label))
        # A learned map, whose channels the latent scales.
        basis = self.param(
            "basis", initializers.normal(1.0), (1, height, width, self.widths[0]), jnp.float32
        )
        scale = Dense(self.widths[0], _scaled(1.0), **settings, name="modulate")(x)
        x = basis.astype(scale.dtype) * along_channels(scale, basis)
        for index, features in enumerate(self.widths):
            if index:
                x = Conv(
                    features, _scaled(1.0), **settings, size=1, resample="up", name=f"up_{index}"
                )(x)
            x = _stage(x, self.blocks, self.block, f"block_{index}")
        return Conv(self.channels, _scaled(1.0), **settings, size=1, name="output")(x)


class Discriminator(nn.Module):
    widths: tuple[int, ...]  # largest size first
    blocks: int
    block: dict[str, Any]
    labels: str
    code: tuple[int, int]
    dtype: Any

    @nn.compact
    def __call__(self, samples: Array, label: Array | None = None) -> tuple[Array, Array | None]:
        settings: dict[str, Any] = {"bias": False, "dtype": self.dtype}
        x = samples
        if self.labels == "concatenation":
            x = beside(x, Code(*self.code, name="label")(label))
        x = Conv(self.widths[0], _scaled(1.0), **settings, size=1, name="input")(x)
        for index, features in enumerate(self.widths):
            if index:
                x = Conv(
                    features,
                    _scaled(1.0),
                    **settings,
                    size=1,
                    resample="down",
                    name=f"down_{index}",
                )(x)
            x = _stage(x, self.blocks, self.block, f"block_{index}")
        # One kernel a channel over the whole map.
        kernel = self.param(
            "gather",
            initializers.normal(1 / math.sqrt(x[0, ..., 0].size)),
            x.shape[1:],
            jnp.float32,
        )
        x = jnp.sum(x * kernel.astype(x.dtype)[None], (1, 2))
        return Head(self.labels, self.code[0], _scaled(1.0), bias=False, name="head")(x, label)


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
    dtype: Any = jnp.float32,
) -> Networks:
    """A baseline in R3GAN's style: deep residual networks, grouped inverted bottlenecks, no normalisation, Fix-up-like starts.

    It is meant for the objective of that paper, ``relativistic`` with ``r1`` and ``r2``. Resampling is nearest neighbour and
    block means here, with a 1x1 convolution, where the paper interpolates linearly.

    Args:
      shape: of one image, ``(height, width, channels)``.
      classes: how many labels there are, 0 for none.
      latent_size, latent: the latents' size and distribution, see ``latents.sampler``.
      width: channels at full size; each halving doubles them up to ``max_width``.
      depth: how often the image is halved; None: while its sides are even and above 4.
      blocks: residual blocks at each size.
      expansion: how much wider the 3x3 convolutions are than the trunk.
      group_width: channels of each of their groups; must divide ``expansion * width``.
      labels: what becomes of labels, see ``labels.way``; None: "projection" where there are classes.
      embedding_size: labels enter the generator as learned embeddings of this size, or one-hot where it is 0.
      dtype: of the work in the layers, "float32" or "bfloat16"; parameters and scores are float32.

    Raises UserError for shapes that are no image or cannot be halved so often, and for groups that do not fit.
    Source: Huang et al., "The GAN is dead; long live the GAN! A Modern Baseline GAN" (2024), section 4.
    """
    sizes = halvings(shape, depth)
    steps = len(sizes) - 1
    if any(n % 2**steps for n in shape[:2]):
        raise UserError(f"an image of {shape[0]}x{shape[1]} cannot be halved evenly {steps} times")
    widths = tuple(min(width * 2**index, max_width) for index in range(steps + 1))
    if bad := [n for n in widths if expansion * n % group_width]:
        raise UserError(
            f"group_width {group_width} does not divide {expansion} x {bad[0]} channels"
        )
    labels = way(labels, classes, "projection")
    code, dtype = (classes if labels != "none" else 0, embedding_size), jnp.dtype(dtype)
    total = blocks * (steps + 1)
    block: dict[str, Any] = {
        "expansion": expansion,
        "group_width": group_width,
        "blocks": total,
        "dtype": dtype,
    }
    return assemble(
        Generator(sizes[0], widths[::-1], shape[2], blocks, block, code, dtype),
        Discriminator(widths, blocks, block, labels, code, dtype),
        tuple(shape),
        latent_distribution(latent, latent_size),
        labels,
    )
