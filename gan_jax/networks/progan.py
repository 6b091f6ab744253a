"""Progressive growing: one set of parameters, and a pair of networks for each resolution of the schedule."""

import math
from typing import Any

import flax.linen as nn
import jax
import jax.numpy as jnp

from gan_jax.errors import UserError
from gan_jax.game import Array, Networks
from gan_jax.networks.adapters import assemble
from gan_jax.networks.convolution import downsample, upsample
from gan_jax.networks.label_conditioning import Code, Head, beside, way
from gan_jax.networks.latents import latent_distribution
from gan_jax.networks.layers import along_channels, minibatch_std, pixel_norm
from gan_jax.networks.weights import Conv, Dense

MAXIMUM = 1024


def _blend(old: Array, new: Array, fade: Array) -> Array:
    """``(1 - fade) old + fade new``, with one fade a sample."""
    fade = along_channels(fade.astype(new.dtype)[:, None], new)
    return (1 - fade) * old + fade * new


class Generator(nn.Module):
    resolution: int  # of this phase
    largest: int  # that there are parameters for
    channels: int
    widths: dict[int, int]  # by resolution
    normalise: bool
    code: tuple[int, int]
    dtype: Any

    @nn.compact
    def __call__(
        self, latents: Array, label: Array | None = None, fade: Array | None = None
    ) -> Array:
        settings: dict[str, Any] = {"weight": "equalised", "dtype": self.dtype}

        def finish(x: Array) -> Array:
            x = jax.nn.leaky_relu(x, 0.2)
            return pixel_norm(x) if self.normalise else x

        def image(x: Array, resolution: int) -> Array:
            return Conv(self.channels, **settings, gain=1.0, size=1, name=f"to_image_{resolution}")(
                x
            )

        resolution = 4
        x = beside(latents, Code(*self.code, name="label")(label))
        x = pixel_norm(x) if self.normalise else x
        # The first layer sees one pixel: its gain is that of a convolution over 16, as in the released code.
        x = Dense(16 * self.widths[4], **settings, gain=math.sqrt(2) / 4, name="dense_4")(x)
        x = finish(x.reshape(-1, 4, 4, self.widths[4]))
        x = finish(Conv(self.widths[4], **settings, name="conv_4")(x))
        images = {4: image(x, 4)}
        # At initialisation the whole pyramid is walked, so that every phase finds its parameters.
        while resolution < (self.largest if self.is_initializing() else self.resolution):
            resolution *= 2
            width = self.widths[resolution]
            x = finish(Conv(width, **settings, resample="up", name=f"up_{resolution}")(x))
            x = finish(Conv(width, **settings, name=f"conv_{resolution}")(x))
            if self.is_initializing() or resolution >= self.resolution // 2:
                images[resolution] = image(x, resolution)
        if fade is None or resolution == 4:
            return images[resolution]
        return _blend(upsample(images[resolution // 2]), images[resolution], fade)


class Discriminator(nn.Module):
    resolution: int
    largest: int
    widths: dict[int, int]
    group: int
    labels: str
    code: tuple[int, int]
    dtype: Any

    @nn.compact
    def __call__(
        self, samples: Array, label: Array | None = None, fade: Array | None = None
    ) -> tuple[Array, Array | None]:
        settings: dict[str, Any] = {"weight": "equalised", "dtype": self.dtype}

        def features(samples: Array, resolution: int) -> Array:
            x = Conv(self.widths[resolution], **settings, size=1, name=f"from_image_{resolution}")(
                samples
            )
            return jax.nn.leaky_relu(x, 0.2)

        resolution = self.largest if self.is_initializing() else self.resolution
        if self.labels == "concatenation":
            samples = beside(samples, Code(*self.code, name="label")(label))
        x = features(samples, resolution)
        first = True
        while resolution > 4:
            x = jax.nn.leaky_relu(
                Conv(self.widths[resolution], **settings, name=f"conv_{resolution}")(x), 0.2
            )
            half = self.widths[resolution // 2]
            x = Conv(half, **settings, resample="down", name=f"down_{resolution}")(x)
            x = jax.nn.leaky_relu(x, 0.2)
            resolution //= 2
            if self.is_initializing() or (first and fade is not None):
                samples = downsample(samples)
                old = features(samples, resolution)
                x = old + x if fade is None else _blend(old, x, fade)
            first = False
        if self.group > 1:
            x = minibatch_std(x, self.group)
        x = jax.nn.leaky_relu(Conv(self.widths[4], **settings, name="conv_4")(x), 0.2)
        x = Dense(self.widths[2], **settings, name="dense_4")(x.reshape(len(x), -1))
        x = jax.nn.leaky_relu(x, 0.2)
        return Head(self.labels, self.code[0], weight="equalised", name="head")(x, label)


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
    dtype: Any = jnp.float32,
) -> Networks:
    """Progressively grown networks, as they are in the phase of one resolution.

    ``init`` makes the parameters of all resolutions up to ``shape``'s, the same whatever ``resolution`` is, so one set of
    parameters passes from phase to phase; those of later phases have zero gradients.

    Both networks take ``fade=[batch]``, float in [0, 1], one value a sample (it may be traced): the generator returns
    ``(1 - fade) upsampled(image of the previous resolution) + fade (image of this one)``, the discriminator blends its
    first features of the downsampled image with those of the full one. At fade 0 both are the previous phase's networks
    exactly, at 1 (or without fade, for less work) this phase's.

    Args:
      shape: of the largest image, ``(side, side, channels)``, side a power of two from 4 to 1024.
      classes: how many labels there are, 0 for none.
      resolution: this phase's side; None: the largest. Samples are ``[batch, resolution, resolution, channels]``.
      latent_size, latent: the latents' size and distribution, see ``latents.sampler``; they are scaled to a mean square of
        1 where ``normalise``.
      fmap_base, fmap_max: a block at side s has ``min(2 fmap_base / s, fmap_max)`` channels.
      normalise: pixelwise normalisation in the generator.
      group: how many samples the minibatch standard deviation compares, 1 for none.
      labels: what becomes of labels, see ``labels.way``; None: "auxiliary" where there are classes.
      embedding_size: labels enter as learned embeddings of this size, or one-hot where it is 0.
      dtype: of the work in the layers, "float32" or "bfloat16"; parameters, statistics and scores are float32.

    CIFAR-10 in the paper: fmap_max 128, latent_size 128; the ablation of its table 1: fmap_base 2048.

    Raises UserError for a shape or resolution outside of these and for names that are not known.
    Source: Karras et al., "Progressive Growing of GANs for Improved Quality, Stability, and Variation" (2018), section 4,
    appendix A and table 2, and released code.
    """
    powers = tuple(2**n for n in range(2, int(math.log2(MAXIMUM)) + 1))
    if len(shape) != 3 or shape[0] != shape[1] or shape[0] not in powers:
        known = ", ".join(map(str, powers))
        raise UserError(
            f"progan makes square images with sides {known}, not samples of shape {tuple(shape)}"
        )
    largest = shape[0]
    resolution = largest if resolution is None else resolution
    if resolution not in powers or resolution > largest:
        known = ", ".join(str(n) for n in powers if n <= largest)
        raise UserError(
            f"no phase of progan for images of {largest} has resolution {resolution}: choose one of {known}"
        )
    if group < 1:
        raise UserError(f"group must be at least 1, not {group}")
    labels = way(labels, classes, "auxiliary")
    code, dtype = (classes if labels != "none" else 0, embedding_size), jnp.dtype(dtype)
    # 2 stands for the one pixel between the last feature map and the score.
    widths = {side: min(2 * fmap_base // side, fmap_max) for side in (2, *powers)}
    return assemble(
        Generator(resolution, largest, shape[2], widths, normalise, code, dtype),
        Discriminator(resolution, largest, widths, group, labels, code, dtype),
        (largest, largest, shape[2]),
        latent_distribution(latent, latent_size),
        labels,
        fades=True,
        independent_scores=group == 1,
    )
