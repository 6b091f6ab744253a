"""Feature extractors: their common type, hashes of weights, and weights in PyTorch's names."""

import dataclasses
import functools
import hashlib
import math
from collections.abc import Callable, Mapping
from typing import Any, Protocol

import jax
import numpy as np

from gan_jax.metrics.checks import Array, ArrayLike, feature_matrix, image_batch

Weights = Mapping[str, Array]


class FeatureFn(Protocol):
    """A network's function from images to features, pure and traceable."""

    def __call__(self, variables: Any, images: jax.Array) -> jax.Array:
        """Computes features ``[b, d]`` of images ``[b, h, w, c]`` float32 in [-1, 1]."""
        ...


class CompileFn(Protocol):
    """Compiles a network for the batches of an `Extractor`."""

    def __call__(self, apply: FeatureFn, variables: Any) -> Callable[[Array], ArrayLike]:
        """Returns a function from images ``[batch_size, h, w, c]`` to features ``[batch_size, d]``.

        Args:
          apply: the network.
          variables: its weights.
        """
        ...


def compile_on_default_device(apply: FeatureFn, variables: Any) -> Callable[[Array], ArrayLike]:
    """Jits a network for the default device, where its variables are kept."""
    return functools.partial(jax.jit(apply), jax.device_put(variables))


@dataclasses.dataclass(frozen=True, eq=False)
class Extractor:
    """A network that turns images into features.

    Calling an extractor takes NumPy images of any number and computes their features in batches of
    one size, so that the network is compiled once per image shape. ``apply`` may also be called
    inside other compiled functions.

    Attributes:
      name: names the score: ``"inception"``, ``"efficientnet_lite0"``, ``"lenet_fashion_mnist"``.
      dimension: d, the number of features.
      hash: sha256 of the weights; scores are comparable only if it is the same.
      apply: the network, ``(variables, images [b, h, w, channels] in [-1, 1]) -> [b, d]``.
      variables: a pytree of weights.
      channels: the channels that the network takes; grey images are repeated if it is 3.
      head: kernel ``[d, classes]`` and bias ``[classes]`` of the classifier, if there is one.
      batch_size: images per batch.
      compile: compiles ``apply`` at the first call. Replace it (`dataclasses.replace`) to compute
        elsewhere, for example with each batch split over several devices.
    """

    name: str
    dimension: int
    hash: str
    apply: FeatureFn
    variables: Any
    channels: int = 3
    head: tuple[Array, Array] | None = None
    batch_size: int = 64
    compile: CompileFn = compile_on_default_device

    @property
    def accepted_channels(self) -> str:
        """The numbers of channels that images may have, in words."""
        return "1" if self.channels == 1 else f"1 or {self.channels}"

    @functools.cached_property
    def _compiled(self) -> Callable[[Array], ArrayLike]:
        # At the first call: an extractor that only names a score costs nothing.
        return self.compile(self.apply, self.variables)

    def __call__(self, images: ArrayLike) -> Array:
        """Computes features of images.

        Args:
          images: ``[n, h, w, c]`` float in [-1, 1], c of 1 or `channels`, any n.

        Returns:
          ``[n, dimension]`` float32.

        Raises:
          ValueError: if the images have a wrong rank, integer values, values outside [-1, 1], or a
            number of channels that the network does not take.
        """
        images = image_batch(images, "images", -1.0, 1.0).astype(np.float32)
        if images.shape[3] not in (1, self.channels):
            raise ValueError(
                f"images: found {images.shape[3]} channels, "
                f"expected {self.accepted_channels} for {self.name}"
            )
        features = np.empty((len(images), self.dimension), np.float32)
        for start in range(0, len(images), self.batch_size):
            batch = images[start : start + self.batch_size]
            padded = _repeat_last(batch, self.batch_size)
            padded = np.broadcast_to(padded, (*padded.shape[:3], self.channels))
            batch_features = np.asarray(self._compiled(padded))
            features[start : start + len(batch)] = batch_features[: len(batch)]
        return features

    def dimension_of(self, shape: tuple[int, ...]) -> int:
        """Returns the number of features of samples of a shape: d."""
        return self.dimension

    def logits(self, features: ArrayLike) -> Array:
        """Computes the classifier's logits of features that this extractor returned.

        Args:
          features: ``[n, dimension]``.

        Returns:
          ``[n, classes]`` float32.

        Raises:
          ValueError: if the extractor has no classifier, or the features are not its own.
        """
        if self.head is None:
            raise ValueError(
                f"{self.name}: found no classifier, expected an extractor that has one"
            )
        features = feature_matrix(features, "features")
        kernel, bias = self.head
        if features.shape[1] != len(kernel):
            raise ValueError(f"features: found d = {features.shape[1]}, expected {len(kernel)}")
        logits: Array = (features @ kernel + bias).astype(np.float32)
        return logits


def _flatten(variables: Any, images: jax.Array) -> jax.Array:
    return images.reshape(len(images), -1)


@dataclasses.dataclass(frozen=True, eq=False)
class IdentityExtractor(Extractor):
    """No network: the features of a sample are its own entries, ``[n, ...] -> [n, d]``.

    For vectors, such as the rows of a table, and signals. Distances are in their units, so columns
    of a table should have one scale.
    """

    name: str = "identity"
    dimension: int = 0
    hash: str = "identity"
    apply: FeatureFn = _flatten
    variables: Any = ()

    def dimension_of(self, shape: tuple[int, ...]) -> int:
        """Returns the number of entries of samples of a shape: d."""
        return math.prod(shape)

    def __call__(self, samples: ArrayLike) -> Array:
        """Returns samples ``[n, ...]`` as features ``[n, d]`` float32."""
        array = np.asarray(samples)
        if array.ndim < 2 or array.dtype.kind != "f":
            raise ValueError(
                f"samples: found {array.dtype} of shape {array.shape}, expected floats [n, ...]"
            )
        return array.reshape(len(array), -1).astype(np.float32)


def _repeat_last(images: Array, size: int) -> Array:
    """Returns ``images`` with the last one repeated up to ``size``."""
    missing = size - len(images)
    if missing <= 0:
        return images
    return np.concatenate([images, np.repeat(images[-1:], missing, axis=0)])


def weights_hash(weights: Weights) -> str:
    """Computes the sha256 of named arrays.

    It depends on names, dtypes, shapes and bytes, and not on how a file stores them.
    """
    digest = hashlib.sha256()
    for name in sorted(weights):
        array = np.ascontiguousarray(weights[name])
        digest.update(f"{name} {array.dtype.str} {array.shape}".encode())
        digest.update(array.tobytes())
    return digest.hexdigest()


def file_hash(path: str) -> str:
    """Computes the sha256 of a file."""
    with open(path, "rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def variables_from_torch(weights: Weights) -> dict[str, Any]:
    """Returns Flax variables from weights in PyTorch's names and layouts.

    The network's modules must carry PyTorch's names. Kernels go from ``[out, in, h, w]`` to
    ``[h, w, in, out]``, dense kernels from ``[out, in]`` to ``[in, out]``; BatchNorm's weight
    becomes ``scale`` and its running moments become ``batch_stats``.
    """
    variables: dict[str, Any] = {"params": {}, "batch_stats": {}}
    for name, array in weights.items():
        *modules, torch_name = name.split(".")
        if torch_name == "num_batches_tracked":
            continue
        collection, flax_name = _flax_collection_and_name(torch_name, array.ndim)
        node = variables[collection]
        for module in modules:
            node = node.setdefault(module, {})
        value = array.transpose(2, 3, 1, 0) if array.ndim == 4 else array.T
        node[flax_name] = np.asarray(value, np.float32)
    return variables


def _flax_collection_and_name(torch_name: str, rank: int) -> tuple[str, str]:
    if torch_name == "running_mean":
        return "batch_stats", "mean"
    if torch_name == "running_var":
        return "batch_stats", "var"
    if torch_name == "bias":
        return "params", "bias"
    return "params", "scale" if torch_name == "weight" and rank == 1 else "kernel"
