"""Layers with weights: dense, convolution, transposed convolution, each plain, equalised or spectrally normalised.

Parameters are float32; the work is done in ``dtype``.
"""

import functools
import math
from typing import Any

import flax.linen as nn
import jax.numpy as jnp

from gan_jax.errors import UserError
from gan_jax.game import Array
from gan_jax.networks import convolution, initializers, spectral
from gan_jax.networks.initializers import Initializer
from gan_jax.networks.layers import along_channels

_SCALED = {
    "he_normal": (2.0, "fan_in", "normal"),
    "he_uniform": (2.0, "fan_in", "uniform"),
    "glorot_normal": (1.0, "fan_avg", "normal"),
    "glorot_uniform": (1.0, "fan_avg", "uniform"),
    "lecun_normal": (1.0, "fan_in", "normal"),
    "pytorch": (1 / 3, "fan_in", "uniform"),
}
INITIALIZERS = ("orthogonal", "normal", "zeros", *_SCALED)


def initializer(name: str, gain: float | None = None) -> Initializer:
    """The initialiser of that name, scaled by ``gain``.

    ``normal`` is N(0, gain^2), gain 0.02 unless given; ``orthogonal``, ``he_*``, ``glorot_*``, ``lecun_normal`` and
    ``pytorch`` (PyTorch's default for its linear layers, U[-1, 1] / sqrt(fan in)) have gain 1 unless given.
    Raises UserError for another name.
    """
    if name not in INITIALIZERS:
        raise UserError(
            f"no initialiser is named {name!r}: choose one of {', '.join(INITIALIZERS)}"
        )
    if name == "zeros":
        return initializers.zeros
    if name == "normal":
        return initializers.normal(0.02 if gain is None else gain)
    gain = 1.0 if gain is None else gain
    if name == "orthogonal":
        return initializers.orthogonal(gain)
    scale, mode, distribution = _SCALED[name]
    return initializers.scaled(scale * gain**2, mode, distribution)


class Weights(nn.Module):
    """What every layer with weights shares: its kernel, rescaled as ``weight`` says, and its bias.

    ``weight``: "plain"; "equalised", N(0, 1) at the start and multiplied by ``gain / sqrt(fan in)`` each time it is used
    (Karras et al., ProGAN (2018), section 4.1), where ``kernel_init`` is not looked at; "spectral", see spectral.py.
    """

    features: int
    kernel_init: Initializer = initializers.scaled(1.0, "fan_in", "normal")
    bias: bool = True
    weight: str = "plain"
    gain: float = math.sqrt(2.0)
    dtype: Any = jnp.float32

    def kernel(self, *shape: int) -> Array:
        if self.weight == "equalised":
            kernel = self.param("kernel", initializers.normal(1.0), shape, jnp.float32)
            kernel = kernel * (self.gain / math.sqrt(math.prod(shape[:-1])))
        else:
            kernel = self.param("kernel", self.kernel_init, shape, jnp.float32)
        if self.weight == "spectral":
            u = self.variable(
                "spectral",
                "u",
                lambda: initializers.normal(1.0)(self.make_rng("params"), shape[-1:]),
            )
            kernel = spectral.normalised(kernel, u.value)
        return kernel.astype(self.dtype)

    def add_bias(self, x: Array) -> Array:
        if not self.bias:
            return x
        bias = self.param("bias", initializers.zeros, (self.features,), jnp.float32)
        return x + along_channels(bias.astype(x.dtype), x)


class Dense(Weights):
    """``[batch, in] -> [batch, features]``."""

    @nn.compact
    def __call__(self, x: Array) -> Array:
        return self.add_bias(x.astype(self.dtype) @ self.kernel(x.shape[-1], self.features))


RESAMPLED = {"up": convolution.upsample_conv, "down": convolution.conv_downsample}


class Conv(Weights):
    """``[batch, h, w, in] -> [batch, ceil(h / stride), ceil(w / stride), features]``.

    ``resample``: "up" doubles the image first (nearest neighbour), "down" halves it afterwards (means); then stride is 1.
    """

    size: int = 3
    stride: int = 1
    groups: int = 1
    resample: str = "none"

    @nn.compact
    def __call__(self, x: Array) -> Array:
        kernel = self.kernel(self.size, self.size, x.shape[-1] // self.groups, self.features)
        x = x.astype(self.dtype)
        if self.resample in RESAMPLED:
            return self.add_bias(RESAMPLED[self.resample](x, kernel))
        return self.add_bias(convolution.conv(x, kernel, self.stride, self.groups))


class TransposedConv(Weights):
    """``[batch, h, w, in] -> [batch, *to, features]`` where ``(h, w) = ceil(to / stride)``."""

    size: int = 4
    stride: int = 2
    to: tuple[int, int] = (0, 0)

    @nn.compact
    def __call__(self, x: Array) -> Array:
        kernel = self.kernel(self.size, self.size, x.shape[-1], self.features)
        return self.add_bias(
            convolution.transposed_conv(x.astype(self.dtype), kernel, self.stride, self.to)
        )


class Maxout(nn.Module):
    """The largest of ``pieces`` dense layers, entry by entry. Source: Goodfellow et al., "Maxout Networks" (2013)."""

    features: int
    pieces: int
    kernel_init: Initializer
    dtype: Any = jnp.float32

    @nn.compact
    def __call__(self, x: Array) -> Array:
        x = Dense(self.features * self.pieces, self.kernel_init, dtype=self.dtype, name="pieces")(x)
        # Two by two: the derivative of one maximum over an axis takes twice as long on a CPU.
        return functools.reduce(jnp.maximum, jnp.split(x, self.pieces, -1))
