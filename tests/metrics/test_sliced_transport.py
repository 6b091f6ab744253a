"""The sliced Wasserstein distance of vectors, against closed forms and SciPy."""

import numpy as np
import pytest
from scipy import stats

from gan_jax.metrics import IdentityExtractor, sliced_wasserstein_distance, wasserstein_2

RNG = np.random.default_rng(0)
X, Y = RNG.normal(size=(40, 1)), 2 * RNG.normal(size=(25, 1)) + 1


def test_on_a_line_it_is_the_exact_distance():
    first = sliced_wasserstein_distance(X, Y, power=1, directions=3)
    assert first == pytest.approx(stats.wasserstein_distance(X[:, 0], Y[:, 0]))
    assert sliced_wasserstein_distance(X, Y, directions=3) == pytest.approx(wasserstein_2(X, Y))


def test_a_shift_by_v_is_seen_as_the_length_of_v_over_the_root_of_d():
    x = RNG.normal(size=(50, 5))
    v = np.array([3.0, 0.0, -4.0, 0.0, 0.0])
    distance = sliced_wasserstein_distance(x, x + v, directions=20_000)
    # (u.v)^2 / |v|^2 is Beta(1/2, 2): its mean is 1/5, its variance 4/175.
    error = 4 * np.sqrt(4 / 175 / 20_000) * 25
    assert abs(distance**2 - 5.0) < error
    assert sliced_wasserstein_distance(x, x[::-1]) == 0


@pytest.mark.parametrize("power", [1, 2, 3])
def test_it_is_the_mean_over_the_directions_that_it_draws(power):
    x, y = RNG.normal(size=(30, 4)), RNG.normal(size=(30, 4)) + 0.5
    axes = np.random.default_rng(7).standard_normal((4, 100))
    axes /= np.linalg.norm(axes, axis=0)
    gaps = np.sort(x @ axes, axis=0) - np.sort(y @ axes, axis=0)
    expected = np.mean(np.abs(gaps) ** power) ** (1 / power)
    distance = sliced_wasserstein_distance(x, y, power=power, directions=100, rng=7)
    assert distance == pytest.approx(expected, rel=1e-12)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"fake": np.ones((3, 2))}, "expected real's d = 1"),
        ({"power": 0}, "power"),
        ({"directions": 0}, "directions"),
    ],
)
def test_other_arguments_are_refused(arguments, message):
    with pytest.raises(ValueError, match=message):
        sliced_wasserstein_distance(**({"real": X, "fake": Y} | arguments))


def test_the_features_of_the_identity_are_the_entries_of_a_sample():
    extractor = IdentityExtractor()
    signals = RNG.normal(size=(5, 8, 2))
    np.testing.assert_array_equal(extractor(signals), signals.reshape(5, 16).astype(np.float32))
    assert extractor.dimension_of((8, 2)) == 16
    with pytest.raises(ValueError, match="int64"):
        extractor(np.ones((3, 2), int))
