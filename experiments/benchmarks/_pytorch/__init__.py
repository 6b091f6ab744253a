"""PyTorch's side of the training cases, written as its users write it.

The algorithms and shapes are those of gan_jax's side.
"""

import torch

from .calls import flops, on_threads
from .games import (
    Game,
    Unrolled,
    non_saturating,
    non_saturating_generator,
    non_saturating_in_one_pass,
    wasserstein_generator,
    wasserstein_gp,
)
from .input import batches_of_files, epoch_of, ring_points, shuffled_images
from .networks import block, dcgan, mlp
from .weights import load

__all__ = [
    "Game",
    "Unrolled",
    "batches_of_files",
    "block",
    "dcgan",
    "epoch_of",
    "flops",
    "load",
    "mlp",
    "non_saturating",
    "non_saturating_generator",
    "non_saturating_in_one_pass",
    "on_threads",
    "ring_points",
    "shuffled_images",
    "torch",
    "wasserstein_generator",
    "wasserstein_gp",
]
