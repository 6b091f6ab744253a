"""What the generator and the discriminator minimise.

Losses and penalties, which are terms, and functions from objective to objective.
"""

from gan_jax.objectives import losses, penalties, reconstruction, regularisers, slicing
from gan_jax.objectives.accumulation import accumulated
from gan_jax.objectives.augmentation import augmented
from gan_jax.objectives.saddle_point import saddle
from gan_jax.objectives.timing import after, every, until
from gan_jax.objectives.unrolling import unrolled

__all__ = [
    "accumulated",
    "after",
    "augmented",
    "every",
    "losses",
    "penalties",
    "reconstruction",
    "regularisers",
    "saddle",
    "slicing",
    "unrolled",
    "until",
]
