"""What is going wrong in a run, from its metrics and samples: one pure function per problem.

Thresholds are arguments. Their defaults are rules of thumb, not laws, chosen so that the problem is
detected if it is plain to see in a plot and chance alone does not look like it. Every diagnosis
carries the number that it judged, so that another threshold can be applied later.
"""

from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt

Array = npt.NDArray[Any]

# Difference of mean logits from which on the discriminator is certain: D(x) - D(G(z)) > 0.96.
CERTAIN_GAP = 8.0
SHORTEST_OSCILLATION_RECORD = 32  # steps
TINY = float(np.finfo(float).tiny)


class Diagnosis(NamedTuple):
    """The result of a rule.

    Attributes:
      detected: whether the run has the problem.
      value: the number that was judged; each rule says what it is.
      threshold: the limit that it was compared with.
      advice: one line, what to change in the config.
    """

    detected: bool
    value: float
    threshold: float
    advice: str


def mode_collapse(
    counts: npt.ArrayLike, threshold: float = 0.5, fair_share: float = 0.2
) -> Diagnosis:
    """Detects that too few modes get their share of the samples.

    A mode is covered if it has at least ``fair_share`` times 1 / modes of all samples counted, and
    at least one. The value is the share of the modes that are covered.

    Args:
      counts: ``[modes]``, high-quality samples by nearest mode. If there are no samples, no mode is
        covered.
      threshold: detected if fewer than this share of the modes are covered; by default half.
      fair_share: how much of an equal share covers a mode. The default, a fifth, is far more than
        stray samples and allows for modes of unequal weight.

    Returns:
      `Diagnosis`.

    Raises:
      ValueError: if the counts have another rank or are not finite.
    """
    counts = _check(counts, "counts")
    equal_share = counts.sum() / len(counts)
    covered = float(np.mean((counts >= fair_share * equal_share) & (counts > 0)))
    advice = "modes are missing: raise unroll to 5 or 10, or use wasserstein + gradient_penalty"
    return Diagnosis(covered < threshold, covered, threshold, advice)


def low_diversity(samples: npt.ArrayLike, data: npt.ArrayLike, threshold: float = 0.5) -> Diagnosis:
    """Detects that samples lie closer to each other than data do: collapse without modes.

    The value is the median distance between samples, divided by that between data.

    Args:
      samples: ``[n, ...]``, n >= 2; all pairs are compared, so pass a few hundred.
      data: ``[m, ...]``, of the same shape per sample.
      threshold: detected below; by default half the diversity of the data.

    Returns:
      `Diagnosis`.

    Raises:
      ValueError: if there are fewer than two samples.
    """
    value = _median_distance(samples, "samples") / max(_median_distance(data, "data"), TINY)
    advice = "samples resemble each other: add mode_seeking to the objective, or raise unroll"
    return Diagnosis(value < threshold, value, threshold, advice)


def vanishing_gradient(
    generator_norms: npt.ArrayLike,
    real_scores: npt.ArrayLike,
    fake_scores: npt.ArrayLike,
    threshold: float = 1e-2,
) -> Diagnosis:
    """Detects that the generator's gradient has died while the discriminator is certain.

    The value is the median gradient norm of the last tenth of the steps, divided by the largest
    median of any tenth before. The discriminator is certain if the mean scores, as logits, differ
    by more than 8 in the last tenth: D(x) - D(G(z)) > 0.96. A gradient that is small because the
    game is at rest is no problem, and is not detected.

    Args:
      generator_norms: ``[steps]``, the metric generator/gradient_norm.
      real_scores: ``[steps]``, the metric scores/real, of scores that are logits.
      fake_scores: ``[steps]``, the metric scores/fake.
      threshold: detected below; by default the gradient has shrunk a hundredfold.

    Returns:
      `Diagnosis`.

    Raises:
      ValueError: if an argument has another rank or is not finite.
    """
    norms = _check(generator_norms, "generator_norms")
    value = 1.0
    if len(norms) > 1:
        medians = [float(np.median(part)) for part in np.array_split(norms, min(10, len(norms)))]
        value = medians[-1] / max(*medians[:-1], TINY)
    last_tenth = slice(-max(1, len(norms) // 10), None)
    real = np.mean(_check(real_scores, "real_scores")[last_tenth])
    fake = np.mean(_check(fake_scores, "fake_scores")[last_tenth])
    detected = value < threshold and float(real - fake) > CERTAIN_GAP
    advice = (
        "the discriminator has won: use non_saturating in place of minimax, "
        "or wasserstein + gradient_penalty"
    )
    return Diagnosis(detected, value, threshold, advice)


def rotation(counts: npt.ArrayLike, threshold: float = 0.5) -> Diagnosis:
    """Detects that the generator moves from mode to mode without settling.

    The value is the share of checkpoints at which the leading mode differs from that of the
    checkpoint before. Only changes from one majority to another count: samples spread over all
    modes have no leading mode, and its change means nothing.

    Args:
      counts: ``[checkpoints, modes]``, samples by nearest mode, of two checkpoints or more.
      threshold: detected above; by default the leader changes at more than half of the checkpoints.

    Returns:
      `Diagnosis`.

    Raises:
      ValueError: if the counts have another rank or are not finite.
    """
    counts = _check(counts, "counts", rank=2)
    has_majority = counts.max(1) > 0.5 * counts.sum(1)
    leader_changes = np.argmax(counts[1:], 1) != np.argmax(counts[:-1], 1)
    value = 0.0
    if len(leader_changes):
        value = float(np.mean(leader_changes & has_majority[1:] & has_majority[:-1]))
    advice = "the generator rotates through the modes: raise unroll, or add r1 to the objective"
    return Diagnosis(value > threshold, value, threshold, advice)


def oscillation(values: npt.ArrayLike, threshold: float = 0.5) -> Diagnosis:
    """Detects that a metric goes round in circles: one period holds much of its variance.

    The value is the largest share of the variance about a straight line that falls on one frequency
    of the Hann-windowed spectrum (the frequency with its two neighbours), among those with at least
    three periods in the record.

    Args:
      values: ``[steps]``, at least 32, evenly spaced: a loss, a mean score, a parameter.
      threshold: detected above; by default one period holds more than half of the variance, far
        more than the largest of white noise's many small shares.

    Returns:
      `Diagnosis`.

    Raises:
      ValueError: if there are fewer than 32 values, or they have another rank or are not finite.
    """
    values = _check(values, "values")
    if len(values) < SHORTEST_OSCILLATION_RECORD:
        raise ValueError(
            f"values: found {len(values)} steps, expected {SHORTEST_OSCILLATION_RECORD} or more"
        )
    steps = np.arange(len(values))
    detrended = values - np.polyval(np.polyfit(steps, values, 1), steps)
    power = np.square(np.abs(np.fft.rfft(detrended * np.hanning(len(detrended)))))
    power[0] = 0
    total = power.sum()
    peaks = power[1:-1] + power[:-2] + power[2:]  # frequencies 1, 2, ...
    # The rounding of a constant is no variance of which a period could hold a share.
    rounding = 1e-20 * max(1.0, float(np.square(values).max())) * len(values)
    value = float(peaks[2:].max() / total) if total > rounding else 0.0
    advice = "the game circles: average the generator (ema_decay=0.999), or add r1 or r2"
    return Diagnosis(value > threshold, value, threshold, advice)


def discriminator_overfitting(
    train_scores: npt.ArrayLike,
    validation_scores: npt.ArrayLike,
    fake_scores: npt.ArrayLike,
    threshold: float = 0.5,
) -> Diagnosis:
    """Detects that the discriminator has memorised its training samples.

    The value is ``(E s(train) - E s(validation)) / (E s(train) - E s(fake))``: 0 if the
    discriminator scores new real samples as it does those that it has seen, 1 if it scores them as
    it does generated samples. If training samples score no higher than generated ones, there is
    nothing to judge, and the value is 0.

    Args:
      train_scores: ``[n]``, scores of training samples.
      validation_scores: ``[m]``, of the same discriminator, for held-out real samples.
      fake_scores: ``[k]``, likewise for generated samples.
      threshold: detected above; by default new real samples score nearer to generated ones.

    Returns:
      `Diagnosis`.

    Raises:
      ValueError: if an argument has another rank or is not finite.

    References:
      Karras et al. 2020, Training generative adversarial networks with limited data, equation 1,
      r_v.
    """
    train = float(np.mean(_check(train_scores, "train_scores")))
    validation = float(np.mean(_check(validation_scores, "validation_scores")))
    fake = float(np.mean(_check(fake_scores, "fake_scores")))
    value = (train - validation) / (train - fake) if train > fake else 0.0
    advice = "the discriminator overfits: augment (diff_augment), use more data, or stop earlier"
    return Diagnosis(value > threshold, value, threshold, advice)


def divergence(values: npt.ArrayLike, threshold: float = 1e3) -> Diagnosis:
    """Detects that a metric is no longer finite, or has exploded.

    The value is the largest magnitude in the last tenth, divided by the median magnitude of the
    first half; it is infinite if any value is not finite.

    Args:
      values: ``[steps]``, a loss or a gradient norm; NaN and infinities are allowed.
      threshold: detected above; by default a growth by a factor of a thousand, which losses that
        only drift do not reach.

    Returns:
      `Diagnosis`.

    Raises:
      ValueError: if there is no value.
    """
    magnitudes = np.abs(np.asarray(values, np.float64).ravel())
    if not magnitudes.size:
        raise ValueError("values: found none, expected one or more")
    value = float("inf")
    if np.isfinite(magnitudes).all():
        first_half = magnitudes[: max(1, len(magnitudes) // 2)]
        last_tenth = magnitudes[-max(1, len(magnitudes) // 10) :]
        value = float(last_tenth.max()) / max(float(np.median(first_half)), TINY)
    advice = "training diverges: lower learning_rate, set b1 to 0 or 0.5, or add gradient_penalty"
    return Diagnosis(value > threshold, value, threshold, advice)


def _median_distance(samples: npt.ArrayLike, name: str) -> float:
    samples = np.asarray(samples, np.float64)
    if samples.ndim < 1 or len(samples) < 2:
        raise ValueError(f"{name}: found shape {samples.shape}, expected two samples or more")
    flat = samples.reshape(len(samples), -1)
    squares = np.sum(np.square(flat), 1)
    distances = np.sqrt(np.maximum(squares[:, None] + squares[None] - 2 * flat @ flat.T, 0))
    return float(np.median(distances[np.triu_indices(len(flat), 1)]))


def _check(values: npt.ArrayLike, name: str, rank: int = 1) -> Array:
    """Returns values as float64; raises ValueError if the rank is another or one is not finite."""
    array = np.asarray(values, np.float64)
    if array.ndim != rank or not array.size:
        raise ValueError(f"{name}: found shape {array.shape}, expected values on {rank} axes")
    if not np.isfinite(array).all():
        raise ValueError(f"{name}: found values that are not finite; see divergence()")
    return array
