"""The figure entanglement: its intervals and its verdicts."""

import numpy as np
import pytest
from figure_modules import load, verdict_list


def numbers_of(means):
    """Scores of five seeds around a mean for each method."""
    module = load("entanglement")
    return {
        "rows": [
            {
                "method": method,
                "seed": seed,
                "scores": dict.fromkeys(module.SCORES, mean + 0.01 * (seed - 2)),
            }
            for method, mean in means.items()
            for seed in range(5)
        ]
    }


def test_the_interval_is_students():
    from scipy.stats import sem, t

    scores = np.array([0.1, 0.3, 0.2, 0.5, 0.15])
    expected = t.interval(0.95, 4, scores.mean(), sem(scores))
    width = load("entanglement").half_width(scores)
    assert width == pytest.approx((expected[1] - expected[0]) / 2, rel=1e-3)
    assert np.isnan(load("entanglement").half_width(scores[:1]))


def test_means_are_compared():
    claims = load("entanglement").claims
    assert verdict_list(claims(numbers_of({"plain": 0.1, "infogan": 0.2, "ib_gan": 0.3}))) == (
        ["pass"] * 6
    )
    assert verdict_list(claims(numbers_of({"plain": 0.1, "infogan": 0.2, "ib_gan": 0.15}))) == (
        ["pass", "miss"] * 3
    )


def test_traversals_come_back_from_their_bytes():
    module = load("entanglement")
    size = module.RESOLUTION
    frames = np.random.default_rng(0).integers(0, 256, (2, 3, size, size, 3), np.uint8)
    rows = [[frame.tobytes().hex() for frame in row] for row in frames]
    grid = module._grid(rows)
    assert grid.shape == (2 * size, 3 * size, 3)
    np.testing.assert_array_equal(grid[size:, 2 * size :], frames[1, 2])
