"""The networks of the cases, as PyTorch modules."""

import itertools
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor, nn


class Scale(nn.Module):
    def __init__(self, factor: float) -> None:
        super().__init__()
        self.factor = factor

    def forward(self, x: Tensor) -> Tensor:
        return self.factor * x


def mlp(sizes: Sequence[int], scale: float = 1.0) -> nn.Sequential:
    """Linear layers with ReLU between them; a single output becomes a score ``[batch]``."""
    layers: list[nn.Module] = []
    if scale != 1.0:
        layers.append(Scale(scale))
    for n, m in itertools.pairwise(sizes):
        layers += [nn.Linear(n, m), nn.ReLU()]
    layers.pop()
    if sizes[-1] == 1:
        layers.append(nn.Flatten(0))
    return nn.Sequential(*layers)


def norm(name: str, channels: int) -> nn.Module:
    """BatchNorm without running statistics, as on gan_jax's side, or LayerNorm."""
    if name == "batch":
        return nn.BatchNorm2d(channels, track_running_stats=False)
    return nn.GroupNorm(1, channels)


def dcgan(
    side: int, channels: int, width: int, critic_norm: str = "batch", latent_size: int = 100
) -> tuple[nn.Module, nn.Module]:
    """Generator and discriminator as in `gan_jax.networks.dcgan`.

    Kernels are 5x5; the smallest maps are 4x4, or 7x7 for images of 28x28.
    """
    sizes = [side]
    while sizes[0] % 2 == 0 and sizes[0] > 4:
        sizes.insert(0, sizes[0] // 2)
    steps = len(sizes) - 1
    widths = [min(width * 2 ** (steps - 1 - i), 1024) for i in range(steps)]
    low = sizes[0]
    features = widths[0] * low * low
    generator: list[nn.Module] = [
        nn.Linear(latent_size, features, bias=False),
        nn.BatchNorm1d(features, track_running_stats=False),
        nn.ReLU(),
        nn.Unflatten(1, (widths[0], low, low)),
    ]
    for n, m in itertools.pairwise(widths):
        generator += [
            nn.ConvTranspose2d(n, m, 5, 2, 2, output_padding=1, bias=False),
            norm("batch", m),
            nn.ReLU(),
        ]
    generator += [nn.ConvTranspose2d(widths[-1], channels, 5, 2, 2, output_padding=1), nn.Tanh()]
    discriminator: list[nn.Module] = [nn.Conv2d(channels, width, 5, 2, 2), nn.LeakyReLU(0.2)]
    for n, m in itertools.pairwise(reversed(widths)):
        discriminator += [
            nn.Conv2d(n, m, 5, 2, 2, bias=False),
            norm(critic_norm, m),
            nn.LeakyReLU(0.2),
        ]
    discriminator += [nn.Flatten(), nn.Linear(widths[0] * low * low, 1), nn.Flatten(0)]
    return nn.Sequential(*generator), nn.Sequential(*discriminator)


class EqualisedConv(nn.Conv2d):
    """A convolution whose weights have variance 1 and are scaled when they are used."""

    def __init__(self, n: int, m: int, size: int = 3, gain: float = 2**0.5) -> None:
        super().__init__(n, m, size, padding=size // 2)
        self.scale = gain / (n * size * size) ** 0.5

    def forward(self, x: Tensor) -> Tensor:
        return F.conv2d(x, self.scale * self.weight, self.bias, padding=self.padding)


class PixelNorm(nn.Module):
    def forward(self, x: Tensor) -> Tensor:
        return x * (x.square().mean(1, keepdim=True) + 1e-8).rsqrt()


def block(
    params: dict[str, Any], inputs: np.ndarray, compiled: bool, channels_last: bool
) -> Callable[[], float]:
    """Returns a call that trains ProGAN's blocks at one resolution, from the weights of gan_jax's.

    Args:
      params: the weights.
      inputs: features ``[updates, batch, height, width, channels]``.
      compiled: whether to use ``torch.compile``.
      channels_last: the order in memory.

    Returns:
      A call that takes one update per input, and returns the last loss.
    """
    kernels = {name: layer["kernel"] for name, layer in params["params"].items()}
    network = _block_network(*kernels["up"].shape[2:])
    convolutions = [module for module in network if isinstance(module, nn.Conv2d)]
    names = ("up", "conv_up", "to_image", "from_image", "conv_down", "down")
    with torch.no_grad():
        for name, module in zip(names, convolutions, strict=True):
            module.weight.copy_(torch.from_numpy(np.array(kernels[name])).permute(3, 2, 0, 1))
            module.bias.zero_()
    form = torch.channels_last if channels_last else torch.contiguous_format
    network = network.to(memory_format=form)
    tensors = [
        torch.from_numpy(x).permute(0, 3, 1, 2).contiguous(memory_format=form) for x in inputs
    ]
    optimizer = torch.optim.Adam(network.parameters(), lr=1e-3, betas=(0.0, 0.99), fused=True)
    forward = torch.compile(network) if compiled else network

    def call() -> float:
        for x in tensors:
            optimizer.zero_grad()
            loss = forward(x).square().mean()
            loss.backward()
            optimizer.step()
        return loss.item()

    return call


def _block_network(features: int, width: int) -> nn.Sequential:
    leaky_relu = nn.LeakyReLU(0.2)
    return nn.Sequential(
        nn.Upsample(scale_factor=2),
        EqualisedConv(features, width),
        leaky_relu,
        PixelNorm(),
        EqualisedConv(width, width),
        leaky_relu,
        PixelNorm(),
        EqualisedConv(width, 3, 1, gain=1.0),
        EqualisedConv(3, width, 1),
        leaky_relu,
        EqualisedConv(width, width),
        leaky_relu,
        EqualisedConv(width, features),
        nn.AvgPool2d(2),
        leaky_relu,
    )
