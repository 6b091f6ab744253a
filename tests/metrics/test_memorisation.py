"""Nearest neighbours and the data-copying test against scikit-learn and SciPy."""

import numpy as np
import pytest
import scipy.stats

from gan_jax.metrics import memorisation, nearest_neighbours

rng = np.random.default_rng(0)


X, Y = rng.normal(size=(150, 10)), 1.2 * rng.normal(size=(130, 10)) + 0.3


def test_nearest_neighbours_equal_those_of_scikit_learn():
    sklearn = pytest.importorskip("sklearn.neighbors")
    peer = sklearn.NearestNeighbors(n_neighbors=1, algorithm="brute").fit(X)
    distances, indices = peer.kneighbors(Y)
    neighbours = nearest_neighbours(Y, X)
    assert np.array_equal(neighbours.indices, indices[:, 0])
    np.testing.assert_allclose(neighbours.distances, distances[:, 0], rtol=1e-12)
    peer = sklearn.NearestNeighbors(n_neighbors=2, algorithm="brute").fit(X)
    _, indices = peer.kneighbors(X)
    neighbours = nearest_neighbours(X, X, exclude_self=True)
    assert np.array_equal(neighbours.indices, indices[:, 1])


def test_the_z_score_equals_that_of_scipys_mann_whitney_test():
    test, fake = rng.normal(size=(90, 10)), rng.normal(size=(110, 10))
    result = memorisation(X, test, fake)
    expected = scipy.stats.mannwhitneyu(
        result.fake_distances, result.test_distances, use_continuity=False, method="asymptotic"
    )
    assert result.closer == pytest.approx(1 - expected.statistic / (90 * 110))
    assert scipy.stats.norm.sf(abs(result.z_score)) * 2 == pytest.approx(expected.pvalue, rel=1e-9)
    assert np.array_equal(result.fake_distances, nearest_neighbours(fake, X).distances)


def test_copies_and_samples_off_the_data_have_extreme_z_scores():
    test = rng.normal(size=(100, 10))
    assert abs(memorisation(X, test, rng.normal(size=(100, 10))).z_score) < 3
    copies = memorisation(X, test, X[:100] + 1e-3)
    assert copies.z_score < -10 and copies.closer == 1
    assert memorisation(X, test, test + 5).z_score > 10
    tied = memorisation(X, test, test)
    assert tied.z_score == 0 and tied.closer == 0.5
