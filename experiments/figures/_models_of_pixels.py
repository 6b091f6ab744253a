"""Models of pixels that are no GAN: k-means centres, and principal components."""

import _image_runs as images
import numpy as np


def as_images(pixels: np.ndarray) -> np.ndarray:
    """Returns vectors of pixels in [0, 1], of which some may lie outside, as images in uint8."""
    rounded = np.rint(255 * np.clip(pixels, 0, 1)).astype(np.uint8)
    return rounded.reshape(-1, images.SIDE, images.SIDE, 1)


def k_means(points: np.ndarray, centres: np.ndarray, rounds: int) -> np.ndarray:
    """Returns the centres of clusters ``[k, d]`` after rounds of Lloyd's algorithm.

    Args:
      points: ``[n, d]``.
      centres: at the start, ``[k, d]``. One without points stays where it is.
      rounds: how often points are assigned to their nearest centres, whose means are then taken.
    """
    from scipy.sparse import csr_array

    from gan_jax import metrics

    n, k = len(points), len(centres)
    for _ in range(rounds):
        nearest = metrics.nearest_neighbours(points, centres).indices
        members = csr_array((np.ones(n), (nearest, np.arange(n))), shape=(k, n))
        sizes = np.bincount(nearest, minlength=k)[:, None]
        centres = np.where(sizes > 0, members @ points / np.maximum(sizes, 1), centres)
    return centres


def projected(points: np.ndarray, chosen: np.ndarray, components: int) -> np.ndarray:
    """Returns points in the first principal components of others, ``[n, d]``."""
    mean = points.mean(axis=0)
    axes = np.linalg.eigh(np.cov(points.T))[1][:, -components:]
    return mean + (chosen - mean) @ axes @ axes.T
