"""Structural similarity of pairs of images, at one scale (SSIM) and at several (MS-SSIM)."""

from collections.abc import Sequence
from typing import Literal, overload

import numpy as np

from gan_jax.metrics.checks import Array, ArrayLike, image_batch

WINDOW, SIGMA = 11, 1.5
K1, K2 = 0.01, 0.03
# Wang et al. 2003; used as published, although they sum to 1.0001.
MS_SSIM_WEIGHTS = (0.0448, 0.2856, 0.3001, 0.2363, 0.1333)
Range = float | tuple[float, float]


@overload
def ssim(
    images1: ArrayLike,
    images2: ArrayLike,
    *,
    data_range: Range = ...,
    average: Literal[True] = ...,
) -> float: ...


@overload
def ssim(
    images1: ArrayLike, images2: ArrayLike, *, data_range: Range = ..., average: Literal[False]
) -> Array: ...


def ssim(
    images1: ArrayLike, images2: ArrayLike, *, data_range: Range = (-1.0, 1.0), average: bool = True
) -> float | Array:
    """Computes the structural similarity of pairs of images.

    ``(2 m1 m2 + C1)(2 s12 + C2) / ((m1^2 + m2^2 + C1)(s1^2 + s2^2 + C2))`` with moments under an
    11 x 11 Gaussian window of sigma 1.5, only at positions where it fits in the image ("valid"),
    averaged over positions and channels. C1 = (0.01 L)^2 and C2 = (0.03 L)^2 for a range of length
    L; the range is shifted to start at 0 first.

    Args:
      images1: ``[n, h, w, c]`` float; computed in float64. h and w of 11 or more.
      images2: the other image of each pair, of the same shape.
      data_range: ``(lowest, highest)`` pixel value, or only the highest if the lowest is 0.
      average: whether to return the mean over pairs.

    Returns:
      The mean over pairs, or ``[n]`` float64, in [-1, 1]; 1 for equal images.

    Raises:
      ValueError: if the images have a wrong rank, different shapes, integers or values that are not
        finite or out of range, or are too small.

    References:
      Wang et al. 2004, Image quality assessment: from error visibility to structural similarity,
      equation 13.
    """
    x, y, length = _check_pairs(images1, images2, data_range)
    if min(x.shape[1:3]) < WINDOW:
        raise ValueError(
            f"images1: found shape {x.shape}, expected a height and width of at least {WINDOW}"
        )
    luminance, contrast_structure = _similarities(x, y, length)
    values: Array = (luminance * contrast_structure).mean(axis=(1, 2, 3))
    return float(values.mean()) if average else values


@overload
def ms_ssim(
    images1: ArrayLike,
    images2: ArrayLike,
    *,
    data_range: Range = ...,
    weights: Sequence[float] = ...,
    average: Literal[True] = ...,
) -> float: ...


@overload
def ms_ssim(
    images1: ArrayLike,
    images2: ArrayLike,
    *,
    data_range: Range = ...,
    weights: Sequence[float] = ...,
    average: Literal[False],
) -> Array: ...


def ms_ssim(
    images1: ArrayLike,
    images2: ArrayLike,
    *,
    data_range: Range = (-1.0, 1.0),
    weights: Sequence[float] = MS_SSIM_WEIGHTS,
    average: bool = True,
) -> float | Array:
    """Computes the multi-scale structural similarity of pairs of images.

    The images are halved by 2 x 2 means from level to level. Contrast-structure similarity at each
    level and luminance at the last level are averaged over positions, clipped at 0, raised to the
    level's weight and multiplied, channel by channel; the mean over channels is returned. GAN
    papers report the mean over random pairs of one class as a measure of diversity: lower is
    better.

    If a level is smaller than the window, the window shrinks to it, and sigma with it (as in the
    TensorFlow code that AC-GAN and ProGAN used), so 128 and 64 pixels take five levels; at 161
    pixels or more no window shrinks.

    Args:
      images1: ``[n, h, w, c]`` float; computed in float64.
      images2: the other image of each pair, of the same shape.
      data_range: ``(lowest, highest)`` pixel value, or only the highest if the lowest is 0.
      weights: the exponent of each level, finest first. The last level must have at least 4 pixels
        per side.
      average: whether to return the mean over pairs.

    Returns:
      The mean over pairs, or ``[n]`` float64, in [0, 1]; 1 for equal images.

    Raises:
      ValueError: as `ssim`, or if the images are too small for so many levels.

    References:
      Wang, Simoncelli and Bovik 2003, Multiscale structural similarity for image quality
      assessment, equation 7.
    """
    x, y, length = _check_pairs(images1, images2, data_range)
    if len(weights) < 1 or min(x.shape[1:3]) >> (len(weights) - 1) < 4:
        raise ValueError(
            f"images1: found shape {x.shape}, expected a height and width of at least "
            f"{4 << max(len(weights) - 1, 0)} for {len(weights)} levels"
        )
    per_channel: Array = np.ones((len(x), x.shape[3]))
    for level, weight in enumerate(weights):
        if level > 0:
            x, y = _halve(x), _halve(y)
        luminance, similarity = _similarities(x, y, length)
        if level == len(weights) - 1:
            similarity = luminance * similarity
        per_channel = per_channel * np.maximum(similarity.mean(axis=(1, 2)), 0) ** weight
    values: Array = per_channel.mean(axis=1)
    return float(values.mean()) if average else values


def _check_pairs(
    images1: ArrayLike, images2: ArrayLike, data_range: Range
) -> tuple[Array, Array, float]:
    """Returns both images in float64, shifted to start at 0, and the length of their range."""
    low, high = data_range if isinstance(data_range, tuple) else (0.0, float(data_range))
    if not high > low:
        raise ValueError(
            f"data_range: found {data_range}, expected a highest value above the lowest"
        )
    x, y = image_batch(images1, "images1", low, high), image_batch(images2, "images2", low, high)
    if x.shape != y.shape:
        raise ValueError(f"images2: found shape {y.shape}, expected images1's shape {x.shape}")
    return x.astype(np.float64) - low, y.astype(np.float64) - low, high - low


def _similarities(x: Array, y: Array, length: float) -> tuple[Array, Array]:
    """Computes maps ``[n, h', w', c]`` of luminance and of contrast-structure similarity."""
    size = min(WINDOW, *x.shape[1:3])
    positions = np.arange(size) - (size - 1) / 2
    window = np.exp(-(positions**2) / (2 * (SIGMA * size / WINDOW) ** 2))
    window /= window.sum()
    c1, c2 = (K1 * length) ** 2, (K2 * length) ** 2
    mean_x, mean_y = _filter(x, window), _filter(y, window)
    variances = _filter(x * x + y * y, window) - mean_x**2 - mean_y**2
    covariance = _filter(x * y, window) - mean_x * mean_y
    luminance = (2 * mean_x * mean_y + c1) / (mean_x**2 + mean_y**2 + c1)
    return luminance, (2 * covariance + c2) / (variances + c2)


def _filter(images: Array, window: Array) -> Array:
    """Filters over height and width, only at positions where the window fits."""
    for axis in (1, 2):
        span = images.shape[axis] - len(window) + 1
        filtered = np.asarray(0)
        for i, weight in enumerate(window):
            filtered = filtered + weight * np.take(images, range(i, i + span), axis=axis)
        images = filtered
    return images


def _halve(images: Array) -> Array:
    """Takes 2 x 2 means; an odd side is padded with zeros at both ends, as pytorch-msssim does."""
    height_padding, width_padding = images.shape[1] % 2, images.shape[2] % 2
    images = np.pad(images, [(0, 0), (height_padding,) * 2, (width_padding,) * 2, (0, 0)])
    images = images[:, : images.shape[1] // 2 * 2, : images.shape[2] // 2 * 2]
    means: Array = (
        images[:, ::2, ::2] + images[:, 1::2, ::2] + images[:, ::2, 1::2] + images[:, 1::2, 1::2]
    ) / 4
    return means
