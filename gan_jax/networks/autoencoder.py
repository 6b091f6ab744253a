"""A convolutional encoder and decoder around a bottleneck, as in VQGAN and latent diffusion."""

import flax.linen as nn
import jax
import jax.numpy as jnp
from jax.typing import DTypeLike

from gan_jax.game import Array, PRNGKey
from gan_jax.networks import bottlenecks
from gan_jax.networks.initializers import variance_scaling
from gan_jax.networks.layers import Affine
from gan_jax.networks.rematerialisation import rematerialised
from gan_jax.networks.weights import Conv

BOTTLENECKS = ("vq", "fsq", "kl")
KERNEL_INIT = variance_scaling(1 / 3, "fan_in", "uniform")  # PyTorch's default
GROUPS = 8
"""Groups of channels whose statistics are shared: 32 in the paper, whose narrowest layers have 128
channels."""


class GroupNorm(nn.Module):
    """Standardises groups of channels of each sample by itself, with a gain and an offset.

    There are `GROUPS` groups, or the largest smaller number that divides the channels.

    References:
      Wu & He, "Group Normalization" (2018).

    Attributes:
      dtype: of the result.
    """

    dtype: DTypeLike = jnp.float32

    @nn.compact
    def __call__(self, x: Array) -> Array:
        groups = max(n for n in range(1, GROUPS + 1) if x.shape[-1] % n == 0)
        grouped = x.astype(jnp.promote_types(x.dtype, jnp.float32))
        grouped = grouped.reshape(*x.shape[:-1], groups, -1)
        axes = (*range(1, x.ndim - 1), x.ndim)
        mean = jnp.mean(grouped, axes, keepdims=True)
        variance = jnp.mean(jnp.square(grouped - mean), axes, keepdims=True)
        grouped = (grouped - mean) * jax.lax.rsqrt(variance + 1e-6)
        normalised: Array = Affine()(grouped.reshape(x.shape))
        return normalised.astype(self.dtype)


def _conv(
    features: int,
    name: str,
    dtype: DTypeLike,
    size: int = 3,
    stride: int = 1,
    resample: str = "none",
) -> Conv:
    return Conv(
        features, KERNEL_INIT, dtype=dtype, size=size, stride=stride, resample=resample, name=name
    )


class Block(nn.Module):
    """``x + W2 f(W1 f(x))``, f a group normalisation and a swish; ``W x`` if the width changes.

    Attributes:
      features: channels of the output.
      dtype: of the computation.
    """

    features: int
    dtype: DTypeLike

    @nn.compact
    def __call__(self, x: Array) -> Array:
        h = x
        for index in range(2):
            h = jax.nn.swish(GroupNorm(self.dtype, name=f"norm_{index}")(h))
            h = _conv(self.features, f"conv_{index}", self.dtype)(h)
        if x.shape[-1] != self.features:
            x = _conv(self.features, "skip", self.dtype, size=1)(x)
        return x + h


class Encoder(nn.Module):
    """Images ``[b, h, w, c]`` to ``[b, h / f, w / f, channels]``, f = 2 for each width but one.

    Attributes:
      widths: channels at each size, largest size first.
      blocks: at each size.
      channels: of the output.
      dtype: of the computation.
      rematerialise: whether blocks keep only their inputs, see `rematerialised`.
    """

    widths: tuple[int, ...]
    blocks: int
    channels: int
    dtype: DTypeLike
    rematerialise: bool = False

    @nn.compact
    def __call__(self, images: Array) -> Array:
        block_type = rematerialised(Block, self.rematerialise)
        x = _conv(self.widths[0], "input", self.dtype)(images)
        for size, width in enumerate(self.widths):
            if size:
                x = _conv(x.shape[-1], f"down_{size}", self.dtype, stride=2)(x)
            for index in range(self.blocks):
                x = block_type(width, self.dtype, name=f"block_{size}_{index}")(x)
        x = block_type(self.widths[-1], self.dtype, name="middle")(x)
        x = jax.nn.swish(GroupNorm(self.dtype, name="norm")(x))
        return _conv(self.channels, "output", self.dtype)(x)


class Decoder(nn.Module):
    """The way back: ``[b, h / f, w / f, channels]`` to images ``[b, h, w, c]``.

    Attributes:
      widths: channels at each size, smallest size first.
      blocks: at each size.
      channels: of the images.
      dtype: of the computation.
      rematerialise: whether blocks keep only their inputs, see `rematerialised`.
    """

    widths: tuple[int, ...]
    blocks: int
    channels: int
    dtype: DTypeLike
    rematerialise: bool = False

    @nn.compact
    def __call__(self, x: Array) -> Array:
        block_type = rematerialised(Block, self.rematerialise)
        x = _conv(self.widths[0], "input", self.dtype)(x)
        x = block_type(self.widths[0], self.dtype, name="middle")(x)
        for size, width in enumerate(self.widths):
            if size:
                x = _conv(x.shape[-1], f"up_{size}", self.dtype, resample="up")(x)
            for index in range(self.blocks):
                x = block_type(width, self.dtype, name=f"block_{size}_{index}")(x)
        x = jax.nn.swish(GroupNorm(self.dtype, name="norm")(x))
        return _conv(self.channels, "output", self.dtype)(x)


class Bottleneck(nn.Module):
    """``(encoded, keys) -> (what is decoded, outputs)``: see `vqgan`.

    Attributes:
      kind: one of `BOTTLENECKS`.
      codes: entries of the codebook of "vq".
      levels: of "fsq".
    """

    kind: str
    codes: int
    levels: tuple[int, ...]

    @nn.compact
    def __call__(self, x: Array, keys: PRNGKey | None) -> tuple[Array, dict[str, Array]]:
        x = x.astype(jnp.promote_types(x.dtype, jnp.float32))
        if self.kind == "vq":
            # The authors' initialisation, U[-1, 1] / codes.
            init = variance_scaling(1 / (3 * self.codes), "fan_in", "uniform")
            codebook = self.param("codebook", init, (self.codes, x.shape[-1]), jnp.float32)
            values, codes = bottlenecks.vector_quantise(x, codebook)
            outputs = {
                "codes": codes,
                "codebook": bottlenecks.codebook_loss(x, values),
                "commitment": bottlenecks.commitment_loss(x, values),
            }
            return bottlenecks.straight_through(x, values), outputs
        if self.kind == "fsq":
            values, codes = bottlenecks.finite_scalar_quantise(x, self.levels)
            return values, {"codes": codes}
        gaussian = bottlenecks.diagonal_gaussian(x)
        assert keys is not None
        drawn = bottlenecks.draw_gaussian(gaussian, keys)
        return drawn, {"kl": bottlenecks.kl_divergence(gaussian)}


class Autoencoder(nn.Module):
    """``(images, keys) -> (reconstructions, outputs)``: an encoder, a bottleneck and a decoder.

    Attributes:
      encoder, bottleneck, decoder: its parts.
    """

    encoder: Encoder
    bottleneck: Bottleneck
    decoder: Decoder

    def __call__(
        self, images: Array, keys: PRNGKey | None = None
    ) -> tuple[Array, dict[str, Array]]:
        values, outputs = self.bottleneck(self.encoder(images), keys)
        images = self.decoder(values)
        return images.astype(jnp.promote_types(images.dtype, jnp.float32)), outputs
