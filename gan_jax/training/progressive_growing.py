"""Progressive growing: its schedule as pure functions of the step, and real images for each phase.

Resuming needs nothing but the step. `phase_at` takes a Python int, since a phase fixes array
shapes; the arguments of `fade` and `resize` may be traced.

References:
  Karras et al., "Progressive Growing of GANs for Improved Quality, Stability, and Variation"
  (2018), section 2 and appendix A.1.
"""

from collections.abc import Sequence
from itertools import accumulate, pairwise
from typing import Any, NamedTuple

import jax.numpy as jnp
import numpy as np

from gan_jax.errors import UserError
from gan_jax.game import Array

__all__ = [
    "Phase",
    "check",
    "fade",
    "images_shown",
    "mean_of_blocks",
    "phase_at",
    "phase_index",
    "resize",
    "schedule",
    "starts",
    "total_steps",
]


class Phase(NamedTuple):
    """A number of steps at one resolution.

    Attributes:
      resolution: the side of the images.
      batch_size: real images per discriminator step.
      steps: how many steps the phase lasts.
      fade_steps: over how many of them, from the first on, its new layers are faded in.
    """

    resolution: int
    batch_size: int
    steps: int
    fade_steps: int = 0


def schedule(
    resolution: int,
    images: int = 600_000,
    fade_images: int = 600_000,
    batch_size: int = 16,
    batch_sizes: dict[int, int] | None = None,
    first: int = 4,
) -> tuple[Phase, ...]:
    """Returns the paper's schedule: the resolution doubles; each one fades in, then trains on.

    Args:
      resolution: the last one, ``first`` times a power of two.
      images: how many real images each phase shows after its fade. Steps are rounded up.
      fade_images: how many it shows during its fade; the first phase has none.
      batch_size: of every phase but those in ``batch_sizes``.
      batch_sizes: resolution -> batch size, {256: 14, 512: 6, 1024: 3} in the paper.
      first: the first resolution.

    Raises:
      UserError: ``resolution`` is not ``first`` times a power of two, or a phase would have no
        step.
    """
    phases, side = [], first
    while side <= resolution:
        size = (batch_sizes or {}).get(side, batch_size)
        fade_steps = _ceil_div(fade_images, size) if side > first else 0
        phases.append(Phase(side, size, fade_steps + _ceil_div(images, size), fade_steps))
        side *= 2
    if side != 2 * resolution:
        raise UserError(
            f"growing from {first} doubles the resolution each time and never makes {resolution}"
        )
    return check(phases)


def _ceil_div(a: int, b: int) -> int:
    return -(-a // b)


def check(phases: Sequence[Phase]) -> tuple[Phase, ...]:
    """Returns the phases if they are possible.

    Raises:
      UserError: there are none, one lacks steps, or a resolution neither stays nor doubles.
    """
    phases = tuple(Phase(*phase) for phase in phases)
    if not phases:
        raise UserError("a growing schedule needs at least one phase")
    for phase in phases:
        if phase.steps < 1 or phase.batch_size < 1 or not 0 <= phase.fade_steps <= phase.steps:
            raise UserError(f"{phase} needs steps, a batch, and 0 <= fade_steps <= steps")
    for before, after in pairwise(phases):
        if after.resolution not in (before.resolution, 2 * before.resolution):
            raise UserError(
                "a phase must keep or double the resolution: "
                f"{before.resolution} -> {after.resolution}"
            )
    return phases


def starts(phases: Sequence[Phase]) -> tuple[int, ...]:
    """Returns the step at which each phase begins, then the total: ``len(phases) + 1`` ints."""
    return tuple(accumulate((phase.steps for phase in phases), initial=0))


def total_steps(phases: Sequence[Phase]) -> int:
    """Returns the number of steps of all phases."""
    return starts(phases)[-1]


def phase_index(phases: Sequence[Phase], step: int) -> int:
    """Returns the index of the phase of a step, as `phase_at` does the phase."""
    return sum(int(step) >= start for start in starts(phases)[1:-1])


def phase_at(phases: Sequence[Phase], step: int) -> Phase:
    """Returns the phase of a step, a Python int from 0; the last phase after its end."""
    return phases[phase_index(phases, step)]


def fade(phases: Sequence[Phase], step: int | np.ndarray | Array) -> np.ndarray | Array:
    """Computes how far the newest layers are faded in.

    In a phase with ``fade_steps`` n it is ``k / n`` at the phase's step k: 0 at its first one,
    where the networks equal the previous phase's, and 1 from step n on.

    Args:
      phases: the schedule.
      step: a scalar or ``[...]``, int. A JAX array may be traced; anything else is computed on the
        host, so that threads that make batches start no program.

    Returns:
      float32 of the shape of ``step``, in [0, 1].
    """
    xp: Any = jnp if isinstance(step, Array) else np
    all_steps = xp.asarray(step)
    value = xp.ones(all_steps.shape, np.float32)
    for phase, start in zip(phases, starts(phases)[:-1], strict=True):
        share = 1.0
        if phase.fade_steps:
            # A product, as XLA compiles the division: host and device give the same bits.
            into_phase = (all_steps - start).astype(np.float32)
            share = xp.clip(into_phase * np.float32(1.0 / phase.fade_steps), 0, 1)
        value = xp.where(all_steps >= start, share, value)
    faded: np.ndarray | Array = value.astype(np.float32)
    return faded


def images_shown(phases: Sequence[Phase], step: int) -> int:
    """Returns how many real images the steps before ``step`` show, one batch per step."""
    return sum(
        phase.batch_size * min(max(step - start, 0), phase.steps)
        for phase, start in zip(phases, starts(phases)[:-1], strict=True)
    )


def mean_of_blocks(images: Array, factor: int) -> Array:
    """Computes the mean of each block of ``factor x factor`` pixels.

    Args:
      images: ``[batch, h, w, c]``, float.
      factor: a divisor of h and w.

    Returns:
      ``[batch, h / factor, w / factor, c]``.
    """
    if factor == 1:
        return images
    batch, height, width, channels = images.shape
    blocks = images.reshape(batch, height // factor, factor, width // factor, factor, channels)
    return jnp.mean(blocks, (2, 4))


def resize(real: Array, resolution: int, fade: Array | None = None) -> Array:
    """Returns real images as the phase of a resolution should see them.

    They are block means. During a fade they are blended like the generated images: ``(1 - fade) low
    + fade high``, with low the image at half the resolution, doubled again by nearest neighbour.

    Args:
      real: ``[batch, side, side, c]``, float.
      resolution: r, a divisor of the side.
      fade: a scalar or ``[batch]``; None: no blend.

    Returns:
      ``[batch, r, r, c]``, float.

    Raises:
      UserError: the images are not square, or their side is not a multiple of the resolution.
    """
    height, width = real.shape[1:3]
    if height != width or height % resolution:
        raise UserError(
            f"images of {height}x{width} cannot be reduced to {resolution}x{resolution} "
            "by whole blocks"
        )
    high = mean_of_blocks(real, height // resolution)
    if fade is None or resolution % 2:
        return high
    low = jnp.repeat(jnp.repeat(mean_of_blocks(high, 2), 2, 1), 2, 2)
    share = jnp.broadcast_to(fade, high.shape[:1]).reshape(-1, 1, 1, 1).astype(high.dtype)
    return (1 - share) * low + share * high
