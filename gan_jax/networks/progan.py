"""Progressive growing: one set of parameters, and networks for each resolution of the schedule."""

import math

import flax.linen as nn
import jax
import jax.numpy as jnp
from jax.typing import DTypeLike

from gan_jax.errors import UserError
from gan_jax.game import Array, Networks
from gan_jax.networks.convolution import downsample, upsample
from gan_jax.networks.label_conditioning import Head, LabelCode, append_code
from gan_jax.networks.layers import along_channels, minibatch_std, pixel_norm
from gan_jax.networks.linen_pair import LinenPair
from gan_jax.networks.settings import CommonSettings
from gan_jax.networks.weights import Conv, Dense

RESOLUTIONS = (4, 8, 16, 32, 64, 128, 256, 512, 1024)


def _conv(
    features: int,
    name: str,
    dtype: DTypeLike,
    size: int = 3,
    gain: float = math.sqrt(2),
    resample: str = "none",
) -> Conv:
    """An equalised convolution."""
    return Conv(
        features,
        weight="equalised",
        gain=gain,
        dtype=dtype,
        size=size,
        resample=resample,
        name=name,
    )


def _blend(old: Array, new: Array, fade: Array) -> Array:
    """``(1 - fade) old + fade new``, with one fade per sample."""
    fade = along_channels(fade.astype(new.dtype)[:, None], new)
    return (1 - fade) * old + fade * new


class Generator(nn.Module):
    """``(latents, label, fade) -> samples``.

    At initialisation all resolutions are computed, so that every phase finds its parameters.

    Attributes:
      resolution: of this phase.
      largest: the largest resolution that there are parameters for.
      channels: of the image.
      widths: channels by resolution.
      normalise: whether each pixel's channels are normalised.
      settings: those that all networks share.
    """

    resolution: int
    largest: int
    channels: int
    widths: dict[int, int]
    normalise: bool
    settings: CommonSettings

    @nn.compact
    def __call__(
        self, latents: Array, label: Array | None = None, fade: Array | None = None
    ) -> Array:
        settings = self.settings
        resolution = 4
        code = LabelCode(settings.classes, settings.embedding_size, name="label")(label)
        x = append_code(latents, code)
        if self.normalise:
            x = pixel_norm(x)
        # The first layer sees one pixel: as in the released code, its gain is that of a convolution
        # over 16 pixels.
        dense = Dense(
            16 * self.widths[4],
            weight="equalised",
            gain=math.sqrt(2) / 4,
            dtype=settings.dtype,
            name="dense_4",
        )
        x = self._activate(dense(x).reshape(-1, 4, 4, self.widths[4]))
        x = self._activate(_conv(self.widths[4], "conv_4", settings.dtype)(x))
        images = {4: self._to_image(x, 4)}
        while resolution < (self.largest if self.is_initializing() else self.resolution):
            resolution *= 2
            width = self.widths[resolution]
            x = self._activate(_conv(width, f"up_{resolution}", settings.dtype, resample="up")(x))
            x = self._activate(_conv(width, f"conv_{resolution}", settings.dtype)(x))
            if self.is_initializing() or resolution >= self.resolution // 2:
                images[resolution] = self._to_image(x, resolution)
        if fade is None or resolution == 4:
            return images[resolution]
        return _blend(upsample(images[resolution // 2]), images[resolution], fade)

    def _activate(self, x: Array) -> Array:
        x = jax.nn.leaky_relu(x, 0.2)
        return pixel_norm(x) if self.normalise else x

    def _to_image(self, x: Array, resolution: int) -> Array:
        name = f"to_image_{resolution}"
        layer = _conv(self.channels, name, self.settings.dtype, size=1, gain=1.0)
        image: Array = layer(x)
        return image


class Discriminator(nn.Module):
    """``(samples, label, fade) -> (scores, label logits or None)``.

    Attributes:
      resolution: of this phase.
      largest: the largest resolution that there are parameters for.
      widths: channels by resolution; those of 2 are of the dense layer.
      group: samples that the minibatch standard deviation compares, 1 for none.
      settings: those that all networks share.
    """

    resolution: int
    largest: int
    widths: dict[int, int]
    group: int
    settings: CommonSettings

    @nn.compact
    def __call__(
        self, samples: Array, label: Array | None = None, fade: Array | None = None
    ) -> tuple[Array, Array | None]:
        settings = self.settings
        resolution = self.largest if self.is_initializing() else self.resolution
        if settings.conditioning == "concatenation":
            code = LabelCode(settings.classes, settings.embedding_size, name="label")(label)
            samples = append_code(samples, code)
        x = self._from_image(samples, resolution)
        is_first = True
        while resolution > 4:
            conv = _conv(self.widths[resolution], f"conv_{resolution}", settings.dtype)
            x = jax.nn.leaky_relu(conv(x), 0.2)
            half_width = self.widths[resolution // 2]
            down = _conv(half_width, f"down_{resolution}", settings.dtype, resample="down")
            x = jax.nn.leaky_relu(down(x), 0.2)
            resolution //= 2
            if self.is_initializing() or (is_first and fade is not None):
                samples = downsample(samples)
                old = self._from_image(samples, resolution)
                x = old + x if fade is None else _blend(old, x, fade)
            is_first = False
        if self.group > 1:
            x = minibatch_std(x, self.group)
        x = jax.nn.leaky_relu(_conv(self.widths[4], "conv_4", settings.dtype)(x), 0.2)
        dense = Dense(self.widths[2], weight="equalised", dtype=settings.dtype, name="dense_4")
        x = jax.nn.leaky_relu(dense(x.reshape(len(x), -1)), 0.2)
        head = Head(settings.conditioning, settings.classes, weight="equalised", name="head")
        return head(x, label)

    def _from_image(self, samples: Array, resolution: int) -> Array:
        name = f"from_image_{resolution}"
        layer = _conv(self.widths[resolution], name, self.settings.dtype, size=1)
        return jax.nn.leaky_relu(layer(samples), 0.2)


def progan(
    shape: tuple[int, ...],
    classes: int = 0,
    *,
    resolution: int | None = None,
    latent_size: int = 512,
    latent: str = "normal",
    fmap_base: int = 8192,
    fmap_max: int = 512,
    normalise: bool = True,
    group: int = 4,
    labels: str | None = None,
    embedding_size: int = 0,
    dtype: DTypeLike = jnp.float32,
) -> Networks:
    """Returns progressively grown networks, as they are in the phase of one resolution.

    ``init`` makes the parameters of all resolutions up to that of ``shape``, the same whatever
    ``resolution`` is, so one set of parameters passes from phase to phase. The gradients of later
    phases' parameters are zero.

    Both networks take ``fade=[batch]``, float in [0, 1], one value per sample; it may be traced.
    The generator returns
    ``(1 - fade) upsampled(image of the previous resolution) + fade (image of this resolution)``.
    The discriminator blends its first features of the downsampled image with those of the full one.
    At fade 0 both are exactly the networks of the previous phase; at fade 1 they are those of this
    phase, as they are without fade, at lower cost.

    The arguments ``latent_size``, ``latent``, ``labels``, ``embedding_size`` and ``dtype`` are
    those of `settings.CommonSettings`; ``labels`` is "auxiliary" by default if there are classes.
    With ``normalise`` latents are scaled to a mean square of 1.

    CIFAR-10 in the paper: fmap_max 128, latent_size 128; the ablation of its table 1: fmap_base
    2048.

    Args:
      shape: shape of the largest image, ``(side, side, channels)``, side a power of two from 4 to
        1024.
      classes: number of labels, 0 for none.
      resolution: side of the images in this phase; None: the largest. Samples are
        ``[batch, resolution, resolution, channels]``.
      fmap_base: a block at side s has ``min(2 fmap_base / s, fmap_max)`` channels.
      fmap_max: the most channels.
      normalise: whether the generator normalises the channels of each pixel.
      group: how many samples the minibatch standard deviation compares, 1 for none.

    Raises:
      UserError: another shape or resolution, or an unknown name.

    References:
      Karras et al., "Progressive Growing of GANs for Improved Quality, Stability, and Variation"
      (2018), section 4, appendix A and table 2, and released code.
    """
    if len(shape) != 3 or shape[0] != shape[1] or shape[0] not in RESOLUTIONS:
        known = ", ".join(map(str, RESOLUTIONS))
        raise UserError(
            f"progan makes square images with sides {known}, not samples of shape {tuple(shape)}"
        )
    largest, _, channels = shape
    if resolution is None:
        resolution = largest
    possible = [side for side in RESOLUTIONS if side <= largest]
    if resolution not in possible:
        raise UserError(
            f"resolution cannot be {resolution} for progan's images of {largest}x{largest}: "
            f"choose one of {', '.join(map(str, possible))}"
        )
    if group < 1:
        raise UserError(f"group must be at least 1, not {group}")
    settings = CommonSettings(
        classes=classes,
        latent_size=latent_size,
        latent=latent,
        labels=labels,
        default_labels="auxiliary",
        embedding_size=embedding_size,
        dtype=dtype,
        minibatch="std" if group > 1 else "none",
    )
    # Side 2 stands for the one pixel between the last feature map and the score.
    widths = {side: min(2 * fmap_base // side, fmap_max) for side in (2, *RESOLUTIONS)}
    generator = Generator(
        resolution=resolution,
        largest=largest,
        channels=channels,
        widths=widths,
        normalise=normalise,
        settings=settings,
    )
    discriminator = Discriminator(
        resolution=resolution,
        largest=largest,
        widths=widths,
        group=group,
        settings=settings,
    )
    return LinenPair(generator, discriminator, tuple(shape), settings, takes_fade=True).networks()
