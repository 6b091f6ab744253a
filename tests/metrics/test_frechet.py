"""The Fréchet distance against torch-fidelity, closed forms and itself by other routes."""

import functools

import numpy as np
import pytest
import scipy.linalg
from oracles import oracle

from gan_jax.metrics import (
    feature_statistics,
    frechet_distance,
    frechet_distance_by_size,
    frechet_distance_from_statistics,
    frechet_distance_infinity,
    merge_statistics,
)

rng = np.random.default_rng(0)
BASE = rng.normal(size=(400, 24)) @ rng.normal(size=(24, 24))
OTHER = 1.3 * rng.normal(size=(300, 24)) @ rng.normal(size=(24, 24)) + 0.5


@pytest.mark.parametrize("dtype", [np.float64, np.float32])
@pytest.mark.parametrize(
    "real, fake",
    [
        pytest.param(BASE, OTHER, id="general"),
        pytest.param(BASE, BASE + np.linspace(0, 2, 24), id="shifted"),
        pytest.param(BASE[:, :1], OTHER[:, :1], id="one-dimensional"),
        pytest.param(
            BASE * np.logspace(0, -4, 24), OTHER * np.logspace(0, -4, 24), id="ill-conditioned"
        ),
        pytest.param(BASE * 1e-6, OTHER * 1e-6, id="tiny-values"),
    ],
)
def test_the_distance_equals_that_of_torch_fidelity(real, fake, dtype):
    torch, peer = oracle("torch"), oracle("torch_fidelity.metric_fid")
    real, fake = real.astype(dtype), fake.astype(dtype)
    # In float64, because it takes a float32 mean of float32 features.
    tensors = [torch.tensor(x, dtype=torch.float64) for x in (real, fake)]
    statistics = [peer.fid_features_to_statistics(x) for x in tensors]
    if real.shape[1] == 1:
        statistics = [{"mu": s["mu"], "sigma": s["sigma"].reshape(1, 1)} for s in statistics]
    scores = peer.fid_statistics_to_metric(*statistics, verbose=False)
    expected = scores["frechet_inception_distance"]
    np.testing.assert_allclose(frechet_distance(real, fake), expected, rtol=1e-6)
    arguments = [s[key] for s in statistics for key in ("mu", "sigma")]
    np.testing.assert_allclose(frechet_distance_from_statistics(*arguments), expected, rtol=1e-6)


def high_precision(real, fake, digits=60):
    """The definition in 60 digits: the trace of the root of S1 S2 by a symmetric eigenproblem."""
    mp = pytest.importorskip("mpmath")
    with mp.workdps(digits):

        def moments(x):
            samples = mp.matrix(x.tolist())
            mean = [mp.fsum(column) / len(x) for column in x.T.tolist()]
            centred = mp.matrix(len(x), x.shape[1])
            for i in range(len(x)):
                for j in range(x.shape[1]):
                    centred[i, j] = samples[i, j] - mean[j]
            return mean, centred.T * centred / (len(x) - 1)

        (mean1, cov1), (mean2, cov2) = moments(real), moments(fake)
        values, vectors = mp.eigsy(cov1)
        root = vectors * mp.diag([mp.sqrt(abs(v)) for v in values]) * vectors.T
        overlap = mp.fsum(mp.sqrt(abs(v)) for v in mp.eigsy(root * cov2 * root, eigvals_only=True))
        shift = mp.fsum((a - b) ** 2 for a, b in zip(mean1, mean2, strict=True))
        trace = mp.fsum(cov1[i, i] + cov2[i, i] for i in range(real.shape[1]))
        return float(shift + trace - 2 * overlap)


@pytest.mark.parametrize(
    "real, fake",
    [
        pytest.param(BASE[:5, :12], OTHER[:7, :12], id="both-singular"),
        pytest.param(BASE[:5, :12], OTHER[:60, :12], id="one-singular"),
        pytest.param(
            BASE[:60, :12], OTHER[:60, :12] @ np.diag([1] * 6 + [0] * 6), id="flat-directions"
        ),
        pytest.param(np.repeat(BASE[:4, :12], 10, axis=0), OTHER[:60, :12], id="copies"),
        pytest.param(BASE[:2, :3], OTHER[:2, :3], id="two-samples"),
    ],
)
def test_singular_covariances_equal_the_definition_in_60_digits(real, fake):
    np.testing.assert_allclose(frechet_distance(real, fake), high_precision(real, fake), rtol=1e-12)


@pytest.mark.parametrize("n", [2, 10, 400])
def test_identical_sets_have_distance_zero(n):
    assert frechet_distance(BASE[:n], BASE[:n]) <= 1e-12 * np.trace(np.cov(BASE.T))


def test_large_means_cost_no_digits():
    far = frechet_distance(BASE + 2.0**20, OTHER + 2.0**20)
    np.testing.assert_allclose(far, frechet_distance(BASE, OTHER), rtol=1e-8)


def test_gaussians_of_one_basis_have_a_closed_form():
    basis = scipy.linalg.qr(rng.normal(size=(6, 6)))[0]
    s1, s2 = np.array([3.0, 2, 1, 0.5, 0, 1e-9]), np.array([1.0, 2, 0.1, 0, 0, 4])
    mean = np.arange(6.0)
    cov1, cov2 = basis * s1 @ basis.T, basis * s2 @ basis.T
    distance = frechet_distance_from_statistics(mean, cov1, 2 * mean, cov2)
    expected = mean @ mean + np.sum((np.sqrt(s1) - np.sqrt(s2)) ** 2)
    np.testing.assert_allclose(distance, expected, rtol=1e-7)


def test_the_distance_is_symmetric_and_scales_by_the_square():
    distance = frechet_distance(BASE, OTHER)
    np.testing.assert_allclose(frechet_distance(OTHER, BASE), distance, rtol=1e-12)
    np.testing.assert_allclose(frechet_distance(3 * BASE, 3 * OTHER), 9 * distance, rtol=1e-12)


def test_merged_statistics_equal_those_of_the_whole():
    far = BASE + 1e6
    parts = np.split(far, [1, 7, 7 + 64, 300])
    merged = functools.reduce(merge_statistics, map(feature_statistics, parts))
    whole = feature_statistics(far)
    assert merged.n == whole.n == 400
    np.testing.assert_allclose(merged.mean, whole.mean, rtol=1e-15)
    np.testing.assert_allclose(merged.covariance, np.cov(BASE.T), rtol=1e-8, atol=1e-8)
    distance = frechet_distance_from_statistics(
        merged.mean - 1e6, merged.covariance, OTHER.mean(axis=0), np.cov(OTHER.T)
    )
    np.testing.assert_allclose(distance, frechet_distance(BASE, OTHER), rtol=1e-7)


def test_extrapolation_removes_the_bias_of_few_samples():
    real = rng.normal(size=(40_000, 16))
    sets = rng.normal(size=(8, 2000, 16))
    bias = np.mean([frechet_distance(real, fake) for fake in sets])
    # For normal features the bias is d (d + 4) / (4 n).
    assert bias == pytest.approx(16 * 20 / (4 * 2000), rel=0.2)
    extrapolated = np.mean([frechet_distance_infinity(real, fake, points=8) for fake in sets])
    assert abs(extrapolated) < 0.2 * bias


def test_extrapolation_gives_the_intercept_of_the_curve():
    sizes, distances = frechet_distance_by_size(BASE, OTHER, points=4, rng=3)
    assert sizes.tolist() == [30, 120, 210, 300]
    assert distances[-1] == pytest.approx(frechet_distance(BASE, OTHER), rel=1e-12)
    slope, intercept = np.polyfit(1 / sizes, distances, 1)
    extrapolated = frechet_distance_infinity(BASE, OTHER, points=4, rng=3)
    assert extrapolated == pytest.approx(intercept, rel=1e-9)
    assert slope > 0
