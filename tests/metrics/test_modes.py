"""Mode coverage by cases that can be counted by hand."""

import numpy as np
import pytest
import scipy.stats
from scipy.spatial.distance import jensenshannon

from gan_jax.metrics import (
    label_coverage,
    mode_coverage,
    stacked_coverage,
)

CENTRES = np.array([[0.0, 0.0], [10.0, 0.0], [0.0, 10.0], [10.0, 10.0]])


# Four at the first mode, one at exactly 3 std of the second, one just beyond 3 std of the third.
SAMPLES = np.array([[0.0, 0.0], [0.1, 0.0], [0.0, 0.2], [0.1, 0.1], [10.0, 1.5], [0.0, 8.4]])


def test_modes_quality_and_evenness_are_counted():
    coverage = mode_coverage(SAMPLES, CENTRES, 0.5)
    assert coverage.modes == 2
    assert coverage.high_quality == pytest.approx(5 / 6)
    assert coverage.counts.tolist() == [4, 1, 0, 0]
    assert coverage.reverse_kl == pytest.approx(np.log(4) - scipy.stats.entropy([0.8, 0.2]))
    assert coverage.js == pytest.approx(jensenshannon([0.8, 0.2, 0, 0], [0.25] * 4) ** 2)


def test_each_option_changes_what_is_counted():
    assert mode_coverage(SAMPLES, CENTRES, 0.5, minimum=4).modes == 1
    assert mode_coverage(SAMPLES, CENTRES, 0.5, threshold=4).modes == 3
    all_samples = mode_coverage(SAMPLES, CENTRES, 0.5, histogram="all")
    assert all_samples.counts.tolist() == [4, 1, 1, 0] and all_samples.modes == 2
    assert all_samples.reverse_kl == pytest.approx(scipy.stats.entropy([4, 1, 1, 0], [1] * 4))
    assert mode_coverage(SAMPLES, CENTRES, [0.5, 0.1, 1, 1]).counts.tolist() == [4, 0, 1, 0]
    per_axis = mode_coverage(SAMPLES, CENTRES, np.tile([0.5, 0.1], (4, 1)))
    assert per_axis.counts.tolist() == [4, 0, 0, 0]
    weighted = mode_coverage(SAMPLES, CENTRES, 0.5, weights=[8, 2, 0, 0])
    assert weighted.reverse_kl == pytest.approx(0, abs=1e-15)
    assert weighted.js == pytest.approx(0, abs=1e-15)


def test_any_mode_in_reach_counts_if_modes_overlap():
    centres = np.array([[0.0], [1.0]])
    assert mode_coverage([[0.4]], centres, 0.5).modes == 1
    coverage = mode_coverage([[0.4]], centres, 0.5, near="any")
    assert coverage.modes == 2 and coverage.counts.tolist() == [1, 1] and coverage.high_quality == 1


def test_samples_far_from_all_modes_cover_none():
    coverage = mode_coverage([[5.0, 5.0]], CENTRES, 0.1)
    assert coverage.modes == 0 and coverage.high_quality == 0
    assert np.isnan(coverage.reverse_kl) and np.isnan(coverage.js)


def test_samples_of_the_mixture_cover_all_modes():
    rng = np.random.default_rng(0)
    samples = CENTRES[rng.integers(0, 4, 20_000)] + 0.05 * rng.normal(size=(20_000, 2))
    coverage = mode_coverage(samples, CENTRES, 0.05)
    assert coverage.modes == 4
    share = 1 - np.exp(-4.5)  # in two dimensions P(r > 3) = exp(-9/2)
    assert coverage.high_quality == pytest.approx(share, abs=0.004)
    assert coverage.reverse_kl < 1e-3


def test_each_combination_of_stacked_digits_is_a_mode():
    digits = np.array([[0, 0, 0], [1, 2, 3], [1, 2, 3], [9, 9, 9]])
    coverage = label_coverage(digits)
    assert coverage.modes == 3 and len(coverage.counts) == 1000
    assert coverage.counts[[0, 123, 999]].tolist() == [1, 2, 1]
    assert coverage.reverse_kl == pytest.approx(
        np.log(1000) - scipy.stats.entropy([0.25, 0.5, 0.25])
    )
    # The "classifier" reads the digit off the pixels.
    images = np.broadcast_to(digits[:, None, None], (4, 2, 2, 3)) / 5.0 - 1

    def classify(images):
        return np.eye(10)[np.rint((images[:, 0, 0, 0] + 1) * 5).astype(int)]

    stacked = stacked_coverage(images, classify)
    assert (
        np.array_equal(stacked.counts, coverage.counts)
        and stacked.reverse_kl == coverage.reverse_kl
    )


def test_the_reverse_kl_of_even_modes_has_the_floor_of_finite_samples():
    labels = np.random.default_rng(0).integers(0, 10, (25_600, 3))
    assert label_coverage(labels).reverse_kl == pytest.approx(999 / (2 * 25_600), rel=0.15)
