"""Residual networks: the WGAN-GP paper's and the spectral normalisation paper's."""

import math
from typing import Any

import flax.linen as nn
import jax
import jax.numpy as jnp

from gan_jax.errors import UserError
from gan_jax.game import Array, Networks
from gan_jax.networks.adapters import assemble
from gan_jax.networks.label_conditioning import Code, Head, beside, way
from gan_jax.networks.latents import latent_distribution
from gan_jax.networks.layers import DISCRIMINATOR_NORMS, Norm, check_norm
from gan_jax.networks.variants import variant_of
from gan_jax.networks.weights import Conv, Dense, initializer

MAIN = initializer("glorot_uniform", math.sqrt(2.0))
SHORTCUT = initializer("glorot_uniform")


class Block(nn.Module):
    """``shortcut(x) + conv(relu(norm(conv(relu(norm(x))))))``, doubling or halving the image on the way.

    ``first``: at the image itself there is nothing to normalise or rectify.
    """

    features: int
    hidden: int
    resample: str = "none"
    first: bool = False
    norm: str = "none"
    classes: int = 0
    weight: str = "plain"
    dtype: Any = jnp.float32

    @nn.compact
    def __call__(self, x: Array, label: Array | None = None) -> Array:
        def conv(features: int, size: int, resample: str, name: str) -> Conv:
            init = SHORTCUT if name == "shortcut" else MAIN
            return Conv(
                features,
                init,
                weight=self.weight,
                dtype=self.dtype,
                size=size,
                resample=resample,
                name=name,
            )

        def rectified(x: Array, name: str) -> Array:
            return jax.nn.relu(
                Norm(self.norm, classes=self.classes, dtype=self.dtype, name=name)(x, label)
            )

        up, down = (self.resample if self.resample == way_ else "none" for way_ in ("up", "down"))
        h = x if self.first else rectified(x, "norm_0")
        h = conv(self.hidden, 3, up, "conv_0")(h)
        h = conv(self.features, 3, down, "conv_1")(rectified(h, "norm_1"))
        if self.resample == "none" and x.shape[-1] == self.features:
            return x.astype(h.dtype) + h
        return conv(self.features, 1, self.resample, "shortcut")(x) + h


class Generator(nn.Module):
    base: tuple[int, int]
    widths: tuple[int, ...]
    channels: int
    norm: str
    output: str
    labels: str
    code: tuple[int, int]
    dtype: Any

    @nn.compact
    def __call__(self, latents: Array, label: Array | None = None) -> Array:
        classes, _ = self.code
        by_norm = self.norm == "batch" and self.labels in ("projection", "auxiliary")
        x = latents if by_norm else beside(latents, Code(*self.code, name="label")(label))
        height, width = self.base
        x = Dense(height * width * self.widths[0], SHORTCUT, dtype=self.dtype, name="project")(x)
        x = x.reshape(-1, height, width, self.widths[0])
        conditional: dict[str, Any] = {"norm": self.norm, "classes": classes if by_norm else 0}
        for index, features in enumerate(self.widths[1:]):
            x = Block(
                features, features, "up", **conditional, dtype=self.dtype, name=f"block_{index}"
            )(x, label)
        x = jax.nn.relu(Norm(self.norm, dtype=self.dtype, name="norm")(x))
        x = Conv(self.channels, SHORTCUT, dtype=self.dtype, name="output")(x)
        return jnp.tanh(x) if self.output == "tanh" else jax.nn.sigmoid(x)


class Discriminator(nn.Module):
    widths: tuple[int, ...]
    downs: int
    stem: int
    pooling: str
    norm: str
    labels: str
    code: tuple[int, int]
    dtype: Any

    @nn.compact
    def __call__(self, samples: Array, label: Array | None = None) -> tuple[Array, Array | None]:
        weight, norm = ("spectral", "none") if self.norm == "spectral" else ("plain", self.norm)
        x = samples
        if self.labels == "concatenation":
            x = beside(x, Code(*self.code, name="label")(label))
        if self.stem:
            x = Conv(self.stem, SHORTCUT, weight=weight, dtype=self.dtype, name="stem")(x)
        for index, features in enumerate(self.widths):
            first = index == 0 and not self.stem
            down = "down" if index < self.downs else "none"
            hidden = features if first or down == "none" else x.shape[-1]
            block = Block(
                features,
                hidden,
                down,
                first,
                norm,
                weight=weight,
                dtype=self.dtype,
                name=f"block_{index}",
            )
            x = block(x)
        if self.pooling != "flatten":
            x = jax.nn.relu(Norm(norm if self.stem else "none", dtype=self.dtype, name="norm")(x))
            x = jnp.sum(x, (1, 2)) if self.pooling == "sum" else jnp.mean(x, (1, 2))
        return Head(self.labels, self.code[0], SHORTCUT, weight=weight, name="head")(
            x.reshape(len(x), -1), label
        )


def _side(shape: tuple[int, ...]) -> int:
    if len(shape) != 3:
        raise UserError(
            f"this network makes images [height, width, channels], not samples of shape {tuple(shape)}"
        )
    return max(shape[:2])


def resnet(
    shape: tuple[int, ...],
    classes: int = 0,
    *,
    latent_size: int = 128,
    latent: str = "normal",
    generator_widths: tuple[int, ...] | None = None,
    discriminator_widths: tuple[int, ...] | None = None,
    downs: int | None = None,
    stem: int | None = None,
    pooling: str | None = None,
    norm: str = "batch",
    discriminator_norm: str | None = None,
    output: str = "tanh",
    labels: str | None = None,
    embedding_size: int = 0,
    dtype: Any = jnp.float32,
) -> Networks:
    """The WGAN-GP paper's residual networks; what is None is the paper's for images up to 32, and for larger ones.

    Args:
      shape: of one image, ``(height, width, channels)``.
      classes: how many labels there are, 0 for none.
      latent_size, latent: the latents' size and distribution, see ``latents.sampler``.
      generator_widths: channels at each size, the smallest first; the image must be ``2 ** (len - 1)`` times the smallest.
        None: 128 throughout up to 32; above, half of 512 each doubling from 512, 512 on.
      discriminator_widths: channels after each block. None: 128 four times; above 32, 128, 256, 512, 512, ...
      downs: how many of the discriminator's blocks, from the first on, halve the image. None: 2; above 32 all.
      stem: channels of a convolution before the blocks, 0 for none. None: 0; above 32, 64.
      pooling: of the last feature map, "mean", "sum" or "flatten". None: "mean"; above 32 "flatten".
      norm: the generator's, "none", "batch", "layer" or "instance".
      discriminator_norm: these, or "spectral". None: "none"; above 32 "layer".
      output: "tanh" for images in [-1, 1], "sigmoid" for [0, 1].
      labels: what becomes of labels, see ``labels.way``; None: "auxiliary" where there are classes. With BatchNorm the
        generator's is conditional ("concatenation": labels enter beside the latents instead).
      embedding_size: labels enter as learned embeddings of this size, or one-hot where it is 0.
      dtype: of the work in the hidden layers, "float32" or "bfloat16"; parameters, statistics and scores are float32.

    Raises UserError for names that are not known and for shapes that the widths cannot make.
    Source: Gulrajani et al., "Improved Training of Wasserstein GANs" (2017), appendix F and released code.
    """
    side = _side(shape)
    small, halvings = side <= 32, 0
    while side % 2 ** (halvings + 1) == 0 and side // 2**halvings > 7:
        halvings += 1
    if generator_widths is None:
        large = tuple(min(512, 64 * 2 ** (halvings - index)) for index in range(halvings + 1))
        generator_widths = (128,) * (halvings + 1) if small else large
    if discriminator_widths is None:
        large = tuple(min(512, 128 * 2**index) for index in range(halvings))
        discriminator_widths = (128,) * 4 if small else large
    downs = (2 if small else len(discriminator_widths)) if downs is None else downs
    stem = (0 if small else 64) if stem is None else stem
    pooling = pooling or ("mean" if small else "flatten")
    discriminator_norm = discriminator_norm or ("none" if small else "layer")

    scale = 2 ** (len(generator_widths) - 1)
    if any(n % scale for n in shape[:2]):
        raise UserError(
            f"{len(generator_widths)} generator_widths make sides that are multiples of {scale}, not {side}"
        )
    if downs > len(discriminator_widths) or any(n % 2**downs for n in shape[:2]):
        raise UserError(
            f"the discriminator cannot halve images of {shape[0]}x{shape[1]} {downs} times"
        )
    if pooling not in ("mean", "sum", "flatten"):
        raise UserError(f"pooling cannot be {pooling!r}: choose one of mean, sum, flatten")
    if output not in ("tanh", "sigmoid"):
        raise UserError(f"output cannot be {output!r}: choose one of tanh, sigmoid")
    labels = way(labels, classes, "auxiliary")
    code, dtype = (classes if labels != "none" else 0, embedding_size), jnp.dtype(dtype)
    base = (shape[0] // scale, shape[1] // scale)
    check_norm(norm)
    check_norm(discriminator_norm, DISCRIMINATOR_NORMS)
    return assemble(
        Generator(base, tuple(generator_widths), shape[2], norm, output, labels, code, dtype),
        Discriminator(
            tuple(discriminator_widths),
            downs,
            stem,
            pooling,
            discriminator_norm,
            labels,
            code,
            dtype,
        ),
        tuple(shape),
        latent_distribution(latent, latent_size),
        labels,
        standing=norm == "batch",
        independent_scores=discriminator_norm != "batch",
    )


@variant_of(resnet)
def sngan(
    shape: tuple[int, ...],
    classes: int = 0,
    *,
    discriminator_norm: str = "spectral",
    pooling: str = "sum",
    labels: str | None = None,
    generator_widths: tuple[int, ...] | None = None,
    discriminator_widths: tuple[int, ...] | None = None,
    downs: int | None = None,
    **settings: Any,
) -> Networks:
    """SNGAN's residual networks: :func:`resnet` with spectral normalisation, wider, with a projection discriminator.

    Up to 32: 256 channels in the generator, 128 in the discriminator's four blocks, two of which halve. Above: from 1024
    down to 64 in the generator; the discriminator doubles from 64 to 1024, and at 128 has a last block that does not halve.
    Arguments, result and errors are those of :func:`resnet`; ``labels`` None is "projection" where there are classes.
    The discriminator's optimizer chain must end in ``spectral.spectral_iteration()``.

    Source: Miyato et al., "Spectral Normalization for Generative Adversarial Networks" (2018), tables 4 and 5; Miyato &
    Koyama, "cGANs with Projection Discriminator" (2018), figures 14 and 16.
    """
    side = _side(shape)
    halvings = max(int(math.log2(side)) - 2, 1)
    if side <= 32:
        generator_widths = generator_widths or (256,) * (4 if side == 32 else 3)
        discriminator_widths, downs = (
            discriminator_widths or (128,) * 4,
            2 if downs is None else downs,
        )
    else:
        wide = tuple(min(1024, 64 * 2**index) for index in range(halvings + 1))
        generator_widths = generator_widths or wide[::-1]
        discriminator_widths = discriminator_widths or wide
        downs = (halvings if side > 64 else halvings + 1) if downs is None else downs
    labels = labels or ("projection" if classes else None)
    widths: dict[str, Any] = {
        "generator_widths": generator_widths,
        "discriminator_widths": discriminator_widths,
        "downs": downs,
    }
    settings = {"stem": 0, **settings}
    return resnet(
        shape,
        classes,
        **widths,
        discriminator_norm=discriminator_norm,
        pooling=pooling,
        labels=labels,
        **settings,
    )
