"""What is going wrong in a run, from its metrics and samples: pure functions of arrays, one finding each.

Thresholds are arguments; their defaults are rules of thumb, not laws. Every finding carries the number it judged.
"""

from typing import NamedTuple

import numpy as np
from numpy.typing import ArrayLike

Array = np.ndarray


class Diagnosis(NamedTuple):
    """Whether something is wrong, by which number, and what to change in the config."""

    finding: bool
    value: float
    threshold: float
    advice: str


def mode_collapse(counts: ArrayLike, share: float = 0.5, least: float = 0.2) -> Diagnosis:
    """Too few modes get their due of the samples.

    A mode is covered where it has at least ``least`` times its fair share, 1 / modes, of all samples given. The value is
    the share of modes covered; found below ``share``.

    Args: ``counts``: ``[modes]``, high-quality samples by nearest mode. No samples at all cover no mode.
    """
    counts = _values(counts, "counts")
    fair = counts.sum() / len(counts)
    covered = float(np.mean((counts >= least * fair) & (counts > 0)))
    advice = "modes are missing: raise unroll to 5 or 10, or use wasserstein + gradient_penalty"
    return Diagnosis(covered < share, covered, share, advice)


def low_diversity(samples: ArrayLike, data: ArrayLike, share: float = 0.5) -> Diagnosis:
    """Samples lie closer to each other than data do: collapse without a notion of modes.

    The value is the median distance between pairs of samples over that between pairs of data; found below ``share``.

    Args: ``samples``, ``data``: ``[n, ...]`` each, of one shape but for n >= 2; all pairs are compared, so pass a few hundred.
    """
    value = _median_distance(samples, "samples") / max(
        _median_distance(data, "data"), np.finfo(float).tiny
    )
    advice = "samples resemble each other: add mode_seeking to the objective, or raise unroll"
    return Diagnosis(value < share, value, share, advice)


def vanishing_gradient(
    generator_norms: ArrayLike, real_scores: ArrayLike, fake_scores: ArrayLike, drop: float = 1e-2
) -> Diagnosis:
    """The generator's gradient has died while the discriminator tells real from generated with certainty.

    The value is the median norm of the last tenth over the largest median of any tenth before; found below ``drop`` where
    the mean scores, as logits, differ by more than 8 in the last tenth: D(x) - D(G(z)) > 0.96. A gradient which is small
    because the game is at rest is no finding.

    Args: ``[steps]`` each: the metrics generator/gradient_norm, scores/real, scores/fake. For scores that are logits.
    """
    norms = _values(generator_norms, "generator_norms")
    tenths = [np.median(part) for part in np.array_split(norms, min(10, len(norms)))]
    value = float(tenths[-1] / max(*tenths[:-1], np.finfo(float).tiny)) if len(tenths) > 1 else 1.0
    tail = -max(1, len(norms) // 10)
    gap = float(
        np.mean(_values(real_scores, "real_scores")[tail:])
        - np.mean(_values(fake_scores, "fake_scores")[tail:])
    )
    advice = "the discriminator has won: use non_saturating in place of minimax, or wasserstein + gradient_penalty"
    return Diagnosis(value < drop and gap > 8, value, drop, advice)


def rotation(counts: ArrayLike, share: float = 0.5) -> Diagnosis:
    """The generator moves from mode to mode without settling.

    The value is the share of checkpoints at which the mode with most samples is another than at the one before; found above
    ``share``, where at each checkpoint one mode has the majority: samples spread over all modes have no leading one, and
    a change of it means nothing.

    Args: ``counts``: ``[checkpoints, modes]`` with two checkpoints or more, samples by nearest mode.
    """
    counts = _values(counts, "counts", axes=2)
    leads = counts.max(1) > 0.5 * counts.sum(1)
    changed = np.argmax(counts[1:], 1) != np.argmax(counts[:-1], 1)
    value = float(np.mean(changed & leads[1:] & leads[:-1])) if len(changed) else 0.0
    advice = "the generator rotates through the modes: raise unroll, or add r1 to the objective"
    return Diagnosis(value > share, value, share, advice)


def oscillation(values: ArrayLike, strength: float = 0.5) -> Diagnosis:
    """A metric goes round in circles: one period holds much of its variance.

    The value is the largest share of the variance about a straight line in one frequency of the Hann-windowed spectrum (the
    frequency with its two neighbours), among those with three periods or more in the record; found above ``strength``.

    Args: ``values``: ``[steps]``, at least 32, evenly spaced: a loss, a mean score, a parameter.
    """
    values = _values(values, "values")
    if len(values) < 32:
        raise ValueError(f"values: found {len(values)} steps, expected 32 or more")
    steps = np.arange(len(values))
    level = values - np.polyval(np.polyfit(steps, values, 1), steps)
    power = np.square(np.abs(np.fft.rfft(level * np.hanning(len(level)))))
    power[0] = 0
    total = power.sum()
    peaks = power[1:-1] + power[:-2] + power[2:]  # frequencies 1, 2, ...
    # White noise's greatest of many small shares stays far below; rounding of a constant has no variance to share.
    value = (
        float(peaks[2:].max() / total)
        if total > 1e-20 * max(1.0, float(np.square(values).max())) * len(values)
        else 0.0
    )
    advice = "the game circles: average the generator (ema_decay=0.999), or add r1 or r2"
    return Diagnosis(value > strength, value, strength, advice)


def discriminator_overfitting(
    train_scores: ArrayLike,
    validation_scores: ArrayLike,
    fake_scores: ArrayLike,
    share: float = 0.5,
) -> Diagnosis:
    """The discriminator knows its training samples by heart.

    ``(E s(train) - E s(validation)) / (E s(train) - E s(fake))``: 0 where it treats new real samples as it does those it
    has seen, 1 where as generated ones; found above ``share``. Where training samples score no higher than generated
    ones there is nothing to judge, and the value is 0.

    Args: scores ``[n]`` each, of the same discriminator.

    Source: Karras et al., "Training Generative Adversarial Networks with Limited Data" (2020), eq. 1, r_v.
    """
    train, validation, fake = (
        float(np.mean(_values(scores, name)))
        for name, scores in (
            ("train", train_scores),
            ("validation", validation_scores),
            ("fake", fake_scores),
        )
    )
    value = (train - validation) / (train - fake) if train > fake else 0.0
    advice = "the discriminator overfits: augment (diff_augment), use more data, or stop earlier"
    return Diagnosis(value > share, value, share, advice)


def divergence(values: ArrayLike, growth: float = 1e3) -> Diagnosis:
    """A metric is no longer finite, or has exploded.

    The value is the largest magnitude in the last tenth over the median magnitude of the first half, infinite where any
    number is not finite; found above ``growth``.

    Args: ``values``: ``[steps]``: a loss or a gradient norm; NaN and infinities are what it looks for.
    """
    values = np.abs(np.asarray(values, np.float64).ravel())
    if not values.size:
        raise ValueError("values: found none, expected one or more")
    value = float("inf")
    if np.isfinite(values).all():
        start = max(float(np.median(values[: max(1, len(values) // 2)])), np.finfo(float).tiny)
        value = float(values[-max(1, len(values) // 10) :].max()) / start
    advice = "training diverges: lower learning_rate, set b1 to 0 or 0.5, or add gradient_penalty"
    return Diagnosis(value > growth, value, growth, advice)


def _median_distance(points: ArrayLike, name: str) -> float:
    points = np.asarray(points, np.float64)
    if points.ndim < 1 or len(points) < 2:
        raise ValueError(f"{name}: found shape {points.shape}, expected two samples or more")
    flat = points.reshape(len(points), -1)
    squares = np.sum(np.square(flat), 1)
    distances = np.sqrt(np.maximum(squares[:, None] + squares[None] - 2 * flat @ flat.T, 0))
    return float(np.median(distances[np.triu_indices(len(flat), 1)]))


def _values(values: ArrayLike, name: str, axes: int = 1) -> Array:
    array = np.asarray(values, np.float64)
    if array.ndim != axes or not array.size:
        raise ValueError(f"{name}: found shape {array.shape}, expected values on {axes} axes")
    if not np.isfinite(array).all():
        raise ValueError(f"{name}: found values that are not finite; see divergence()")
    return array
