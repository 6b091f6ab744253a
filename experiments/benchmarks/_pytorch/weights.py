"""Weights of gan_jax in modules of PyTorch, so that both sides can start from the same point."""

from collections.abc import Iterator
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn


def load(network: nn.Module, params: dict[str, Any]) -> None:
    """Copies the weights of a network of gan_jax, ``{"params": ...}``, into its counterpart."""
    layers = _layers(params["params"])
    modules = [module for module in network.modules() if list(module.parameters(recurse=False))]
    unflatten = next((m for m in network.modules() if isinstance(m, nn.Unflatten)), None)
    first_channels, low = (0, 0) if unflatten is None else unflatten.unflattened_size[:2]
    channels = 0  # of the last convolution so far
    with torch.no_grad():
        for module, layer in zip(modules, layers, strict=True):
            weights = {name: torch.from_numpy(np.array(value)) for name, value in layer.items()}
            if "gain" in weights:
                is_flat = isinstance(module, nn.BatchNorm1d)
                for parameter, name in ((module.weight, "gain"), (module.bias, "offset")):
                    value = weights[name]
                    if is_flat:
                        value = value.reshape(low, low, first_channels).permute(2, 0, 1).reshape(-1)
                    parameter.copy_(value)
                continue
            kernel = weights["kernel"]
            if isinstance(module, nn.ConvTranspose2d):
                kernel = kernel.permute(2, 3, 0, 1)
            elif isinstance(module, nn.Conv2d):
                kernel = kernel.permute(3, 2, 0, 1)
                channels = len(kernel)
            elif unflatten is not None:
                kernel = _before_maps(kernel, low, first_channels)
            elif channels:
                kernel = _after_maps(kernel, channels)
            else:
                kernel = kernel.T
            module.weight.copy_(kernel)
            if "bias" in weights:
                module.bias.copy_(weights["bias"])


def _before_maps(kernel: Tensor, low: int, channels: int) -> Tensor:
    """The kernel of a dense layer whose output becomes maps, channels last in gan_jax."""
    return kernel.reshape(-1, low, low, channels).permute(3, 1, 2, 0).reshape(-1, len(kernel))


def _after_maps(kernel: Tensor, channels: int) -> Tensor:
    """The kernel of a dense layer whose input was maps, channels last in gan_jax."""
    low = round((len(kernel) / channels) ** 0.5)
    maps = kernel.reshape(low, low, channels, -1)
    return maps.permute(3, 2, 0, 1).reshape(kernel.shape[1], -1)


def _layers(tree: dict[str, Any]) -> Iterator[dict[str, Any]]:
    """Yields the layers of gan_jax's parameters in the order in which they act."""
    if any(not isinstance(value, dict) for value in tree.values()):
        yield tree
        return
    for name in sorted(tree, key=_order):
        yield from _layers(tree[name])


def _order(name: str) -> tuple[int, int, int]:
    """Sort key: ``hidden`` or ``project``, numbered layers with their norms, the head."""
    kind, _, index = name.rpartition("_")
    number = int(index) if index.isdecimal() else -1
    if name in ("output", "head"):
        number = 1000
    return number, int(kind == "norm" or name.startswith("norm_")), 0
