"""Each diagnosis on a case that has the illness and on ones that only look alike."""

import numpy as np
import pytest

from gan_jax import diagnosis

DRAWS = np.random.default_rng(0)
STEPS = np.arange(400)


def test_mode_collapse():
    assert diagnosis.mode_collapse([1000, 0, 0, 0, 0, 0, 0, 0]).finding
    assert diagnosis.mode_collapse([0] * 8).finding  # no sample is near any mode
    fine = diagnosis.mode_collapse([120, 80, 100, 140, 60, 90, 110, 100])
    assert not fine.finding and fine.value == 1
    assert (
        diagnosis.mode_collapse([100, 100, 100, 5, 0, 0, 0, 0]).value == 3 / 8
    )  # 5 is less than a fifth of the fair share


def test_low_diversity():
    data = DRAWS.normal(size=(200, 4, 4, 1))
    close = diagnosis.low_diversity(0.1 * DRAWS.normal(size=(150, 4, 4, 1)) + 3, data)
    assert close.finding and abs(close.value - 0.1) < 0.01
    assert not diagnosis.low_diversity(DRAWS.normal(size=(150, 4, 4, 1)), data).finding
    assert diagnosis.low_diversity(np.ones((5, 2)), np.zeros((5, 2))).value == 0
    with pytest.raises(ValueError, match="two samples or more"):
        diagnosis.low_diversity(data[:1], data)


def test_vanishing_gradient():
    dying, steady = np.exp(-STEPS / 40.0), np.full(400, 0.5)
    apart, even = np.linspace(0, 10, 400), np.zeros(400)
    assert diagnosis.vanishing_gradient(dying, apart, -apart).finding
    assert not diagnosis.vanishing_gradient(dying, even, even).finding  # at rest
    assert not diagnosis.vanishing_gradient(steady, apart, -apart).finding
    assert not diagnosis.vanishing_gradient([1.0], [0.0], [0.0]).finding


def test_rotation():
    turning = 90 * np.eye(8)[np.arange(10) % 8] + 2
    assert diagnosis.rotation(turning).value == 1 and diagnosis.rotation(turning).finding
    assert not diagnosis.rotation(
        np.tile(turning[:1], (10, 1))
    ).finding  # stuck on one mode: collapse, not rotation
    assert not diagnosis.rotation(
        DRAWS.poisson(100, (10, 8))
    ).finding  # a new leader by chance each time
    with pytest.raises(ValueError, match="counts"):
        diagnosis.rotation([1, 2, 3])


def test_oscillation():
    wave = np.sin(2 * np.pi * STEPS / 37)
    assert diagnosis.oscillation(wave + 0.2 * DRAWS.normal(size=400) + 0.01 * STEPS).finding
    assert not diagnosis.oscillation(DRAWS.normal(size=400)).finding
    assert not diagnosis.oscillation(np.exp(-STEPS / 50.0)).finding  # converges
    assert not diagnosis.oscillation(0.3 * STEPS + 2).finding
    assert diagnosis.oscillation(np.full(400, 0.1)).value == 0
    with pytest.raises(ValueError, match="32 or more"):
        diagnosis.oscillation(np.ones(8))


def test_oscillation_finds_the_unregularised_dirac_gan():
    """The discrete alternating game circles; with R1 it does not."""
    from gan_jax.theory import dirac_field

    def path(weight):
        theta, psi, values = 1.0, 1.0, []
        for _ in range(400):
            theta += 0.2 * dirac_field("minimax", weight)(theta, psi)[0]
            psi += 0.2 * dirac_field("minimax", weight)(theta, psi)[1]
            values.append(psi)
        return values

    assert diagnosis.oscillation(path(0.0)).finding
    assert not diagnosis.oscillation(path(1.0)).finding


def test_discriminator_overfitting():
    train, fake = DRAWS.normal(3, 1, 500), DRAWS.normal(-3, 1, 500)
    by_heart = diagnosis.discriminator_overfitting(train, DRAWS.normal(-2, 1, 500), fake)
    assert by_heart.finding and abs(by_heart.value - 5 / 6) < 0.05
    assert not diagnosis.discriminator_overfitting(train, DRAWS.normal(2.8, 1, 500), fake).finding
    assert diagnosis.discriminator_overfitting(fake, fake, fake).value == 0


def test_divergence():
    assert diagnosis.divergence([0.1, 0.2, np.nan, 0.1]).finding
    assert diagnosis.divergence(np.exp(STEPS / 20.0)).finding
    assert not diagnosis.divergence(DRAWS.normal(size=400)).finding
    assert not diagnosis.divergence(np.exp(-STEPS / 20.0)).finding
    with pytest.raises(ValueError, match="found none"):
        diagnosis.divergence([])


def test_a_finding_says_what_to_change():
    found = diagnosis.mode_collapse([10, 0, 0, 0])
    assert (
        found.finding
        and found.value == 0.25
        and found.threshold == 0.5
        and "unroll" in found.advice
    )
    assert "\n" not in found.advice
    with pytest.raises(ValueError, match="not finite"):
        diagnosis.mode_collapse([1.0, np.nan])
