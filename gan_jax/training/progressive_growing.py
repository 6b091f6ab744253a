"""Progressive growing's schedule as pure functions of the step, and real images as each phase should see them.

Resuming needs nothing but the step. ``phase_at`` wants a Python int, since a phase fixes array shapes; ``fade`` and
``resize`` may be traced.

Source: Karras et al., "Progressive Growing of GANs for Improved Quality, Stability, and Variation" (2018), section 2 and
appendix A.1.
"""

from collections.abc import Sequence
from itertools import accumulate, pairwise
from typing import NamedTuple

import jax.numpy as jnp

from gan_jax.errors import UserError
from gan_jax.game import Array


class Phase(NamedTuple):
    """So many steps at one resolution; over the first ``fade_steps`` of them its new layers are faded in."""

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
    """The paper's schedule: at each resolution from ``first`` on, doubling, fade over some images, then train on others.

    Args: ``images``, ``fade_images``: how many real images each phase shows after and during its fade; the first phase
    has no fade. ``batch_size``: of every phase but those in ``batch_sizes``, resolution -> batch size (the paper:
    {256: 14, 512: 6, 1024: 3}). Steps are rounded up. Raises UserError where ``resolution`` is not ``first`` times a power
    of two, or a phase would have no step.
    """
    phases, side = [], first
    while side <= resolution:
        size = (batch_sizes or {}).get(side, batch_size)
        fading = -(-fade_images // size) if side > first else 0
        phases.append(Phase(side, size, fading - (-images // size), fading))
        side *= 2
    if side != 2 * resolution:
        raise UserError(
            f"growing from {first} doubles the resolution each time and never makes {resolution}"
        )
    return check(phases)


def check(phases: Sequence[Phase]) -> tuple[Phase, ...]:
    """Returns the phases. Raises UserError where one lacks steps, or the resolution neither stays nor doubles."""
    phases = tuple(Phase(*phase) for phase in phases)
    if not phases:
        raise UserError("a growing schedule needs at least one phase")
    for phase in phases:
        if phase.steps < 1 or phase.batch_size < 1 or not 0 <= phase.fade_steps <= phase.steps:
            raise UserError(f"{phase} needs steps, a batch, and 0 <= fade_steps <= steps")
    for before, after in pairwise(phases):
        if after.resolution not in (before.resolution, 2 * before.resolution):
            raise UserError(
                f"a phase must keep or double the resolution: {before.resolution} -> {after.resolution}"
            )
    return phases


def starts(phases: Sequence[Phase]) -> tuple[int, ...]:
    """The step at which each phase begins, and the total at the end: ``len(phases) + 1`` ints."""
    return tuple(accumulate((phase.steps for phase in phases), initial=0))


def total_steps(phases: Sequence[Phase]) -> int:
    return starts(phases)[-1]


def phase_index(phases: Sequence[Phase], step: int) -> int:
    """Which phase ``step`` (a Python int, from 0) belongs to; after the last one's end, the last."""
    return sum(int(step) >= start for start in starts(phases)[1:-1])


def phase_at(phases: Sequence[Phase], step: int) -> Phase:
    """The phase of a step (a Python int, from 0); after the last one's end, the last."""
    return phases[phase_index(phases, step)]


def fade(phases: Sequence[Phase], step: int | Array) -> Array:
    """How far the newest layers are faded in at each step: scalar or ``[...]`` int -> float32 of that shape, in [0, 1].

    In a phase with ``fade_steps`` n: ``k / n`` at its step k, so 0 at its first one, where the networks equal the previous
    phase's; 1 from step n on. May be traced.
    """
    step = jnp.asarray(step)
    value = jnp.ones(step.shape, jnp.float32)
    for phase, start in zip(phases, starts(phases), strict=False):
        within = (
            jnp.clip((step - start) / max(phase.fade_steps, 1), 0, 1) if phase.fade_steps else 1.0
        )
        value = jnp.where(step >= start, within, value)
    return value.astype(jnp.float32)


def images_shown(phases: Sequence[Phase], step: int) -> int:
    """How many real images steps before ``step`` (a Python int) have shown, one batch a step."""
    spans = zip(phases, starts(phases), strict=False)
    return sum(phase.batch_size * min(max(step - start, 0), phase.steps) for phase, start in spans)


def box(images: Array, factor: int) -> Array:
    """The mean of each ``factor x factor`` block: ``[batch, h, w, c] -> [batch, h / factor, w / factor, c]``."""
    if factor == 1:
        return images
    batch, height, width, channels = images.shape
    return jnp.mean(
        images.reshape(batch, height // factor, factor, width // factor, factor, channels), (2, 4)
    )


def resize(real: Array, resolution: int, fade: Array | None = None) -> Array:
    """Real images as the phase of a resolution should see them: ``[batch, side, side, c] -> [batch, r, r, c]``, float.

    Box means down to the resolution; during a fade, as for the generated images, a blend of the image at half the
    resolution, doubled again by nearest neighbour, and the full one: ``(1 - fade) low + fade high``. ``fade``: None (no
    blend), a scalar or ``[batch]``. Raises UserError where the side is not a multiple of the resolution.
    """
    height, width = real.shape[1:3]
    if height != width or height % resolution:
        raise UserError(
            f"images of {height}x{width} cannot be reduced to {resolution}x{resolution} by whole blocks"
        )
    high = box(real, height // resolution)
    if fade is None or resolution % 2:
        return high
    low = jnp.repeat(jnp.repeat(box(high, 2), 2, 1), 2, 2)
    share = jnp.broadcast_to(fade, high.shape[:1]).reshape(-1, 1, 1, 1).astype(high.dtype)
    return (1 - share) * low + share * high
