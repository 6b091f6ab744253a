"""Precision, recall, density, coverage and nearest neighbours against prdc, torch-fidelity, scikit-learn and SciPy."""

import numpy as np
import pytest
import scipy.stats
from oracles import oracle

from gan_jax.metrics import density_coverage, memorisation, nearest_neighbours, precision_recall

rng = np.random.default_rng(0)
X, Y = rng.normal(size=(150, 10)), 1.2 * rng.normal(size=(130, 10)) + 0.3
GRID = rng.integers(-2, 3, (90, 2)).astype(float), rng.integers(-2, 3, (80, 2)).astype(float)
CASES = [
    pytest.param(X, Y, id="general"),
    pytest.param(X, X + 0.5, id="shifted"),
    pytest.param(X + 1e4, Y + 1e4, id="far-from-origin"),
    pytest.param(
        X * np.r_[np.ones(3), np.zeros(7)], Y * np.r_[np.ones(3), np.zeros(7)], id="rank-deficient"
    ),
    pytest.param(X[:8, :1], Y[:7, :1], id="tiny"),
    pytest.param(X, np.repeat(Y[:1], 60, axis=0), id="collapsed"),
    pytest.param(*GRID, id="ties"),
    pytest.param(X.astype(np.float32), 1e3 * Y.astype(np.float32), id="outliers"),
]


@pytest.mark.parametrize("k", [1, 3, 5])
@pytest.mark.parametrize("real, fake", CASES)
def test_all_four_equal_prdc(real, fake, k, capsys):
    expected = oracle("prdc").compute_prdc(real.astype(float), fake.astype(float), k)
    found = {
        **precision_recall(real, fake, k)._asdict(),
        **density_coverage(real, fake, k)._asdict(),
    }
    assert found == pytest.approx(expected, rel=1e-12)


@pytest.mark.parametrize("real, fake", CASES)
def test_closed_balls_equal_torch_fidelity(real, fake):
    torch, peer = oracle("torch"), oracle("torch_fidelity.metric_prc")
    # Its first argument is the generated set. Shares are float32 there.
    expected = peer.prc_features_to_metric(
        torch.tensor(fake, dtype=torch.float64),
        torch.tensor(real, dtype=torch.float64),
        prc_neighborhood=3,
        prc_batch_size=64,
        verbose=False,
        save_cpu_ram=False,
    )
    found = precision_recall(real, fake, 3, closed=True)
    assert found == pytest.approx((expected["precision"], expected["recall"]), rel=1e-6)


def brute_force(real, fake, k, closed):
    """The definitions, with differences in float64: equal distances come out equal."""

    def distances(a, b):
        return np.sum((a[:, None] - b[None]) ** 2, axis=2)

    def radii(a):
        return np.sort(distances(a, a) + np.diag(np.full(len(a), np.inf)), axis=1)[:, k - 1]

    holds = np.less_equal if closed else np.less
    cross = distances(real, fake)
    in_real, in_fake = holds(cross, radii(real)[:, None]), holds(cross, radii(fake))
    return (
        in_real.any(axis=0).mean(),
        in_fake.any(axis=1).mean(),
        in_real.sum() / (k * len(fake)),
        in_real.any(axis=1).mean(),
    )


@pytest.mark.parametrize("closed", [False, True])
@pytest.mark.parametrize(
    "real, fake",
    [
        pytest.param(*GRID, id="ties"),
        pytest.param(X, X, id="identical"),
        pytest.param(X, X[::-1] * (1 + 1e-9), id="all-but-identical"),
    ],
)
def test_ties_are_decided_exactly(real, fake, closed, monkeypatch):
    monkeypatch.setattr("gan_jax.metrics.neighbours.BLOCK_PRODUCTS", 1000)  # several blocks
    monkeypatch.setattr("gan_jax.metrics.neighbours.BLOCK_VALUES", 50)
    found = (
        *precision_recall(real, fake, 3, closed=closed),
        *density_coverage(real, fake, 3, closed=closed),
    )
    assert found == pytest.approx(brute_force(real, fake, 3, closed), abs=1e-15)


def test_float32_products_in_many_dimensions_leave_nothing_open():
    """Distances concentrate in 1500 dimensions: comparisons are close, and each must still come out as in float64."""
    real = rng.normal(size=(600, 1500)) + 5
    fake = 1.01 * rng.normal(size=(500, 1500)) + 5
    found = (*precision_recall(real, fake, 4), *density_coverage(real, fake, 4))
    from scipy.spatial.distance import cdist

    def radii(a):
        return np.partition(cdist(a, a), 4, axis=1)[:, 4]

    in_real, in_fake = cdist(real, fake) < radii(real)[:, None], cdist(real, fake) < radii(fake)
    assert 0 < in_real.sum() < in_real.size
    assert found == pytest.approx(
        (
            in_real.any(axis=0).mean(),
            in_fake.any(axis=1).mean(),
            in_real.sum() / (4 * len(fake)),
            in_real.any(axis=1).mean(),
        ),
        abs=1e-15,
    )


def test_equal_distributions_have_density_one_and_the_expected_coverage():
    real, fake = rng.normal(size=(2, 4000, 3))
    found = density_coverage(real, fake, 5)
    assert found.density == pytest.approx(1, abs=0.05)
    assert found.coverage == pytest.approx(1 - 2**-5, abs=0.01)


def test_nearest_neighbours_equal_scikit_learn():
    sklearn = pytest.importorskip("sklearn.neighbors")
    distance, index = (
        sklearn.NearestNeighbors(n_neighbors=1, algorithm="brute").fit(X).kneighbors(Y)
    )
    found = nearest_neighbours(Y, X)
    assert np.array_equal(found.indices, index[:, 0])
    np.testing.assert_allclose(found.distances, distance[:, 0], rtol=1e-12)
    distance, index = (
        sklearn.NearestNeighbors(n_neighbors=2, algorithm="brute").fit(X).kneighbors(X)
    )
    found = nearest_neighbours(X, X, exclude_self=True)
    assert np.array_equal(found.indices, index[:, 1])


def test_memorisation_equals_scipys_mann_whitney_test():
    test, fake = rng.normal(size=(90, 10)), rng.normal(size=(110, 10))
    found = memorisation(X, test, fake)
    expected = scipy.stats.mannwhitneyu(
        found.fake_distances, found.test_distances, use_continuity=False, method="asymptotic"
    )
    assert found.closer == pytest.approx(1 - expected.statistic / (90 * 110))
    assert scipy.stats.norm.sf(abs(found.z_score)) * 2 == pytest.approx(expected.pvalue, rel=1e-9)
    assert np.array_equal(found.fake_distances, nearest_neighbours(fake, X).distances)


def test_memorisation_sees_copies_and_far_samples():
    test = rng.normal(size=(100, 10))
    assert abs(memorisation(X, test, rng.normal(size=(100, 10))).z_score) < 3
    copies = memorisation(X, test, X[:100] + 1e-3)
    assert copies.z_score < -10 and copies.closer == 1
    assert memorisation(X, test, test + 5).z_score > 10
    tied = memorisation(X, test, test)
    assert tied.z_score == 0 and tied.closer == 0.5
