"""Divergences of histograms and gridded densities against SciPy and closed forms."""

import numpy as np
import pytest
import scipy.stats
from scipy.spatial.distance import jensenshannon

from gan_jax.metrics import (
    js_divergence,
    kl_divergence,
)

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
def test_divergences_equal_those_of_scipy(p, q):
    flat = np.ravel(p), np.ravel(q)
    assert kl_divergence(p, q) == pytest.approx(scipy.stats.entropy(*flat), rel=1e-12)
    assert js_divergence(p, q) == pytest.approx(jensenshannon(*flat) ** 2, rel=1e-12)


def test_divergences_of_equal_and_of_disjoint_distributions_are_at_their_bounds():
    p = rng.random(100)
    assert kl_divergence(p, 3 * p) == pytest.approx(0, abs=1e-15)
    assert js_divergence(p, 3 * p) == pytest.approx(0, abs=1e-15)
    assert kl_divergence([1, 1], [1, 0]) == np.inf
    assert js_divergence([1, 0], [0, 1]) == pytest.approx(np.log(2), rel=1e-15)
    assert 0 <= kl_divergence(p, p * (1 + 1e-9 * rng.random(100))) < 1e-17


def test_the_divergence_of_densities_on_an_uneven_grid_has_its_closed_form():
    edges = np.linspace(-3, 3, 20_001) ** 3
    x, widths = (edges[1:] + edges[:-1]) / 2, np.diff(edges)
    p, q = scipy.stats.norm.pdf(x, 1, 1), scipy.stats.norm.pdf(x, -1, 2)
    expected = np.log(2) + (1 + 4) / 8 - 0.5  # KL of N(1, 1) from N(-1, 4)
    assert kl_divergence(p, q, widths) == pytest.approx(expected, rel=1e-6)
