"""The sliced Wasserstein distance against direct computation."""

import numpy as np
import pytest
from scipy.ndimage import convolve

from gan_jax.metrics import sliced_wasserstein
from gan_jax.metrics.sliced_wasserstein import _laplacian_pyramid

rng = np.random.default_rng(0)


def test_the_pyramid_equals_direct_convolution():
    image = rng.normal(size=(2, 64, 48, 3))
    kernel = np.outer([1, 4, 6, 4, 1], [1, 4, 6, 4, 1]) / 256
    kernel = kernel[None, :, :, None]
    pyramid = _laplacian_pyramid(image, 3)
    expected, current = [], image
    for _ in range(2):
        smaller = convolve(current, kernel, mode="mirror")[:, ::2, ::2]
        larger = np.zeros_like(current)
        larger[:, ::2, ::2] = smaller
        expected.append(current - convolve(larger, 4 * kernel, mode="mirror"))
        current = smaller
    for level, direct in zip(pyramid, [*expected, current], strict=True):
        np.testing.assert_allclose(level, direct, atol=1e-13)


def test_the_distance_of_one_patch_position_equals_sorting_by_hand():
    """An image of 7 pixels has one level and one patch, so all can be computed by hand."""
    real, fake = rng.normal(size=(5, 7, 7, 2)), rng.normal(size=(5, 7, 7, 2))
    distance = sliced_wasserstein(real, fake, patches_per_image=1, directions=20, smallest=7, rng=3)
    generator = np.random.default_rng(3)
    generator.integers(0, 1, (5, 1)), generator.integers(0, 1, (5, 1))
    directions = generator.standard_normal((98, 20))
    directions /= np.linalg.norm(directions, axis=0)

    def project(images):
        patches = images.transpose(0, 3, 1, 2)
        patches = patches - patches.mean(axis=(0, 2, 3), keepdims=True)
        patches = patches / patches.std(axis=(0, 2, 3), keepdims=True)
        return np.sort(patches.reshape(5, -1) @ directions, axis=0)

    assert distance.resolutions == (7,)
    assert distance.mean == pytest.approx(np.abs(project(real) - project(fake)).mean(), rel=1e-10)


def test_the_distance_shows_the_level_that_has_changed():
    generator = np.random.default_rng(5)  # a separate one: what ran before must not matter
    real, other = generator.normal(size=(2, 96, 64, 64, 1)).astype(np.float32)
    floor = sliced_wasserstein(real, other)
    assert floor.resolutions == (64, 32, 16)
    assert sliced_wasserstein(real, real).mean == 0
    # Brightness and contrast of a set are normalised away.
    assert sliced_wasserstein(real, 3 * real + 1).mean < 1e-6
    coarse = other.copy()  # blocks of 2 x 2: only the finest level changes
    coarse[:, 1::2] = coarse[:, ::2]
    coarse[:, :, 1::2] = coarse[:, :, ::2]
    distance = sliced_wasserstein(real, coarse)
    ratio = distance.values / floor.values  # 3.7 to 4.2 and 0.9 to 1.2 for other draws
    assert ratio[0] > 3 and np.all(ratio[1:] < 1.5)
    assert np.array_equal(distance.values, sliced_wasserstein(real, coarse).values)
