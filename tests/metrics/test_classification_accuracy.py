"""Classification accuracy score, and logistic regression against scikit-learn."""

import numpy as np
import pytest

from gan_jax.metrics import (
    classification_accuracy_score,
    logistic_regression,
)

rng = np.random.default_rng(0)


def test_logistic_regression_equals_that_of_scikit_learn():
    sklearn = pytest.importorskip("sklearn.linear_model")
    labels = rng.integers(0, 3, 200)
    features = rng.normal(size=(200, 5)) + np.eye(3, 5)[labels]
    scaled = (features - features.mean(axis=0)) / features.std(axis=0)
    expected = sklearn.LogisticRegression(C=1 / 2.0, tol=1e-8, max_iter=1000).fit(scaled, labels)
    new = rng.normal(size=(2000, 5))
    predicted = expected.predict((new - features.mean(axis=0)) / features.std(axis=0))
    assert np.mean(logistic_regression(features, labels, penalty=2.0)(new) == predicted) > 0.998


def test_the_score_falls_with_a_missing_mode():
    labels = np.arange(300) % 3

    def draw():
        return np.eye(3, 4)[labels] * 6 + rng.normal(size=(300, 4))

    real = draw()
    assert classification_accuracy_score(draw(), labels, real, labels) > 0.98
    kept = labels != 2
    score = classification_accuracy_score(draw()[kept], labels[kept], real, labels)
    assert score == pytest.approx(2 / 3, abs=0.02)
    constant = classification_accuracy_score(
        real, labels, real, labels, fit=lambda x, y: lambda new: np.zeros(len(new), int)
    )
    assert constant == pytest.approx(1 / 3)
