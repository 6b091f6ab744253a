"""Squared maximum mean discrepancy under the kernel ``(x.y / d + 1)^3``, exactly and fast.

Used by `gan_jax.metrics.kernel_distance`, which checks the arguments.
"""

from gan_jax.metrics.cubic_kernel.estimates import full_distance, subset_distances

__all__ = ["full_distance", "subset_distances"]
