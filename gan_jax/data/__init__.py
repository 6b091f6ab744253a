"""Real samples: toy distributions, images and tensorflow-datasets.

All are pure functions of (seed, position in the stream).
"""

from gan_jax.data.arrays import npy, npz
from gan_jax.data.batching import batches, decode, samples_at
from gan_jax.data.contents import Contents
from gan_jax.data.dataset import Dataset
from gan_jax.data.factor_shapes import factor_shapes
from gan_jax.data.factors import Factors
from gan_jax.data.folders import folder
from gan_jax.data.image_pairs import (
    paired_folder,
    paired_shapes,
    unpaired_folder,
    unpaired_shapes,
)
from gan_jax.data.images import (
    fashion_mnist,
    mnist,
    stacked,
    stacked_fashion_mnist,
    stacked_mnist,
)
from gan_jax.data.prefetching import prefetch
from gan_jax.data.shuffling import epoch_shuffles, keyed_permutation
from gan_jax.data.streaming import streamed, streamed_tfds
from gan_jax.data.tensorflow_datasets import tfds
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
    "Contents",
    "Dataset",
    "Factors",
    "batches",
    "decode",
    "epoch_shuffles",
    "factor_shapes",
    "fashion_mnist",
    "fixed",
    "folder",
    "gaussian",
    "grid",
    "keyed_permutation",
    "mixture",
    "mnist",
    "npy",
    "npz",
    "paired_folder",
    "paired_shapes",
    "parallel_lines",
    "prefetch",
    "ring",
    "ring_of_seven",
    "samples_at",
    "stacked",
    "stacked_fashion_mnist",
    "stacked_mnist",
    "streamed",
    "streamed_tfds",
    "swiss_roll",
    "tfds",
    "three_classes",
    "unpaired_folder",
    "unpaired_shapes",
]
