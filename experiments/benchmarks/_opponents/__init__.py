"""PyTorch's side of the training cases: the same algorithms on the same shapes, written as its users write them."""

import torch

from .clock import flops, on_threads
from .games import (
    Game,
    Unrolled,
    non_saturating,
    non_saturating_generator,
    together,
    wasserstein_generator,
    wasserstein_gp,
)
from .input import epoch_of, ring_points, shuffled_images
from .networks import block, dcgan, mlp
from .weights import load

__all__ = [
    "Game", "Unrolled", "block", "dcgan", "epoch_of", "flops", "load", "mlp", "non_saturating", "non_saturating_generator",
    "on_threads", "ring_points", "shuffled_images", "together", "torch", "wasserstein_generator", "wasserstein_gp",
]  # fmt: skip
