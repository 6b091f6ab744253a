"""Wasserstein distances, Parzen likelihood, path length and classification accuracy against POT, SciPy and scikit-learn."""

import numpy as np
import pytest
import scipy.stats
from oracles import oracle

from gan_jax.metrics import (
    classification_accuracy_score,
    logistic_regression,
    parzen_log_likelihood,
    parzen_log_likelihoods,
    parzen_sigma,
    perceptual_path_length,
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
def test_wasserstein_equals_pot(x, y):
    ot = oracle("ot")
    np.testing.assert_allclose(
        wasserstein_1(x, y), ot.emd2([], [], ot.dist(x, y, "euclidean")), rtol=1e-9
    )
    np.testing.assert_allclose(
        wasserstein_2(x, y), np.sqrt(ot.emd2([], [], ot.dist(x, y, "sqeuclidean"))), rtol=1e-9
    )


def test_wasserstein_on_a_line_equals_scipy_and_identical_sets_are_at_zero():
    x, y = rng.normal(size=1000), rng.gamma(1.0, size=777)
    assert wasserstein_1(x, y) == pytest.approx(scipy.stats.wasserstein_distance(x, y), rel=1e-12)
    assert wasserstein_1(x, x[::-1]) == 0 and wasserstein_2(X, X[::-1]) == 0
    assert wasserstein_2(x, x + 3) == pytest.approx(3, rel=1e-12)


@pytest.mark.parametrize("d, sigma", [(1, 0.3), (2, 1.0), (64, 0.1), (784, 0.2)])
def test_parzen_equals_its_definition(d, sigma):
    samples, test = rng.uniform(size=(40, d)), rng.uniform(size=(30, d))
    densities = np.stack(
        [scipy.stats.norm.logpdf(test, sample, sigma).sum(axis=1) for sample in samples]
    )
    expected = scipy.special.logsumexp(densities, axis=0) - np.log(40)
    np.testing.assert_allclose(parzen_log_likelihoods(samples, test, sigma), expected, rtol=1e-10)
    assert parzen_log_likelihood(samples, test, sigma) == pytest.approx(expected.mean(), rel=1e-10)


def test_parzen_equals_scikit_learn_in_the_plane():
    sklearn = pytest.importorskip("sklearn.neighbors")
    expected = (
        sklearn.KernelDensity(bandwidth=0.4, rtol=1e-12).fit(X[:, :2]).score_samples(Y[:, :2])
    )
    np.testing.assert_allclose(parzen_log_likelihoods(X[:, :2], Y[:, :2], 0.4), expected, rtol=1e-9)


def test_parzen_sigma_is_the_best_of_the_candidates():
    samples, validation = rng.normal(size=(500, 2)), rng.normal(size=(200, 2))
    sigmas = np.logspace(-2, 1, 9)
    scores = [parzen_log_likelihood(samples, validation, sigma) for sigma in sigmas]
    best = parzen_sigma(samples, validation, sigmas)
    assert best == sigmas[np.argmax(scores)] and sigmas[0] < best < sigmas[-1]


def test_path_length_of_a_linear_generator():
    matrix = rng.normal(size=(4, 6))
    start, end = rng.normal(size=(2, 100, 4))
    expected = np.sum(((end - start) @ matrix) ** 2, axis=1)
    found = perceptual_path_length(
        lambda z: z.astype(np.float64) @ matrix,
        lambda x: x,
        start,
        end,
        rng.random(100),
        epsilon=1e-1,
        interpolation="lerp",
        discard=0.0,
        batch_size=7,
    )
    np.testing.assert_allclose(found.values, expected, rtol=1e-4)
    assert found.mean == pytest.approx(expected.mean(), rel=1e-5)
    trimmed = perceptual_path_length(
        lambda z: z.astype(np.float64) @ matrix,
        lambda x: x,
        start,
        end,
        rng.random(100),
        epsilon=1e-1,
        interpolation="lerp",
        discard=0.1,
    )
    kept = np.sort(expected)[
        9:91
    ]  # the quantiles themselves are kept, "lower" at 9.9 and "higher" at 89.1
    assert trimmed.mean == pytest.approx(kept.mean(), rel=1e-4)


def test_path_length_along_the_sphere_is_the_angle():
    start, end = rng.normal(size=(2, 50, 8))
    start, end = (z / np.linalg.norm(z, axis=1, keepdims=True) for z in (start, end))
    angles = np.arccos(np.sum(start * end, axis=1))
    found = perceptual_path_length(lambda z: z, lambda x: x, start, end, np.zeros(50), epsilon=1e-2)
    np.testing.assert_allclose(found.values, (2 * np.sin(angles * 1e-2 / 2) / 1e-2) ** 2, rtol=1e-4)


def test_logistic_regression_equals_scikit_learn():
    sklearn = pytest.importorskip("sklearn.linear_model")
    labels = rng.integers(0, 3, 200)
    features = rng.normal(size=(200, 5)) + np.eye(3, 5)[labels]
    scaled = (features - features.mean(axis=0)) / features.std(axis=0)
    expected = sklearn.LogisticRegression(C=1 / 2.0, tol=1e-8, max_iter=1000).fit(scaled, labels)
    new = rng.normal(size=(2000, 5))
    predicted = expected.predict((new - features.mean(axis=0)) / features.std(axis=0))
    assert np.mean(logistic_regression(features, labels, penalty=2.0)(new) == predicted) > 0.998


def test_classification_accuracy_score_falls_with_a_missing_mode():
    labels = np.arange(300) % 3

    def draw():
        return np.eye(3, 4)[labels] * 6 + rng.normal(size=(300, 4))

    real = draw()
    assert classification_accuracy_score(draw(), labels, real, labels) > 0.98
    without = labels != 2
    assert classification_accuracy_score(
        draw()[without], labels[without], real, labels
    ) == pytest.approx(2 / 3, abs=0.02)
    constant = classification_accuracy_score(
        real, labels, real, labels, fit=lambda x, y: lambda new: np.zeros(len(new), int)
    )
    assert constant == pytest.approx(1 / 3)
