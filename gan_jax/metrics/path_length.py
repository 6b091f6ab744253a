"""Perceptual path length: how fast images change along paths between latents."""

from collections.abc import Callable
from typing import NamedTuple, Protocol

import numpy as np

from gan_jax.metrics.checks import Array, ArrayLike, at_least, feature_pair, finite, positive


class PathLength(NamedTuple):
    """Perceptual path length over pairs of latents.

    Attributes:
      mean: over the pairs that are kept.
      std: over the pairs that are kept, population (divided by their number).
      values: ``[n]`` float64, of every pair.
    """

    mean: float
    std: float
    values: Array


class GenerateFn(Protocol):
    """A generator: latents, and labels if there are any, in; images out."""

    def __call__(self, latents: Array, labels: Array = ..., /) -> ArrayLike:
        """Returns images ``[b, ...]`` of latents ``[b, d]`` float32 and labels ``[b]`` int."""
        ...


def perceptual_path_length(
    generate: GenerateFn | Callable[[Array], ArrayLike],
    embed: Callable[[ArrayLike], ArrayLike],
    latents1: ArrayLike,
    latents2: ArrayLike,
    positions: ArrayLike,
    *,
    labels: ArrayLike | None = None,
    epsilon: float = 1e-4,
    interpolation: str = "slerp",
    discard: float = 0.01,
    batch_size: int = 64,
) -> PathLength:
    """Computes the mean squared change of an embedding per squared step along a path.

    ``E |e(g(path(t + epsilon))) - e(g(path(t)))|^2 / epsilon^2``. With positions uniform in [0, 1)
    this is the score "full", with all positions 0 the score "end". Networks in float32 add rounding
    errors of about ``(1e-7 |e| / epsilon)^2``; if these matter, use a larger epsilon.

    Args:
      generate: latents ``[b, d]`` float32 -> images ``[b, ...]``; with ``labels``,
        ``(latents, labels [b])`` -> images.
      embed: images -> embeddings ``[b, k]``, such as a feature extractor; the distance is squared
        Euclidean between them.
      latents1: starts of the paths ``[n, d]``.
      latents2: ends of the paths ``[n, d]``.
      positions: ``[n]``, the position on each path, in [0, 1].
      labels: ``[n]`` int, the label of both ends of each path.
      epsilon: the step along the path.
      interpolation: ``"slerp"`` along the great circle (for normal latents) or ``"lerp"`` along the
        straight line.
      discard: the share of the pairs to leave out at either end before averaging.
      batch_size: pairs generated at once (twice as many images).

    Returns:
      `PathLength`, in squared units of the embedding.

    Raises:
      ValueError: if shapes disagree, a value is not finite, or the interpolation is unknown.

    References:
      Karras et al. 2019, A style-based generator architecture for generative adversarial networks,
      section 4.1.
    """
    start, end = feature_pair(latents1, latents2, ("latents1", "latents2"))
    positions = finite(positions, "positions")
    if end.shape != start.shape or positions.shape != (len(start),):
        raise ValueError(
            f"latents2, positions: found shapes {end.shape} and {positions.shape}, "
            f"expected {start.shape} and {(len(start),)}"
        )
    if labels is not None and np.shape(labels) != (len(start),):
        raise ValueError(f"labels: found shape {np.shape(labels)}, expected {(len(start),)}")
    if interpolation not in PATHS:
        raise ValueError(f"interpolation: found {interpolation!r}, expected one of {tuple(PATHS)}")
    if not 0 <= discard < 0.5:
        raise ValueError(f"discard: found {discard}, expected a share in [0, 0.5)")
    epsilon, path = positive(epsilon, "epsilon"), PATHS[interpolation]
    batch_size = at_least(batch_size, 1, "batch_size")
    batches = []
    for i in range(0, len(start), batch_size):
        batch = slice(i, i + batch_size)
        t = positions[batch, None]
        latents = np.concatenate(
            [path(start[batch], end[batch], t), path(start[batch], end[batch], t + epsilon)]
        ).astype(np.float32)
        if labels is None:
            images = generate(latents)
        else:
            images = generate(latents, np.tile(np.asarray(labels)[batch], 2))  # type: ignore[call-arg]
        embeddings = finite(embed(images), "embeddings")
        if embeddings.shape[:1] != (len(latents),):
            raise ValueError(
                f"embed: found embeddings of shape {embeddings.shape}, expected [{len(latents)}, k]"
            )
        before, after = np.split(embeddings, 2)
        batches.append(np.sum((after - before).reshape(len(t), -1) ** 2, axis=1) / epsilon**2)
    values = finite(np.concatenate(batches), "embeddings")
    low = np.quantile(values, discard, method="lower")
    high = np.quantile(values, 1 - discard, method="higher")
    kept = values[(values >= low) & (values <= high)]
    return PathLength(float(kept.mean()), float(kept.std()), values)


def _lerp(start: Array, end: Array, t: Array) -> Array:
    point: Array = start + (end - start) * t
    return point


def _slerp(start: Array, end: Array, t: Array) -> Array:
    norms = np.linalg.norm(start, axis=1, keepdims=True) * np.linalg.norm(
        end, axis=1, keepdims=True
    )
    cosine = np.sum(start * end, axis=1, keepdims=True) / np.where(norms > 0, norms, 1)
    angle = np.arccos(np.clip(cosine, -1, 1))
    straight = np.sin(angle) < 1e-6  # the circle is a line, or not unique
    sine = np.where(straight, 1, np.sin(angle))
    curved = (np.sin((1 - t) * angle) * start + np.sin(t * angle) * end) / sine
    return np.where(straight, _lerp(start, end, t), curved)


PATHS = {"slerp": _slerp, "lerp": _lerp}
