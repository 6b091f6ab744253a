"""Paths between latents, and sums of them: arrays in, arrays out, on the host."""

import itertools
from collections.abc import Callable

import numpy as np
from numpy.typing import ArrayLike

__all__ = ["arithmetic", "closed_walk", "linear", "slerp", "walk"]

SMALL_ANGLE = 1e-4
"""In radians. Below it, sines are their angles in float32, and `slerp` is `linear`."""

Interpolation = Callable[[ArrayLike, ArrayLike, ArrayLike], np.ndarray]
"""``(start, end, fractions) -> points``: `linear` or `slerp`."""


def linear(start: ArrayLike, end: ArrayLike, fractions: ArrayLike) -> np.ndarray:
    """Computes points on the straight line between two latents, ``(1 - t) start + t end``.

    The middle of two draws of N(0, I) is shorter than both, by a factor of about sqrt(2): a
    generator has seen no such latents. See `slerp`.

    Args:
      start: ``[...]``.
      end: ``[...]``, as ``start``.
      fractions: ``[n]``, t of each point; 0 is the start and 1 the end.

    Returns:
      ``[n, ...]`` float32.

    Raises:
      ValueError: the latents differ in shape, or the fractions are not a vector.
    """
    first, last, t = _checked(start, end, fractions)
    return np.asarray((1 - t) * first + t * last, np.float32)


def slerp(start: ArrayLike, end: ArrayLike, fractions: ArrayLike) -> np.ndarray:
    """Computes points on the arc between two latents: spherical linear interpolation.

    ``(sin((1 - t) w) start + sin(t w) end) / sin(w)``, where ``w`` is the angle between the two: an
    arc of a great circle at constant speed if both have one norm, and an arc of an ellipse
    otherwise. The angle is ``2 atan2(|u - v|, |u + v|)`` of the unit vectors, which keeps its
    digits near 0 and near pi, where the arc cosine loses half of them. Of nearly parallel latents,
    of an angle below `SMALL_ANGLE`, it is `linear`, their limit.

    Args:
      start: ``[..., d]``; each vector of the last axis has an angle of its own.
      end: ``[..., d]``.
      fractions: ``[n]``, t of each point; 0 is the start and 1 the end.

    Returns:
      ``[n, ..., d]`` float32.

    Raises:
      ValueError: the latents differ in shape, a vector is 0, or two of them are antipodal (within
        `SMALL_ANGLE`): there are many arcs between such, and none is the shortest.

    References:
      Shoemake, "Animating rotation with quaternion curves" (SIGGRAPH 1985), section 3.3; White,
      "Sampling generative networks" (2016), section 2.1, for latents.
    """
    first, last, t = _checked(start, end, fractions)
    norms = [np.linalg.norm(vector, axis=-1, keepdims=True) for vector in (first, last)]
    if min(float(norm.min()) for norm in norms) == 0:
        raise ValueError("slerp needs latents that are not 0: the angle between them is unknown")
    u, v = first / norms[0], last / norms[1]
    apart = np.linalg.norm(u - v, axis=-1, keepdims=True)
    angle = 2 * np.arctan2(apart, np.linalg.norm(u + v, axis=-1, keepdims=True))
    if float(angle.max()) > np.pi - SMALL_ANGLE:
        raise ValueError("slerp needs latents that are not antipodal: no arc between them is known")
    is_small = angle < SMALL_ANGLE
    divisor = np.where(is_small, 1.0, np.sin(angle))
    before = np.where(is_small, 1 - t, np.sin((1 - t) * angle) / divisor)
    after = np.where(is_small, t, np.sin(t * angle) / divisor)
    return np.asarray(before * first + after * last, np.float32)


def walk(points: ArrayLike, frames: int, interpolate: Interpolation = slerp) -> np.ndarray:
    """Computes a path through latents, from the first to the last.

    Args:
      points: ``[k, ...]``, k >= 2.
      frames: from each point up to the next, at least 1.
      interpolate: `slerp` or `linear`.

    Returns:
      ``[(k - 1) * frames + 1, ...]`` float32: point i is entry ``i * frames``.

    Raises:
      ValueError: fewer than 2 points, or fewer than 1 frame.
    """
    latents = np.asarray(points)
    if len(latents) < 2 or frames < 1:
        raise ValueError(
            f"a walk takes at least 2 points and 1 frame between them, not {len(latents)} points "
            f"and {frames} frames"
        )
    fractions = np.arange(frames) / frames
    parts = [interpolate(a, b, fractions) for a, b in itertools.pairwise(latents)]
    return np.concatenate([*parts, np.asarray(latents[-1:], np.float32)])


def closed_walk(points: ArrayLike, frames: int, interpolate: Interpolation = slerp) -> np.ndarray:
    """Computes a path through latents and back to the first, which can be shown again and again.

    Args:
      points: ``[k, ...]``, k >= 2.
      frames: from each point up to the next, at least 1.
      interpolate: `slerp` or `linear`.

    Returns:
      ``[k * frames, ...]`` float32: point i is entry ``i * frames``. The first point comes next
      after the last entry, and is not repeated there.

    Raises:
      ValueError: fewer than 2 points, or fewer than 1 frame.
    """
    latents = np.asarray(points)
    return walk(np.concatenate([latents, latents[:1]]), frames, interpolate)[:-1]


def arithmetic(with_trait: ArrayLike, without: ArrayLike, others: ArrayLike) -> np.ndarray:
    """Computes ``mean(with_trait) - mean(without) + mean(others)``, latents of others with a trait.

    Means are taken over several latents of one look each, as a single one is seldom stable.

    Args:
      with_trait: ``[n, ...]``, such as latents of smiling women.
      without: ``[m, ...]``, such as of women who do not smile.
      others: ``[k, ...]``, such as of men who do not smile.

    Returns:
      ``[...]`` float32.

    Raises:
      ValueError: there are no latents of a kind, or they differ in shape.

    References:
      Radford, Metz and Chintala, "Unsupervised representation learning with deep convolutional
      generative adversarial networks" (ICLR 2016), section 6.3.2 and figure 7, of three latents
      each.
    """
    groups = [np.asarray(group, np.float64) for group in (with_trait, without, others)]
    if any(not group.ndim or not len(group) for group in groups):
        raise ValueError("arithmetic takes at least one latent of each kind")
    a, b, c = (group.mean(axis=0) for group in groups)
    if not a.shape == b.shape == c.shape:
        raise ValueError(f"latents of one shape are added up, not {a.shape}, {b.shape}, {c.shape}")
    return np.asarray(a - b + c, np.float32)


def _checked(
    start: ArrayLike, end: ArrayLike, fractions: ArrayLike
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Both latents and the fractions as ``[n, 1, ...]``, in float64."""
    first, last = np.asarray(start, np.float64), np.asarray(end, np.float64)
    t = np.asarray(fractions, np.float64)
    if first.shape != last.shape or not first.ndim:
        raise ValueError(f"latents of one shape are joined, not {first.shape} and {last.shape}")
    if t.ndim != 1:
        raise ValueError(f"fractions are a vector [n], not of shape {t.shape}")
    return first, last, t.reshape(-1, *[1] * first.ndim)
