"""Layers that both of StyleGAN2's networks consist of: dense, mapping and modulated convolution."""

import math

import flax.linen as nn
import jax
import jax.numpy as jnp
from jax import lax
from jax.typing import DTypeLike

from gan_jax.game import Array
from gan_jax.networks import convolution, filtered_resampling, initializers
from gan_jax.networks.initializers import Initializer
from gan_jax.networks.layers import along_channels, pixel_norm
from gan_jax.networks.weights import Conv, Dense, WeightLayer

MAPPING_LEARNING_RATE = 0.01
"""The mapping networks learn at this multiple of the learning rate."""

DEMODULATION_EPSILON = 1e-8


def leaky_relu(x: Array) -> Array:
    """Computes ``sqrt(2) max(x, 0.2 x)``, which roughly keeps the mean square."""
    return math.sqrt(2) * jax.nn.leaky_relu(x, 0.2)


def equalised_dense(
    features: int,
    name: str,
    bias_init: Initializer = initializers.zeros,
    learning_rate_multiplier: float = 1.0,
    dtype: DTypeLike = jnp.float32,
) -> Dense:
    """Returns a dense layer with an equalised learning rate."""
    return Dense(
        features,
        weight="equalised",
        gain=1.0,
        bias_init=bias_init,
        learning_rate_multiplier=learning_rate_multiplier,
        dtype=dtype,
        name=name,
    )


def equalised_conv(
    features: int, size: int, name: str, dtype: DTypeLike, down: bool = False, bias: bool = True
) -> Conv:
    """Returns a convolution with an equalised learning rate; ``down`` halves the image."""
    return Conv(
        features,
        weight="equalised",
        gain=1.0,
        bias=bias,
        size=size,
        resample="filtered down" if down else "none",
        dtype=dtype,
        name=name,
    )


class Mapping(nn.Module):
    """A mapping network, ``(latents, label) -> styles [batch, size]``, in float32.

    Latents, and embeddings of labels, are scaled to a mean square of 1 and joined.

    References:
      Karras et al., "A Style-Based Generator Architecture" (2019), section 2 and appendix C; labels
      as in the code of StyleGAN2-ADA.

    Attributes:
      size: of a style and of all layers.
      layers: how many.
      classes: number of labels, 0 for none.
    """

    size: int
    layers: int
    classes: int

    @nn.compact
    def __call__(self, latents: Array | None, label: Array | None = None) -> Array:
        inputs = [] if latents is None else [pixel_norm(latents)]
        if self.classes:
            one_hot = jax.nn.one_hot(label, self.classes, dtype=jnp.float32)
            inputs.append(pixel_norm(equalised_dense(self.size, "embedding")(one_hot)))
        x = jnp.concatenate(inputs, -1)
        for index in range(self.layers):
            dense = equalised_dense(
                self.size,
                f"dense_{index}",
                learning_rate_multiplier=MAPPING_LEARNING_RATE,
                dtype=x.dtype,
            )
            x = leaky_relu(dense(x))
        return x


def modulated_conv(
    x: Array, kernel: Array, scale: Array, demodulate: bool = True, up: bool = False
) -> Array:
    """Computes a convolution whose kernel is scaled for each sample.

    Sample n is convolved by ``w_n[t, i, o] = scale[n, i] kernel[t, i, o]``; if it is demodulated,
    by ``w_n[t, i, o] / sqrt(sum over t and i of w_n[t, i, o]^2 + 1e-8)``, so that each output has
    the variance of independent inputs of variance 1. Instead of the kernels the inputs and the
    outputs are scaled, which is the same.

    Args:
      x: ``[batch, h, w, in]``.
      kernel: ``[k, k, in, out]``.
      scale: ``[batch, in]``.
      demodulate: whether to demodulate.
      up: whether to double the image: see `filtered_resampling.upsample_conv`.

    Returns:
      ``[batch, h, w, out]`` or ``[batch, 2h, 2w, out]``.

    References:
      Karras et al., "Analyzing and Improving the Image Quality of StyleGAN" (2020), section 2.2,
      eq. 1 to 3.
    """
    x = x * along_channels(scale.astype(x.dtype), x)
    conv = filtered_resampling.upsample_conv if up else convolution.conv
    y = conv(x, kernel.astype(x.dtype))
    if not demodulate:
        return y
    squares = jnp.square(scale) @ jnp.sum(jnp.square(kernel), (0, 1))
    return y * along_channels(lax.rsqrt(squares + DEMODULATION_EPSILON).astype(y.dtype), y)


class ModulatedConv(WeightLayer):
    """A modulated convolution, noise and a bias, ``(x, style, rng) -> [batch, h, w, features]``.

    Noise is N(0, 1) for each pixel, times a learned strength that starts at 0. It is drawn from the
    keys ``rng`` of the samples, ``[batch]``; without them there is none.

    Attributes:
      size: height and width of the kernel.
      up: whether the image is doubled.
      demodulate: whether the kernel is demodulated.
      noise: whether there is noise.
    """

    size: int = 3
    up: bool = False
    demodulate: bool = True
    noise: bool = True

    @nn.compact
    def __call__(self, x: Array, style: Array, rng: Array | None = None) -> Array:
        channels = x.shape[-1]
        scale = equalised_dense(channels, "affine", initializers.ones, dtype=style.dtype)(style)
        kernel = self.kernel(self.size, self.size, channels, self.features)
        y = modulated_conv(x.astype(self.dtype), kernel, scale, self.demodulate, self.up)
        if self.noise:
            strength = self.param("noise_strength", initializers.zeros, (), jnp.float32)
            if rng is not None:
                shape, dtype = (*y.shape[1:3], 1), y.dtype

                def draw(key: Array) -> Array:
                    return jax.random.normal(key, shape, dtype)

                y = y + strength.astype(dtype) * jax.vmap(draw)(rng)
        return self.add_bias(y)
