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
    """Linear layers with ReLU between them; one output is a score ``[batch]``."""
    layers: list[nn.Module] = [Scale(scale)] if scale != 1.0 else []
    for n, m in itertools.pairwise(sizes):
        layers += [nn.Linear(n, m), nn.ReLU()]
    return nn.Sequential(*layers[:-1], *([nn.Flatten(0)] if sizes[-1] == 1 else []))


def norm(name: str, channels: int) -> nn.Module:
    """Nothing is kept from batch to batch, as on our side."""
    return (
        nn.BatchNorm2d(channels, track_running_stats=False)
        if name == "batch"
        else nn.GroupNorm(1, channels)
    )


def dcgan(
    side: int, channels: int, width: int, critic: str = "batch", latent: int = 100
) -> tuple[nn.Module, nn.Module]:
    """Generator and discriminator with 5x5 kernels, from 4x4 (7x7 for 28), as `gan_jax.networks.dcgan`."""
    sizes = [side]
    while sizes[0] % 2 == 0 and sizes[0] > 4:
        sizes.insert(0, sizes[0] // 2)
    steps = len(sizes) - 1
    widths = [min(width * 2 ** (steps - 1 - i), 1024) for i in range(steps)]
    low = sizes[0]
    features = widths[0] * low * low
    generator: list[nn.Module] = [
        nn.Linear(latent, features, bias=False),
        nn.BatchNorm1d(features, track_running_stats=False),
    ]
    generator += [nn.ReLU(), nn.Unflatten(1, (widths[0], low, low))]
    for n, m in itertools.pairwise(widths):
        generator += [
            nn.ConvTranspose2d(n, m, 5, 2, 2, output_padding=1, bias=False),
            norm("batch", m),
            nn.ReLU(),
        ]
    generator += [nn.ConvTranspose2d(widths[-1], channels, 5, 2, 2, output_padding=1), nn.Tanh()]
    discriminator: list[nn.Module] = [nn.Conv2d(channels, width, 5, 2, 2), nn.LeakyReLU(0.2)]
    for n, m in itertools.pairwise(reversed(widths)):
        discriminator += [nn.Conv2d(n, m, 5, 2, 2, bias=False), norm(critic, m), nn.LeakyReLU(0.2)]
    discriminator += [nn.Flatten(), nn.Linear(widths[0] * low * low, 1), nn.Flatten(0)]
    return nn.Sequential(*generator), nn.Sequential(*discriminator)


class EqualisedConv(nn.Conv2d):
    """Weights of variance 1, scaled where they are used."""

    def __init__(self, n: int, m: int, size: int = 3, gain: float = 2**0.5) -> None:
        super().__init__(n, m, size, padding=size // 2)
        self.scale = gain / (n * size * size) ** 0.5

    def forward(self, x: Tensor) -> Tensor:
        return F.conv2d(x, self.scale * self.weight, self.bias, padding=self.padding)


class PixelNorm(nn.Module):
    def forward(self, x: Tensor) -> Tensor:
        return x * (x.square().mean(1, keepdim=True) + 1e-8).rsqrt()


def block(
    params: dict[str, Any], xs: np.ndarray, compiled: bool, channels_last: bool
) -> Callable[[], float]:
    """ProGAN's blocks at one resolution from our weights: a call takes an update on each of ``xs``, returns the last value."""
    rise = nn.LeakyReLU(0.2)
    layers = {name: layer["kernel"] for name, layer in params["params"].items()}
    half, width = layers["up"].shape[2:]
    to_image, from_image = EqualisedConv(width, 3, 1, gain=1.0), EqualisedConv(3, width, 1)
    up = [nn.Upsample(scale_factor=2), EqualisedConv(half, width), rise, PixelNorm()]
    up += [EqualisedConv(width, width), rise, PixelNorm()]
    down = [
        rise,
        EqualisedConv(width, width),
        rise,
        EqualisedConv(width, half),
        nn.AvgPool2d(2),
        rise,
    ]
    network = nn.Sequential(*up, to_image, from_image, *down)
    names = ("up", "conv_up", "to_image", "from_image", "conv_down", "down")
    with torch.no_grad():
        for name, module in zip(
            names, (m for m in network if isinstance(m, nn.Conv2d)), strict=True
        ):
            module.weight.copy_(torch.from_numpy(np.array(layers[name])).permute(3, 2, 0, 1))
            module.bias.zero_()
    form = torch.channels_last if channels_last else torch.contiguous_format
    network = network.to(memory_format=form)
    inputs = [torch.from_numpy(x).permute(0, 3, 1, 2).contiguous(memory_format=form) for x in xs]
    optimizer = torch.optim.Adam(network.parameters(), lr=1e-3, betas=(0.0, 0.99), fused=True)
    forward = torch.compile(network) if compiled else network

    def call() -> float:
        for x in inputs:
            optimizer.zero_grad()
            value = forward(x).square().mean()
            value.backward()
            optimizer.step()
        return value.item()

    return call
