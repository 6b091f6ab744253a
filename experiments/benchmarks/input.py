"""Input: an epoch of shuffled batches of uint8 images, as float32 in [-1, 1] on the device, beside torch's DataLoader.

Ours: `gan_jax.data.batches` of 25 steps at a time, made on a thread (`prefetched`), converted in a jitted program, as a run
does. Theirs: a DataLoader over the same arrays, image by image as its datasets are, with 0 and 2 workers; and one whose sampler
gives whole batches of indices, which is as quick as it gets. Both return the epoch's mean, which must agree; times are those of
a batch of 64.
"""

from collections.abc import Callable, Iterator
from typing import Any

import jax
import jax.numpy as jnp
from _contestant import images, opponents

from gan_jax import data
from gan_jax.benchmarking import Contest

PACKAGES = ("torch",)
CHUNK = 25


def contests(small: bool = False) -> Iterator[Contest]:
    """28x28x1 images, as many as fit in 1 s or so, and 64x64x3; ``small`` for a quick look."""
    for side, channels, count in ((28, 1, 400 * 64), (64, 3, 100 * 64)):
        batches, size = (CHUNK, 8) if small else (count // 64, 64)
        dataset = images(side, channels, batches * size)

        def epoch(
            dataset: data.Dataset = dataset, batches: int = batches, size: int = size
        ) -> float:
            chunks = (
                data.batches(dataset, 0, first, CHUNK, 1, size)
                for first in range(0, batches, CHUNK)
            )
            total = 0.0
            for chunk in data.prefetched(chunks):
                total += float(jnp.sum(means(chunk["real"])))
            return 1 + total / batches  # of noise the mean is near 0

        def make(
            side: Any, dataset: data.Dataset = dataset, size: int = size
        ) -> dict[str, Callable]:
            assert dataset.arrays is not None
            settings = {"whole batches": (True, 0)} if small else SETTINGS
            return {
                name: side.epoch_of(dataset.arrays["real"], size, *setting)
                for name, setting in settings.items()
            }

        name = f"batches of {size} images, {side}x{side}x{channels}"
        yield Contest(name, epoch, opponents(make), tolerance=1e-4, steps=batches, most=7)


SETTINGS = {
    "DataLoader, whole batches": (True, 0),
    "DataLoader, whole batches, 2 workers": (True, 2),
    "DataLoader": (False, 0),
    "DataLoader, 2 workers": (False, 2),
}


@jax.jit
def means(real: jax.Array) -> jax.Array:
    """``[steps, discriminator_steps, batch, ...]`` uint8 -> ``[steps]``: each batch is converted as a step would.

    Rows are added by a matrix product: XLA's sum of so many numbers takes longer on a CPU than all that is to be timed.
    """

    def one(step: jax.Array) -> jax.Array:
        rows = data.decode({"real": step})["real"].reshape(step.shape[0] * step.shape[1], -1)
        return jnp.mean(jnp.ones((1, len(rows))) @ rows) / len(rows)

    return jax.lax.map(one, real)
