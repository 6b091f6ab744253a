"""Our weights in modules of PyTorch, so that both sides can start from the same point."""

from collections.abc import Iterator
from typing import Any

import numpy as np
import torch
from torch import nn


def load(network: nn.Module, params: dict[str, Any]) -> None:
    """Puts the weights of one of our networks, ``{"params": ...}``, into the same one of here."""
    layers = list(_layers(params["params"]))
    mine = [module for module in network.modules() if list(module.parameters(recurse=False))]
    map_side = next((m for m in network.modules() if isinstance(m, nn.Unflatten)), None)
    channels = 0
    with torch.no_grad():
        first, low, _ = map_side.unflattened_size if map_side else (0, 0, 0)
        for module, layer in zip(mine, layers, strict=True):
            values = {name: torch.from_numpy(np.array(value)) for name, value in layer.items()}
            if "gain" in values:
                for own, given in (
                    (module.weight, values["gain"]),
                    (module.bias, values["offset"]),
                ):
                    flat = isinstance(module, nn.BatchNorm1d)
                    own.copy_(
                        given.reshape(low, low, first).permute(2, 0, 1).reshape(-1)
                        if flat
                        else given
                    )
                continue
            kernel = values["kernel"]
            if isinstance(module, nn.ConvTranspose2d):
                kernel = kernel.permute(2, 3, 0, 1)
            elif isinstance(module, nn.Conv2d):
                kernel = kernel.permute(3, 2, 0, 1)
                channels = len(kernel)
            elif map_side is not None:  # our maps have their channels last
                kernel = (
                    kernel.reshape(-1, low, low, first).permute(3, 1, 2, 0).reshape(-1, len(kernel))
                )
            elif channels:
                low = round((len(kernel) / channels) ** 0.5)
                kernel = (
                    kernel.reshape(low, low, channels, -1)
                    .permute(3, 2, 0, 1)
                    .reshape(kernel.shape[1], -1)
                )
            else:
                kernel = kernel.T
            module.weight.copy_(kernel)
            if "bias" in values:
                module.bias.copy_(values["bias"])


def _layers(tree: dict[str, Any]) -> Iterator[dict[str, Any]]:
    """The layers of our parameters in the order in which they act."""
    if any(not isinstance(value, dict) for value in tree.values()):
        yield tree
        return
    for name in sorted(tree, key=_order):
        yield from _layers(tree[name])


def _order(name: str) -> tuple[int, int, int]:
    """hidden or project, then numbered layers, each with its norm right after it, then the output or the head."""
    kind, _, index = name.rpartition("_")
    number = int(index) if index.isdecimal() else -1
    if name in ("output", "head"):
        number = 1000
    return number, int(kind == "norm" or name.startswith("norm_")), 0
