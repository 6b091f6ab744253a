"""SSIM, MS-SSIM and the sliced Wasserstein distance against pytorch-msssim and direct computation."""

import numpy as np
import pytest
from oracles import oracle
from scipy.ndimage import convolve

from gan_jax.metrics import ms_ssim, sliced_wasserstein, ssim
from gan_jax.metrics.sliced_wasserstein import _laplacian_pyramid

rng = np.random.default_rng(0)


def pair(height, width, channels=3, noise=0.3):
    """Smooth images and a noisy copy, so that no contrast is negative."""
    coarse = rng.uniform(-0.6, 0.6, (2, height // 8 + 1, width // 8 + 1, channels))
    x = np.kron(coarse, np.ones((1, 8, 8, 1)))[:, :height, :width]
    return x, np.clip(x + noise * rng.normal(size=x.shape), -1, 1)


def float64_window(module):
    """pytorch-msssim builds its window in float32, which costs it 1e-6; this is the same window in float64."""
    torch = oracle("torch")
    position = torch.arange(11, dtype=torch.float64) - 5
    window = torch.exp(-(position**2) / (2 * 1.5**2))
    return (window / window.sum()).reshape(1, 1, 1, 11)


def peer_images(x):
    return oracle("torch").tensor((x + 1) / 2 * 255).permute(0, 3, 1, 2)


@pytest.mark.parametrize("shape", [(11, 11, 3), (32, 40, 1), (65, 64, 3)])
def test_ssim_equals_pytorch_msssim(shape):
    peer = oracle("pytorch_msssim")
    x, y = pair(*shape)
    window = float64_window(peer).repeat(shape[2], 1, 1, 1)
    expected = peer.ssim(
        peer_images(x), peer_images(y), data_range=255, size_average=False, win=window
    ).numpy()
    np.testing.assert_allclose(ssim(x, y, average=False), expected, rtol=1e-9)
    np.testing.assert_allclose(
        ssim((x + 1) * 127.5, (y + 1) * 127.5, data_range=255.0), expected.mean(), rtol=1e-9
    )


@pytest.mark.parametrize("shape", [(161, 161, 3), (176, 192, 1), (164, 170, 3)])
def test_ms_ssim_equals_pytorch_msssim(shape):
    peer = oracle("pytorch_msssim")
    x, y = pair(*shape)
    window = float64_window(peer).repeat(shape[2], 1, 1, 1)
    expected = peer.ms_ssim(
        peer_images(x), peer_images(y), data_range=255, size_average=False, win=window
    ).numpy()
    np.testing.assert_allclose(ms_ssim(x, y, average=False), expected, rtol=1e-9)


def test_equal_images_score_one_and_order_does_not_matter():
    x, y = pair(64, 64)
    assert ssim(x, x) == pytest.approx(1, abs=1e-12) and ms_ssim(x, x) == pytest.approx(
        1, abs=1e-12
    )
    assert ssim(x, y) == pytest.approx(ssim(y, x), rel=1e-14)
    assert ms_ssim(x, y) == pytest.approx(ms_ssim(y, x), rel=1e-14)
    assert ms_ssim(x, pair(64, 64)[0]) < ms_ssim(x, y) < 1


def test_one_level_of_ms_ssim_is_ssim_averaged_per_channel():
    x, y = pair(48, 48, noise=0.1)
    assert ms_ssim(x, y, weights=[1.0]) == pytest.approx(ssim(x, y), rel=1e-12)


def test_ssim_of_flat_images_has_a_closed_form():
    a, b, c1 = 0.5, 1.5, (0.01 * 2) ** 2
    found = ssim(np.full((1, 16, 16, 1), a - 1), np.full((1, 16, 16, 1), b - 1))
    assert found == pytest.approx((2 * a * b + c1) / (a * a + b * b + c1), rel=1e-12)


def test_laplacian_pyramid_equals_direct_convolution():
    image = rng.normal(size=(2, 64, 48, 3))
    kernel = np.outer([1, 4, 6, 4, 1], [1, 4, 6, 4, 1]) / 256
    kernel = kernel[None, :, :, None]
    found = _laplacian_pyramid(image, 3)
    expected, current = [], image
    for _ in range(2):
        smaller = convolve(current, kernel, mode="mirror")[:, ::2, ::2]
        larger = np.zeros_like(current)
        larger[:, ::2, ::2] = smaller
        expected.append(current - convolve(larger, 4 * kernel, mode="mirror"))
        current = smaller
    for level, direct in zip(found, [*expected, current], strict=True):
        np.testing.assert_allclose(level, direct, atol=1e-13)


def test_sliced_wasserstein_of_one_patch_position_equals_sorting_by_hand():
    """A 16-pixel image has one level; with smallest side 7 and one corner there is one patch: all can be done by hand."""
    real, fake = rng.normal(size=(5, 7, 7, 2)), rng.normal(size=(5, 7, 7, 2))
    found = sliced_wasserstein(real, fake, patches_per_image=1, directions=20, smallest=7, rng=3)
    generator = np.random.default_rng(3)
    generator.integers(0, 1, (5, 1)), generator.integers(0, 1, (5, 1))
    directions = generator.standard_normal((98, 20))
    directions /= np.linalg.norm(directions, axis=0)

    def projected(images):
        patches = images.transpose(0, 3, 1, 2)
        patches = (patches - patches.mean(axis=(0, 2, 3), keepdims=True)) / patches.std(
            axis=(0, 2, 3), keepdims=True
        )
        return np.sort(patches.reshape(5, -1) @ directions, axis=0)

    assert found.resolutions == (7,)
    assert found.mean == pytest.approx(np.abs(projected(real) - projected(fake)).mean(), rel=1e-10)


def test_sliced_wasserstein_sees_what_changes_at_each_level():
    draws = np.random.default_rng(5)  # of its own: what ran before must not matter
    real, other = draws.normal(size=(2, 96, 64, 64, 1)).astype(np.float32)
    floor = sliced_wasserstein(real, other)
    assert floor.resolutions == (64, 32, 16)
    assert sliced_wasserstein(real, real).mean == 0
    assert (
        sliced_wasserstein(real, 3 * real + 1).mean < 1e-6
    )  # brightness and contrast of a set are normalised away
    coarse = other.copy()  # blocks of 2 x 2: the same as before but on the finest level
    coarse[:, 1::2] = coarse[:, ::2]
    coarse[:, :, 1::2] = coarse[:, :, ::2]
    found = sliced_wasserstein(real, coarse)
    above = found.values / floor.values  # 3.7 to 4.2 and 0.9 to 1.2 for other draws
    assert above[0] > 3 and np.all(above[1:] < 1.5)
    assert np.array_equal(found.values, sliced_wasserstein(real, coarse).values)
