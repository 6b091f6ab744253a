"""Mode coverage: how many modes of a mixture, or of stacked digits, are reached, and how evenly."""

from collections.abc import Callable
from typing import Literal, NamedTuple

import numpy as np

from gan_jax.metrics.checks import (
    Array,
    ArrayLike,
    at_least,
    feature_pair,
    finite,
    image_batch,
    positive,
)
from gan_jax.metrics.divergences import js_divergence, kl_divergence

MOST_MODES = 2**26
"""Combinations of labels that are counted: the histogram takes half a gigabyte."""


class ModeCoverage(NamedTuple):
    """Mode coverage of samples.

    Attributes:
      modes: the number of modes with at least ``minimum`` samples.
      high_quality: the share of samples that are near a mode, in [0, 1].
      counts: ``[k]`` int64, the mode histogram.
      reverse_kl: KL(histogram || weights) in nats.
      js: JS(histogram, weights) in nats.
    """

    modes: int
    high_quality: float
    counts: Array
    reverse_kl: float
    js: float


def mode_coverage(
    samples: ArrayLike,
    centres: ArrayLike,
    std: ArrayLike,
    *,
    threshold: float = 3.0,
    minimum: int = 1,
    near: Literal["nearest", "any"] = "nearest",
    histogram: Literal["high_quality", "all"] = "high_quality",
    weights: ArrayLike | None = None,
) -> ModeCoverage:
    """Counts the modes of a Gaussian mixture that samples cover, and measures their evenness.

    A sample is *high quality* if it lies within ``threshold`` standard deviations of a centre,
    ``|x - c| <= threshold * std``. The published definitions:

    - VEEGAN, and the code of PacGAN (the defaults): a mode is covered if it is the nearest one to
      at least one high-quality sample; the histogram counts high-quality samples by their nearest
      mode.
    - PacGAN's text: ``near="any"``: a mode is covered if any sample is within reach of it, nearest
      or not; its reverse KL assigns every sample, however far, to its closest mode:
      ``histogram="all"``.
    - For 1200 dimensions both papers use ``threshold=10``. Works that ask for more than one sample
      per mode set ``minimum``, commonly 20.

    Args:
      samples: ``[n, d]`` float.
      centres: ``[k, d]`` float, the modes' means.
      std: the modes' standard deviation: a number, ``[k]`` (per mode) or ``[k, d]`` (per mode and
        axis).
      threshold: the reach of a mode, in standard deviations.
      minimum: samples that a mode needs to count as covered.
      near: ``"nearest"`` (a sample counts for its closest mode only) or ``"any"`` (for every mode
        in reach).
      histogram: ``"high_quality"`` (near samples only) or ``"all"`` (every sample, by its nearest
        mode).
      weights: ``[k]``, the mixture's weights, which are normalised here; equal by default.

    Returns:
      `ModeCoverage`. ``reverse_kl`` and ``js`` are NaN if the histogram is empty.

    Raises:
      ValueError: if an argument has a wrong rank or width or a value that is not finite, or a
        choice is unknown.

    References:
      Srivastava et al. 2017, VEEGAN, section 4.1; Lin et al. 2018, PacGAN, section 4.1.
    """
    samples, centres = feature_pair(samples, centres, ("samples", "centres"))
    modes = len(centres)
    std = finite(std, "std")
    if std.shape not in ((), (modes,), centres.shape) or not np.all(std > 0):
        raise ValueError(
            f"std: found shape {std.shape} with least value {std.min()}, "
            f"expected values above 0 of shape (), {(modes,)} or {centres.shape}"
        )
    threshold, minimum = positive(threshold, "threshold"), at_least(minimum, 1, "minimum")
    _check_choice("near", near, ("nearest", "any"))
    _check_choice("histogram", histogram, ("high_quality", "all"))

    distances = _distances_in_std(samples, centres, std)
    nearest = distances.argmin(axis=1)
    in_reach = distances <= threshold
    high_quality = in_reach.any(axis=1)
    if near == "any":
        reached = in_reach.sum(axis=0)
    else:
        reached = np.bincount(nearest[high_quality], minlength=modes)
    counts = np.bincount(nearest, minlength=modes) if histogram == "all" else reached
    covered = int(np.sum(reached >= minimum))
    reverse_kl, js = _divergences_from_weights(counts, weights)
    return ModeCoverage(covered, float(high_quality.mean()), counts, reverse_kl, js)


def label_coverage(
    labels: ArrayLike, classes: int = 10, minimum: int = 1, weights: ArrayLike | None = None
) -> ModeCoverage:
    """Counts the modes that labels cover: for stacked digits, ``classes ** channels`` combinations.

    For n samples spread evenly over k modes the reverse KL is about ``(k - 1) / (2 n)``, not zero:
    0.02 nats for 1000 modes and 25,600 samples. A classifier's errors inflate the number of modes,
    so report the coverage of real data too.

    Args:
      labels: ``[n]`` or ``[n, channels]`` int in ``[0, classes)``; the labels of a sample's
        channels together are one mode.
      classes: labels per channel.
      minimum: samples that a mode needs to count as covered.
      weights: ``[classes ** channels]``, the real distribution of modes (first channel slowest);
        equal by default.

    Returns:
      `ModeCoverage`, with ``high_quality`` 1 because a classifier accepts every sample.

    Raises:
      ValueError: if the labels are not whole numbers in range, or have another rank.

    References:
      Metz et al. 2017, Unrolled GANs, section 3.3.1; Lin et al. 2018, PacGAN, section 4.2.
    """
    labels, classes = np.asarray(labels), at_least(classes, 1, "classes")
    if labels.ndim not in (1, 2) or labels.size == 0 or labels.dtype.kind not in "iu":
        raise ValueError(
            f"labels: found {labels.dtype} of shape {labels.shape}, "
            "expected integers [n] or [n, channels]"
        )
    if labels.min() < 0 or labels.max() >= classes:
        raise ValueError(
            f"labels: found values in [{labels.min()}, {labels.max()}], expected [0, {classes - 1}]"
        )
    labels = labels.reshape(len(labels), -1).astype(np.int64)
    if classes ** labels.shape[1] > MOST_MODES:
        raise ValueError(
            f"labels: found {labels.shape[1]} channels of {classes} classes, "
            f"expected at most {MOST_MODES} combinations"
        )
    modes = np.ravel_multi_index(tuple(labels.T), (classes,) * labels.shape[1])
    counts = np.bincount(modes, minlength=classes ** labels.shape[1])
    reverse_kl, js = _divergences_from_weights(counts, weights)
    covered = int(np.sum(counts >= at_least(minimum, 1, "minimum")))
    return ModeCoverage(covered, 1.0, counts, reverse_kl, js)


def stacked_coverage(
    images: ArrayLike,
    classify: Callable[[Array], ArrayLike],
    classes: int = 10,
    minimum: int = 1,
    weights: ArrayLike | None = None,
) -> ModeCoverage:
    """Counts the modes that stacked-MNIST samples cover.

    Each channel is a digit, and each triple of digits is one of 1000 modes.

    Args:
      images: ``[n, h, w, channels]`` float in [-1, 1].
      classify: ``[n, h, w, 1] -> logits [n, classes]``, such as
        ``lambda x: lenet.logits(lenet(x))`` with `lenet_extractor`'s result.
      classes: labels per channel.
      minimum: samples that a mode needs to count as covered.
      weights: ``[classes ** channels]``, the real distribution of modes; equal by default.

    Returns:
      `ModeCoverage`, as `label_coverage`.

    Raises:
      ValueError: if the images are not float ``[n, h, w, channels]``, or the classifier's logits
        are not ``[n, classes]``.
    """
    images = image_batch(images, "images")
    labels = []
    for channel in range(images.shape[3]):
        logits = np.asarray(classify(images[..., channel : channel + 1]))
        if logits.shape != (len(images), classes):
            raise ValueError(
                f"classify: found logits of shape {logits.shape}, expected {(len(images), classes)}"
            )
        labels.append(finite(logits, "logits").argmax(axis=1))
    return label_coverage(np.stack(labels, axis=1), classes, minimum, weights)


def _check_choice(name: str, value: str, choices: tuple[str, ...]) -> None:
    if value not in choices:
        raise ValueError(f"{name}: found {value!r}, expected one of {choices}")


def _distances_in_std(samples: Array, centres: Array, std: Array) -> Array:
    """Computes distances ``[n, k]`` in standard deviations.

    Mode by mode, so that no ``[n, k, d]`` array is held.
    """
    std = np.broadcast_to(std if std.ndim == 2 else std.reshape(-1, 1), centres.shape)
    columns = [
        np.linalg.norm((samples - centre) / scale, axis=1)
        for centre, scale in zip(centres, std, strict=True)
    ]
    return np.stack(columns, axis=1)


def _divergences_from_weights(counts: Array, weights: ArrayLike | None) -> tuple[float, float]:
    """Computes KL(counts || weights) and JS(counts, weights); NaN if there are no counts."""
    weights = np.ones(len(counts)) if weights is None else finite(weights, "weights")
    if weights.shape != counts.shape:
        raise ValueError(f"weights: found shape {weights.shape}, expected {counts.shape}")
    if counts.sum() == 0:
        return float("nan"), float("nan")
    return kl_divergence(counts, weights), js_divergence(counts, weights)
