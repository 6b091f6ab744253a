"""Precision, recall, density and coverage against prdc, torch-fidelity and brute force."""

import numpy as np
import pytest
from oracles import oracle
from scipy.spatial.distance import cdist

from gan_jax.metrics import density_coverage, precision_recall

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
def test_all_four_scores_equal_those_of_prdc(real, fake, k, capsys):
    expected = oracle("prdc").compute_prdc(real.astype(float), fake.astype(float), k)
    scores = {
        **precision_recall(real, fake, k)._asdict(),
        **density_coverage(real, fake, k)._asdict(),
    }
    assert scores == pytest.approx(expected, rel=1e-12)


@pytest.mark.parametrize("real, fake", CASES)
def test_scores_with_closed_balls_equal_those_of_torch_fidelity(real, fake):
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
    scores = precision_recall(real, fake, 3, closed=True)
    assert scores == pytest.approx((expected["precision"], expected["recall"]), rel=1e-6)


def brute_force(real, fake, k, closed):
    """The definitions, with differences in float64: equal distances come out equal."""

    def distances(a, b):
        return np.sum((a[:, None] - b[None]) ** 2, axis=2)

    def radii(a):
        return np.sort(distances(a, a) + np.diag(np.full(len(a), np.inf)), axis=1)[:, k - 1]

    contains = np.less_equal if closed else np.less
    cross = distances(real, fake)
    in_real, in_fake = contains(cross, radii(real)[:, None]), contains(cross, radii(fake))
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
    scores = (
        *precision_recall(real, fake, 3, closed=closed),
        *density_coverage(real, fake, 3, closed=closed),
    )
    assert scores == pytest.approx(brute_force(real, fake, 3, closed), abs=1e-15)


def test_scores_in_many_dimensions_are_those_of_float64():
    """In 1500 dimensions distances are close, and each must still compare as in float64."""
    real = rng.normal(size=(600, 1500)) + 5
    fake = 1.01 * rng.normal(size=(500, 1500)) + 5
    scores = (*precision_recall(real, fake, 4), *density_coverage(real, fake, 4))

    def radii(a):
        return np.partition(cdist(a, a), 4, axis=1)[:, 4]

    in_real, in_fake = cdist(real, fake) < radii(real)[:, None], cdist(real, fake) < radii(fake)
    assert 0 < in_real.sum() < in_real.size
    assert scores == pytest.approx(
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
    scores = density_coverage(real, fake, 5)
    assert scores.density == pytest.approx(1, abs=0.05)
    assert scores.coverage == pytest.approx(1 - 2**-5, abs=0.01)
