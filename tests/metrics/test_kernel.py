"""The kernel distance against torch-fidelity and its definition."""

import numpy as np
import pytest
from oracles import oracle

from gan_jax.metrics import kernel_distance, kernel_distance_full

rng = np.random.default_rng(0)


REAL, FAKE = rng.normal(size=(300, 20)), rng.normal(size=(260, 20)) * 1.2 + 0.3


def by_definition(x, y):
    """Gretton et al. 2012, equation 3, term by term."""

    def k(a, b):
        return (a @ b / len(a) + 1) ** 3

    xx = np.mean([k(a, b) for i, a in enumerate(x) for j, b in enumerate(x) if i != j])
    yy = np.mean([k(a, b) for i, a in enumerate(y) for j, b in enumerate(y) if i != j])
    return xx + yy - 2 * np.mean([k(a, b) for a in x for b in y])


@pytest.mark.parametrize(
    "real, fake, size",
    [
        pytest.param(REAL, FAKE, 100, id="general"),
        pytest.param(REAL, REAL, 100, id="identical"),
        pytest.param(REAL, REAL + 1, 250, id="shifted"),
        pytest.param(
            REAL * np.r_[np.ones(5), np.zeros(15)],
            FAKE * np.r_[np.zeros(5), np.ones(15)],
            50,
            id="rank-deficient",
        ),
        pytest.param(REAL[:3, :2], FAKE[:4, :2], 2, id="tiny"),
    ],
)
def test_the_distance_equals_that_of_torch_fidelity(real, fake, size):
    torch, peer = oracle("torch"), oracle("torch_fidelity.metric_kid")
    expected = peer.kid_features_to_metric(
        torch.tensor(real),
        torch.tensor(fake),
        kid_subsets=7,
        kid_subset_size=size,
        rng_seed=5,
        verbose=False,
    )
    distance = kernel_distance(real, fake, 7, size, np.random.RandomState(5))
    np.testing.assert_allclose(distance.mean, expected["kernel_inception_distance_mean"], rtol=1e-6)
    np.testing.assert_allclose(distance.std, expected["kernel_inception_distance_std"], rtol=1e-6)


@pytest.mark.parametrize("subsets", [1, 3])  # each by itself, and all in one pass
@pytest.mark.parametrize("offset", [0.0, 3.0])
def test_float32_features_give_the_distance_of_float64_features(offset, subsets):
    real = (np.maximum(rng.normal(size=(1500, 256)), 0) + offset).astype(np.float32)
    fake = (np.maximum(rng.normal(size=(1400, 256)) + 0.05, 0) + offset).astype(np.float32)
    in_float32 = kernel_distance(real, fake, subsets, 1000)
    in_float64 = kernel_distance(real.astype(np.float64), fake.astype(np.float64), subsets, 1000)
    np.testing.assert_allclose(in_float32.values, in_float64.values, rtol=1e-6)
    np.testing.assert_allclose(
        kernel_distance_full(real, fake),
        kernel_distance_full(real.astype(float), fake.astype(float)),
        rtol=1e-6,
    )


def test_explicit_subsets_and_the_full_estimate_equal_the_definition():
    rows, columns = np.array([[0, 5, 2], [1, 3, 4]]), np.array([[6, 1, 0], [2, 2, 3]])
    distance = kernel_distance(REAL, FAKE, subsets=(rows, columns))
    np.testing.assert_allclose(
        distance.values,
        [by_definition(REAL[r], FAKE[c]) for r, c in zip(rows, columns, strict=True)],
        rtol=1e-10,
    )
    np.testing.assert_array_equal(
        kernel_distance(REAL, FAKE, subsets=[rows, columns]).values, distance.values
    )
    np.testing.assert_allclose(
        kernel_distance_full(REAL[:30], FAKE[:20]), by_definition(REAL[:30], FAKE[:20]), rtol=1e-10
    )


@pytest.mark.parametrize("d", [1, 7, 96])
@pytest.mark.parametrize("stacked", [4096, 10])
def test_a_subset_equals_the_full_estimate_of_its_samples(d, stacked, monkeypatch):
    monkeypatch.setattr(
        "gan_jax.metrics.cubic_kernel.estimates.MAX_STACKED", stacked
    )  # large ones go by blocks
    generator = np.random.default_rng(d)
    real, fake = generator.normal(size=(400, d)), generator.normal(size=(300, d)) + 5
    rows, columns = (
        np.stack([generator.choice(n, 70, replace=False) for _ in range(3)]) for n in (400, 300)
    )
    distance = kernel_distance(real, fake, subsets=(rows, columns)).values
    expected = [kernel_distance_full(real[i], fake[j]) for i, j in zip(rows, columns, strict=True)]
    np.testing.assert_allclose(distance, expected, rtol=1e-10)


def test_the_full_estimate_does_not_depend_on_the_size_of_blocks(monkeypatch):
    whole = kernel_distance_full(REAL, FAKE)
    monkeypatch.setattr("gan_jax.metrics.cubic_kernel.estimates.BLOCK", 7)
    np.testing.assert_allclose(kernel_distance_full(REAL, FAKE), whole, rtol=1e-11)


def test_the_seed_fixes_the_subsets():
    first, again, other = (kernel_distance(REAL, FAKE, 3, 50, seed).values for seed in (1, 1, 2))
    assert np.array_equal(first, again) and not np.array_equal(first, other)
