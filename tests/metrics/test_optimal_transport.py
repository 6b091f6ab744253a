"""Wasserstein distances against POT and SciPy."""

import numpy as np
import pytest
import scipy.stats
from oracles import oracle

from gan_jax.metrics import (
    wasserstein_1,
    wasserstein_2,
)

rng = np.random.default_rng(0)


X, Y = rng.normal(size=(60, 3)), 2 * rng.normal(size=(45, 3)) + 1


@pytest.mark.parametrize(
    "x, y",
    [
        pytest.param(X, Y, id="general"),
        pytest.param(X, X[::-1] + 0.1, id="shifted"),
        pytest.param(X, Y[:1], id="one-point"),
        pytest.param(X * [1, 0, 0], np.r_[Y, Y[:15]] * [1, 0, 0], id="rank-deficient"),
        pytest.param(X[:30, :1], Y[:, :1], id="line"),
        pytest.param(1e-5 * X, 1e-5 * Y, id="small-values"),
    ],
)
def test_distances_equal_those_of_pot(x, y):
    ot = oracle("ot")
    cost = ot.emd2([], [], ot.dist(x, y, "euclidean"))
    squared_cost = ot.emd2([], [], ot.dist(x, y, "sqeuclidean"))
    np.testing.assert_allclose(wasserstein_1(x, y), cost, rtol=1e-9)
    np.testing.assert_allclose(wasserstein_2(x, y), np.sqrt(squared_cost), rtol=1e-9)


def test_the_distance_on_a_line_equals_that_of_scipy_and_is_zero_for_identical_sets():
    x, y = rng.normal(size=1000), rng.gamma(1.0, size=777)
    assert wasserstein_1(x, y) == pytest.approx(scipy.stats.wasserstein_distance(x, y), rel=1e-12)
    assert wasserstein_1(x, x[::-1]) == 0 and wasserstein_2(X, X[::-1]) == 0
    assert wasserstein_2(x, x + 3) == pytest.approx(3, rel=1e-12)
