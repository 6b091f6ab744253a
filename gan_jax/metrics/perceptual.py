"""Perceptual distances between pairs of images: distances of a network's features, layer by layer.

The form is that of LPIPS. The distance is called LPIPS only if it is: VGG16 or AlexNet trained on
ImageNet, with the authors' linear weights, both of which are read from files of yours. Networks
whose weights are at hand (`layers_of_lenet`, `layers_of_efficientnet`) need no file; their distance
is named after them.
"""

import dataclasses
import functools
from collections.abc import Sequence
from typing import Any, Protocol

import jax
import jax.numpy as jnp
import numpy as np

from gan_jax.metrics.checks import Array, ArrayLike, image_batch

EPSILON = 1e-10
"""Added to the norms that features are divided by, as in the authors' code."""


class LayersFn(Protocol):
    """A network's function from images to the features of its layers, pure and traceable."""

    def __call__(self, variables: Any, images: jax.Array, /) -> Sequence[jax.Array]:
        """Computes features ``[b, h, w, c]`` of each layer for images ``[b, h, w, channels]``.

        Args:
          variables: the network's weights.
          images: float32 in [-1, 1].
        """
        ...


@dataclasses.dataclass(frozen=True, eq=False)
class LayerNetwork:
    """A network whose layers images are compared in.

    Attributes:
      name: of the network, with its training: ``"lenet_fashion_mnist"``.
      hash: sha256 of the weights, the linear ones included.
      apply: the network, ``(variables, images [b, h, w, channels]) -> [[b, h, w, c], ...]``.
      variables: a pytree of weights.
      channels: the channels that the network takes; grey images are repeated if it is 3.
      linear: the weight of each channel of each layer, ``[c]`` each, not negative; None: all 1, the
        authors' baseline without learned weights.
      is_lpips: whether the distance is LPIPS itself.
    """

    name: str
    hash: str
    apply: LayersFn
    variables: Any
    channels: int = 3
    linear: tuple[Array, ...] | None = None
    is_lpips: bool = False

    @property
    def metric_name(self) -> str:
        """What the distance is called: ``"lpips_vgg16"``, ``"perceptual_lenet_fashion_mnist"``."""
        return f"{'lpips' if self.is_lpips else 'perceptual'}_{self.name}"


def perceptual_distances(network: LayerNetwork, first: jax.Array, second: jax.Array) -> jax.Array:
    """Computes the perceptual distance of each pair of images; pure and differentiable.

    ``sum_l mean_hw sum_c w_lc (f_lhwc / |f_lhw| - g_lhwc / |g_lhw|)^2``, f and g the features of
    both images. Where features are all zero, they are not divided, and have no gradient.

    Args:
      network: whose layers are compared.
      first: ``[n, h, w, c]`` float in [-1, 1], c of 1 or ``network.channels``.
      second: likewise.

    Returns:
      ``[n]``.

    Raises:
      ValueError: another number of channels.

    References:
      Zhang et al., "The Unreasonable Effectiveness of Deep Features as a Perceptual Metric" (2018),
      eq. 1, and the authors' code.
    """
    both = jnp.concatenate([_with_channels(network, x) for x in (first, second)])
    total = jnp.zeros(len(first), both.dtype)
    for index, features in enumerate(network.apply(network.variables, both)):
        one, other = jnp.split(_unit(features), 2)
        squares = jnp.square(one - other)
        if network.linear is not None:
            squares = squares * network.linear[index].reshape(1, 1, 1, -1)
        total = total + jnp.mean(jnp.sum(squares, -1), (1, 2))
    return total


def perceptual_distance(
    first: ArrayLike, second: ArrayLike, network: LayerNetwork, *, batch_size: int = 64
) -> float:
    """Computes the mean perceptual distance of pairs of images: see `perceptual_distances`.

    Args:
      first: images ``[n, h, w, c]`` float in [-1, 1].
      second: the images that they are paired with, of the same shape.
      network: whose layers are compared.
      batch_size: pairs per batch.

    Returns:
      The mean over all pairs.

    Raises:
      ValueError: images of a wrong shape or range.
    """
    one = image_batch(first, "first", -1.0, 1.0).astype(np.float32)
    other = image_batch(second, "second", -1.0, 1.0).astype(np.float32)
    if one.shape != other.shape:
        raise ValueError(f"second: found shape {other.shape}, expected first's {one.shape}")
    compiled = _compiled(network)
    total = 0.0
    for start in range(0, len(one), batch_size):
        pair = [x[start : start + batch_size] for x in (one, other)]
        missing = ((0, batch_size - len(pair[0])), (0, 0), (0, 0), (0, 0))
        distances = compiled(network.variables, *(np.pad(x, missing) for x in pair))
        total += float(np.sum(np.asarray(distances, np.float64)[: len(pair[0])]))
    return total / len(one)


@functools.lru_cache(maxsize=8)
def _compiled(network: LayerNetwork) -> Any:
    def distances(variables: Any, first: jax.Array, second: jax.Array) -> jax.Array:
        return perceptual_distances(
            dataclasses.replace(network, variables=variables), first, second
        )

    return jax.jit(distances)


def _with_channels(network: LayerNetwork, images: jax.Array) -> jax.Array:
    if images.shape[-1] not in (1, network.channels):
        accepted = "1" if network.channels == 1 else f"1 or {network.channels}"
        raise ValueError(
            f"images: found {images.shape[-1]} channels, expected {accepted} for {network.name}"
        )
    return jnp.broadcast_to(images, (*images.shape[:-1], network.channels))


def _unit(features: jax.Array) -> jax.Array:
    """Features divided by their norm over the channels."""
    squares = jnp.sum(jnp.square(features), -1, keepdims=True)
    is_zero = squares == 0  # there the slope of the root is infinite
    norm = jnp.where(is_zero, 0.0, jnp.sqrt(jnp.where(is_zero, 1.0, squares)))
    return features / (norm + EPSILON)
