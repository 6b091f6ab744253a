"""From a dataset to the batches of train steps, and from bytes to what networks take."""

from typing import Any

import jax.numpy as jnp
import numpy as np

from gan_jax.data.dataset import Dataset
from gan_jax.data.positions import Seed
from gan_jax.errors import UserError
from gan_jax.game import Batch

LARGEST = {"uint8": 255, "uint16": 65535}
"""Values of white, by the dtype of images."""


def batches(
    dataset: Dataset,
    seed: Seed,
    first_step: int,
    steps: int,
    discriminator_steps: int,
    batch_size: int,
    sample_indices: slice = slice(None),
    first_discriminator_step: int | None = None,
) -> Batch:
    """Draws the batches of ``steps`` train steps, starting at ``first_step``.

    A pure function of its arguments. A sample's position in the stream is ``(step *
    discriminator_steps + discriminator_step) * batch_size + sample_index``, so the batches do not
    depend on how the steps are cut into calls.

    Args:
      dataset: the samples.
      seed: the seed of the stream of samples; it may be traced if the dataset is a distribution.
      first_step: the first of the steps, counted from 0.
      steps: the number of steps.
      discriminator_steps: discriminator updates per step, each on its own minibatch.
      batch_size: the size of the global batch, over all devices and processes.
      sample_indices: the part of the global batch that this process needs; all by default.
      first_discriminator_step: the number of discriminator steps before ``first_step``, if it has
        not always been ``discriminator_steps`` per step; None: ``first_step *
        discriminator_steps``.

    Returns:
      Leaves ``[steps, discriminator_steps, local batch, ...]``: the dataset's own, and
      ``"sample_index"``, int32, each sample's position in the global batch.

    Raises:
      UserError: a count is below 1, or the seed is out of range.
    """
    counts = {"steps": steps, "discriminator_steps": discriminator_steps, "batch_size": batch_size}
    for name, count in counts.items():
        if count < 1:
            raise UserError(f"{name} is at least 1, not {count}")
    if first_discriminator_step is None:
        first_discriminator_step = int(first_step) * discriminator_steps
    shape = (steps, discriminator_steps, 1)
    offsets = np.arange(steps * discriminator_steps, dtype=np.int64).reshape(shape)
    sample_index = np.arange(batch_size, dtype=np.int32)[sample_indices]
    positions = (first_discriminator_step + offsets) * batch_size + sample_index
    everywhere: Any = np.broadcast_to(sample_index, positions.shape)
    return dataset.draw(seed, positions) | {"sample_index": everywhere}


def samples_at(dataset: Dataset, index: np.ndarray) -> dict[str, np.ndarray]:
    """Returns samples by their index, decoded, with all that batches carry.

    Args:
      dataset: of arrays, which are taken in their order, again and again; or of a distribution, of
        which these are the draws of seed 0.
      index: ``[n]`` integers.

    Returns:
      ``"real"`` ``[n, *shape]`` and the conditions, images float32 in [-1, 1].
    """
    if dataset.arrays is None:
        batch: Any = dataset.draw(0, index)
    else:
        names = ("real", *dataset.conditions)
        batch = {name: dataset.arrays[name] for name in names}
        batch = {name: array[index % len(array)] for name, array in batch.items()}
    return {name: np.asarray(leaf) for name, leaf in decode(batch).items()}


def decode(batch: Batch) -> Batch:
    """Turns uint8 images into what networks take: float32 in [-1, 1], ``(2 x - 255) / 255``.

    Images of 16 bits, uint16, become ``(2 x - 65535) / 65535``. Meant to be called inside the
    jitted train step, so that a quarter of the bytes travel to the device.

    Args:
      batch: a batch with samples ``"real"``, and possibly images among its conditions.

    Returns:
      The batch with decoded images; samples and conditions of other types stay as they are.
    """
    return {
        # Exact but for one division. On a CPU x / 127.5 - 1 takes 4 to 7 times as long: XLA hands
        # it to a slower library.
        name: (2 * leaf.astype(jnp.int32) - LARGEST[str(leaf.dtype)]).astype(jnp.float32)
        / LARGEST[str(leaf.dtype)]
        if str(leaf.dtype) in LARGEST
        else leaf
        for name, leaf in batch.items()
    }
