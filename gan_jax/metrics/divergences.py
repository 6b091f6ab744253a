"""Divergences between histograms, or between densities on a grid, in nats."""

import numpy as np

from gan_jax.metrics.checks import Array, ArrayLike, finite


def kl_divergence(p: ArrayLike, q: ArrayLike, widths: ArrayLike = 1.0) -> float:
    """Computes the Kullback-Leibler divergence ``KL(p || q)`` of two histograms or densities.

    ``sum_i p_i log(p_i / q_i)`` after both are normalised to mass one, with ``0 log 0 = 0``.
    "Reverse KL" in the GAN literature is this with ``p`` the generated and ``q`` the real
    distribution.

    Args:
      p: weights ``[...]``: counts, probabilities, or density values on a grid; any shape, float or
        int.
      q: weights of the same shape.
      widths: the sizes of the grid's cells, broadcast to p's shape, if they are not all the same.

    Returns:
      The divergence in nats; infinite if p has mass where q has none.

    Raises:
      ValueError: if shapes differ, a weight is negative or not finite, or one has no mass.
    """
    p, q = _distributions(p, q, widths)
    support = p > 0
    if np.any(q[support] == 0):
        return float("inf")
    # Each summand p log(p/q) - p + q is >= 0, so rounding cannot make the sum of nearly equal p and
    # q negative.
    p_, q_ = p[support], q[support]
    return float(np.sum(p_ * np.log(p_ / q_) - p_ + q_) + q[~support].sum())


def js_divergence(p: ArrayLike, q: ArrayLike, widths: ArrayLike = 1.0) -> float:
    """Computes the Jensen-Shannon divergence of two histograms or densities, not its square root.

    ``KL(p || m) / 2 + KL(q || m) / 2`` with ``m = (p + q) / 2``, at most ``log 2``. (SciPy's
    ``jensenshannon`` returns the square root of this.)

    Args:
      p: weights ``[...]``: counts, probabilities, or density values on a grid; any shape, float or
        int.
      q: weights of the same shape.
      widths: the sizes of the grid's cells, broadcast to p's shape, if they are not all the same.

    Returns:
      The divergence in nats, in ``[0, log 2]``.

    Raises:
      ValueError: as `kl_divergence`.
    """
    p, q = _distributions(p, q, widths)
    mixture = (p + q) / 2
    return 0.5 * kl_divergence(p, mixture) + 0.5 * kl_divergence(q, mixture)


def _distributions(p: ArrayLike, q: ArrayLike, widths: ArrayLike) -> tuple[Array, Array]:
    p, q = finite(p, "p"), finite(q, "q")
    if p.shape != q.shape or p.ndim == 0:
        raise ValueError(
            f"q: found shape {q.shape}, expected p's shape {p.shape} of one axis or more"
        )
    widths = np.broadcast_to(finite(widths, "widths"), p.shape)
    if not np.all(widths > 0):
        raise ValueError(f"widths: found {widths.min()}, expected values above 0")
    for name, weights in (("p", p), ("q", q)):
        if np.any(weights < 0) or not weights.sum() > 0:
            raise ValueError(
                f"{name}: found a least weight of {weights.min()} and a sum of {weights.sum()}, "
                "expected weights >= 0 with a sum above 0"
            )
    p_mass, q_mass = p * widths, q * widths
    return p_mass / p_mass.sum(), q_mass / q_mass.sum()
