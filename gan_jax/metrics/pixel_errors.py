"""Errors of images against targets, pixel by pixel: mean absolute error and PSNR."""

import numpy as np

from gan_jax.metrics.checks import Array, ArrayLike, image_batch


def mean_absolute_error(images: ArrayLike, targets: ArrayLike) -> Array:
    """Computes the mean absolute error of images, relative to the range of a pixel.

    ``mean |x - y| / 2`` for pixels in [-1, 1].

    Args:
      images: ``[n, h, w, c]`` float in [-1, 1].
      targets: of the same shape.

    Returns:
      ``[n]`` float64, from 0 to 1.

    Raises:
      ValueError: if the images have a wrong rank, different shapes, integers or values that are not
        finite.
    """
    x, y = _pairs(images, targets)
    error: Array = np.abs(x - y).mean(axis=(1, 2, 3)) / 2
    return error


def psnr(images: ArrayLike, targets: ArrayLike) -> Array:
    """Computes the peak signal-to-noise ratio of images, in decibels.

    ``10 log10(L^2 / mean (x - y)^2)`` with L = 2, the range of pixels in [-1, 1].

    Args:
      images: ``[n, h, w, c]`` float in [-1, 1].
      targets: of the same shape.

    Returns:
      ``[n]`` float64; infinite for equal images.

    Raises:
      ValueError: as `mean_absolute_error`.
    """
    x, y = _pairs(images, targets)
    with np.errstate(divide="ignore"):
        ratio: Array = 10 * np.log10(4 / np.square(x - y).mean(axis=(1, 2, 3)))
    return ratio


def _pairs(images: ArrayLike, targets: ArrayLike) -> tuple[Array, Array]:
    x, y = image_batch(images, "images"), image_batch(targets, "targets")
    if x.shape != y.shape:
        raise ValueError(f"targets: found shape {y.shape}, expected that of images, {x.shape}")
    return x.astype(np.float64), y.astype(np.float64)
