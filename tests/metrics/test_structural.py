"""SSIM and MS-SSIM against pytorch-msssim and closed forms."""

import numpy as np
import pytest
from oracles import oracle

from gan_jax.metrics import ms_ssim, ssim

rng = np.random.default_rng(0)


def pair(height, width, channels=3, noise=0.3):
    """Smooth images and a noisy copy, so that no contrast is negative."""
    coarse = rng.uniform(-0.6, 0.6, (2, height // 8 + 1, width // 8 + 1, channels))
    x = np.kron(coarse, np.ones((1, 8, 8, 1)))[:, :height, :width]
    return x, np.clip(x + noise * rng.normal(size=x.shape), -1, 1)


def float64_window(module):
    """The window of pytorch-msssim in float64: built in float32, as there, it costs 1e-6."""
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
    assert ssim(x, x) == pytest.approx(1, abs=1e-12)
    assert ms_ssim(x, x) == pytest.approx(1, abs=1e-12)
    assert ssim(x, y) == pytest.approx(ssim(y, x), rel=1e-14)
    assert ms_ssim(x, y) == pytest.approx(ms_ssim(y, x), rel=1e-14)
    assert ms_ssim(x, pair(64, 64)[0]) < ms_ssim(x, y) < 1


def test_one_level_of_ms_ssim_is_ssim_averaged_per_channel():
    x, y = pair(48, 48, noise=0.1)
    assert ms_ssim(x, y, weights=[1.0]) == pytest.approx(ssim(x, y), rel=1e-12)


def test_ssim_of_flat_images_has_a_closed_form():
    a, b, c1 = 0.5, 1.5, (0.01 * 2) ** 2
    score = ssim(np.full((1, 16, 16, 1), a - 1), np.full((1, 16, 16, 1), b - 1))
    assert score == pytest.approx((2 * a * b + c1) / (a * a + b * b + c1), rel=1e-12)
