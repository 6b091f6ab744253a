"""Layers without a kernel: activations, normalisation, and layers that compare the samples of a
batch.

The statistics of normalisation are computed in float32 or wider, whatever the layer's dtype.
"""

from collections.abc import Callable
from functools import partial

import flax.linen as nn
import jax
import jax.numpy as jnp
from jax import lax
from jax.typing import DTypeLike

from gan_jax.distributed.collectives import batch_mean, gather_batch, local_slice
from gan_jax.errors import UserError
from gan_jax.game import Array
from gan_jax.networks import initializers

NORMS = ("none", "batch", "layer", "instance")
DISCRIMINATOR_NORMS = (*NORMS, "spectral")
MINIBATCH_LAYERS = ("none", "std", "discrimination")


def along_channels(vector: Array, like: Array) -> Array:
    """Reshapes ``[channels]`` or ``[batch, channels]`` to broadcast against ``like``.

    ``like`` is ``[batch, ..., channels]``, and so is the result, with axes of size 1 in between.
    """
    batch = vector.shape[:-1] or (1,)
    return vector.reshape(*batch, *[1] * (like.ndim - 2), vector.shape[-1])


def _softplus_of_zero_mean(x: Array) -> Array:
    return (jax.nn.softplus(2 * x + 2)) / 2 - 1


def _linear(x: Array) -> Array:
    return x


ACTIVATIONS: dict[str, Callable[[Array], Array]] = {
    "relu": jax.nn.relu,
    "leaky_relu": partial(jax.nn.leaky_relu, negative_slope=0.2),
    "tanh": jnp.tanh,
    "sigmoid": jax.nn.sigmoid,
    "elu": jax.nn.elu,
    "gelu": jax.nn.gelu,
    "swish": jax.nn.swish,
    "softplus": _softplus_of_zero_mean,
    "linear": _linear,
}
"""Activations by name.

``leaky_relu`` has slope 0.2; ``softplus`` is the (softplus(2x + 2)) / 2 - 1 of Gulrajani et al.
(2017), section 5.1, which has nearly zero mean.
"""

BOUNDS: dict[str, tuple[float, float]] = {"tanh": (-1.0, 1.0), "sigmoid": (0.0, 1.0)}
"""The interval of an activation's values, for those that have one."""


def nonlinearity(name: str, slope: float = 0.2) -> Callable[[Array], Array]:
    """Returns the activation of that name.

    Args:
      name: one of `ACTIVATIONS`.
      slope: the slope of "leaky_relu" below 0.

    Raises:
      UserError: an unknown name.
    """
    if name == "leaky_relu":
        return partial(jax.nn.leaky_relu, negative_slope=slope)
    if name not in ACTIVATIONS:
        raise UserError(f"no activation is named {name!r}: choose one of {', '.join(ACTIVATIONS)}")
    return ACTIVATIONS[name]


class Affine(nn.Module):
    """A gain and an offset for each channel of ``[batch, ..., channels]``.

    Attributes:
      classes: if positive, each label has its own gain and offset.
    """

    classes: int = 0

    @nn.compact
    def __call__(self, x: Array, label: Array | None = None) -> Array:
        channels = x.shape[-1]
        shape = (self.classes, channels) if self.classes else (channels,)
        gain = self.param("gain", initializers.ones, shape, jnp.float32)
        offset = self.param("offset", initializers.zeros, shape, jnp.float32)
        if self.classes:
            gain, offset = gain[label], offset[label]
        return x * along_channels(gain, x) + along_channels(offset, x)


def _standardise(x: Array, mean: Array, variance: Array, epsilon: float) -> Array:
    return (x - mean) * lax.rsqrt(variance + epsilon)


class BatchNorm(nn.Module):
    """``(x - mean) / sqrt(variance + epsilon)`` for each channel, then a gain and an offset.

    The statistics are those of the given batch over all devices, so nothing is carried from step to
    step. If the variables hold a "statistics" collection, its statistics are used instead, and a
    sample does not depend on its neighbours.

    References:
      Ioffe & Szegedy (2015). Conditional: Dumoulin et al., "A Learned Representation for Artistic
      Style" (2017).

    Attributes:
      affine: whether there are a gain and an offset.
      classes: if positive, they are those of the sample's label: conditional BatchNorm.
      epsilon: added to the variance.
      dtype: of the result.
    """

    affine: bool = True
    classes: int = 0
    epsilon: float = 1e-5
    dtype: DTypeLike = jnp.float32

    @nn.compact
    def __call__(self, x: Array, label: Array | None = None) -> Array:
        x = x.astype(jnp.promote_types(x.dtype, jnp.float32))
        if self.is_mutable_collection("statistics") or not self.has_variable("statistics", "mean"):
            axes = tuple(range(x.ndim - 1))
            mean = batch_mean(x, axes)
            # About the mean over all devices: the mean of their own variances would miss how far
            # apart their means are.
            variance = batch_mean(jnp.square(x - mean), axes)
            self._store_statistics(mean, variance)
        else:
            mean = along_channels(self.get_variable("statistics", "mean"), x)
            variance = along_channels(self.get_variable("statistics", "variance"), x)
        x = _standardise(x, mean, variance, self.epsilon)
        if self.affine:
            x = Affine(self.classes)(x, label)
        return x.astype(self.dtype)

    def _store_statistics(self, mean: Array, variance: Array) -> None:
        if self.is_mutable_collection("statistics"):
            self.put_variable("statistics", "mean", mean.reshape(-1))
            self.put_variable("statistics", "variance", variance.reshape(-1))


class SampleNorm(nn.Module):
    """Standardises each sample by itself, then applies a gain and an offset for each channel.

    References:
      Ba et al. (2016), as in the critic of Gulrajani et al. (2017), which has one gain per channel;
      Ulyanov et al., "Instance Normalization" (2016).

    Attributes:
      by_channel: statistics over each channel's pixels (InstanceNorm) rather than over all entries
        (LayerNorm).
      affine: whether there are a gain and an offset.
      epsilon: added to the variance.
      dtype: of the result.
    """

    by_channel: bool
    affine: bool = True
    epsilon: float = 1e-5
    dtype: DTypeLike = jnp.float32

    @nn.compact
    def __call__(self, x: Array) -> Array:
        x = x.astype(jnp.promote_types(x.dtype, jnp.float32))
        axes = tuple(range(1, x.ndim - 1 if self.by_channel else x.ndim))
        mean = jnp.mean(x, axes, keepdims=True)
        variance = jnp.mean(jnp.square(x - mean), axes, keepdims=True)
        x = _standardise(x, mean, variance, self.epsilon)
        if self.affine:
            x = Affine()(x)
        return x.astype(self.dtype)


class Norm(nn.Module):
    """The normalisation of a name.

    Attributes:
      kind: one of `NORMS`.
      affine: whether it has a gain and an offset.
      classes: if positive, BatchNorm's gain and offset depend on the label; others ignore it.
      dtype: of the result.
    """

    kind: str
    affine: bool = True
    classes: int = 0
    dtype: DTypeLike = jnp.float32

    @nn.compact
    def __call__(self, x: Array, label: Array | None = None) -> Array:
        if self.kind == "batch":
            norm = BatchNorm(self.affine, self.classes, dtype=self.dtype, name="batch_norm")
            return norm(x, label)
        if self.kind == "layer":
            return SampleNorm(False, self.affine, dtype=self.dtype, name="layer_norm")(x)
        if self.kind == "instance":
            by_channel = x.ndim > 2  # a vector has one entry per channel: all are standardised
            return SampleNorm(by_channel, self.affine, dtype=self.dtype, name="instance_norm")(x)
        return x


def pixel_norm(x: Array) -> Array:
    """Scales the channels of each pixel to a mean square of 1.

    References:
      Karras et al., ProGAN (2018), section 4.2.
    """
    squares = jnp.square(x.astype(jnp.promote_types(x.dtype, jnp.float32)))
    return x * lax.rsqrt(jnp.mean(squares, -1, keepdims=True) + 1e-8).astype(x.dtype)


def minibatch_std(x: Array, group: int = 4) -> Array:
    """Appends a channel that measures how much samples differ.

    It is the standard deviation of each entry over a group of samples, averaged over all entries.
    Sample i of the global batch is in one group with i + groups, i + 2 groups, ... The size of the
    groups is the largest divisor of the global batch that is at most ``group``.

    Args:
      x: ``[batch, ..., channels]``.
      group: the largest size of a group.

    Returns:
      ``[batch, ..., channels + 1]``.

    References:
      Karras et al., ProGAN (2018), section 3 and appendix A.1 (group 4).
    """
    whole_batch = gather_batch(x.astype(jnp.promote_types(x.dtype, jnp.float32)))
    size = max(n for n in range(1, group + 1) if len(whole_batch) % n == 0)
    grouped = whole_batch.reshape(size, -1, *x.shape[1:])
    variance = jnp.mean(jnp.square(grouped - jnp.mean(grouped, 0, keepdims=True)), 0)
    deviation = jnp.sqrt(variance + 1e-8)
    group_means = jnp.mean(deviation, tuple(range(1, deviation.ndim)))  # [groups]
    sample_means = local_slice(jnp.tile(group_means, size), len(x)).astype(x.dtype)  # [batch]
    channel = along_channels(sample_means[:, None], x)
    return jnp.concatenate([x, jnp.broadcast_to(channel, (*x.shape[:-1], 1))], -1)


class MinibatchDiscrimination(nn.Module):
    """Appends to each sample's features how close it is to the others: ``[batch, n + kernels]``.

    ``o_b(x_i) = sum over j != i of exp(-|M_ib - M_jb|_1)`` over the global batch, with
    ``M_i = f(x_i) T`` of shape ``[kernels, size]``.

    References:
      Salimans et al., "Improved Techniques for Training GANs" (2016), section 3.2.

    Attributes:
      kernels: numbers appended to each sample, 100 in the paper.
      size: entries compared for each of them, 5 in the paper.
    """

    kernels: int = 100
    size: int = 5

    @nn.compact
    def __call__(self, x: Array) -> Array:
        x = x.astype(jnp.promote_types(x.dtype, jnp.float32))
        shape = (x.shape[-1], self.kernels * self.size)
        kernel = self.param("kernel", initializers.normal(0.02), shape, jnp.float32)
        projected = (x @ kernel).reshape(len(x), 1, -1)
        whole_batch = gather_batch(projected[:, 0])[None]
        gaps = jnp.abs(projected - whole_batch).reshape(len(x), -1, self.kernels, self.size)
        # A sample's distance to itself is 0, which adds exp(0) = 1.
        closeness = jnp.sum(jnp.exp(-jnp.sum(gaps, -1)), 1) - 1
        return jnp.concatenate([x, closeness], -1)


def append_minibatch_features(name: str, x: Array) -> Array:
    """Appends to each sample how it compares with the others in its batch; for use in a Flax
    module.

    Args:
      name: one of `MINIBATCH_LAYERS`.
      x: the discriminator's last features, ``[batch, n]``.

    Returns:
      ``[batch, n + appended features]``.
    """
    if name == "std":
        return minibatch_std(x)
    if name == "discrimination":
        compared: Array = MinibatchDiscrimination(name="minibatch")(x)
        return compared
    return x
