"""Rules that tell what is going wrong in a run, from its metrics and samples.

Mode collapse, vanishing gradients, rotation, oscillation, overfitting and divergence.
"""

from gan_jax.diagnosis.rules import (
    Diagnosis,
    discriminator_overfitting,
    divergence,
    low_diversity,
    mode_collapse,
    oscillation,
    rotation,
    vanishing_gradient,
)

__all__ = [
    "Diagnosis",
    "discriminator_overfitting",
    "divergence",
    "low_diversity",
    "mode_collapse",
    "oscillation",
    "rotation",
    "vanishing_gradient",
]
