"""The type of every feature extractor: images in, features out, in batches of one size, each split over all devices."""

import hashlib
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

import jax
import numpy as np

from gan_jax.distributed.mesh import batch_parallel, divisible_batch_size, pad_batch, replicate
from gan_jax.metrics.checks import Array, ArrayLike, feature_matrix, image_batch

Weights = Mapping[str, Array]


@dataclass(frozen=True)
class Extractor:
    """A network that turns images into features; calling it takes NumPy images of any number.

    Where there are several processes, all of them call it with the same images, and each gets all features.

    ``apply(variables, images)`` is the network itself, pure and traceable, for use inside other compiled functions.
    """

    name: str  # names the score: "inception", "efficientnet_lite0", "lenet_fashion_mnist"
    dimension: int  # d
    hash: str  # sha256 of the weights: scores compare only where it is the same
    apply: Callable[
        [Any, jax.Array], jax.Array
    ]  # (variables, [b, h, w, channels] in [-1, 1]) -> [b, d]
    variables: Any
    channels: int = 3  # what the network takes; grey images are repeated for 3
    head: tuple[Array, Array] | None = (
        None  # kernel [d, classes] and bias [classes] of the classifier
    )
    batch_size: int = 64  # rounded up to divide over the devices
    _held: dict[str, Any] = field(default_factory=dict, init=False, repr=False, compare=False)

    @property
    def takes(self) -> str:
        """The numbers of channels that images may have, in words."""
        return "1" if self.channels == 1 else f"1 or {self.channels}"

    def __call__(self, images: ArrayLike) -> Array:
        """Features of images.

        Args:
          images: ``[n, h, w, c]`` float in [-1, 1], c of 1 or `channels`, any n.

        Returns:
          ``[n, dimension]`` float32.

        Raises:
          ValueError: a wrong rank, integers, values out of [-1, 1], or a number of channels that does not fit.
        """
        images = image_batch(images, "images", -1.0, 1.0).astype(np.float32)
        if images.shape[3] not in (1, self.channels):
            raise ValueError(
                f"images: found {images.shape[3]} channels, expected {self.takes} for {self.name}"
            )
        if not self._held:  # at first use: an extractor that only names a score costs nothing
            self._held.update(
                program=batch_parallel(self.apply), variables=replicate(self.variables)
            )
        features, size = (
            np.empty((len(images), self.dimension), np.float32),
            divisible_batch_size(self.batch_size),
        )
        for start in range(0, len(images), size):
            batch = images[start : start + size]
            whole = pad_batch(batch, size)
            whole = np.broadcast_to(whole, (*whole.shape[:3], self.channels))
            found = np.asarray(self._held["program"](self._held["variables"], whole))
            features[start : start + len(batch)] = found[: len(batch)]
        return features

    def logits(self, features: ArrayLike) -> Array:
        """The classifier's logits ``[n, classes]`` float32 of features that this extractor returned."""
        if self.head is None:
            raise ValueError(
                f"{self.name}: found no classifier, expected an extractor that has one"
            )
        features = feature_matrix(features, "features")
        kernel, bias = self.head
        if features.shape[1] != len(kernel):
            raise ValueError(f"features: found d = {features.shape[1]}, expected {len(kernel)}")
        return (features @ kernel + bias).astype(np.float32)


def weights_hash(weights: Weights) -> str:
    """sha256 of named arrays: of names, dtypes, shapes and bytes, and not of how a file happens to store them."""
    digest = hashlib.sha256()
    for name in sorted(weights):
        array = np.ascontiguousarray(weights[name])
        digest.update(f"{name} {array.dtype.str} {array.shape}".encode())
        digest.update(array.tobytes())
    return digest.hexdigest()


def file_hash(path: str) -> str:
    """sha256 of a file."""
    with open(path, "rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def variables_from_torch(weights: Weights) -> dict:
    """Flax variables from PyTorch's names and layouts, for networks whose modules carry PyTorch's names.

    Kernels go from ``[out, in, h, w]`` to ``[h, w, in, out]``, dense ones from ``[out, in]`` to ``[in, out]``; BatchNorm's
    weight becomes ``scale`` and its running moments become ``batch_stats``.
    """
    variables: dict = {"params": {}, "batch_stats": {}}
    for name, array in weights.items():
        *path, leaf = name.split(".")
        if leaf == "num_batches_tracked":
            continue
        collection, new_leaf = {
            "running_mean": ("batch_stats", "mean"),
            "running_var": ("batch_stats", "var"),
            "bias": ("params", "bias"),
        }.get(leaf, ("params", "kernel"))
        if leaf == "weight" and array.ndim == 1:
            new_leaf = "scale"
        node = variables[collection]
        for part in path:
            node = node.setdefault(part, {})
        node[new_leaf] = np.asarray(
            array.transpose(2, 3, 1, 0) if array.ndim == 4 else array.T, np.float32
        )
    return variables
