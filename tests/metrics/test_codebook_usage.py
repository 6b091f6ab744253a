"""Usage of a codebook in cases with known answers."""

import numpy as np
import pytest

from gan_jax import metrics


def test_equally_frequent_codes_have_their_number_as_perplexity():
    codes = np.arange(12).reshape(3, 4)
    assert metrics.codebook_usage(codes, 12) == pytest.approx((1.0, 12.0), rel=1e-12)
    assert metrics.codebook_usage(codes % 3, 12) == pytest.approx((0.25, 3.0), rel=1e-12)
    assert metrics.codebook_usage(np.full((5, 2), 7), 8) == pytest.approx((0.125, 1.0))


def test_perplexity_is_scipys_entropy():
    entropy = pytest.importorskip("scipy.stats").entropy
    codes = np.random.default_rng(0).geometric(0.3, 500) - 1
    counts = np.bincount(codes)
    usage = metrics.codebook_usage(codes, 64)
    assert usage.perplexity == pytest.approx(np.exp(entropy(counts)), rel=1e-12)
    assert usage.used == np.count_nonzero(counts) / 64


@pytest.mark.parametrize(
    ("codes", "found"), [([0.5], "float64"), ([], "(0,)"), ([0, 4], "0 to 4"), ([-1], "-1 to -1")]
)
def test_bad_codes_are_refused(codes, found):
    with pytest.raises(ValueError, match=r"codes: found .*expected") as error:
        metrics.codebook_usage(codes, 4)
    assert found in str(error.value)
