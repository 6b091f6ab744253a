"""Projected discriminators: they see random mixtures of a frozen network's features."""

import math
from collections.abc import Sequence
from typing import Any, Protocol

import flax.linen as nn
import jax
import jax.numpy as jnp
import numpy as np

from gan_jax.errors import UserError
from gan_jax.game import Array, Networks, Params, PRNGKey
from gan_jax.networks import spectral
from gan_jax.networks.factory import NetworksFactory
from gan_jax.networks.initializers import init_from_one_draw, normal, variance_scaling
from gan_jax.networks.layers import BatchNorm
from gan_jax.networks.linen_pair import TRAINED_COLLECTIONS
from gan_jax.networks.weights import Conv, Dense

LABEL_SIZE, EMBEDDING_SIZE = 64, 128
"""Numbers in the mapped label, and in its embedding."""

KERNEL_INIT = variance_scaling(1 / 3, "fan_in", "uniform")  # PyTorch's


class FeatureMapsFn(Protocol):
    """A frozen network: its weights are constants of the program, not parameters."""

    def __call__(self, images: Array, /) -> Sequence[Array]:
        """Returns feature maps ``[batch, h, w, channels]``, each half as large as the one before.

        Args:
          images: ``[batch, height, width, channels]`` in [-1, 1].
        """
        ...


def doubled(x: Array) -> Array:
    """Doubles maps ``[batch, h, w, c]`` linearly; the corners stay where they are."""
    for axis in (1, 2):
        size = x.shape[axis]
        positions = np.linspace(0, size - 1, 2 * size)
        weights = np.maximum(0, 1 - np.abs(positions[:, None] - np.arange(size)[None]))
        x = jnp.moveaxis(jnp.tensordot(x, jnp.asarray(weights.T, x.dtype), (axis, 0)), -1, axis)
    return x


class RandomMixing:
    """Frozen random layers that mix channels, and then maps from the smallest to the largest.

    Each map is projected to ``width``, 2, 4 and 8 ``width`` channels. From the smallest on, a map
    is added to what the smaller ones made, doubled, and projected to half its channels, the
    largest to all of them. The layers are U[-1, 1] / sqrt(channels), PyTorch's default.

    Args:
      channels: of each map, the largest first.
      width: of the largest map's projection.
      seed: of the layers.

    References:
      Sauer et al., "Projected GANs Converge Faster" (2021), section 3.2, and the authors' code,
      ``F_RandomProj``.
    """

    def __init__(self, channels: Sequence[int], width: int, seed: int) -> None:
        draws = np.random.default_rng(seed)

        def layer(inputs: int, outputs: int) -> tuple[np.ndarray, np.ndarray]:
            bound = 1 / math.sqrt(inputs)
            kernel, bias = (
                draws.uniform(-bound, bound, shape) for shape in ((inputs, outputs), (outputs,))
            )
            return kernel.astype(np.float32), bias.astype(np.float32)

        widths = [width * 2**index for index in range(len(channels))]
        self._across_channels = [layer(*sizes) for sizes in zip(channels, widths, strict=True)]
        self._across_maps = [layer(n, n if i == 0 else n // 2) for i, n in enumerate(widths)]

    def __call__(self, maps: Sequence[Array]) -> list[Array]:
        """Returns the mixed maps ``[batch, 2h, 2w, channels]``, the largest first."""
        mixed: list[Array] = []
        layers = zip(maps, self._across_channels, self._across_maps, strict=True)
        for x, across_channels, across_maps in reversed(list(layers)):
            x = _project(x, across_channels)
            x = x + mixed[-1] if mixed else x
            mixed.append(_project(doubled(x), across_maps))
        return mixed[::-1]


def _project(x: Array, layer: tuple[np.ndarray, np.ndarray]) -> Array:
    kernel, bias = layer
    projected: Array = x @ kernel.astype(x.dtype) + bias.astype(x.dtype)[None, None, None]
    return projected


class MapDiscriminator(nn.Module):
    """``(map, label) -> scores [batch, h, w]``: halvings, and a convolution of 4x4 pixels.

    Kernels are spectrally normalised, and BatchNorm follows each halving.

    Attributes:
      widths: channels after each halving.
      classes: number of labels, 0 for none; with labels the score is that of a projection.
    """

    widths: tuple[int, ...]
    classes: int

    @nn.compact
    def __call__(self, x: Array, label: Array | None = None) -> Array:
        for index, width in enumerate(self.widths):
            x = self._conv(width, f"conv_{index}", stride=2)(x)
            x = jax.nn.leaky_relu(BatchNorm(name=f"norm_{index}")(x), 0.2)
        size = min(4, *x.shape[1:3])
        features = LABEL_SIZE if self.classes else 1
        x = self._conv(features, "score", size=size, bias=False, padding=0)(x)
        if not self.classes:
            return x[..., 0]
        shape = (self.classes, EMBEDDING_SIZE)
        embedding = self.param("embedding", normal(1.0), shape, jnp.float32)[label]
        mapped = jax.nn.leaky_relu(Dense(LABEL_SIZE, KERNEL_INIT, name="label")(embedding), 0.2)
        return jnp.einsum("bhwc,bc->bhw", x, mapped) / math.sqrt(LABEL_SIZE)

    def _conv(self, features: int, name: str, size: int = 4, **settings: Any) -> Conv:
        return Conv(features, KERNEL_INIT, weight="spectral", size=size, name=name, **settings)


class Discriminators(nn.Module):
    """``(maps, label) -> {"map_0": scores, ...}``, one discriminator for each map.

    Attributes:
      width: of the projections.
      classes: number of labels, 0 for none.
    """

    width: int
    classes: int

    @nn.compact
    def __call__(self, maps: Sequence[Array], label: Array | None = None) -> dict[str, Array]:
        widths = tuple(self.width * 2**index for index in range(len(maps)))
        return {
            f"map_{index}": MapDiscriminator(widths[index:], self.classes, name=f"map_{index}")(
                x, label
            )
            for index, x in enumerate(maps)
        }


def projected(
    shape: tuple[int, ...],
    classes: int = 0,
    *,
    networks: NetworksFactory,
    features: FeatureMapsFn,
    width: int = 64,
    seed: int = 0,
) -> Networks:
    """Returns the generator of other networks, and discriminators of a frozen network's features.

    Feature maps are mixed by frozen random layers (see `RandomMixing`), and each is seen by a
    discriminator of its own. The score is a dict of maps, ``{"map_0": [batch, h, w], ...}``, which
    terms sum over; the paper's objective is ``hinge``, with ``diff_augment`` and no penalty. (The
    authors average over all scores, which for Adam differs in nothing but its epsilon.) Neither the
    frozen network nor the random layers are among the parameters: they are constants.

    Args:
      shape: shape of one image, ``(height, width, channels)``.
      classes: number of labels, 0 for none.
      networks: makes the generator, such as ``functools.partial(dcgan, width=32)``.
      features: the frozen network, such as
        ``gan_jax.metrics.efficientnet_feature_maps(resolution=224)``.
      width: channels of the largest map's projection; each further one has twice as many.
      seed: of the random layers.

    Raises:
      UserError: samples are not images, or ``features`` is not a function.

    References:
      Sauer et al., "Projected GANs Converge Faster" (2021), and the authors' code.
    """
    if len(shape) != 3:
        raise UserError(f"projected is for images (h, w, c), not for samples of shape {shape}")
    if not callable(features):
        raise UserError(
            "features takes a function from images to maps, such as "
            f"efficientnet_feature_maps(resolution=224), not {features!r}"
        )
    generator = networks(tuple(shape), classes)
    of_images = jax.eval_shape(features, jax.ShapeDtypeStruct((2, *shape), jnp.float32))
    mixing = RandomMixing([x.shape[-1] for x in of_images], width, seed)
    module = Discriminators(width, classes)

    def init(rng: PRNGKey) -> tuple[Params, Params]:
        generator_rng, discriminator_rng = jax.random.split(rng)
        maps = jax.eval_shape(mixing, of_images)
        label = jax.ShapeDtypeStruct((2,), jnp.int32) if classes else None

        def init_discriminators(rng: PRNGKey) -> Params:
            return module.lazy_init(rng, maps, label, mutable=TRAINED_COLLECTIONS)

        variables = init_from_one_draw(init_discriminators, discriminator_rng)
        vectors = spectral.iterate_vectors(variables, spectral.INITIAL_ITERATIONS)
        return generator.init(generator_rng)[0], vectors

    def score(
        params: Params, samples: Array, label: Array | None = None, **_: Array
    ) -> dict[str, Array]:
        if classes and label is None:
            raise UserError("these discriminators are conditional: give label=[batch]")
        maps = mixing(features(samples))
        scores: dict[str, Array] = module.apply(params, maps, label if classes else None)  # type: ignore[assignment]
        return scores

    return generator._replace(
        init=jax.jit(init),
        score=score,
        classify=None,
        features=None,
        independent_scores=False,
        random=tuple(name for name in generator.random if name in ("generate", "styles")),
    )
