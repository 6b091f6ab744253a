"""Data in PyTorch: points that are drawn, and images from memory or through a DataLoader."""

from collections.abc import Callable, Iterator
from typing import Any

import numpy as np
import torch
from torch import Tensor


def ring_points(size: int, scale: float = 1.0) -> Tensor:
    """Fresh points on the ring of 8 Gaussians."""
    angle = torch.randint(8, (size,)) * (2 * torch.pi / 8)
    return scale * (2 * torch.stack([angle.cos(), angle.sin()], 1) + 0.02 * torch.randn(size, 2))


def shuffled_images(data: np.ndarray, size: int, channels_last: bool = False) -> Iterator[Tensor]:
    """Endless minibatches in [-1, 1] of uint8 images ``[n, height, width, channels]``, each epoch in an order of its own."""
    own = torch.from_numpy(data).permute(0, 3, 1, 2)
    own = own if channels_last else own.contiguous()
    while True:
        for index in torch.randperm(len(own)).split(size):
            if len(index) == size:
                yield own[index].float().div_(127.5).sub_(1)


class Images(torch.utils.data.Dataset):
    """uint8 images by index, or many at once by a list of indices, their channels first."""

    def __init__(self, data: np.ndarray) -> None:
        self.data = data

    def __len__(self) -> int:
        return len(self.data)

    def __getitem__(self, index: Any) -> Tensor:
        return torch.from_numpy(self.data[index]).movedim(-1, -3)


def epoch_of(data: np.ndarray, size: int, whole: bool, workers: int) -> Callable[[], float]:
    """An epoch of a DataLoader, as floats in [-1, 1]: returns 1 + their mean. ``whole``: batches of indices are asked for."""
    dataset, keep = Images(data), {"num_workers": workers, "persistent_workers": workers > 0}
    if whole:
        order = torch.utils.data.RandomSampler(dataset)
        batches = torch.utils.data.BatchSampler(order, size, drop_last=True)
        loader = torch.utils.data.DataLoader(dataset, sampler=batches, batch_size=None, **keep)
    else:
        loader = torch.utils.data.DataLoader(dataset, size, shuffle=True, drop_last=True, **keep)

    def call() -> float:
        means = [batch.float().div_(127.5).sub_(1).mean().item() for batch in loader]
        return 1 + sum(means) / len(means)

    return call
