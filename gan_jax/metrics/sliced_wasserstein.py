"""Sliced Wasserstein distance between patches of images, level by level of a Laplacian pyramid."""

from typing import NamedTuple

import numpy as np

from gan_jax.metrics.checks import Array, ArrayLike, at_least, image_batch

PATCH = 7  # pixels per side
IMAGES_AT_ONCE = 64  # images filtered at once
DIRECTIONS_AT_ONCE = 64  # directions projected on at once: the sorted arrays are large
KERNEL = np.array([1.0, 4.0, 6.0, 4.0, 1.0]) / 16


class SlicedWasserstein(NamedTuple):
    """Sliced Wasserstein distance per level of the pyramid.

    Attributes:
      mean: over the levels.
      values: ``[levels]`` float64, finest first.
      resolutions: the height of each level.
    """

    mean: float
    values: Array
    resolutions: tuple[int, ...]


def sliced_wasserstein(
    real_images: ArrayLike,
    fake_images: ArrayLike,
    *,
    patches_per_image: int = 128,
    directions: int = 512,
    smallest: int = 16,
    rng: np.random.Generator | int = 0,
) -> SlicedWasserstein:
    """Computes the sliced Wasserstein distance of the ProGAN paper.

    Images are split into a Laplacian pyramid down to 16 pixels. From each level random 7 x 7
    patches are taken, normalised per set to zero mean and unit variance in each channel, and
    projected on random unit directions; the mean absolute difference of the sorted projections is
    the distance.

    Because each set is normalised by its own moments, a change of brightness or contrast alone is
    not seen. Two finite sets of one distribution score above 0: compare only scores of equal n and
    patches. The same patch positions are drawn for both sets.

    Args:
      real_images: ``[n, h, w, c]`` float, any range, h and w of at least ``smallest``; the paper
        takes n = 16384.
      fake_images: of the same shape.
      patches_per_image: patches per image and level.
      directions: the number of random projections.
      smallest: the height below which the pyramid ends.
      rng: NumPy generator or seed that draws positions and directions.

    Returns:
      `SlicedWasserstein`, plain values: the paper's table lists 1000 times these. At level i the
      height is ``h / 2^i``.

    Raises:
      ValueError: if the images have a wrong rank, different shapes, integers or values that are not
        finite, or are too small.

    References:
      Karras et al. 2018, Progressive growing of GANs, section 5; Rabin et al. 2011; Burt and
      Adelson 1987.
    """
    real, fake = image_batch(real_images, "real_images"), image_batch(fake_images, "fake_images")
    if fake.shape != real.shape:
        raise ValueError(
            f"fake_images: found shape {fake.shape}, expected real_images' shape {real.shape}"
        )
    smallest = at_least(smallest, PATCH, "smallest")
    at_least(patches_per_image, 1, "patches_per_image")
    at_least(directions, 1, "directions")
    height, width = real.shape[1:3]
    if min(height, width) < smallest:
        raise ValueError(
            f"real_images: found shape {real.shape}, "
            f"expected a height and width of at least {smallest}"
        )
    sizes = [(height, width)]
    while min(height, width) // 2 >= smallest:
        height, width = (height + 1) // 2, (width + 1) // 2
        sizes.append((height, width))
    rng = np.random.default_rng(rng)
    corners = [_draw_corners(size, (len(real), patches_per_image), rng) for size in sizes]
    real_patches, fake_patches = _patches(real, corners), _patches(fake, corners)
    values = np.array(
        [_distance(x, y, directions, rng) for x, y in zip(real_patches, fake_patches, strict=True)]
    )
    resolutions = tuple(height for height, _ in sizes)
    return SlicedWasserstein(float(values.mean()), values, resolutions)


def _draw_corners(size: tuple[int, int], shape: tuple[int, int], rng: np.random.Generator) -> Array:
    """Draws the upper left corners ``[n, patches_per_image, 2]`` of patches."""
    return np.stack([rng.integers(0, side - PATCH + 1, shape) for side in size], axis=-1)


def _patches(images: Array, corners: list[Array]) -> list[Array]:
    """Returns normalised patches ``[n * patches_per_image, 7 * 7 * c]`` of each level."""
    levels: list[list[Array]] = [[] for _ in corners]
    for start in range(0, len(images), IMAGES_AT_ONCE):
        batch = images[start : start + IMAGES_AT_ONCE]
        for level, pixels in enumerate(_laplacian_pyramid(batch, len(corners))):
            windows = np.lib.stride_tricks.sliding_window_view(pixels, (PATCH, PATCH), axis=(1, 2))
            corner = corners[level][start : start + IMAGES_AT_ONCE]
            image = np.arange(len(batch))[:, None]
            patches = windows[image, corner[..., 0], corner[..., 1]]
            levels[level].append(patches.reshape(-1, images.shape[3], PATCH**2))
    return [_normalise(np.concatenate(parts)) for parts in levels]


def _normalise(patches: Array) -> Array:
    """Returns patches ``[m, c, 7 * 7]`` with zero mean and unit variance per channel, flattened."""
    mean = patches.mean(axis=(0, 2), keepdims=True, dtype=np.float64)
    patches = patches - mean.astype(patches.dtype)
    std = patches.std(axis=(0, 2), keepdims=True, dtype=np.float64)
    patches /= np.where(std > 0, std, 1.0).astype(patches.dtype)  # a flat channel stays at 0
    return patches.reshape(len(patches), -1)


def _distance(x: Array, y: Array, directions: int, rng: np.random.Generator) -> float:
    projections = rng.standard_normal((x.shape[1], directions))
    projections = (projections / np.linalg.norm(projections, axis=0)).astype(x.dtype)
    total = 0.0
    for start in range(0, directions, DIRECTIONS_AT_ONCE):
        part = projections[:, start : start + DIRECTIONS_AT_ONCE]
        difference = np.sort((x @ part).T, axis=1) - np.sort((y @ part).T, axis=1)
        total += float(np.abs(difference).sum(dtype=np.float64))
    return total / (directions * len(x))


def _laplacian_pyramid(images: Array, levels: int) -> list[Array]:
    """Returns the band-pass levels, finest first, and the low-pass rest as the last."""
    pyramid = []
    for _ in range(levels - 1):
        smaller = _blur(images)[:, ::2, ::2]
        larger = np.zeros_like(images)
        larger[:, ::2, ::2] = 4 * smaller  # three of four pixels are zero
        pyramid.append(images - _blur(larger))
        images = smaller
    return [*pyramid, images]


def _blur(images: Array) -> Array:
    from scipy.ndimage import correlate1d

    weights = KERNEL.astype(images.dtype)
    along_height = correlate1d(images, weights, axis=1, mode="mirror")
    blurred: Array = correlate1d(along_height, weights, axis=2, mode="mirror")
    return blurred
