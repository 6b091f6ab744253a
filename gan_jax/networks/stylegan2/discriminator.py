"""StyleGAN2's discriminator."""

import math

import flax.linen as nn
import jax.numpy as jnp
from jax.typing import DTypeLike

from gan_jax.game import Array
from gan_jax.networks.layers import minibatch_std
from gan_jax.networks.stylegan2.layers import (
    Mapping,
    equalised_conv,
    equalised_dense,
    leaky_relu,
)

LABEL_MAPPING_LAYERS = 8


class Head(nn.Module):
    """The last layer: features ``[batch, n]`` -> score ``[batch]``, float32 or wider.

    With labels the score is that of a projection, ``<output, map(label)> / sqrt(n)``. The features
    are stored as the variable "features" if that collection is mutable.

    Attributes:
      classes: number of labels, 0 for none.
    """

    classes: int

    @nn.compact
    def __call__(self, features: Array, label: Array | None = None) -> Array:
        self.sow("features", "features", features)
        size = features.shape[-1]
        dtype = jnp.promote_types(features.dtype, jnp.float32)
        output = equalised_dense(size if self.classes else 1, "score", dtype=dtype)(features)
        if not self.classes:
            return output[:, 0]
        embedding = Mapping(size, LABEL_MAPPING_LAYERS, self.classes, name="mapping")(None, label)
        return jnp.sum(output * embedding, -1) / math.sqrt(size)


class Discriminator(nn.Module):
    """``(samples, label) -> (scores, None)``.

    Attributes:
      widths: channels by side, from that of the image to 4.
      group: samples that the minibatch standard deviation compares, 1 for none.
      residual: whether blocks are residual; otherwise they are plain, as for CIFAR-10.
      classes: number of labels, 0 for none.
      dtype: of the hidden layers.

    References:
      Karras et al., "Analyzing and Improving the Image Quality of StyleGAN" (2020), section 4.1 and
      figure 7; "Training Generative Adversarial Networks with Limited Data" (2020), appendix B.
    """

    widths: dict[int, int]
    group: int
    residual: bool
    classes: int
    dtype: DTypeLike

    @nn.compact
    def __call__(self, samples: Array, label: Array | None = None) -> tuple[Array, None]:
        width = self.widths[max(self.widths)]
        x = leaky_relu(equalised_conv(width, 1, "from_image", self.dtype)(samples))
        for side in self.widths:
            if side > 4:
                x = self._halved(x, side)
        if self.group > 1:
            x = minibatch_std(x, self.group)
        x = leaky_relu(equalised_conv(self.widths[4], 3, "conv_4", self.dtype)(x))
        dense = equalised_dense(self.widths[4], "dense_4", dtype=self.dtype)
        x = leaky_relu(dense(x.reshape(len(x), -1)))
        return Head(self.classes, name="head")(x, label), None

    def _halved(self, x: Array, side: int) -> Array:
        """A block: ``(skip(x) + f(x)) / sqrt(2)``, or ``f(x)`` alone."""
        width, half_width = self.widths[side], self.widths[side // 2]
        y = leaky_relu(equalised_conv(width, 3, f"conv_{side}", self.dtype)(x))
        y = leaky_relu(equalised_conv(half_width, 3, f"down_{side}", self.dtype, down=True)(y))
        if not self.residual:
            return y
        skip = equalised_conv(half_width, 1, f"skip_{side}", self.dtype, down=True, bias=False)
        return (skip(x) + y) * math.sqrt(0.5)
