"""Residual networks: the WGAN-GP paper's and the spectral normalisation paper's."""

import math
from typing import TypedDict, Unpack

import flax.linen as nn
import jax
import jax.numpy as jnp
from jax.typing import DTypeLike

from gan_jax.errors import UserError
from gan_jax.game import Array, Networks
from gan_jax.networks.attention import attend_at, check_attention
from gan_jax.networks.label_conditioning import Head, LabelCode, append_code
from gan_jax.networks.layers import Norm, nonlinearity
from gan_jax.networks.linen_pair import LinenPair
from gan_jax.networks.rematerialisation import rematerialised
from gan_jax.networks.settings import CommonSettings, check_name
from gan_jax.networks.weights import Conv, Dense, initializer

MAIN_INIT = initializer("glorot_uniform", math.sqrt(2.0))
SHORTCUT_INIT = initializer("glorot_uniform")

SMALL_SIDE = 32
"""Up to this side, images get the networks of the papers' smallest data sets."""


class Block(nn.Module):
    """``shortcut(x) + conv(relu(norm(conv(relu(norm(x))))))``, with a change of size on the way.

    Attributes:
      features: channels of the result.
      hidden: channels between the convolutions.
      resample: "up" doubles the image, "down" halves it, "none".
      first: whether the input is the image itself, which is neither normalised nor rectified.
      norm: one of `layers.NORMS`.
      classes: of conditional BatchNorm, 0 for none.
      weight: how kernels are rescaled, see `weights.WeightLayer`.
      dtype: of the computation.
    """

    features: int
    hidden: int
    resample: str = "none"
    first: bool = False
    norm: str = "none"
    classes: int = 0
    weight: str = "plain"
    dtype: DTypeLike = jnp.float32

    @nn.compact
    def __call__(self, x: Array, label: Array | None = None) -> Array:
        up = "up" if self.resample == "up" else "none"
        down = "down" if self.resample == "down" else "none"
        h = x if self.first else self._rectify(x, label, "norm_0")
        h = self._conv(self.hidden, up, "conv_0")(h)
        h = self._rectify(h, label, "norm_1")
        h = self._conv(self.features, down, "conv_1")(h)
        if self.resample == "none" and x.shape[-1] == self.features:
            return x.astype(h.dtype) + h
        shortcut = Conv(
            self.features,
            SHORTCUT_INIT,
            weight=self.weight,
            dtype=self.dtype,
            size=1,
            resample=self.resample,
            name="shortcut",
        )
        return shortcut(x) + h

    def _conv(self, features: int, resample: str, name: str) -> Conv:
        return Conv(
            features,
            MAIN_INIT,
            weight=self.weight,
            dtype=self.dtype,
            size=3,
            resample=resample,
            name=name,
        )

    def _rectify(self, x: Array, label: Array | None, name: str) -> Array:
        norm = Norm(self.norm, classes=self.classes, dtype=self.dtype, name=name)
        return jax.nn.relu(norm(x, label))


class Generator(nn.Module):
    """``(latents, label) -> samples``.

    Attributes:
      base: height and width of the smallest feature map.
      widths: channels at each size, smallest size first.
      channels: of the image.
      output: the last activation.
      attention: height of the map with self-attention, 0 for none.
      settings: those that all networks share.
    """

    base: tuple[int, int]
    widths: tuple[int, ...]
    channels: int
    output: str
    attention: int
    settings: CommonSettings

    @nn.compact
    def __call__(self, latents: Array, label: Array | None = None) -> Array:
        settings = self.settings
        has_conditional_norm = settings.norm == "batch" and settings.conditioning in (
            "projection",
            "auxiliary",
        )
        x = latents
        if not has_conditional_norm:
            code = LabelCode(settings.classes, settings.embedding_size, name="label")(label)
            x = append_code(latents, code)
        height, width = self.base
        project = Dense(
            height * width * self.widths[0], SHORTCUT_INIT, dtype=settings.dtype, name="project"
        )
        x = project(x).reshape(-1, height, width, self.widths[0])
        x = attend_at(self.attention, x, dtype=settings.dtype)
        block_type = rematerialised(Block, settings.rematerialise)
        for index, features in enumerate(self.widths[1:]):
            block = block_type(
                features,
                hidden=features,
                resample="up",
                norm=settings.norm,
                classes=settings.classes if has_conditional_norm else 0,
                dtype=settings.dtype,
                name=f"block_{index}",
            )
            x = block(x, label)
            x = attend_at(self.attention, x, dtype=settings.dtype)
        x = jax.nn.relu(Norm(settings.norm, dtype=settings.dtype, name="norm")(x))
        x = Conv(self.channels, SHORTCUT_INIT, dtype=settings.dtype, name="output")(x)
        return nonlinearity(self.output)(x)


class Discriminator(nn.Module):
    """``(samples, label) -> (scores, label logits or None)``.

    Attributes:
      widths: channels after each block.
      downs: how many blocks, from the first on, halve the image.
      stem: channels of a convolution before the blocks, 0 for none.
      pooling: of the last feature map, "mean", "sum" or "flatten".
      attention: height of the map with self-attention, 0 for none.
      settings: those that all networks share.
    """

    widths: tuple[int, ...]
    downs: int
    stem: int
    pooling: str
    attention: int
    settings: CommonSettings

    @nn.compact
    def __call__(self, samples: Array, label: Array | None = None) -> tuple[Array, Array | None]:
        settings = self.settings
        norm = settings.discriminator_layer_norm
        x = samples
        if settings.conditioning == "concatenation":
            code = LabelCode(settings.classes, settings.embedding_size, name="label")(label)
            x = append_code(x, code)
        if self.stem:
            stem = Conv(
                self.stem, SHORTCUT_INIT, weight=settings.weight, dtype=settings.dtype, name="stem"
            )
            x = stem(x)
        block_type = rematerialised(Block, settings.rematerialise)
        for index, features in enumerate(self.widths):
            is_first = index == 0 and not self.stem
            is_halving = index < self.downs
            block = block_type(
                features,
                hidden=features if is_first or not is_halving else x.shape[-1],
                resample="down" if is_halving else "none",
                first=is_first,
                norm=norm,
                weight=settings.weight,
                dtype=settings.dtype,
                name=f"block_{index}",
            )
            x = block(x)
            if is_halving:
                x = attend_at(self.attention, x, settings.weight, settings.dtype)
        if self.pooling != "flatten":
            last_norm = norm if self.stem else "none"
            x = jax.nn.relu(Norm(last_norm, dtype=settings.dtype, name="norm")(x))
            x = jnp.sum(x, (1, 2)) if self.pooling == "sum" else jnp.mean(x, (1, 2))
        head = Head(
            settings.conditioning,
            settings.classes,
            SHORTCUT_INIT,
            weight=settings.weight,
            name="head",
        )
        return head(x.reshape(len(x), -1), label)


def _longer_side(shape: tuple[int, ...]) -> int:
    if len(shape) != 3:
        raise UserError(
            "this network makes images [height, width, channels], "
            f"not samples of shape {tuple(shape)}"
        )
    return max(shape[:2])


def _possible_halvings(side: int) -> int:
    """How often a side can be halved evenly, down to 4, 5, 6 or 7 pixels."""
    count = 0
    while side % 2 ** (count + 1) == 0 and side // 2**count > 7:
        count += 1
    return count


def _wgan_gp_widths(side: int) -> tuple[tuple[int, ...], tuple[int, ...]]:
    """The WGAN-GP paper's channels in the generator and in the discriminator."""
    halvings = _possible_halvings(side)
    if side <= SMALL_SIDE:
        return (128,) * (halvings + 1), (128,) * 4
    generator_widths = tuple(min(512, 64 * 2 ** (halvings - i)) for i in range(halvings + 1))
    discriminator_widths = tuple(min(512, 128 * 2**i) for i in range(halvings))
    return generator_widths, discriminator_widths


class ResnetSettings(TypedDict, total=False):
    """The keyword arguments of `resnet`."""

    latent_size: int
    latent: str
    generator_widths: tuple[int, ...] | None
    discriminator_widths: tuple[int, ...] | None
    downs: int | None
    stem: int | None
    pooling: str | None
    norm: str
    discriminator_norm: str | None
    output: str
    attention: int
    labels: str | None
    embedding_size: int
    dtype: DTypeLike
    rematerialise: bool


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
    attention: int = 0,
    labels: str | None = None,
    embedding_size: int = 0,
    dtype: DTypeLike = jnp.float32,
    rematerialise: bool = False,
) -> Networks:
    """Returns the WGAN-GP paper's residual networks.

    What is None is the paper's value: one for images with sides up to 32, one for larger images.

    The arguments ``latent_size``, ``latent``, ``norm``, ``discriminator_norm``, ``labels``,
    ``embedding_size``, ``dtype`` and ``rematerialise`` are those of `settings.CommonSettings`.
    ``labels`` is "auxiliary" by default if there are classes. For "projection" and "auxiliary"
    labels the generator's BatchNorm is conditional; otherwise labels are appended to its latents.

    Args:
      shape: shape of one image, ``(height, width, channels)``.
      classes: number of labels, 0 for none.
      generator_widths: channels at each size, smallest size first; the image is ``2 ** (len - 1)``
        times the smallest size. None: 128 throughout up to 32; above, 64 at full size, doubled at
        each halving up to 512.
      discriminator_widths: channels after each block. None: 128 four times; above 32, 128, 256,
        512, 512, ...
      downs: how many of the discriminator's blocks, from the first on, halve the image. None: 2;
        above 32 all.
      stem: channels of a convolution before the blocks, 0 for none. None: 0; above 32, 64.
      pooling: of the last feature map, "mean", "sum" or "flatten". None: "mean"; above 32,
        "flatten".
      discriminator_norm: None: "none"; above 32, "layer".
      output: "tanh" for images in [-1, 1], "sigmoid" for [0, 1].
      attention: the height of the feature maps, one in each network, after which there is
        self-attention (SAGAN, see `attention.SelfAttention`); 0 for none.

    Raises:
      UserError: an unknown name, or a shape that the widths cannot make.

    References:
      Gulrajani et al., "Improved Training of Wasserstein GANs" (2017), appendix F and released
      code.
    """
    side = _longer_side(shape)
    is_small = side <= SMALL_SIDE
    paper_widths = _wgan_gp_widths(side)
    if generator_widths is None:
        generator_widths = paper_widths[0]
    if discriminator_widths is None:
        discriminator_widths = paper_widths[1]
    if downs is None:
        downs = 2 if is_small else len(discriminator_widths)
    if stem is None:
        stem = 0 if is_small else 64
    pooling = pooling or ("mean" if is_small else "flatten")
    check_name("pooling", pooling, ("mean", "sum", "flatten"))
    check_name("output", output, ("tanh", "sigmoid"))

    scale = 2 ** (len(generator_widths) - 1)
    if any(n % scale for n in shape[:2]):
        raise UserError(
            f"{len(generator_widths)} generator_widths make sides that are multiples of {scale}, "
            f"not {shape[0]}x{shape[1]}"
        )
    if downs > len(discriminator_widths) or any(n % 2**downs for n in shape[:2]):
        raise UserError(
            f"the discriminator cannot halve images of {shape[0]}x{shape[1]} {downs} times "
            f"in {len(discriminator_widths)} blocks"
        )
    heights = {shape[0] // 2**index for index in range(len(generator_widths))}
    seen_heights = {shape[0] // 2 ** (index + 1) for index in range(downs)}
    check_attention(attention, heights, seen_heights)
    settings = CommonSettings(
        classes=classes,
        latent_size=latent_size,
        latent=latent,
        labels=labels,
        default_labels="auxiliary",
        embedding_size=embedding_size,
        dtype=dtype,
        norm=norm,
        discriminator_norm=discriminator_norm or ("none" if is_small else "layer"),
        rematerialise=rematerialise,
    )
    generator = Generator(
        base=(shape[0] // scale, shape[1] // scale),
        widths=tuple(generator_widths),
        channels=shape[2],
        output=output,
        attention=attention,
        settings=settings,
    )
    discriminator = Discriminator(
        widths=tuple(discriminator_widths),
        downs=downs,
        stem=stem,
        pooling=pooling,
        attention=attention,
        settings=settings,
    )
    return LinenPair(generator, discriminator, tuple(shape), settings, output=output).networks()


def sngan(shape: tuple[int, ...], classes: int = 0, **settings: Unpack[ResnetSettings]) -> Networks:
    """Returns SNGAN's residual networks: `resnet` with spectral normalisation, and wider.

    The discriminator's optimizer must end in `spectral.spectral_iteration`.

    Args:
      shape: shape of one image, ``(height, width, channels)``.
      classes: number of labels, 0 for none.
      **settings: those of `resnet`. Defaults that differ: discriminator_norm "spectral", pooling
        "sum", stem 0, labels "projection" if there are classes, and the widths. Up to 32: 256
        channels in the generator, 128 in the discriminator's four blocks, two of which halve.
        Above: from 1024 down to 64 in the generator; the discriminator doubles from 64 to 1024, and
        at 128 has a last block that does not halve.

    Raises:
      UserError: as `resnet`.

    References:
      Miyato et al., "Spectral Normalization for Generative Adversarial Networks" (2018), tables 4
      and 5; Miyato & Koyama, "cGANs with Projection Discriminator" (2018), figures 14 and 16.
    """
    side = _longer_side(shape)
    defaults: ResnetSettings = {
        "discriminator_norm": "spectral",
        "pooling": "sum",
        "stem": 0,
        "labels": "projection" if classes else None,
    }
    if side <= SMALL_SIDE:
        defaults["generator_widths"] = (256,) * (4 if side == 32 else 3)
        defaults["discriminator_widths"] = (128,) * 4
        defaults["downs"] = 2
    else:
        halvings = max(int(math.log2(side)) - 2, 1)
        widths = tuple(min(1024, 64 * 2**index) for index in range(halvings + 1))
        defaults["generator_widths"] = widths[::-1]
        defaults["discriminator_widths"] = widths
        defaults["downs"] = halvings if side > 64 else halvings + 1
    merged: ResnetSettings = {**defaults, **settings}
    return resnet(shape, classes, **merged)
