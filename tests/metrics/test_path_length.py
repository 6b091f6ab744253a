"""Perceptual path length of generators for which it is known."""

import numpy as np
import pytest

from gan_jax.metrics import (
    perceptual_path_length,
)

rng = np.random.default_rng(0)


def test_the_length_of_straight_paths_of_a_linear_generator_is_its_speed():
    matrix = rng.normal(size=(4, 6))
    start, end = rng.normal(size=(2, 100, 4))
    expected = np.sum(((end - start) @ matrix) ** 2, axis=1)

    def generate(latents):
        return latents.astype(np.float64) @ matrix

    length = perceptual_path_length(
        generate,
        lambda x: x,
        start,
        end,
        rng.random(100),
        epsilon=1e-1,
        interpolation="lerp",
        discard=0.0,
        batch_size=7,
    )
    np.testing.assert_allclose(length.values, expected, rtol=1e-4)
    assert length.mean == pytest.approx(expected.mean(), rel=1e-5)
    trimmed = perceptual_path_length(
        generate,
        lambda x: x,
        start,
        end,
        rng.random(100),
        epsilon=1e-1,
        interpolation="lerp",
        discard=0.1,
    )
    # The quantiles themselves are kept, "lower" at 9.9 and "higher" at 89.1.
    kept = np.sort(expected)[9:91]
    assert trimmed.mean == pytest.approx(kept.mean(), rel=1e-4)


def test_the_length_of_paths_on_the_sphere_is_the_angle():
    start, end = rng.normal(size=(2, 50, 8))
    start, end = (z / np.linalg.norm(z, axis=1, keepdims=True) for z in (start, end))
    angles = np.arccos(np.sum(start * end, axis=1))
    length = perceptual_path_length(
        lambda z: z, lambda x: x, start, end, np.zeros(50), epsilon=1e-2
    )
    np.testing.assert_allclose(
        length.values, (2 * np.sin(angles * 1e-2 / 2) / 1e-2) ** 2, rtol=1e-4
    )
