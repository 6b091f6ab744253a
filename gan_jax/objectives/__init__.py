"""What the generator and the discriminator minimise.

Losses and penalties, which are terms, and functions from objective to objective.
"""

from gan_jax.objectives import losses, penalties
from gan_jax.objectives.accumulation import accumulated
from gan_jax.objectives.augmentation import augmented
from gan_jax.objectives.unrolling import unrolled

__all__ = ["accumulated", "augmented", "losses", "penalties", "unrolled"]
