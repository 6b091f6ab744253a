"""Normalisation and layers that compare samples, against NumPy."""

import jax
import numpy as np
import pytest

from gan_jax.networks.layers import (
    ACTIVATIONS,
    BatchNorm,
    MinibatchDiscrimination,
    Norm,
    minibatch_std,
    nonlinearity,
    pixel_norm,
)

IMAGES = (3 * np.random.default_rng(0).normal(size=(6, 4, 4, 2)) + 1).astype(np.float32)


@pytest.mark.parametrize(
    ("kind", "axes"), [("batch", (0, 1, 2)), ("layer", (1, 2, 3)), ("instance", (1, 2))]
)
def test_norms_standardise_over_their_axes(kind, axes):
    layer = Norm(kind)
    params = layer.init(jax.random.key(0), IMAGES)
    expected = (IMAGES - IMAGES.mean(axes, keepdims=True)) / np.sqrt(
        IMAGES.var(axes, keepdims=True) + 1e-5
    )
    np.testing.assert_allclose(layer.apply(params, IMAGES), expected, rtol=1e-4, atol=1e-5)


def test_conditional_batch_norm_has_a_gain_and_an_offset_per_label():
    layer, label = BatchNorm(classes=2), np.array([0, 1, 1, 0, 1, 0])
    gain = np.array([[1.0, 2.0], [3.0, 4.0]], np.float32)
    offset = np.array([[0.0, 1.0], [2.0, 3.0]], np.float32)
    params = {"params": {"Affine_0": {"gain": gain, "offset": offset}}}
    plain = BatchNorm(affine=False).apply({}, IMAGES)
    expected = plain * gain[label][:, None, None] + offset[label][:, None, None]
    result = layer.apply(params, IMAGES, label)
    np.testing.assert_allclose(result, expected, rtol=1e-5, atol=1e-5)


def test_pixel_norm_scales_the_channels_of_each_pixel_to_a_mean_square_of_1():
    np.testing.assert_allclose(np.square(pixel_norm(IMAGES)).mean(-1), 1.0, rtol=1e-4)


def test_minibatch_std_is_the_mean_deviation_within_a_group():
    """Six samples in groups of at most four: two groups of three, samples 0, 2, 4 and 1, 3, 5."""
    result = minibatch_std(IMAGES, 4)
    np.testing.assert_array_equal(result[..., :2], IMAGES)
    for index in range(6):
        deviation = IMAGES[index % 2 :: 2].std(0).mean()
        np.testing.assert_allclose(result[index, ..., 2], deviation, rtol=1e-5)


def test_minibatch_discrimination_is_the_papers_formula():
    features = np.random.default_rng(0).normal(size=(3, 4)).astype(np.float32)
    kernel = np.random.default_rng(1).normal(size=(4, 2 * 5)).astype(np.float32)
    layer = MinibatchDiscrimination(kernels=2, size=5)
    result = layer.apply({"params": {"kernel": kernel}}, features)
    projected = (features @ kernel).reshape(3, 2, 5)
    for i in range(3):
        others = [np.exp(-np.abs(projected[i] - projected[j]).sum(-1)) for j in range(3) if j != i]
        np.testing.assert_allclose(result[i, 4:], sum(others), rtol=1e-3, atol=1e-6)
    np.testing.assert_array_equal(result[:, :4], features)


def test_leaky_relu_takes_a_slope():
    assert nonlinearity("leaky_relu", 0.3)(-1.0) == np.float32(-0.3)
    assert nonlinearity("leaky_relu")(-1.0) == ACTIVATIONS["leaky_relu"](-1.0) == np.float32(-0.2)
