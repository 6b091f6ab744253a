"""Real samples: toy distributions, images and tensorflow-datasets, all as pure functions of (seed, position)."""

from gan_jax.data.dataset import Dataset, batches, decode, prefetched
from gan_jax.data.toy import (
    fixed,
    gaussian,
    grid,
    mixture,
    parallel_lines,
    ring,
    ring_of_seven,
    swiss_roll,
    three_classes,
)

__all__ = [
    "Dataset",
    "batches",
    "decode",
    "fixed",
    "gaussian",
    "grid",
    "mixture",
    "parallel_lines",
    "prefetched",
    "ring",
    "ring_of_seven",
    "swiss_roll",
    "three_classes",
]
