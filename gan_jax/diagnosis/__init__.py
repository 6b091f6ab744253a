"""What is going wrong in a run: rules for mode collapse, vanishing gradients and non-convergence."""

from gan_jax.diagnosis.troubles import (
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
