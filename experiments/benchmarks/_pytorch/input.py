"""Data in PyTorch: points that are drawn, and images from memory or through a DataLoader."""

from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor


def ring_points(size: int, scale: float = 1.0) -> Tensor:
    """Draws points ``[size, 2]`` on the ring of 8 Gaussians."""
    angle = torch.randint(8, (size,)) * (2 * torch.pi / 8)
    return scale * (2 * torch.stack([angle.cos(), angle.sin()], 1) + 0.02 * torch.randn(size, 2))


def shuffled_images(data: np.ndarray, size: int, channels_last: bool = False) -> Iterator[Tensor]:
    """Yields minibatches in [-1, 1] without end, each epoch in an order of its own.

    Args:
      data: uint8 images ``[n, height, width, channels]``.
      size: of a minibatch.
      channels_last: whether the images keep their order in memory.
    """
    images = torch.from_numpy(data).permute(0, 3, 1, 2)
    if not channels_last:
        images = images.contiguous()
    while True:
        for indices in torch.randperm(len(images)).split(size):
            if len(indices) == size:
                yield images[indices].float().div_(127.5).sub_(1)


class Images(torch.utils.data.Dataset):
    """uint8 images, channels first, by one index or by a list of indices."""

    def __init__(self, data: np.ndarray) -> None:
        self.data = data

    def __len__(self) -> int:
        return len(self.data)

    def __getitem__(self, index: Any) -> Tensor:
        return torch.from_numpy(self.data[index]).movedim(-1, -3)


def epoch_of(data: np.ndarray, size: int, whole: bool, workers: int) -> Callable[[], float]:
    """Returns a call that goes through an epoch of a DataLoader, and returns 1 + its mean.

    Args:
      data: uint8 images ``[n, height, width, channels]``, converted to floats in [-1, 1].
      size: of a batch.
      whole: whether the sampler yields whole batches of indices.
      workers: processes that load.
    """
    dataset = Images(data)
    processes = {"num_workers": workers, "persistent_workers": workers > 0}
    if whole:
        order = torch.utils.data.RandomSampler(dataset)
        batches = torch.utils.data.BatchSampler(order, size, drop_last=True)
        loader = torch.utils.data.DataLoader(dataset, sampler=batches, batch_size=None, **processes)
    else:
        loader = torch.utils.data.DataLoader(
            dataset, size, shuffle=True, drop_last=True, **processes
        )

    def call() -> float:
        means = [batch.float().div_(127.5).sub_(1).mean().item() for batch in loader]
        return 1 + sum(means) / len(means)

    return call


class FilesOfImages(torch.utils.data.Dataset):
    """uint8 images in .npy files, memory-mapped, by one index or by a list of indices."""

    def __init__(self, files: Sequence[Path]) -> None:
        self.arrays = [np.load(file, mmap_mode="r") for file in files]
        self.starts = np.cumsum([0, *map(len, self.arrays)])

    def __len__(self) -> int:
        return int(self.starts[-1])

    def __getitem__(self, index: Any) -> Tensor:
        if isinstance(index, list):
            return torch.stack([self[i] for i in index])
        file = int(np.searchsorted(self.starts, index, "right")) - 1
        image = np.array(self.arrays[file][index - self.starts[file]])
        return torch.from_numpy(image).movedim(-1, -3)


def batches_of_files(
    files: Sequence[Path], size: int, batches: int, whole: bool, workers: int
) -> Callable[[], None]:
    """Returns a call that goes through some batches of a DataLoader over files of images.

    Args:
      files: .npy files ``[n, height, width, channels]`` uint8.
      size: of a batch.
      batches: how many.
      whole: whether the sampler yields whole batches of indices.
      workers: processes that load.
    """
    dataset = FilesOfImages(files)
    order = torch.utils.data.RandomSampler(dataset, num_samples=size * batches)
    processes = {"num_workers": workers, "persistent_workers": workers > 0}
    if whole:
        sampler = torch.utils.data.BatchSampler(order, size, drop_last=True)
        loader = torch.utils.data.DataLoader(dataset, sampler=sampler, batch_size=None, **processes)
    else:
        loader = torch.utils.data.DataLoader(dataset, size, sampler=order, **processes)

    def call() -> None:
        for _ in loader:
            pass

    return call
