"""CycleGAN's generator: from image to image, with residual blocks at a quarter of the size."""

import flax.linen as nn
import jax
import jax.numpy as jnp
from jax.typing import DTypeLike

from gan_jax.errors import UserError
from gan_jax.game import Array
from gan_jax.networks.layers import Norm
from gan_jax.networks.weights import Conv, TransposedConv, initializer

KERNEL_INIT = initializer("normal")  # N(0, 0.02^2)


class ResnetTranslator(nn.Module):
    """``image [batch, h, w, in] -> image [batch, h, w, channels]``.

    A convolution of 7x7, ``downs`` of 3x3 and stride 2, residual blocks of two 3x3, as many
    transposed convolutions, and one of 7x7. Images are mirrored at their borders, but for the
    convolutions that change the size.

    References:
      Johnson et al., "Perceptual Losses for Real-Time Style Transfer" (2016).
      Zhu et al., CycleGAN (2017), appendix 7.2: 6 blocks for 128x128, 9 for 256x256 and above.

    Attributes:
      channels: of the result.
      width: channels of the first layer; they double at each halving.
      blocks: residual blocks.
      downs: halvings.
      norm: one of `layers.NORMS`.
      affine: whether norms have a gain and an offset; not in the authors' code.
      dtype: of the computations in hidden layers.
    """

    channels: int
    width: int = 64
    blocks: int = 9
    downs: int = 2
    norm: str = "instance"
    affine: bool = False
    dtype: DTypeLike = jnp.float32

    @nn.compact
    def __call__(self, image: Array, rng: Array | None = None) -> Array:
        """Translates images ``[batch, h, w, in]``; nothing is drawn from ``rng``."""
        if min(image.shape[1:3]) < 2 ** (self.downs + 1):
            raise UserError(
                f"images of {image.shape[1]}x{image.shape[2]} are too small for downs={self.downs}"
            )
        x = self._mirrored("first", self.width, 7, image)
        x = jax.nn.relu(self._norm("norm_first", x))
        sizes: list[tuple[int, int]] = []
        for index in range(self.downs):
            sizes.append((x.shape[1], x.shape[2]))
            conv = Conv(
                self.width * 2 ** (index + 1),
                KERNEL_INIT,
                bias=self._has_bias,
                dtype=self.dtype,
                size=3,
                stride=2,
                name=f"down_{index}",
            )
            x = jax.nn.relu(self._norm(f"norm_down_{index}", conv(x)))
        for index in range(self.blocks):
            y = self._mirrored(f"block_{index}_0", x.shape[-1], 3, x)
            y = jax.nn.relu(self._norm(f"norm_block_{index}_0", y))
            y = self._mirrored(f"block_{index}_1", x.shape[-1], 3, y)
            x = x + self._norm(f"norm_block_{index}_1", y)
        for index in reversed(range(self.downs)):
            up = TransposedConv(
                self.width * 2**index,
                KERNEL_INIT,
                bias=self._has_bias,
                dtype=self.dtype,
                size=3,
                output_size=sizes[index],
                name=f"up_{index}",
            )
            x = jax.nn.relu(self._norm(f"norm_up_{index}", up(x)))
        return jnp.tanh(self._mirrored("output", self.channels, 7, x, bias=True))

    @property
    def _has_bias(self) -> bool:
        return self.norm == "none" or not self.affine  # a norm has an offset

    def _norm(self, name: str, x: Array) -> Array:
        normalised: Array = Norm(self.norm, self.affine, dtype=self.dtype, name=name)(x)
        return normalised

    def _mirrored(self, name: str, features: int, size: int, x: Array, bias: bool = False) -> Array:
        """A convolution of the image with its mirror image around it."""
        border = (size // 2, size // 2)
        conv = Conv(
            features,
            KERNEL_INIT,
            bias=bias or self._has_bias,
            dtype=self.dtype,
            size=size,
            padding=0,
            name=name,
        )
        result: Array = conv(jnp.pad(x, ((0, 0), border, border, (0, 0)), "reflect"))
        return result
