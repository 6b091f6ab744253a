"""Discriminators of patches: a map of scores, each of which sees a square of the image."""

import flax.linen as nn
import jax.numpy as jnp
from jax.typing import DTypeLike

from gan_jax.errors import UserError
from gan_jax.game import Array
from gan_jax.networks.layers import Norm, nonlinearity
from gan_jax.networks.weights import Conv, initializer

KERNEL_INIT = initializer("normal")  # N(0, 0.02^2)


def receptive_field(layers: int) -> int:
    """Returns the side of the square that each score of a `PatchDiscriminator` sees, in pixels.

    1, 16, 34, 70, 142 and 286 for 0 to 5 halvings.

    Args:
      layers: halvings of the image.
    """
    if layers == 0:
        return 1
    side = 7  # of two convolutions of 4x4
    for _ in range(layers):
        side = 2 * side + 2
    return side


class PatchDiscriminator(nn.Module):
    """``samples [batch, h, w, channels] -> scores [batch, h', w']``: pix2pix's PatchGAN.

    Convolutions of 4x4 with one pixel of zeros around: ``layers`` of stride 2, then one of stride 1
    and the last one, to the scores. The widths double up to 8 times the first. The first layer and
    the last have no norm. With no halvings all convolutions are 1x1, the paper's PixelGAN.

    The features of each layer are stored as the variables ``layer_0``, ``layer_1``, ... of the
    collection "features" if it is mutable.

    References:
      Isola et al., "Image-to-Image Translation with Conditional Adversarial Networks" (2017),
      section 3.2.2 and appendix 6.1.2, and the authors' code: its halvings, 3 for 70x70, are
      ``n_layers``.

    Attributes:
      width: channels of the first layer.
      layers: halvings of the image: see `receptive_field`.
      norm: one of `layers.DISCRIMINATOR_NORMS`.
      affine: whether norms have a gain and an offset.
      dtype: of the computations in hidden layers.
    """

    width: int = 64
    layers: int = 3
    norm: str = "batch"
    affine: bool = True
    dtype: DTypeLike = jnp.float32

    @nn.compact
    def __call__(self, samples: Array, input: Array | None = None) -> Array:
        x = samples if input is None else jnp.concatenate([input, samples], -1)
        kernel, padding = (4, 1) if self.layers else (1, 0)
        smallest = 2**self.layers * 4 - 1 if self.layers else 1
        if min(x.shape[1:3]) < smallest:
            raise UserError(
                f"images of {x.shape[1]}x{x.shape[2]} are too small for a patch discriminator of "
                f"{self.layers} layers, which takes {smallest} pixels or more: choose fewer"
            )
        weight = "spectral" if self.norm == "spectral" else "plain"
        for index in range(max(self.layers, 1) + 1):
            norm = self.norm if index and weight == "plain" else "none"
            conv = Conv(
                self.width * min(2**index, 8),
                KERNEL_INIT,
                bias=norm == "none" or not self.affine,  # a norm has an offset
                weight=weight,
                dtype=self.dtype,
                size=kernel,
                stride=2 if index < self.layers else 1,
                padding=padding,
                name=f"conv_{index}",
            )
            layer = Norm(norm, self.affine, dtype=self.dtype, name=f"norm_{index}")
            x = nonlinearity("leaky_relu")(layer(conv(x)))
            self.sow("features", f"layer_{index}", x)
        score = Conv(
            1, KERNEL_INIT, weight=weight, dtype=self.dtype, size=kernel, padding=padding,
            name="score",
        )  # fmt: skip
        scores: Array = score(x)[..., 0]
        return scores


class MultiScaleDiscriminator(nn.Module):
    """``samples -> {"scale_0": scores, "scale_1": scores, ...}``: patches at several scales.

    Equal discriminators, each with parameters of its own, of which each sees the image at half the
    resolution of the one before. The halving is the mean over 3x3 pixels at stride 2, of those
    pixels that lie inside the image.

    References:
      Wang et al., "High-Resolution Image Synthesis and Semantic Manipulation with Conditional GANs"
      (pix2pixHD, 2018), section 3.2; the pooling is that of the authors' code.

    Attributes:
      scales: how many; 3 in the paper.
      width, layers, norm, affine, dtype: see `PatchDiscriminator`.
    """

    scales: int = 3
    width: int = 64
    layers: int = 3
    norm: str = "batch"
    affine: bool = True
    dtype: DTypeLike = jnp.float32

    @nn.compact
    def __call__(self, samples: Array, input: Array | None = None) -> dict[str, Array]:
        x = samples if input is None else jnp.concatenate([input, samples], -1)
        scores = {}
        for index in range(self.scales):
            if index:
                x = nn.avg_pool(x, (3, 3), (2, 2), ((1, 1), (1, 1)), count_include_pad=False)
            name = f"scale_{index}"
            discriminator = PatchDiscriminator(
                self.width, self.layers, self.norm, self.affine, self.dtype, name=name
            )
            scores[name] = discriminator(x)
        return scores
