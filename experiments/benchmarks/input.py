"""Input: an epoch of shuffled batches of images, next to torch's DataLoader.

Images are uint8 in memory, and float32 in [-1, 1] on the device.

gan_jax: `gan_jax.data.batches` of 25 steps at a time, made on a thread (`prefetch`) and converted
in a jitted program, as in a run. PyTorch: a DataLoader over the same arrays, image by image as its
datasets are, with 0 and 2 workers; and one whose sampler yields whole batches of indices, which is
its fastest way. Both return the epoch's mean, which must agree; times are per batch of 64.
"""

from collections.abc import Iterator
from typing import Any

import jax
import jax.numpy as jnp
from _sides import noise_images, pytorch_peers

from gan_jax import data
from gan_jax.benchmarking import Call, Comparison

PACKAGES = ("torch",)
CHUNK = 25
SETTINGS = {
    "DataLoader, whole batches": (True, 0),
    "DataLoader, whole batches, 2 workers": (True, 2),
    "DataLoader": (False, 0),
    "DataLoader, 2 workers": (False, 2),
}
"""Settings of PyTorch's side: (whether indices come in whole batches, workers)."""


def comparisons(small: bool = False) -> Iterator[Comparison]:
    """Yields 28x28x1 and 64x64x3 images, about a second of either; ``small`` for a quick look."""
    for side, channels, count in ((28, 1, 400 * 64), (64, 3, 100 * 64)):
        batches, batch_size = (CHUNK, 8) if small else (count // 64, 64)
        images = noise_images(side, channels, batches * batch_size)
        yield Comparison(
            f"batches of {batch_size} images, {side}x{side}x{channels}",
            ours=epoch_of(images, batches, batch_size),
            peers=pytorch_epochs(images, batch_size, small),
            tolerance=1e-4,
            steps=batches,
            max_rounds=7,
        )


def epoch_of(images: data.Dataset, batches: int, batch_size: int) -> Call:
    """Returns a call that goes through an epoch and returns 1 + its mean.

    The mean of noise is near 0, so that 1 is added for a relative comparison.
    """

    def call() -> float:
        chunks = (
            data.batches(images, 0, first, CHUNK, 1, batch_size)
            for first in range(0, batches, CHUNK)
        )
        total = 0.0
        for chunk in data.prefetch(chunks):
            total += float(jnp.sum(batch_means(chunk["real"])))
        return 1 + total / batches

    return call


def pytorch_epochs(images: data.Dataset, batch_size: int, small: bool) -> Any:
    """Returns PyTorch's side by settings."""
    settings = {"whole batches": (True, 0)} if small else SETTINGS
    assert images.arrays is not None
    real = images.arrays["real"]

    def make(pytorch: Any) -> dict[str, Call]:
        return {
            name: pytorch.epoch_of(real, batch_size, whole, workers)
            for name, (whole, workers) in settings.items()
        }

    return pytorch_peers(make)


@jax.jit
def batch_means(real: jax.Array) -> jax.Array:
    """Returns the mean of each batch, converted as in a step.

    The pixels are added by a matrix product: on a CPU, XLA's sum of so many numbers takes longer
    than everything that is to be timed.

    Args:
      real: uint8 images ``[steps, discriminator_steps, batch, ...]``.

    Returns:
      Means ``[steps]``.
    """

    def mean(step: jax.Array) -> jax.Array:
        images = data.decode({"real": step})["real"]
        images = images.reshape(step.shape[0] * step.shape[1], -1)
        return jnp.mean(jnp.ones((1, len(images))) @ images) / len(images)

    return jax.lax.map(mean, real)
