"""Keyed permutations: that they are ones, and that they mix as a shuffle does."""

import math
from itertools import permutations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import stats

from gan_jax.data.positions import epoch_permutations
from gan_jax.data.shuffling import epoch_shuffles, keyed_permutation
from gan_jax.errors import UserError

# A shuffle fails a test with this probability. Keys are counted from 0: a pass stays a pass.
P = 1e-5
KEYS = 2000


def chi_square_of_uniform(counts):
    """The probability that counts of as many equally likely outcomes are further from equal."""
    return stats.chisquare(np.ravel(counts)).pvalue


@pytest.mark.parametrize("n", [*range(1, 70), 97, 1000, 1023, 1024, 1025, 60_000, 99_991])
def test_it_is_a_permutation(n):
    for key in ((), (0,), (1,), (2**31 - 1, 7), (0, 0, 3)):
        image = keyed_permutation(n, *key)(np.arange(n))
        assert image.dtype == np.int64
        np.testing.assert_array_equal(np.bincount(image, minlength=n), np.ones(n, int))


@settings(max_examples=50, deadline=None)
@given(n=st.integers(1, 2**62), key=st.integers(0, 2**62), size=st.integers(1, 50))
def test_any_length_takes_no_memory_and_no_two_meet(n, key, size):
    index = np.unique(np.linspace(0, n - 1, size).astype(np.int64))
    image = keyed_permutation(n, key)(index)
    assert image.min() >= 0 and image.max() < n and len(np.unique(image)) == len(index)


def test_all_orders_of_a_few_are_equally_likely():
    for n, keys in ((2, 500), (3, 1000), (4, 1500), (5, 3000)):
        count = dict.fromkeys(permutations(range(n)), 0)
        for key in range(keys):
            count[tuple(keyed_permutation(n, key)(np.arange(n)).tolist())] += 1
        assert chi_square_of_uniform(list(count.values())) > P, (n, count)


def test_each_sample_is_equally_likely_at_each_place_and_beside_each_other():
    n = 17
    orders = np.stack([keyed_permutation(n, key)(np.arange(n)) for key in range(KEYS)])
    places = np.stack([np.bincount(column, minlength=n) for column in orders.T])
    # Rows and columns sum to the number of keys: (n - 1)^2 degrees of freedom, and the statistic
    # of sums of random permutation matrices is (n - 1) / n times that of independent counts.
    statistic = (n - 1) / n * ((places - KEYS / n) ** 2 / (KEYS / n)).sum()
    assert stats.chi2.sf(statistic, (n - 1) ** 2) > P
    for lag in (1, 2, n // 2):
        pairs = np.bincount(n * orders[:, 0] + orders[:, lag], minlength=n * n).reshape(n, n)
        assert chi_square_of_uniform(pairs[~np.eye(n, dtype=bool)]) > P


@pytest.mark.parametrize("n", [200_000, 2**20, 10**12])
def test_long_orders_have_no_runs_and_no_trend(n):
    places = np.arange(50_000)
    for key in range(10):
        image = keyed_permutation(n, key)(places)
        # Signs of differences of a random order: ups have variance (m + 1) / 12.
        ups, m = np.sum(np.diff(image) > 0), len(image)
        assert stats.norm.sf(abs(ups - (m - 1) / 2) / math.sqrt((m + 1) / 12)) > P / 2
        blocks = np.stack([image[:-1], image[1:]]) * 16 // n
        counts = np.bincount(16 * blocks[0] + blocks[1], minlength=256)
        assert chi_square_of_uniform(counts) > P
        assert abs(stats.spearmanr(places, image).statistic) < stats.norm.isf(P) / math.sqrt(m)


def test_neighbouring_keys_have_unrelated_orders():
    for n in (1000, 200_000):
        orders = [
            keyed_permutation(n, seed, epoch)(np.arange(1000))
            for seed in (0, 1, 2)
            for epoch in (0, 1, 2)
        ]
        agreements = [np.sum(one == other) for i, one in enumerate(orders) for other in orders[:i]]
        # Points on which two of 36 pairs of random orders agree are Poisson of 1000 / n each.
        total = sum(agreements)
        assert stats.poisson.sf(total - 1, 36 * 1000 / n) > P
        assert stats.poisson.cdf(total, 36 * 1000 / n) > P


def test_epochs_follow_each_other_like_those_in_memory():
    for n in (1, 7, 60):
        indices, stored = epoch_shuffles(n), epoch_permutations(n)
        positions = np.arange(3 * n).reshape(3, n)
        for stream in ((), (2,)):
            epochs = indices(5, positions, *stream)
            assert epochs.shape == stored(5, positions, *stream).shape
            np.testing.assert_array_equal(np.sort(epochs), np.tile(np.arange(n), (3, 1)))
            order = keyed_permutation(n, 5, 2, *stream)(np.arange(n))
            np.testing.assert_array_equal(epochs[2], order)
            np.testing.assert_array_equal(
                indices(5, np.array([2 * n + 3 % n]), *stream), epochs[2, [3 % n]]
            )


def test_bad_lengths_and_seeds_are_refused():
    for n in (0, 2**62 + 1):
        with pytest.raises(UserError, match="1 to 2"):
            keyed_permutation(n)
    with pytest.raises(UserError, match="a seed"):
        epoch_shuffles(3)(-1, np.arange(2))
