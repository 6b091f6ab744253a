"""Paths between latents, against rotations of scipy and closed forms."""

import numpy as np
import pytest
from scipy.spatial.transform import Rotation, Slerp

from gan_jax.training.latent_walks import arithmetic, closed_walk, linear, slerp, walk

FRACTIONS = np.linspace(0, 1, 7)


def latents(*shape, seed=0):
    return np.random.default_rng(seed).normal(size=shape).astype(np.float32)


def test_slerp_of_quaternions_is_that_of_scipy():
    start, end = Rotation.random(2, random_state=np.random.default_rng(0))
    between = Slerp([0, 1], Rotation.concatenate([start, end]))(FRACTIONS)
    first, last = start.as_quat(), end.as_quat()
    if first @ last < 0:  # q and -q are one rotation, and scipy takes the shorter way
        last = -last
    path = slerp(first, last, FRACTIONS)
    ours = Rotation.from_quat(path)
    assert (ours.inv() * between).magnitude().max() < 1e-6
    np.testing.assert_allclose(np.linalg.norm(path, axis=1), 1, rtol=1e-6)


def test_slerp_moves_at_constant_speed_on_the_sphere_and_linear_on_the_line():
    start, end = latents(2, 64)
    end *= np.linalg.norm(start) / np.linalg.norm(end)
    path = slerp(start, end, FRACTIONS)
    np.testing.assert_allclose(np.linalg.norm(path, axis=1), np.linalg.norm(start), rtol=1e-5)
    steps = np.linalg.norm(np.diff(path, axis=0), axis=1)
    np.testing.assert_allclose(steps, steps[0], rtol=1e-4)
    straight = linear(start, end, FRACTIONS)
    np.testing.assert_allclose(straight[3], (start + end) / 2, rtol=1e-5, atol=1e-6)
    assert np.linalg.norm(straight[3]) < 0.9 * np.linalg.norm(start)


@pytest.mark.parametrize("interpolate", [linear, slerp])
def test_paths_begin_and_end_at_their_latents_and_keep_further_axes(interpolate):
    start, end = latents(2, 3, 8)
    path = interpolate(start, end, FRACTIONS)
    assert path.shape == (7, 3, 8) and path.dtype == np.float32
    np.testing.assert_allclose(path[0], start, rtol=1e-6)
    np.testing.assert_allclose(path[-1], end, rtol=1e-6)
    np.testing.assert_allclose(path[:, 1], interpolate(start[1], end[1], FRACTIONS), rtol=1e-6)


@pytest.mark.parametrize("angle", [0.0, 1e-9, 0.99e-4, 1.01e-4, 1e-3])
def test_slerp_of_nearly_parallel_latents_is_the_rotation_by_a_small_angle(angle):
    path = slerp([1.0, 0.0], [np.cos(angle), np.sin(angle)], FRACTIONS)
    np.testing.assert_allclose(path[:, 1], np.sin(FRACTIONS * angle), rtol=1e-6, atol=1e-15)


@pytest.mark.parametrize("gap", [0.0, 1e-5])
def test_slerp_refuses_antipodal_latents_and_those_of_no_direction(gap):
    with pytest.raises(ValueError, match="not antipodal"):
        slerp([1.0, 0.0], [-np.cos(gap), np.sin(gap)], FRACTIONS)
    with pytest.raises(ValueError, match="not 0"):
        slerp([0.0, 0.0], [1.0, 0.0], FRACTIONS)


def test_slerp_of_nearly_antipodal_latents_stays_on_the_circle():
    path = slerp([1.0, 0.0], [-np.cos(1e-3), np.sin(1e-3)], FRACTIONS)
    angles = FRACTIONS * (np.pi - 1e-3)
    np.testing.assert_allclose(path, np.stack([np.cos(angles), np.sin(angles)], 1), atol=1e-6)


def test_walks_pass_through_their_points_and_closed_ones_return():
    points = latents(4, 16)
    path, loop = walk(points, 5), closed_walk(points, 5)
    assert path.shape == (16, 16) and loop.shape == (20, 16)
    np.testing.assert_allclose(path[::5], points, rtol=1e-6)
    np.testing.assert_allclose(loop[::5], points, rtol=1e-6)
    np.testing.assert_array_equal(loop[:16], path[:16])
    np.testing.assert_allclose(loop[15:], slerp(points[3], points[0], np.arange(5) / 5))
    np.testing.assert_allclose(walk(points, 2, linear)[1], points[:2].mean(0), rtol=1e-5, atol=1e-6)


def test_arithmetic_adds_what_the_first_mean_has_over_the_second():
    rng = np.random.default_rng(1)
    trait, first, second = rng.normal(size=(3, 8))
    noise = rng.normal(size=(3, 8))
    noise -= noise.mean(0)
    made = arithmetic(first + trait + noise, first + noise, second[None])
    np.testing.assert_allclose(made, second + trait, rtol=1e-5, atol=1e-6)


@pytest.mark.parametrize(
    ("call", "says"),
    [
        (lambda: linear([1.0, 2.0], [1.0], [0.5]), "one shape"),
        (lambda: linear([1.0], [1.0], 0.5), "a vector"),
        (lambda: walk([[1.0]], 3), "at least 2 points"),
        (lambda: walk([[1.0], [2.0]], 0), "1 frame"),
        (lambda: arithmetic([], [[1.0]], [[1.0]]), "at least one latent"),
        (lambda: arithmetic([[1.0]], [[1.0, 2.0]], [[1.0]]), "one shape"),
    ],
)
def test_bad_paths_are_refused_in_one_line(call, says):
    with pytest.raises(ValueError, match=says):
        call()
