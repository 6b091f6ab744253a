"""The U-Net of pix2pix: an encoder and a decoder with a connection at each resolution."""

import flax.linen as nn
import jax
import jax.numpy as jnp
from jax.typing import DTypeLike

from gan_jax.errors import UserError
from gan_jax.game import Array
from gan_jax.networks.dropout import dropout
from gan_jax.networks.layers import Norm, nonlinearity
from gan_jax.networks.weights import Conv, TransposedConv, initializer

KERNEL_INIT = initializer("normal")  # N(0, 0.02^2)
MAX_DEPTH = 8


class UNet(nn.Module):
    """``image [batch, h, w, in] -> image [batch, h, w, channels]``.

    Convolutions of 4x4 and stride 2 halve the image ``depth`` times; transposed ones double it as
    often. What the encoder has at a resolution is appended to what the decoder has there. The first
    and the innermost layer of the encoder have no norm: at one pixel a norm per image would leave
    nothing.

    References:
      Isola et al., "Image-to-Image Translation with Conditional Adversarial Networks" (2017),
      section 3.2.1 and appendix 6.1.1, and the authors' errata on the innermost norm.

    Attributes:
      channels: of the result.
      width: channels of the first layer; they double up to 8 times as many.
      depth: halvings; None: down to one pixel, but at most 8.
      norm: one of `layers.NORMS`.
      affine: whether norms have a gain and an offset.
      dropout: the rate in the decoder's innermost layers: the noise of pix2pix, 0.5.
      dropout_layers: in how many of them, 3 in the paper.
      dtype: of the computations in hidden layers.
    """

    channels: int
    width: int = 64
    depth: int | None = None
    norm: str = "instance"
    affine: bool = True
    dropout: float = 0.5
    dropout_layers: int = 3
    dtype: DTypeLike = jnp.float32

    @nn.compact
    def __call__(self, image: Array, rng: Array | None = None) -> Array:
        """Translates images.

        Args:
          image: ``[batch, h, w, in]``.
          rng: a key for each sample, ``[batch]``; None: nothing is dropped.
        """
        depth, x = self._depth(image), image
        sizes: list[tuple[int, int]] = []
        skips: list[Array] = []
        for index in range(depth):
            sizes.append((x.shape[1], x.shape[2]))
            norm = self.norm if 0 < index < depth - 1 else "none"
            conv = Conv(
                self._width(index),
                KERNEL_INIT,
                bias=self.norm == "none" or not self.affine,  # as in the authors' code
                dtype=self.dtype,
                size=4,
                stride=2,
                name=f"down_{index}",
            )
            x = self._norm(norm, f"norm_down_{index}")(
                conv(nonlinearity("leaky_relu")(x) if index else x)
            )
            skips.append(x)
        x = skips.pop()
        for index in reversed(range(1, depth)):
            x = self._up(self._width(index - 1), sizes[index], self.norm, index)(jax.nn.relu(x))
            x = self._norm(self.norm, f"norm_up_{index}")(x)
            if self.dropout and rng is not None and index >= depth - self.dropout_layers:
                keys = jax.vmap(lambda key, index=index: jax.random.fold_in(key, index))(rng)
                x = dropout(x, keys, self.dropout)
            x = jnp.concatenate([skips.pop(), x], -1)
        result: Array = jnp.tanh(self._up(self.channels, sizes[0], "none", 0)(jax.nn.relu(x)))
        return result

    def _depth(self, image: Array) -> int:
        deepest = (max(image.shape[1:3]) - 1).bit_length()
        depth = min(deepest, MAX_DEPTH) if self.depth is None else self.depth
        if not 1 <= depth <= deepest:
            raise UserError(
                f"an image of {image.shape[1]}x{image.shape[2]} is halved from 1 to {deepest} "
                f"times, not {depth}: change depth"
            )
        return depth

    def _width(self, index: int) -> int:
        return self.width * min(1 << index, 8)

    def _norm(self, norm: str, name: str) -> Norm:
        return Norm(norm, self.affine, dtype=self.dtype, name=name)

    def _up(self, features: int, size: tuple[int, int], norm: str, index: int) -> TransposedConv:
        return TransposedConv(
            features,
            KERNEL_INIT,
            bias=norm == "none" or not self.affine,
            dtype=self.dtype,
            size=4,
            output_size=size,
            name=f"up_{index}",
        )
