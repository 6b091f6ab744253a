"""StyleGAN2's two networks as plain functions."""

from dataclasses import dataclass
from typing import Any

import jax
import jax.numpy as jnp
from jax.typing import DTypeLike

from gan_jax.errors import UserError
from gan_jax.game import Array, Networks, Params
from gan_jax.networks.linen_pair import LinenPair
from gan_jax.networks.settings import CommonSettings
from gan_jax.networks.stylegan2.discriminator import Discriminator
from gan_jax.networks.stylegan2.generator import Generator

SIDES = (4, 8, 16, 32, 64, 128, 256, 512, 1024)
SYNTHESIS_KEY, MIXING_KEY = 0, 1
"""Folded into each sample's key."""


@dataclass(frozen=True, eq=False)
class StyledPair(LinenPair):
    """The pair as functions; the generator's halves are ``styles`` and ``generate``.

    Attributes:
      mixing: the share of samples with mixed styles, in training.
    """

    mixing: float = 0.0

    def networks(self) -> Networks:
        """Returns the pair as plain functions."""
        return (
            super()
            .networks()
            ._replace(
                standing=self.with_mean_style, styles=self.styles, random=("generate", "styles")
            )
        )

    def styles(
        self,
        params: Params,
        latents: Array,
        rng: Array | None = None,
        truncation: Array | None = None,
        **conditions: Array,
    ) -> Array:
        """Returns styles ``[batch, layers, size]``: mixed in training, truncated in sampling."""
        styles = self._map(params, latents, conditions)
        mean = params.get("statistics")
        if mean is None and self.mixing and rng is not None:
            styles = self._mix(params, styles, rng, conditions)
        if truncation is None:
            return styles
        if mean is None:
            raise UserError(
                "truncation needs the mean style: take the parameters that "
                "networks.standing(params, latents) returns"
            )
        centre: Array = mean["style"][None, None]
        return centre + truncation[:, None, None] * (styles - centre)

    def generate(
        self,
        params: Params,
        latents: Array | None,
        rng: Array | None = None,
        styles: Array | None = None,
        **conditions: Array,
    ) -> Array:
        """Returns samples ``[batch, *shape]``, float32 or wider."""
        if styles is None:
            assert latents is not None
            styles = self.styles(params, latents, rng, **conditions)
        keys = None if rng is None else _folded(rng, SYNTHESIS_KEY)
        samples: Array = self._half("synthesise", params, styles, rng=keys)
        return samples

    def with_mean_style(self, params: Params, latents: Array, **conditions: Any) -> Params:
        """Returns the generator's parameters with the mean style over latents."""
        conditions.pop("truncation", None)
        trained = {name: value for name, value in params.items() if name != "statistics"}
        style = jnp.mean(self._map(trained, latents, conditions), (0, 1))
        return trained | {"statistics": {"style": style}}

    def _map(self, params: Params, latents: Array, conditions: dict[str, Array]) -> Array:
        styles: Array = self._half("map", params, latents, **self._checked(conditions))
        return styles

    def _half(self, method: str, params: Params, inputs: Array, **conditions: Any) -> Any:
        return self.generator.apply(params, inputs, **conditions, method=method)

    def _mix(
        self, params: Params, styles: Array, rng: Array, conditions: dict[str, Array]
    ) -> Array:
        """Styles of which a share is that of other latents from a random layer on."""
        layers = styles.shape[1]

        def draw(key: Array) -> tuple[Array, Array]:
            latent_key, layer_key, mixing_key = jax.random.split(key, 3)
            first = jax.random.randint(layer_key, (), 1, layers)
            first = jnp.where(jax.random.bernoulli(mixing_key, self.mixing), first, layers)
            return self.settings.draw_latents(latent_key, 1)[0], first

        latents, first = jax.vmap(draw)(_folded(rng, MIXING_KEY))
        others = self._map(params, latents.astype(styles.dtype), conditions)
        mixed = jnp.arange(layers)[None] >= first[:, None]
        return jnp.where(mixed[..., None], others, styles)


def _folded(rng: Array, number: int) -> Array:
    return jax.vmap(lambda key: jax.random.fold_in(key, number))(rng)


def stylegan2(
    shape: tuple[int, ...],
    classes: int = 0,
    *,
    latent_size: int = 512,
    latent: str = "normal",
    style_size: int = 512,
    mapping_layers: int = 8,
    channel_base: int = 32768,
    channel_max: int = 512,
    mixing: float = 0.9,
    noise: bool = True,
    group: int = 4,
    residual: bool = True,
    dtype: DTypeLike = jnp.float32,
) -> Networks:
    """Returns StyleGAN2's networks.

    The generator maps latents to a style, by which the kernels of all its convolutions are scaled
    and demodulated, adds noise to each layer, and adds up images of all sides. The discriminator is
    residual and compares samples by their minibatch standard deviation. All layers have equalised
    learning rates; the mapping network learns at 0.01 of the learning rate. The objective of the
    paper is ``non_saturating + every(16, r1()) + every(4, path_length())``.

    ``styles`` returns a style for each layer, ``[batch, layers, style_size]``, and
    ``generate(params, None, styles=...)`` makes samples of them. Both draw: given keys ``rng``,
    ``[batch]``, a sample has noise and, in training, its styles are mixed. With the parameters that
    ``standing`` returns styles are not mixed, and ``truncation``, ``[batch]`` floats, scales their
    distance from the mean style; 1 leaves them. (The authors' code has a moving average of styles
    instead of the mean over latents, and mixes all samples of a batch at one layer.)

    With classes the mapping network takes the label's embedding beside the latents, and the
    discriminator's score is the inner product of its features and a mapped label.

    Args:
      shape: shape of one image, ``(side, side, channels)``, side a power of two from 4 to 1024.
      classes: number of labels, 0 for none.
      latent_size: numbers in one latent vector, at least 1.
      latent: their distribution: "normal", "uniform", "standard_uniform" or "spherical", see
        `latents.latent_distribution`.
      style_size: numbers in a style.
      mapping_layers: dense layers from latents to a style.
      channel_base: layers at side s have ``min(channel_base / s, channel_max)`` channels.
      channel_max: the most channels.
      mixing: the share of samples with mixed styles, in training.
      noise: whether there is noise.
      group: how many samples the minibatch standard deviation compares, 1 for none.
      residual: whether the discriminator's blocks are residual; the authors' recipe for CIFAR-10
        has plain ones.
      dtype: of the computations in hidden layers, "float32" or "bfloat16".

    Raises:
      UserError: another shape, an unknown name, or a number out of range.

    References:
      Karras et al., "Analyzing and Improving the Image Quality of StyleGAN" (2020), and the code of
      StyleGAN2-ADA (2020).
    """
    if len(shape) != 3 or shape[0] != shape[1] or shape[0] not in SIDES:
        known = ", ".join(map(str, SIDES))
        raise UserError(
            f"stylegan2 makes square images with sides {known}, not samples of shape {tuple(shape)}"
        )
    if not 0 <= mixing <= 1:
        raise UserError(f"mixing is a share from 0 to 1, not {mixing}")
    for name, number in {
        "style_size": style_size,
        "channel_base / side": channel_base // shape[0],
        "channel_max": channel_max,
        "group": group,
    }.items():
        if number < 1:
            raise UserError(f"{name} must be at least 1, not {number}")
    settings = CommonSettings(
        classes=classes,
        latent_size=latent_size,
        latent=latent,
        labels=None,
        default_labels="projection",
        embedding_size=0,
        dtype=dtype,
        minibatch="std" if group > 1 else "none",
    )
    widths = {side: min(channel_base // side, channel_max) for side in SIDES if side <= shape[0]}
    generator = Generator(
        style_size=style_size,
        mapping_layers=mapping_layers,
        classes=classes,
        widths=widths,
        channels=shape[2],
        noise=noise,
        dtype=dtype,
    )
    discriminator = Discriminator(
        widths=dict(reversed(widths.items())),
        group=group,
        residual=residual,
        classes=classes,
        dtype=dtype,
    )
    return StyledPair(generator, discriminator, tuple(shape), settings, mixing=mixing).networks()
