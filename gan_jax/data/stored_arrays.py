"""Arrays that stay on the disk: read by index, as far as they are asked for."""

import math
import os
import threading
from collections.abc import Callable, Iterable, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from gan_jax.data.shuffling import Permutation
from gan_jax.errors import UserError

DECODERS = 8
"""Threads that decode images. They touch host arrays only."""

ReadFunction = Callable[[np.ndarray], np.ndarray]
"""Reads the samples of indices ``[m]``, int64 from 0 to n - 1, as ``[m, ...]``."""


class StoredArray:
    """An array ``[n, ...]`` that is indexed along its first axis and never held as a whole.

    It stands where datasets have NumPy arrays: ``array[index]`` with integers ``[...]``, or a
    slice, reads these samples into a new NumPy array.
    """

    def __init__(self, shape: tuple[int, ...], dtype: Any, read: ReadFunction) -> None:
        """Describes the array.

        Args:
          shape: ``(n, ...)``.
          dtype: of the elements.
          read: reads samples, from any thread.
        """
        self.shape, self.dtype, self._read = shape, np.dtype(dtype), read

    def __len__(self) -> int:
        return self.shape[0]

    def __getitem__(self, index: Any) -> np.ndarray:
        if isinstance(index, slice):
            index = np.arange(*index.indices(len(self)))
        index = np.asarray(index, np.int64)
        if index.size and not -len(self) <= index.min() <= index.max() < len(self):
            raise IndexError(f"an index is beyond the {len(self)} samples")
        samples = self._read(np.ravel(index) % len(self))
        return samples.reshape(*index.shape, *self.shape[1:])

    def taken(self, n: int, index: Permutation) -> "StoredArray":
        """Returns an array of n of the samples: the i-th is that of ``index(i)``."""
        return StoredArray((n, *self.shape[1:]), self.dtype, lambda i: self._read(index(i)))


class Shard(NamedTuple):
    """Consecutive samples in a file, uncompressed: ``n`` of them from a byte on."""

    path: Path
    offset: int
    n: int


def shards_array(shards: Sequence[Shard], shape: tuple[int, ...], dtype: Any) -> StoredArray:
    """Returns the samples of several files, one after the other, as one array.

    Each call opens the files that it needs: no descriptor is held, whatever the number of files.

    Args:
      shards: where the samples lie.
      shape: of one sample.
      dtype: of the elements, as they are stored; floats of any size become float32.

    Returns:
      The array, of ``dtype`` or float32. Reading raises UserError if a file has become shorter, or
      holds numbers that are not finite in float32.
    """
    stored = np.dtype(dtype)
    starts = np.cumsum([0, *(shard.n for shard in shards)])

    def read(index: np.ndarray) -> np.ndarray:
        samples = np.empty((len(index), *shape), stored)
        flat = samples.reshape(len(index), math.prod(shape)).view(np.uint8)
        order = np.argsort(index, kind="stable")
        number = np.searchsorted(starts, index[order], "right") - 1
        for shard in np.unique(number).tolist():
            places = order[number == shard]
            _read_runs(shards[shard], index[places] - starts[shard], places, flat)
        return samples if stored.kind in "ui" else _finite(samples, index)

    result = stored if stored.kind in "ui" else np.dtype(np.float32)
    return StoredArray((int(starts[-1]), *shape), result, read)


def decoded_array(
    n: int, shape: tuple[int, ...], decode: Callable[[int], np.ndarray]
) -> StoredArray:
    """Returns images that are decoded when they are read, by threads.

    Args:
      n: the number of images.
      shape: of one image.
      decode: returns image i, uint8; called from several threads.
    """
    pool = _Pool()

    def read(index: np.ndarray) -> np.ndarray:
        samples = np.empty((len(index), *shape), np.uint8)

        def decode_into(place: int, i: int) -> None:
            samples[place] = decode(i)

        pool.map(decode_into, enumerate(index.tolist()))
        return samples

    return StoredArray((n, *shape), np.uint8, read)


class _Pool:
    """Threads that start when they are first needed, so that a dataset that is built has none."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._pool: ThreadPoolExecutor | None = None

    def map(self, task: Callable[..., None], arguments: Iterable[tuple[Any, ...]]) -> None:
        """Calls ``task(*arguments)`` for all arguments, and raises the first error of theirs."""
        with self._lock:
            if self._pool is None:
                self._pool = ThreadPoolExecutor(DECODERS, "decode")
        for _ in self._pool.map(lambda each: task(*each), arguments):
            pass


def _read_runs(shard: Shard, index: np.ndarray, places: np.ndarray, flat: np.ndarray) -> None:
    """Reads samples ``index`` of a file into rows ``places``: consecutive ones in one call.

    The system is told of all of them first, so that a disk works on many at once. Threads would
    not help: copies of a few kilobytes wait for Python's lock longer than they take.
    """
    size, bytes_read = flat.shape[1], flat.reshape(-1).data
    # A run also has consecutive rows: what is read in order, in slices, lies in order.
    cuts = np.flatnonzero((np.diff(index) != 1) | (np.diff(places) != 1)) + 1
    firsts = np.concatenate([[0], cuts])
    lengths = (np.diff([*firsts, len(index)]) * size).tolist()
    offsets = (shard.offset + index[firsts] * size).tolist()
    starts = (places[firsts] * size).tolist()
    descriptor = os.open(shard.path, os.O_RDONLY | getattr(os, "O_BINARY", 0))
    try:
        if hasattr(os, "posix_fadvise"):
            for offset, length in zip(offsets, lengths):
                os.posix_fadvise(descriptor, offset, length, os.POSIX_FADV_WILLNEED)
        for start, offset, length in zip(starts, offsets, lengths):
            left = bytes_read[start : start + length]
            while len(left):
                count = os.preadv(descriptor, [left], offset)
                if not count:
                    raise UserError(f"{shard.path} has become shorter since it was opened")
                left, offset = left[count:], offset + count
    finally:
        os.close(descriptor)


def _finite(samples: np.ndarray, index: np.ndarray) -> np.ndarray:
    """Returns floats as float32. Raises UserError if one is not finite."""
    with np.errstate(over="ignore"):  # an overflow becomes infinite, and is refused
        samples = samples.astype(np.float32, copy=False)
    finite = np.isfinite(samples).reshape(len(samples), -1).all(axis=1)
    if not finite.all():
        raise UserError(f"sample {index[finite.argmin()]} holds NaN or values beyond float32")
    return samples
