"""Each rule on a run that has the problem, and on runs that only look as if they had it."""

import numpy as np
import pytest

from gan_jax import diagnosis
from gan_jax.theory import dirac_field

RNG = np.random.default_rng(0)
STEPS = np.arange(400)


def test_mode_collapse_is_a_lack_of_covered_modes():
    assert diagnosis.mode_collapse([1000, 0, 0, 0, 0, 0, 0, 0]).detected
    assert diagnosis.mode_collapse([0] * 8).detected  # no sample is near any mode
    even = diagnosis.mode_collapse([120, 80, 100, 140, 60, 90, 110, 100])
    assert not even.detected and even.value == 1


def test_a_mode_with_less_than_a_fifth_of_its_fair_share_is_not_covered():
    assert diagnosis.mode_collapse([100, 100, 100, 5, 0, 0, 0, 0]).value == 3 / 8


def test_low_diversity_compares_distances_between_samples_with_those_between_data():
    data = RNG.normal(size=(200, 4, 4, 1))
    close = diagnosis.low_diversity(0.1 * RNG.normal(size=(150, 4, 4, 1)) + 3, data)
    assert close.detected and abs(close.value - 0.1) < 0.01
    assert not diagnosis.low_diversity(RNG.normal(size=(150, 4, 4, 1)), data).detected
    assert diagnosis.low_diversity(np.ones((5, 2)), np.zeros((5, 2))).value == 0
    with pytest.raises(ValueError, match="two samples or more"):
        diagnosis.low_diversity(data[:1], data)


def test_a_gradient_vanishes_only_if_the_discriminator_is_certain():
    dying, steady = np.exp(-STEPS / 40.0), np.full(400, 0.5)
    apart, even = np.linspace(0, 10, 400), np.zeros(400)
    assert diagnosis.vanishing_gradient(dying, apart, -apart).detected
    assert not diagnosis.vanishing_gradient(dying, even, even).detected  # at rest
    assert not diagnosis.vanishing_gradient(steady, apart, -apart).detected
    assert not diagnosis.vanishing_gradient([1.0], [0.0], [0.0]).detected


def test_rotation_is_a_change_of_majorities():
    turning = 90 * np.eye(8)[np.arange(10) % 8] + 2
    assert diagnosis.rotation(turning).value == 1 and diagnosis.rotation(turning).detected
    stuck = np.tile(turning[:1], (10, 1))  # collapse, not rotation
    assert not diagnosis.rotation(stuck).detected
    chance = RNG.poisson(100, (10, 8))  # a new leader by chance each time
    assert not diagnosis.rotation(chance).detected
    with pytest.raises(ValueError, match="counts"):
        diagnosis.rotation([1, 2, 3])


def test_oscillation_is_a_period_that_holds_most_of_the_variance():
    wave = np.sin(2 * np.pi * STEPS / 37)
    noisy_wave = wave + 0.2 * RNG.normal(size=400) + 0.01 * STEPS
    assert diagnosis.oscillation(noisy_wave).detected
    assert not diagnosis.oscillation(RNG.normal(size=400)).detected
    assert not diagnosis.oscillation(np.exp(-STEPS / 50.0)).detected  # converges
    assert not diagnosis.oscillation(0.3 * STEPS + 2).detected
    assert diagnosis.oscillation(np.full(400, 0.1)).value == 0
    with pytest.raises(ValueError, match="32 or more"):
        diagnosis.oscillation(np.ones(8))


def test_the_dirac_gan_oscillates_without_regularisation_and_not_with_r1():
    def path(weight):
        field = dirac_field("minimax", weight)
        theta, psi, values = 1.0, 1.0, []
        for _ in range(400):
            theta += 0.2 * field(theta, psi)[0]
            psi += 0.2 * field(theta, psi)[1]
            values.append(psi)
        return values

    assert diagnosis.oscillation(path(0.0)).detected
    assert not diagnosis.oscillation(path(1.0)).detected


def test_a_discriminator_overfits_if_new_real_samples_score_like_generated_ones():
    train, fake = RNG.normal(3, 1, 500), RNG.normal(-3, 1, 500)
    by_heart = diagnosis.discriminator_overfitting(train, RNG.normal(-2, 1, 500), fake)
    assert by_heart.detected and abs(by_heart.value - 5 / 6) < 0.05
    assert not diagnosis.discriminator_overfitting(train, RNG.normal(2.8, 1, 500), fake).detected
    assert diagnosis.discriminator_overfitting(fake, fake, fake).value == 0


def test_divergence_is_growth_or_a_value_that_is_not_finite():
    assert diagnosis.divergence([0.1, 0.2, np.nan, 0.1]).detected
    assert diagnosis.divergence(np.exp(STEPS / 20.0)).detected
    assert not diagnosis.divergence(RNG.normal(size=400)).detected
    assert not diagnosis.divergence(np.exp(-STEPS / 20.0)).detected
    with pytest.raises(ValueError, match="found none"):
        diagnosis.divergence([])


def test_a_diagnosis_says_in_one_line_what_to_change():
    collapse = diagnosis.mode_collapse([10, 0, 0, 0])
    assert collapse.detected and collapse.value == 0.25 and collapse.threshold == 0.5
    assert "unroll" in collapse.advice and "\n" not in collapse.advice


def test_values_that_are_not_finite_are_refused():
    with pytest.raises(ValueError, match="not finite"):
        diagnosis.mode_collapse([1.0, np.nan])
