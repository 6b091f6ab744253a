"""Layers with weights: dense, convolution and transposed convolution.

Each is plain, equalised or spectrally normalised. Parameters are float32; the layer computes in its
``dtype``.
"""

import functools
import math

import flax.linen as nn
import jax.numpy as jnp
from jax.typing import DTypeLike

from gan_jax.errors import UserError
from gan_jax.game import Array
from gan_jax.networks import convolution, filtered_resampling, initializers, spectral
from gan_jax.networks.initializers import Initializer, variance_scaling
from gan_jax.networks.layers import along_channels

INITIALIZERS = (
    "orthogonal",
    "normal",
    "zeros",
    "he_normal",
    "he_uniform",
    "glorot_normal",
    "glorot_uniform",
    "lecun_normal",
    "pytorch",
)


def initializer(name: str, gain: float | None = None) -> Initializer:
    """Returns the initializer of that name, scaled by ``gain``.

    Args:
      name: one of `INITIALIZERS`. "normal" is N(0, gain^2); "pytorch" is PyTorch's default for its
        linear layers, U[-1, 1] / sqrt(fan in).
      gain: None: 0.02 for "normal", 1 for the others.

    Raises:
      UserError: an unknown name.
    """
    if name == "zeros":
        return initializers.zeros
    if name == "normal":
        return initializers.normal(0.02 if gain is None else gain)
    gain = 1.0 if gain is None else gain
    if name == "orthogonal":
        return initializers.orthogonal(gain)
    if name == "he_normal":
        return variance_scaling(2.0 * gain**2, "fan_in", "normal")
    if name == "he_uniform":
        return variance_scaling(2.0 * gain**2, "fan_in", "uniform")
    if name == "glorot_normal":
        return variance_scaling(1.0 * gain**2, "fan_avg", "normal")
    if name == "glorot_uniform":
        return variance_scaling(1.0 * gain**2, "fan_avg", "uniform")
    if name == "lecun_normal":
        return variance_scaling(1.0 * gain**2, "fan_in", "normal")
    if name == "pytorch":
        return variance_scaling(1 / 3 * gain**2, "fan_in", "uniform")
    raise UserError(f"init cannot be {name!r}: choose one of {', '.join(INITIALIZERS)}")


class WeightLayer(nn.Module):
    """A layer with a kernel and a bias: what `Dense`, `Conv` and `TransposedConv` share.

    Attributes:
      features: size of the last axis of the output.
      kernel_init: initializer of the kernel, unless it is equalised.
      bias: whether there is a bias.
      weight: how the kernel is rescaled: "plain", not at all; "equalised", N(0, 1) at the start and
        multiplied by ``gain / sqrt(fan in)`` each time it is used (Karras et al., ProGAN (2018),
        section 4.1); "spectral", divided by its largest singular value (see `spectral`).
      gain: of equalised kernels.
      dtype: of the computation.
      bias_init: initializer of the bias.
      learning_rate_multiplier: the layer learns at this multiple of the learning rate under Adam:
        an equalised kernel is divided by it at the start, and kernel and bias are multiplied by it
        each time they are used (Karras et al., StyleGAN (2019), appendix C).
    """

    features: int
    kernel_init: Initializer = variance_scaling(1.0, "fan_in", "normal")
    bias: bool = True
    weight: str = "plain"
    gain: float = math.sqrt(2.0)
    dtype: DTypeLike = jnp.float32
    bias_init: Initializer = initializers.zeros
    learning_rate_multiplier: float = 1.0

    def kernel(self, *shape: int) -> Array:
        """Returns the kernel of that shape, ``[..., in, out]``, rescaled, in the layer's dtype."""
        kernel: Array
        if self.weight == "equalised":
            multiplier = self.learning_rate_multiplier
            init = initializers.normal(1.0 / multiplier)
            kernel = self.param("kernel", init, shape, jnp.float32)
            kernel = kernel * (multiplier * self.gain / math.sqrt(math.prod(shape[:-1])))
        else:
            kernel = self.param("kernel", self.kernel_init, shape, jnp.float32)
        if self.weight == "spectral":
            kernel = spectral.normalise(kernel, self._singular_vector(shape[-1:]))
        return kernel.astype(self.dtype)

    def add_bias(self, x: Array) -> Array:
        """Adds the bias, if there is one, to ``[batch, ..., features]``."""
        if not self.bias:
            return x
        bias: Array = self.param("bias", self.bias_init, (self.features,), jnp.float32)
        if self.learning_rate_multiplier != 1.0:
            bias = bias * self.learning_rate_multiplier
        return x + along_channels(bias.astype(x.dtype), x)

    def _singular_vector(self, shape: tuple[int, ...]) -> Array:
        def init() -> Array:
            return initializers.normal(1.0)(self.make_rng("params"), shape)

        vector: Array = self.variable("spectral", "u", init).value
        return vector


def _sides(size: int | tuple[int, int]) -> tuple[int, int]:
    return (size, size) if isinstance(size, int) else size


class Dense(WeightLayer):
    """A dense layer, ``[batch, in] -> [batch, features]``."""

    @nn.compact
    def __call__(self, x: Array) -> Array:
        return self.add_bias(x.astype(self.dtype) @ self.kernel(x.shape[-1], self.features))


class Conv(WeightLayer):
    """A convolution of images.

    It maps ``[batch, h, w, in]`` to ``[batch, ceil(h / stride), ceil(w / stride), features]``, or
    to other sizes with ``padding``.

    Attributes:
      size: height and width of the kernel, one number if they are equal.
      stride: pixels of the input per pixel of the output.
      groups: groups of channels that are convolved separately.
      resample: "up" doubles the image first (nearest neighbour), "down" halves it afterwards (means
        of 2x2 blocks), "filtered down" halves it through a low-pass filter (see
        `filtered_resampling`); "none". With resampling the stride is 1, without groups and padding.
      padding: zeros on each side; None: see `convolution.conv`.
    """

    size: int | tuple[int, int] = 3
    stride: int = 1
    groups: int = 1
    resample: str = "none"
    padding: int | None = None

    @nn.compact
    def __call__(self, x: Array) -> Array:
        kernel = self.kernel(*_sides(self.size), x.shape[-1] // self.groups, self.features)
        x = x.astype(self.dtype)
        if self.resample == "up":
            return self.add_bias(convolution.upsample_conv(x, kernel))
        if self.resample == "down":
            return self.add_bias(convolution.conv_downsample(x, kernel))
        if self.resample == "filtered down":
            return self.add_bias(filtered_resampling.conv_downsample(x, kernel))
        return self.add_bias(convolution.conv(x, kernel, self.stride, self.groups, self.padding))


class TransposedConv(WeightLayer):
    """A transposed convolution, ``[batch, h, w, in] -> [batch, *output_size, features]``.

    Attributes:
      size: height and width of the kernel, one number if they are equal.
      stride: pixels of the output per pixel of the input.
      output_size: height and width of the output; ``(h, w)`` must be
        ``ceil(output_size / stride)``.
    """

    size: int | tuple[int, int] = 4
    stride: int = 2
    output_size: tuple[int, int] = (0, 0)

    @nn.compact
    def __call__(self, x: Array) -> Array:
        kernel = self.kernel(*_sides(self.size), x.shape[-1], self.features)
        x = x.astype(self.dtype)
        return self.add_bias(convolution.transposed_conv(x, kernel, self.stride, self.output_size))


class Maxout(nn.Module):
    """The maximum of several dense layers, entry by entry: ``[batch, in] -> [batch, features]``.

    References:
      Goodfellow et al., "Maxout Networks" (2013).

    Attributes:
      features: size of the output.
      pieces: dense layers to take the maximum of.
      kernel_init: initializer of their kernels.
      dtype: of the computation.
    """

    features: int
    pieces: int
    kernel_init: Initializer
    dtype: DTypeLike = jnp.float32

    @nn.compact
    def __call__(self, x: Array) -> Array:
        size = self.features * self.pieces
        x = Dense(size, self.kernel_init, dtype=self.dtype, name="pieces")(x)
        # In pairs: on a CPU the derivative of one maximum over an axis takes twice as long.
        return functools.reduce(jnp.maximum, jnp.split(x, self.pieces, -1))
