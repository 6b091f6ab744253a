"""Resampling through the filter [1, 3, 3, 1], against scipy and by hand."""

import jax.numpy as jnp
import numpy as np
import pytest
from scipy.signal import upfirdn

from gan_jax.networks import convolution, filtered_resampling

IMAGES = np.random.default_rng(0).normal(size=(2, 6, 4, 3)).astype(np.float32)
TAPS = np.array([1.0, 3.0, 3.0, 1.0]) / 8


def along_both(x, resample):
    """``resample(row)`` along the height, then along the width."""
    for axis in (1, 2):
        x = np.apply_along_axis(resample, axis, x)
    return x


def test_halving_is_scipys():
    def halve(row):
        return upfirdn(TAPS, np.r_[0.0, row, 0.0], 1, 1)[3:-3][::2]

    np.testing.assert_allclose(
        filtered_resampling.downsample(IMAGES), along_both(IMAGES, halve), rtol=1e-4, atol=1e-6
    )


def test_doubling_is_scipys():
    def double(row):
        return upfirdn(2 * TAPS, row, 2, 1)[1 : 1 + 2 * len(row)]

    np.testing.assert_allclose(
        filtered_resampling.upsample(IMAGES), along_both(IMAGES, double), rtol=1e-4, atol=1e-6
    )


def test_a_constant_keeps_its_value_inside():
    ones = jnp.ones((1, 8, 8, 1))
    np.testing.assert_allclose(filtered_resampling.upsample(ones)[:, 1:-1, 1:-1], 1.0, rtol=1e-6)
    np.testing.assert_allclose(filtered_resampling.downsample(ones)[:, 1:-1, 1:-1], 1.0, rtol=1e-6)


@pytest.mark.parametrize("size", [1, 3])
def test_halving_with_a_convolution_is_that_of_the_filtered_image(size):
    kernel = np.random.default_rng(1).normal(size=(size, size, 3, 2)).astype(np.float32)
    # The kernel of one tap, spread by a row and a column of zeros, sees the same pixels.
    spread = np.zeros((3, 3, 3, 2), np.float32)
    spread[1:2, 1:2] = kernel if size == 1 else kernel[1:2, 1:2]
    spread = spread if size == 1 else kernel
    filtered = filtered_resampling.low_pass(IMAGES, 2)  # from pixel -1/2 on
    expected = convolution.conv(filtered, spread, padding=0)[:, ::2, ::2]
    found = filtered_resampling.conv_downsample(IMAGES, kernel)
    assert found.shape == (2, 3, 2, 2)
    np.testing.assert_allclose(found, expected, rtol=1e-4, atol=1e-5)


def test_doubling_with_a_convolution_inside_is_doubling_and_the_mirrored_kernel():
    kernel = np.random.default_rng(1).normal(size=(3, 3, 3, 2)).astype(np.float32)
    found = filtered_resampling.upsample_conv(IMAGES, kernel)
    expected = convolution.conv(filtered_resampling.upsample(IMAGES), kernel[::-1, ::-1])
    assert found.shape == expected.shape == (2, 12, 8, 2)
    np.testing.assert_allclose(found[:, 1:-1, 1:-1], expected[:, 1:-1, 1:-1], rtol=1e-4, atol=1e-5)
