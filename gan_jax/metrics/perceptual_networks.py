"""The networks that perceptual distances are computed in, by layer."""

import functools
import os
from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from jax import lax

from gan_jax.metrics import efficientnet, lenet
from gan_jax.metrics.checks import Array
from gan_jax.metrics.features import Extractor, weights_hash
from gan_jax.metrics.perceptual import LayerNetwork
from gan_jax.metrics.torch_files import read_state_dict

Path = str | os.PathLike[str]


NAMES = ("lenet", "efficientnet_lite0", "vgg16", "alexnet")


@functools.lru_cache(maxsize=4)
def layer_network(name: str, weights: str = "", linear: str = "") -> LayerNetwork:
    """Loads the network of that name; each is loaded once.

    Args:
      name: "lenet", "efficientnet_lite0", "vgg16" or "alexnet".
      weights: file of its weights: needed for "vgg16" and "alexnet"; for "lenet" those of another
        LeNet than Fashion-MNIST's.
      linear: file of the authors' linear weights, for "vgg16" and "alexnet".

    Raises:
      ValueError: an unknown name, or files that are missing, not taken or not those of the network.
    """
    if name not in NAMES:
        raise ValueError(f"network: found {name!r}, expected one of {', '.join(NAMES)}")
    if name in ("vgg16", "alexnet"):
        if not weights:
            raise ValueError(
                f"{name} needs the file of its weights, torchvision's {name}-*.pth: "
                "weights='...'; lenet and efficientnet_lite0 need none"
            )
        load = layers_of_vgg16 if name == "vgg16" else layers_of_alexnet
        return load(weights, linear or None)
    if linear:
        raise ValueError(f"{name} takes no linear weights: LPIPS' are those of vgg16 and alexnet")
    if name == "lenet":
        return layers_of_lenet(weights or None)
    if weights:
        raise ValueError(f"{name} takes no weights: they come with its package")
    return layers_of_efficientnet()


def layers_of_lenet(path: Path | None = None) -> LayerNetwork:
    """Loads a LeNet as `lenet.lenet_extractor`; its layers are two convolutions and a dense one.

    Args:
      path: the ``.npz`` of weights; by default those for Fashion-MNIST that come with the package.
        It takes images of one channel and 28 x 28 or 32 x 32 pixels.

    Raises:
      ValueError: no such weights.
    """
    return _from_extractor(lenet.lenet_extractor(path), lenet.layers)


def layers_of_efficientnet() -> LayerNetwork:
    """Loads EfficientNet-Lite0 as `efficientnet.efficientnet_extractor`, its seven stages.

    Raises:
      ValueError: the package of weights is not installed.
    """
    return _from_extractor(efficientnet.efficientnet_extractor(), efficientnet.layers)


def _from_extractor(extractor: Extractor, apply: Any) -> LayerNetwork:
    return LayerNetwork(
        extractor.name, extractor.hash, apply, extractor.variables, extractor.channels
    )


class Convolution(NamedTuple):
    """A convolution followed by a ReLU.

    Attributes:
      name: in torchvision's file of weights, ``"features.0"``.
      shape: of the kernel, ``(out, in, height, width)``.
      stride: pixels of the input per pixel of the output.
      pool: size of a maximum over pixels before it, with stride 2; 0 for none.
      is_layer: whether images are compared after it.
    """

    name: str
    shape: tuple[int, int, int, int]
    stride: int = 1
    pool: int = 0
    is_layer: bool = True


def _vgg16() -> tuple[Convolution, ...]:
    convolutions, index, channels = [], 0, 3
    for block, (width, depth) in enumerate(((64, 2), (128, 2), (256, 3), (512, 3), (512, 3))):
        for place in range(depth):
            convolutions.append(
                Convolution(
                    f"features.{index}",
                    (width, channels, 3, 3),
                    pool=2 if block and not place else 0,
                    is_layer=place == depth - 1,
                )
            )
            index, channels = index + 2, width  # a ReLU follows each
        index += 1  # a pooling layer
    return tuple(convolutions)


VGG16 = _vgg16()
ALEXNET = (
    Convolution("features.0", (64, 3, 11, 11), stride=4),
    Convolution("features.3", (192, 64, 5, 5), pool=3),
    Convolution("features.6", (384, 192, 3, 3), pool=3),
    Convolution("features.8", (256, 384, 3, 3)),
    Convolution("features.10", (256, 256, 3, 3)),
)

SHIFT = (-0.030, -0.088, -0.188)
SCALE = (0.458, 0.448, 0.450)
"""Images in [-1, 1] are standardised to ``(x - SHIFT) / SCALE``, as in the authors' code."""


def layers_of_vgg16(path: Path, linear: Path | None = None) -> LayerNetwork:
    """Loads VGG16, the last layer of each of its five blocks after the ReLU.

    Args:
      path: torchvision's weights, ``vgg16-397923af.pth``: a state dict in PyTorch's older format.
      linear: the authors' ``vgg.pth`` of version 0.1, with which the distance is LPIPS; None: equal
        weights.

    Raises:
      ValueError: files with other weights.

    References:
      Zhang et al. (2018), appendix B and the authors' code.
    """
    return _from_files("vgg16", VGG16, path, linear)


def layers_of_alexnet(path: Path, linear: Path | None = None) -> LayerNetwork:
    """Loads AlexNet, its five convolutions after the ReLU: see `layers_of_vgg16`.

    Args:
      path: torchvision's weights of AlexNet.
      linear: the authors' ``alex.pth``.

    Raises:
      ValueError: files with other weights.
    """
    return _from_files("alexnet", ALEXNET, path, linear)


def _from_files(
    name: str, network: Sequence[Convolution], path: Path, linear: Path | None
) -> LayerNetwork:
    weights = read_state_dict(os.fspath(path))
    for convolution in network:
        for kind, shape in (("weight", convolution.shape), ("bias", convolution.shape[:1])):
            _check(weights, f"{convolution.name}.{kind}", shape, path, name)
    weights = {key: weights[key] for conv in network for key in _keys(conv)}
    layers = [convolution for convolution in network if convolution.is_layer]
    linear_weights = None if linear is None else _linear_weights(linear, layers, name)
    hashed = dict(weights)
    for index, vector in enumerate(linear_weights or ()):
        hashed[f"linear.{index}"] = vector

    def apply(variables: Any, images: jax.Array) -> list[jax.Array]:
        return _features(network, variables, images)

    variables = {
        key: np.asarray(value.transpose(2, 3, 1, 0) if value.ndim == 4 else value, np.float32)
        for key, value in weights.items()
    }
    return LayerNetwork(
        name,
        weights_hash(hashed),
        apply,
        variables,
        linear=linear_weights,
        is_lpips=linear is not None,
    )


def _keys(convolution: Convolution) -> tuple[str, str]:
    return f"{convolution.name}.weight", f"{convolution.name}.bias"


def _linear_weights(path: Path, layers: Sequence[Convolution], network: str) -> tuple[Array, ...]:
    weights = read_state_dict(os.fspath(path))
    vectors = []
    for index, layer in enumerate(layers):
        key = f"lin{index}.model.1.weight"
        _check(weights, key, (1, layer.shape[0], 1, 1), path, f"linear weights for {network}")
        if weights[key].min() < 0:
            raise ValueError(f"{path}: found negative {key}, expected weights of at least 0")
        vectors.append(np.asarray(weights[key].reshape(-1), np.float32))
    return tuple(vectors)


def _check(
    weights: Mapping[str, Array], key: str, shape: tuple[int, ...], path: Path, network: str
) -> None:
    found = weights[key].shape if key in weights else "none"
    if found != shape:
        raise ValueError(f"{path}: found {key} {found}, expected {network}'s {shape}")


def _features(
    network: Sequence[Convolution], variables: Mapping[str, Array], images: jax.Array
) -> list[jax.Array]:
    shift = jnp.asarray(SHIFT, images.dtype).reshape(1, 1, 1, 3)
    x = (images - shift) / jnp.asarray(SCALE, images.dtype).reshape(1, 1, 1, 3)
    layers = []
    for convolution in network:
        if convolution.pool:
            x = _max_pool(x, convolution.pool)
        kernel, bias = (jnp.asarray(variables[key]) for key in _keys(convolution))
        size = kernel.shape[0]
        # PyTorch's padding: 2 for the 11 x 11 kernel of AlexNet, the others keep the size.
        padding = 2 if convolution.stride > 1 else size // 2
        x = lax.conv_general_dilated(
            x,
            kernel,
            (convolution.stride, convolution.stride),
            ((padding, padding), (padding, padding)),
            dimension_numbers=("NHWC", "HWIO", "NHWC"),
            precision="highest",
        )
        x = jax.nn.relu(x + bias.reshape(1, 1, 1, -1))
        if convolution.is_layer:
            layers.append(x)
    return layers


def _max_pool(x: jax.Array, size: int) -> jax.Array:
    window = (1, size, size, 1)
    pooled: jax.Array = lax.reduce_window(x, -jnp.inf, lax.max, window, (1, 2, 2, 1), "VALID")
    return pooled
