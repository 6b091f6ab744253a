"""Mode coverage by hand-countable cases, divergences against SciPy and closed forms."""

import numpy as np
import pytest
import scipy.stats
from scipy.spatial.distance import jensenshannon

from gan_jax.metrics import (
    js_divergence,
    kl_divergence,
    label_coverage,
    mode_coverage,
    stacked_coverage,
)

CENTRES = np.array([[0.0, 0.0], [10.0, 0.0], [0.0, 10.0], [10.0, 10.0]])
# Four at the first mode, one at exactly 3 std of the second, one just beyond 3 std of the third.
SAMPLES = np.array([[0.0, 0.0], [0.1, 0.0], [0.0, 0.2], [0.1, 0.1], [10.0, 1.5], [0.0, 8.4]])


def test_counts_modes_quality_and_evenness():
    found = mode_coverage(SAMPLES, CENTRES, 0.5)
    assert found.modes == 2
    assert found.high_quality == pytest.approx(5 / 6)
    assert found.counts.tolist() == [4, 1, 0, 0]
    assert found.reverse_kl == pytest.approx(np.log(4) - scipy.stats.entropy([0.8, 0.2]))
    assert found.js == pytest.approx(jensenshannon([0.8, 0.2, 0, 0], [0.25] * 4) ** 2)


def test_options():
    assert mode_coverage(SAMPLES, CENTRES, 0.5, minimum=4).modes == 1
    assert mode_coverage(SAMPLES, CENTRES, 0.5, threshold=4).modes == 3
    everyone = mode_coverage(SAMPLES, CENTRES, 0.5, histogram="all")
    assert everyone.counts.tolist() == [4, 1, 1, 0] and everyone.modes == 2
    assert everyone.reverse_kl == pytest.approx(scipy.stats.entropy([4, 1, 1, 0], [1] * 4))
    assert mode_coverage(SAMPLES, CENTRES, [0.5, 0.1, 1, 1]).counts.tolist() == [4, 0, 1, 0]
    assert mode_coverage(SAMPLES, CENTRES, np.tile([0.5, 0.1], (4, 1))).counts.tolist() == [
        4,
        0,
        0,
        0,
    ]
    weighted = mode_coverage(SAMPLES, CENTRES, 0.5, weights=[8, 2, 0, 0])
    assert weighted.reverse_kl == pytest.approx(0, abs=1e-15) and weighted.js == pytest.approx(
        0, abs=1e-15
    )


def test_any_mode_in_reach_counts_where_modes_overlap():
    centres = np.array([[0.0], [1.0]])
    assert mode_coverage([[0.4]], centres, 0.5).modes == 1
    found = mode_coverage([[0.4]], centres, 0.5, near="any")
    assert found.modes == 2 and found.counts.tolist() == [1, 1] and found.high_quality == 1


def test_no_sample_near_any_mode():
    found = mode_coverage([[5.0, 5.0]], CENTRES, 0.1)
    assert found.modes == 0 and found.high_quality == 0
    assert np.isnan(found.reverse_kl) and np.isnan(found.js)


def test_samples_of_the_mixture_itself():
    rng = np.random.default_rng(0)
    samples = CENTRES[rng.integers(0, 4, 20_000)] + 0.05 * rng.normal(size=(20_000, 2))
    found = mode_coverage(samples, CENTRES, 0.05)
    assert found.modes == 4
    assert found.high_quality == pytest.approx(
        1 - np.exp(-4.5), abs=0.004
    )  # 2-d: P(r > 3) = exp(-9/2)
    assert found.reverse_kl < 1e-3


def test_stacked_digits():
    digits = np.array([[0, 0, 0], [1, 2, 3], [1, 2, 3], [9, 9, 9]])
    found = label_coverage(digits)
    assert found.modes == 3 and len(found.counts) == 1000
    assert found.counts[[0, 123, 999]].tolist() == [1, 2, 1]
    assert found.reverse_kl == pytest.approx(np.log(1000) - scipy.stats.entropy([0.25, 0.5, 0.25]))
    # A "classifier" that reads the digit off the pixels.
    images = np.broadcast_to(digits[:, None, None], (4, 2, 2, 3)) / 5.0 - 1
    stacked = stacked_coverage(
        images, lambda x: np.eye(10)[np.rint((x[:, 0, 0, 0] + 1) * 5).astype(int)]
    )
    assert np.array_equal(stacked.counts, found.counts) and stacked.reverse_kl == found.reverse_kl


def test_the_floor_of_reverse_kl_for_even_modes():
    labels = np.random.default_rng(0).integers(0, 10, (25_600, 3))
    assert label_coverage(labels).reverse_kl == pytest.approx(999 / (2 * 25_600), rel=0.15)


rng = np.random.default_rng(1)


@pytest.mark.parametrize(
    "p, q",
    [
        pytest.param(rng.random(50), rng.random(50), id="general"),
        pytest.param(np.r_[rng.random(20), np.zeros(30)], rng.random(50), id="gaps"),
        pytest.param([1, 0, 3], [3, 2, 1], id="counts"),
        pytest.param(rng.random((6, 7)), rng.random((6, 7)), id="plane"),
        pytest.param([1e-300, 1.0], [1.0, 1e-300], id="tiny"),
    ],
)
def test_divergences_equal_scipy(p, q):
    flat = np.ravel(p), np.ravel(q)
    assert kl_divergence(p, q) == pytest.approx(scipy.stats.entropy(*flat), rel=1e-12)
    assert js_divergence(p, q) == pytest.approx(jensenshannon(*flat) ** 2, rel=1e-12)


def test_divergences_at_their_ends():
    p = rng.random(100)
    assert kl_divergence(p, 3 * p) == pytest.approx(0, abs=1e-15) and js_divergence(
        p, 3 * p
    ) == pytest.approx(0, abs=1e-15)
    assert kl_divergence([1, 1], [1, 0]) == np.inf
    assert js_divergence([1, 0], [0, 1]) == pytest.approx(np.log(2), rel=1e-15)
    assert 0 <= kl_divergence(p, p * (1 + 1e-9 * rng.random(100))) < 1e-17


def test_densities_on_an_uneven_grid():
    edges = np.linspace(-3, 3, 20_001) ** 3
    x, widths = (edges[1:] + edges[:-1]) / 2, np.diff(edges)
    p, q = scipy.stats.norm.pdf(x, 1, 1), scipy.stats.norm.pdf(x, -1, 2)
    expected = np.log(2) + (1 + 4) / 8 - 0.5  # KL of N(1, 1) from N(-1, 4)
    assert kl_divergence(p, q, widths) == pytest.approx(expected, rel=1e-6)
