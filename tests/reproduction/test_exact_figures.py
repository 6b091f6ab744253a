"""Numbers of dirac_gan and vanishing_gradient that have a closed form, by other means."""

import numpy as np
import pytest
from figure_modules import load

from gan_jax import theory


def test_the_published_consensus_field_halves_one_summand():
    """Central differences of |v|^2 / 2 agree with our field, and not with the published one."""
    figure, consensus = load("dirac_gan"), theory.dirac_field("consensus", 1.0)
    plain = theory.dirac_field("minimax")

    def energy(theta, psi):
        return 0.5 * sum(np.square(plain(theta, psi)))

    theta, psi, h = 0.7, -1.3, 1e-5
    by_theta = energy(theta + h, psi) - energy(theta - h, psi)
    by_psi = energy(theta, psi + h) - energy(theta, psi - h)
    expected = np.array(plain(theta, psi)) - np.array([by_theta, by_psi]) / (2 * h)
    np.testing.assert_allclose(consensus(theta, psi), expected, atol=1e-9)
    assert np.abs(np.array(figure.published_consensus(theta, psi)) - expected).max() > 0.01


def test_the_gradient_left_by_the_optimal_discriminator_agrees_with_a_million_draws():
    figure = load("vanishing_gradient")
    z = np.random.default_rng(0).normal(size=1_000_000)
    answers = 1 / (1 + np.exp(4.0 * (2 + z)))  # s = 1: D*(x) = sigmoid(-4 x)
    expected = 4.0 * np.hypot(np.mean(answers), np.mean(answers * z))
    assert figure.optimal_norm(1.0) == pytest.approx(expected, rel=0.02)


def test_the_plug_in_js_of_two_samples_is_judged_by_its_leading_term():
    figure = load("divergences_and_estimators")
    terms = [figure.miller(n) for n in figure.SIZES]
    assert figure.js_of_histograms(np.array([1.0, 0]), np.array([0, 1.0])) == np.log(2)

    def verdict_of(factor):
        plug_in = {
            "same": [factor * term for term in terms],
            "different": [1 + terms[-1]] * len(terms),
            "truth": 1.0,
        }
        first, _, last = figure._plug_in_claims(plug_in)
        assert last.verdict(shortened=False) == "pass"
        return first.verdict(shortened=False)

    assert verdict_of(1.04) == "pass" and verdict_of(1.06) == "miss" and verdict_of(0.5) == "miss"


def test_the_estimators_formulas_are_those_of_their_samples_and_of_no_others():
    figure = load("divergences_and_estimators")
    rows = figure.estimators(0.5, 10, 20_000)
    assert all(gap < 5 for row in rows for gap in row["gaps"])
    weight = 10 / 14
    exact = ((weight - 1) / 2, weight**2 / 10, (weight - 1) ** 2 / 4 + weight**2 / 10)
    np.testing.assert_allclose(rows[1]["exact"], exact)
    np.testing.assert_allclose(rows[1]["measured"], exact, rtol=0.05)


def test_an_equilibrium_that_is_not_reached_is_a_miss():
    figure = load("gan_in_one_dimension")
    values = [-1.0, -0.4, -0.8, -np.log(4)]
    row = {"value": values, "mean": [0, 0, 0.5, 1], "distance": [0.01] * 4, "from_half": [0.05] * 4}
    claims = figure.claims({"rows": [row]})
    assert [claim.verdict(shortened=False) for claim in claims] == ["pass"] * 5
    saturated = row | {"value": [-1.0, -1.2, -0.8, 0.0], "mean": [0, 0, -0.5, 1]}
    missed = saturated | {"distance": [0.5] * 4, "from_half": [0.5] * 4}
    claims = figure.claims({"rows": [row, missed]})
    assert [claim.verdict(shortened=False) for claim in claims] == ["miss"] * 5
