"""What the generator and the discriminator minimise.

Losses and penalties, which are terms, and functions from objective to objective.
"""

from gan_jax.objectives import (
    autoencoding,
    losses,
    penalties,
    reconstruction,
    regularisers,
    slicing,
)
from gan_jax.objectives.accumulation import accumulated
from gan_jax.objectives.augmentation import augmented
from gan_jax.objectives.saddle_point import saddle
from gan_jax.objectives.sample_history import history
from gan_jax.objectives.timing import after, every, until
from gan_jax.objectives.unrolling import unrolled
from gan_jax.objectives.weighting import adaptive_weight

__all__ = [
    "accumulated",
    "adaptive_weight",
    "after",
    "augmented",
    "autoencoding",
    "every",
    "history",
    "losses",
    "penalties",
    "reconstruction",
    "regularisers",
    "saddle",
    "slicing",
    "unrolled",
    "until",
]
