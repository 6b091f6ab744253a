"""StyleGAN2's generator: a mapping network, and a synthesis network with skip connections."""

import flax.linen as nn
import jax
import jax.numpy as jnp
from jax.typing import DTypeLike

from gan_jax.game import Array
from gan_jax.networks import filtered_resampling, initializers
from gan_jax.networks.stylegan2.layers import Mapping, ModulatedConv, leaky_relu


def style_layers(side: int) -> int:
    """Returns how many layers take a style of their own for images of that side: 8 for 32."""
    return 2 * (side.bit_length() - 1) - 2


class Synthesis(nn.Module):
    """``(styles, rng) -> samples``: images of all sides from 4 on, each added to the doubled last.

    The styles are ``[batch, layers, size]``, one for each 3x3 convolution, and one more: the layer
    that makes an image has the style of the convolution after it.

    Attributes:
      widths: channels by side, from 4 to that of the image.
      channels: of the image.
      noise: whether there is noise.
      dtype: of the hidden layers; images are added up in float32 or wider.
    """

    widths: dict[int, int]
    channels: int
    noise: bool
    dtype: DTypeLike

    @nn.compact
    def __call__(self, styles: Array, rng: Array | None = None) -> Array:
        shape = (4, 4, self.widths[4])
        constant = self.param("constant", initializers.normal(1.0), shape, jnp.float32)
        x = jnp.broadcast_to(constant[None], (len(styles), *shape)).astype(self.dtype)
        image, layer = None, 0
        for side in self.widths:
            for name, up in (("up", True), ("conv", False)) if side > 4 else (("conv", False),):
                conv = ModulatedConv(
                    self.widths[side],
                    weight="equalised",
                    gain=1.0,
                    dtype=self.dtype,
                    up=up,
                    noise=self.noise,
                    name=f"{name}_{side}",
                )
                x = leaky_relu(conv(x, styles[:, layer], _layer_keys(rng, layer)))
                layer += 1
            to_image = ModulatedConv(
                self.channels,
                weight="equalised",
                gain=1.0,
                dtype=self.dtype,
                size=1,
                demodulate=False,
                noise=False,
                name=f"to_image_{side}",
            )
            made = to_image(x, styles[:, layer])
            made = made.astype(jnp.promote_types(made.dtype, jnp.float32))
            image = made if image is None else filtered_resampling.upsample(image) + made
        assert image is not None
        return image


def _layer_keys(rng: Array | None, layer: int) -> Array | None:
    return None if rng is None else jax.vmap(lambda key: jax.random.fold_in(key, layer))(rng)


class Generator(nn.Module):
    """``(latents, label) -> samples``, without noise; its halves are ``map`` and ``synthesise``.

    Attributes:
      style_size: numbers in a style.
      mapping_layers: of the mapping network.
      classes: number of labels, 0 for none.
      widths, channels, noise, dtype: of the synthesis network.
    """

    style_size: int
    mapping_layers: int
    classes: int
    widths: dict[int, int]
    channels: int
    noise: bool
    dtype: DTypeLike

    def setup(self) -> None:
        self.mapping = Mapping(self.style_size, self.mapping_layers, self.classes)
        self.synthesis = Synthesis(self.widths, self.channels, self.noise, self.dtype)

    def __call__(self, latents: Array, label: Array | None = None) -> Array:
        return self.synthesise(self.map(latents, label))

    def map(self, latents: Array, label: Array | None = None) -> Array:
        """Returns styles ``[batch, layers, size]``, the same for all layers."""
        style = self.mapping(latents, label)
        layers = style_layers(max(self.widths))
        return jnp.broadcast_to(style[:, None], (len(style), layers, self.style_size))

    def synthesise(self, styles: Array, rng: Array | None = None) -> Array:
        """Returns samples ``[batch, h, w, channels]``."""
        samples: Array = self.synthesis(styles, rng)
        return samples
