"""Data beyond memory: 200,000 images of 64x64x3 in files, next to memory and torch's DataLoader.

The files, 2.4 GB of noise, are made in a temporary folder first; the operating system may keep what
it has read of them. Times are per batch of 64, shuffled.

Input alone: `gan_jax.data.streamed`, 25 steps at a time on a thread (`prefetch`), next to the same
images in an array, and to a DataLoader over memory-mapped files, image by image with 0, 1 and 2
workers and with a sampler of whole batches. Training: steps of a DCGAN of 64x64, in two processes;
the one that streams may not take more than 600 MB of memory (Linux' RLIMIT_DATA: all that is
private and writable, the stacks of threads included) above what it has before the data is opened:
the interpreter and the program, compiled and run once on 2,048 images of noise. What the network
computes with counts. It also reads all images for their fingerprint, and 20,000 as an evaluation
does. What it took is printed.
"""

import os
import tempfile
from collections.abc import Iterator
from pathlib import Path

import numpy as np
from _sides import WorkerProcess, pytorch_peers

from gan_jax import data
from gan_jax.benchmarking import Call, Comparison

PACKAGES = ("torch",)
CHUNK = 25
LIMIT = 600
"""Megabytes that the process that streams may take."""

WORKERS = (0, 1, 2)


def comparisons(small: bool = False) -> Iterator[Comparison]:
    """Yields input and training; ``small`` for a quick look."""
    count, side, batch_size, batches = (2_000, 8, 8, 50) if small else (200_000, 64, 64, 100)
    with tempfile.TemporaryDirectory() as folder:
        files = write_images(Path(folder), count, side)
        streamed = batches_of(data.streamed(folder), batches, batch_size)
        name = f"{count:,} images of {side}x{side}x3"
        held = data.Dataset.from_arrays(
            np.concatenate([np.load(file) for file in files]), orders=data.epoch_shuffles
        )
        yield Comparison(
            f"batches from {name}, next to memory",
            ours=streamed,
            peers={"in memory": batches_of(held, batches, batch_size)},
            steps=batches,
        )
        del held
        yield Comparison(
            f"batches from {name}, next to a DataLoader",
            ours=streamed,
            peers=pytorch_peers(
                lambda pytorch: (
                    {
                        "DataLoader, whole batches": pytorch.batches_of_files(
                            files, batch_size, batches, whole=True, workers=0
                        )
                    }
                    | {
                        f"DataLoader, {workers} workers": pytorch.batches_of_files(
                            files, batch_size, batches, whole=False, workers=workers
                        )
                        for workers in (WORKERS[:1] if small else WORKERS)
                    }
                )
            ),
            steps=batches,
        )
        worker, sizes = "_streaming_worker.py", (batch_size, 4 if small else 64, 1 if small else 3)
        limited = WorkerProcess(worker, folder, LIMIT, *sizes)
        in_memory = WorkerProcess(worker, folder, 0, *sizes)
        yield Comparison(
            f"DCGAN of {side}x{side} from {name}, in {LIMIT} MB",
            ours=limited,
            peers={"in memory": in_memory},
            steps=sizes[-1],
            max_rounds=5,
        )
        limited.close()
        in_memory.close()


def write_images(folder: Path, count: int, side: int, files: int = 8) -> list[Path]:
    """Writes noise as uint8 images in so many .npy files, and returns their paths."""
    rng, paths = np.random.default_rng(0), []
    for i in range(files):
        paths.append(folder / f"{i}.npy")
        np.save(paths[-1], rng.integers(0, 256, (count // files, side, side, 3), np.uint8))
    os.sync()  # what is still to be written would slow the first readers
    return paths


def batches_of(dataset: data.Dataset, batches: int, batch_size: int) -> Call:
    """Returns a call that takes the next batches of a stream, ahead on a thread."""
    first = 0

    def call() -> None:
        nonlocal first
        chunks = (
            data.batches(dataset, 0, start, CHUNK, 1, batch_size)
            for start in range(first, first + batches, CHUNK)
        )
        for _ in data.prefetch(chunks):
            pass
        first += batches

    return call
