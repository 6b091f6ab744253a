"""Sliced Wasserstein distance between local patches of images, level by level of a Laplacian pyramid."""

from typing import NamedTuple

import numpy as np

from gan_jax.metrics.checks import Array, ArrayLike, at_least, image_batch

PATCH = 7
BATCH = 64  # images filtered at once
KERNEL = np.array([1.0, 4.0, 6.0, 4.0, 1.0]) / 16


class SlicedWasserstein(NamedTuple):
    """Sliced Wasserstein distance per pyramid level."""

    mean: float
    values: Array  # [levels] float64, finest first
    resolutions: tuple[int, ...]  # each level's height


def sliced_wasserstein(
    real_images: ArrayLike,
    fake_images: ArrayLike,
    *,
    patches_per_image: int = 128,
    directions: int = 512,
    smallest: int = 16,
    rng: np.random.Generator | int = 0,
) -> SlicedWasserstein:
    """Sliced Wasserstein distance of the ProGAN paper.

    Images are split into a Laplacian pyramid down to 16 pixels. From each level random 7 x 7 patches are taken, each set
    normalised to zero mean and unit variance per channel, and projected on random unit directions; the mean absolute
    difference of the sorted projections is the distance. As each set is normalised by itself, a change of brightness or
    contrast alone is not seen. Two finite sets of one distribution score above 0: compare only equal n and patches. The same
    patch positions are drawn for both sets.

    Args:
      real_images: ``[n, h, w, c]`` float, any range, h and w of at least ``smallest``; the paper takes n = 16384.
      fake_images: of the same shape.
      patches_per_image: patches a level from each image.
      directions: random projections.
      smallest: height below which the pyramid ends.
      rng: NumPy generator or seed that draws positions and directions.

    Returns:
      `SlicedWasserstein`, plain values: the paper's table lists 1000 times these. At level i the height is ``h / 2^i``.

    Raises:
      ValueError: a wrong rank, different shapes, integers, values that are not finite, or images too small.

    References:
      Karras et al. 2018, Progressive growing of GANs, section 5; Rabin et al. 2011; Burt and Adelson 1987.
    """
    real, fake = image_batch(real_images, "real_images"), image_batch(fake_images, "fake_images")
    if fake.shape != real.shape:
        raise ValueError(
            f"fake_images: found shape {fake.shape}, expected real_images' shape {real.shape}"
        )
    smallest = at_least(smallest, PATCH, "smallest")
    at_least(patches_per_image, 1, "patches_per_image")
    at_least(directions, 1, "directions")
    if min(real.shape[1:3]) < smallest:
        raise ValueError(
            f"real_images: found shape {real.shape}, expected a height and width of at least {smallest}"
        )
    sizes = [tuple(real.shape[1:3])]
    while min(sizes[-1]) // 2 >= smallest:
        sizes.append(tuple((side + 1) // 2 for side in sizes[-1]))
    rng = np.random.default_rng(rng)
    corners = [
        np.stack(
            [rng.integers(0, side - PATCH + 1, (len(real), patches_per_image)) for side in size],
            axis=-1,
        )
        for size in sizes
    ]
    real_patches, fake_patches = _patches(real, corners), _patches(fake, corners)
    values = np.array(
        [_distance(x, y, directions, rng) for x, y in zip(real_patches, fake_patches, strict=True)]
    )
    return SlicedWasserstein(float(values.mean()), values, tuple(size[0] for size in sizes))


def _patches(images: Array, corners: list[Array]) -> list[Array]:
    """For each level the normalised patches, ``[n * patches_per_image, 7 * 7 * c]``."""
    levels: list[list[Array]] = [[] for _ in corners]
    for start in range(0, len(images), BATCH):
        batch = images[start : start + BATCH]
        for level, pixels in enumerate(_laplacian_pyramid(batch, len(corners))):
            windows = np.lib.stride_tricks.sliding_window_view(pixels, (PATCH, PATCH), axis=(1, 2))
            corner = corners[level][start : start + BATCH]
            image = np.arange(len(batch))[:, None]
            levels[level].append(
                windows[image, corner[..., 0], corner[..., 1]].reshape(
                    -1, images.shape[3], PATCH**2
                )
            )
    normalised = []
    for parts in levels:
        patches = np.concatenate(parts)
        patches = patches - patches.mean(axis=(0, 2), keepdims=True, dtype=np.float64).astype(
            patches.dtype
        )
        spread = patches.std(axis=(0, 2), keepdims=True, dtype=np.float64)
        patches /= np.where(spread > 0, spread, 1.0).astype(
            patches.dtype
        )  # a flat channel stays at 0
        normalised.append(patches.reshape(len(patches), -1))
    return normalised


def _distance(x: Array, y: Array, directions: int, rng: np.random.Generator) -> float:
    projections = rng.standard_normal((x.shape[1], directions))
    projections = (projections / np.linalg.norm(projections, axis=0)).astype(x.dtype)
    total = 0.0
    for start in range(0, directions, 64):  # a few directions at once: the sorted arrays are large
        part = projections[:, start : start + 64]
        difference = np.sort((x @ part).T, axis=1) - np.sort((y @ part).T, axis=1)
        total += float(np.abs(difference).sum(dtype=np.float64))
    return total / (directions * len(x))


def _laplacian_pyramid(images: Array, levels: int) -> list[Array]:
    """Band-pass levels, finest first, and what is left as the last."""
    pyramid = []
    for _ in range(levels - 1):
        smaller = _blurred(images)[:, ::2, ::2]
        larger = np.zeros_like(images)
        larger[:, ::2, ::2] = 4 * smaller  # three of four pixels are zero
        pyramid.append(images - _blurred(larger))
        images = smaller
    return [*pyramid, images]


def _blurred(images: Array) -> Array:
    from scipy.ndimage import correlate1d

    weights = KERNEL.astype(images.dtype)
    return correlate1d(
        correlate1d(images, weights, axis=1, mode="mirror"), weights, axis=2, mode="mirror"
    )
