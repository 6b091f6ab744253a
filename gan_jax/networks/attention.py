"""Self-attention over the pixels of a feature map."""

import flax.linen as nn
import jax
import jax.numpy as jnp
from jax.typing import DTypeLike

from gan_jax.errors import UserError
from gan_jax.game import Array
from gan_jax.networks import initializers
from gan_jax.networks.weights import Conv

REDUCTION = 8
"""Channels of the feature map for each channel of queries, keys and values."""


class SelfAttention(nn.Module):
    """``x + gamma v(sum_j softmax_j(f(x_j) . g(x_i)) h(x_j))`` for each pixel i, gamma 0 at first.

    f, g and h are 1x1 convolutions to C / 8 channels (at least one), v is one back to C. (The
    authors' code has C / 2 channels in h, and halves the maps of f and h by maxima.)

    Attributes:
      weight: how kernels are rescaled, see `weights.WeightLayer`.
      dtype: of the computation; the softmax is float32 or wider.

    References:
      Zhang et al., "Self-Attention Generative Adversarial Networks" (2019), section 3.
    """

    weight: str = "plain"
    dtype: DTypeLike = jnp.float32

    @nn.compact
    def __call__(self, x: Array) -> Array:
        batch, height, width, channels = x.shape
        inner = max(channels // REDUCTION, 1)

        def pixels(name: str) -> Array:
            projected: Array = self._conv(inner, name)(x)
            return projected.reshape(batch, height * width, inner)

        keys, queries, values = pixels("f"), pixels("g"), pixels("h")
        products = jnp.einsum("bic,bjc->bij", queries, keys)
        wide = jnp.promote_types(products.dtype, jnp.float32)
        shares = jax.nn.softmax(products.astype(wide), -1).astype(values.dtype)
        attended = (shares @ values).reshape(batch, height, width, inner)
        gamma = self.param("gamma", initializers.zeros, (), jnp.float32)
        out: Array = self._conv(channels, "v")(attended)
        return x + gamma.astype(out.dtype) * out

    def _conv(self, features: int, name: str) -> Conv:
        return Conv(features, weight=self.weight, bias=False, dtype=self.dtype, size=1, name=name)


def attend_at(size: int, x: Array, weight: str = "plain", dtype: DTypeLike = jnp.float32) -> Array:
    """Applies self-attention to a feature map of one height; for use in a Flax module.

    Args:
      size: the height; other maps are returned as they are. 0: all are.
      x: ``[batch, height, width, channels]``.
      weight: as in `SelfAttention`.
      dtype: as in `SelfAttention`.

    Returns:
      ``[batch, height, width, channels]``.
    """
    if x.shape[1] != size:
        return x
    attended: Array = SelfAttention(weight, dtype, name="attention")(x)
    return attended


def check_attention(size: int, generator: set[int], discriminator: set[int]) -> None:
    """Raises UserError if the hidden maps of one of two networks never have a height.

    Args:
      size: the height at which they attend; 0 for none.
      generator: the heights of the generator's hidden maps.
      discriminator: those of the discriminator's.
    """
    heights = sorted(generator & discriminator)
    if size and size not in heights:
        raise UserError(
            f"attention={size}: both networks have feature maps of height "
            f"{' and '.join(map(str, heights)) or 'none in common'}"
        )
