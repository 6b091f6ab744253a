"""Parzen log-likelihoods against SciPy and scikit-learn."""

import numpy as np
import pytest
import scipy.stats

from gan_jax.metrics import (
    parzen_log_likelihood,
    parzen_log_likelihoods,
    parzen_sigma,
)

rng = np.random.default_rng(0)


X, Y = rng.normal(size=(60, 3)), 2 * rng.normal(size=(45, 3)) + 1


@pytest.mark.parametrize("d, sigma", [(1, 0.3), (2, 1.0), (64, 0.1), (784, 0.2)])
def test_log_likelihoods_equal_their_definition(d, sigma):
    samples, test = rng.uniform(size=(40, d)), rng.uniform(size=(30, d))
    densities = np.stack(
        [scipy.stats.norm.logpdf(test, sample, sigma).sum(axis=1) for sample in samples]
    )
    expected = scipy.special.logsumexp(densities, axis=0) - np.log(40)
    np.testing.assert_allclose(parzen_log_likelihoods(samples, test, sigma), expected, rtol=1e-10)
    assert parzen_log_likelihood(samples, test, sigma) == pytest.approx(expected.mean(), rel=1e-10)


def test_log_likelihoods_in_the_plane_equal_those_of_scikit_learn():
    sklearn = pytest.importorskip("sklearn.neighbors")
    peer = sklearn.KernelDensity(bandwidth=0.4, rtol=1e-12).fit(X[:, :2])
    expected = peer.score_samples(Y[:, :2])
    np.testing.assert_allclose(parzen_log_likelihoods(X[:, :2], Y[:, :2], 0.4), expected, rtol=1e-9)


def test_parzen_sigma_is_the_best_of_the_candidates():
    samples, validation = rng.normal(size=(500, 2)), rng.normal(size=(200, 2))
    sigmas = np.logspace(-2, 1, 9)
    scores = [parzen_log_likelihood(samples, validation, sigma) for sigma in sigmas]
    best = parzen_sigma(samples, validation, sigmas)
    assert best == sigmas[np.argmax(scores)] and sigmas[0] < best < sigmas[-1]
