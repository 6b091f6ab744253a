"""Layers without weights of their own: normalisation, activations, and those that let samples see each other.

Normalisation statistics are computed in float32 whatever the layer's dtype.
"""

from collections.abc import Callable
from functools import partial
from typing import Any

import flax.linen as nn
import jax
import jax.numpy as jnp
from jax import lax

from gan_jax.distributed.collectives import batch_mean, gather_batch, local_slice
from gan_jax.errors import UserError
from gan_jax.game import Array
from gan_jax.networks import initializers


def along_channels(vector: Array, like: Array) -> Array:
    """``[channels]`` or ``[batch, channels]`` in the shape that broadcasts against ``like``, ``[batch, ..., channels]``."""
    batch = vector.shape[:-1] or (1,)
    return vector.reshape(*batch, *[1] * (like.ndim - 2), vector.shape[-1])


ACTIVATIONS: dict[str, Callable[[Array], Array]] = {
    "relu": jax.nn.relu,
    "leaky_relu": lambda x: jax.nn.leaky_relu(x, 0.2),
    "tanh": jnp.tanh,
    "sigmoid": jax.nn.sigmoid,
    "elu": jax.nn.elu,
    "gelu": jax.nn.gelu,
    "swish": jax.nn.swish,
    "softplus": lambda x: (jax.nn.softplus(2 * x + 2)) / 2 - 1,
    "linear": lambda x: x,
}
"""Activations by name. ``leaky_relu`` has slope 0.2; ``softplus`` is the (softplus(2x + 2)) / 2 - 1 of Gulrajani et al.
(2017), section 5.1, nearly of zero mean."""


def nonlinearity(name: str, slope: float = 0.2) -> Callable[[Array], Array]:
    """The activation of that name; ``slope`` is that of ``leaky_relu``. Raises UserError for another name."""
    if name == "leaky_relu":
        return partial(jax.nn.leaky_relu, negative_slope=slope)
    if name not in ACTIVATIONS:
        raise UserError(f"no activation is named {name!r}: choose one of {', '.join(ACTIVATIONS)}")
    return ACTIVATIONS[name]


class Affine(nn.Module):
    """A gain and an offset for each channel; with ``classes``, a pair for each label."""

    classes: int = 0

    @nn.compact
    def __call__(self, x: Array, label: Array | None = None) -> Array:
        rows = (self.classes,) if self.classes else ()
        gain = self.param("gain", initializers.ones, (*rows, x.shape[-1]), jnp.float32)
        offset = self.param("offset", initializers.zeros, (*rows, x.shape[-1]), jnp.float32)
        if self.classes:
            gain, offset = gain[label], offset[label]
        return x * along_channels(gain, x) + along_channels(offset, x)


def _standardised(x: Array, mean: Array, variance: Array, epsilon: float) -> Array:
    return (x - mean) * lax.rsqrt(variance + epsilon)


class BatchNorm(nn.Module):
    """``(x - mean) / sqrt(variance + epsilon)`` by channel, then a gain and an offset.

    The statistics are those of the batch it is given, over all devices, so nothing is carried from step to step. Where the
    variables hold a "statistics" collection, those are used instead, and a sample does not depend on its neighbours.
    With ``classes`` the gain and offset are those of the sample's label: conditional BatchNorm.

    Source: Ioffe & Szegedy (2015); conditional: Dumoulin et al., "A Learned Representation for Artistic Style" (2017).
    """

    affine: bool = True
    classes: int = 0
    epsilon: float = 1e-5
    dtype: Any = jnp.float32

    @nn.compact
    def __call__(self, x: Array, label: Array | None = None) -> Array:
        x = x.astype(jnp.promote_types(x.dtype, jnp.float32))
        if self.is_mutable_collection("statistics") or not self.has_variable("statistics", "mean"):
            axes = tuple(range(x.ndim - 1))
            mean = batch_mean(x, axes)
            # About the mean of all devices: a mean of their own variances would miss how far apart they lie.
            variance = batch_mean(jnp.square(x - mean), axes)
            self.put_statistics(mean, variance)
        else:
            mean = along_channels(self.get_variable("statistics", "mean"), x)
            variance = along_channels(self.get_variable("statistics", "variance"), x)
        x = _standardised(x, mean, variance, self.epsilon)
        return (Affine(self.classes)(x, label) if self.affine else x).astype(self.dtype)

    def put_statistics(self, mean: Array, variance: Array) -> None:
        if self.is_mutable_collection("statistics"):
            self.put_variable("statistics", "mean", mean.reshape(-1))
            self.put_variable("statistics", "variance", variance.reshape(-1))


class SampleNorm(nn.Module):
    """Standardises each sample by itself: over all entries (LayerNorm) or over each channel's pixels (InstanceNorm).

    Then a gain and an offset by channel. Source: Ba et al. (2016), as in the critic of Gulrajani et al. (2017), which
    has one gain a channel; Ulyanov et al., "Instance Normalization" (2016).
    """

    by_channel: bool
    affine: bool = True
    epsilon: float = 1e-5
    dtype: Any = jnp.float32

    @nn.compact
    def __call__(self, x: Array) -> Array:
        x = x.astype(jnp.promote_types(x.dtype, jnp.float32))
        axes = tuple(range(1, x.ndim - 1 if self.by_channel else x.ndim))
        mean = jnp.mean(x, axes, keepdims=True)
        x = _standardised(
            x, mean, jnp.mean(jnp.square(x - mean), axes, keepdims=True), self.epsilon
        )
        return (Affine()(x) if self.affine else x).astype(self.dtype)


NORMS = ("none", "batch", "layer", "instance")
DISCRIMINATOR_NORMS = (*NORMS, "spectral")


class Norm(nn.Module):
    """The normalisation of that name, one of ``NORMS``; labels matter to conditional BatchNorm (``classes``) alone."""

    name_: str
    affine: bool = True
    classes: int = 0
    dtype: Any = jnp.float32

    @nn.compact
    def __call__(self, x: Array, label: Array | None = None) -> Array:
        if self.name_ == "batch":
            return BatchNorm(self.affine, self.classes, dtype=self.dtype, name="batch_norm")(
                x, label
            )
        if self.name_ in ("layer", "instance"):
            by_channel = self.name_ == "instance" and x.ndim > 2
            return SampleNorm(by_channel, self.affine, dtype=self.dtype, name=f"{self.name_}_norm")(
                x
            )
        return x


def check_norm(name: str, known: tuple[str, ...] = NORMS) -> None:
    """Raises UserError where the name is not one of ``known``."""
    if name not in known:
        raise UserError(
            f"no normalisation is named {name!r} here: choose one of {', '.join(known)}"
        )


def pixel_norm(x: Array) -> Array:
    """Scales the channels of each pixel to a mean square of 1. Source: Karras et al., ProGAN (2018), section 4.2."""
    squares = jnp.square(x.astype(jnp.promote_types(x.dtype, jnp.float32)))
    return x * lax.rsqrt(jnp.mean(squares, -1, keepdims=True) + 1e-8).astype(x.dtype)


def minibatch_std(x: Array, group: int = 4) -> Array:
    """Appends a channel that tells how much samples differ: ``[batch, h, w, c] -> [batch, h, w, c + 1]``.

    The standard deviation of each entry over a group of samples, averaged over all entries. Sample i of the global batch
    shares its group with i + groups, i + 2 groups, ...; the group size is the largest divisor of the global batch
    that is at most ``group``. Source: Karras et al., ProGAN (2018), section 3 and appendix A.1 (group 4).
    """
    everyone = gather_batch(x.astype(jnp.promote_types(x.dtype, jnp.float32)))
    size = max(n for n in range(1, group + 1) if len(everyone) % n == 0)
    grouped = everyone.reshape(size, -1, *x.shape[1:])
    deviation = jnp.sqrt(
        jnp.mean(jnp.square(grouped - jnp.mean(grouped, 0, keepdims=True)), 0) + 1e-8
    )
    mean = jnp.mean(deviation, tuple(range(1, deviation.ndim)))  # [groups]
    own = local_slice(jnp.tile(mean, size), len(x)).astype(x.dtype)
    return jnp.concatenate(
        [x, jnp.broadcast_to(along_channels(own[:, None], x), (*x.shape[:-1], 1))], -1
    )


class MinibatchDiscrimination(nn.Module):
    """Appends to each sample's features how close it is to the others: ``[batch, n] -> [batch, n + kernels]``.

    ``o_b(x_i) = sum over j != i of exp(-|M_ib - M_jb|_1)`` over the global batch, ``M_i = f(x_i) T`` in ``[kernels, size]``.
    Source: Salimans et al., "Improved Techniques for Training GANs" (2016), section 3.2 (100 kernels of size 5).
    """

    kernels: int = 100
    size: int = 5

    @nn.compact
    def __call__(self, x: Array) -> Array:
        x = x.astype(jnp.promote_types(x.dtype, jnp.float32))
        shape = (x.shape[-1], self.kernels * self.size)
        own = (x @ self.param("kernel", initializers.normal(0.02), shape, jnp.float32)).reshape(
            len(x), 1, -1
        )
        everyone = gather_batch(own[:, 0])[None]
        gaps = jnp.abs(own - everyone).reshape(len(x), -1, self.kernels, self.size)
        closeness = jnp.sum(jnp.exp(-jnp.sum(gaps, -1)), 1) - 1  # its distance to itself is 0
        return jnp.concatenate([x, closeness], -1)


MINIBATCH = ("none", "std", "discrimination")


def check_minibatch(name: str) -> None:
    """Raises UserError where the name is not one of ``MINIBATCH``."""
    if name not in MINIBATCH:
        raise UserError(f"minibatch cannot be {name!r}: choose one of {', '.join(MINIBATCH)}")


def compare_batch(name: str, x: Array) -> Array:
    """The layer of that name, one of ``MINIBATCH``, on a discriminator's last features ``[batch, n]``; in a Flax module."""
    if name == "std":
        return minibatch_std(x)
    return MinibatchDiscrimination(name="minibatch")(x) if name == "discrimination" else x
