"""The optimal discriminator and the value of the game."""

import numpy as np
import pytest

from gan_jax import theory
from gan_jax.theory import gaussian, grid

WIDE = grid(-14, 18, panels=160)


@pytest.mark.parametrize(
    "mean, js, value",
    [
        (0.5, 0.030311, -1.325672),
        (1, 0.111421, -1.163451),
        (2, 0.336831, -0.712633),
        (3, 0.526777, -0.332740),
        (4, 0.632720, -0.120854),
    ],
)
def test_the_value_at_the_optimal_discriminator_is_that_of_the_theorem(mean, js, value):
    """Goodfellow et al. (2014), theorem 1, for p = N(0, 1) and q = N(mean, 1)."""
    p, q = gaussian(), gaussian(mean)
    score = theory.optimal_score(p, q)
    assert abs(theory.js(p, q, WIDE) - js) < 6e-7
    best_value = theory.value_function(p, q, score, WIDE)
    assert abs(best_value - value) < 6e-7
    np.testing.assert_allclose(best_value, -np.log(4) + 2 * theory.js(p, q, WIDE), rtol=1e-12)
    x = np.linspace(-4, mean + 4, 9)
    np.testing.assert_allclose(score(x), -mean * x + mean**2 / 2, atol=1e-12)  # linear
    probability = np.exp(p(x)) / (np.exp(p(x)) + np.exp(q(x)))
    np.testing.assert_allclose(theory.optimal_discriminator(p, q)(x), probability, rtol=1e-12)
    for worse in (lambda x: score(x) + 0.1, lambda x: 0.9 * score(x)):
        assert theory.value_function(p, q, worse, WIDE) < best_value
