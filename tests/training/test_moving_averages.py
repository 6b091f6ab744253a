"""Moving averages against sums of their weights, closed forms and numerical integrals."""

import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest
import tiny

from gan_jax.errors import UserError
from gan_jax.game import adversarial
from gan_jax.objectives.losses import minimax
from gan_jax.training import alternating, init_state
from gan_jax.training.moving_averages import (
    combination,
    combine,
    ema,
    ema_half_life,
    power_ema,
    power_exponent,
)
from gan_jax.training.schedules import cosine


def averaged(decay, values):
    """The averages after each of the values, by the recursion, in float64."""
    average, averages = 17.0, []
    for step, value in enumerate(values):
        b = float(decay(jnp.int32(step)))
        average = b * average + (1 - b) * value
        averages.append(average)
    return np.array(averages)


@pytest.mark.parametrize("std", [0.05, 0.1, 0.25])
def test_weights_of_a_power_average_are_its_profile(float64, std):
    """The closed form in the docstring, by NumPy; the start, 17, has no weight."""
    draws = np.random.default_rng(0).normal(size=300)
    steps = np.arange(1, 301, dtype=float)
    power = power_exponent(std) + 1
    weights = (steps / 300) ** power - ((steps - 1) / 300) ** power
    np.testing.assert_allclose(weights.sum(), 1, rtol=1e-12)
    # Decays are float32.
    np.testing.assert_allclose(averaged(power_ema(std), draws)[-1], weights @ draws, atol=1e-5)


@pytest.mark.parametrize("std", [0.02, 0.05, 0.1, 0.2, 0.28])
def test_the_relative_width_is_that_of_the_profile(std):
    """The standard deviation of the density ``(gamma + 1) t^gamma`` on [0, 1], integrated."""
    gamma = power_exponent(std)
    t = (np.arange(200_000) + 0.5) / 200_000
    density = (gamma + 1) * t**gamma / len(t)
    mean = density @ t
    np.testing.assert_allclose(np.sqrt(density @ (t - mean) ** 2), std, rtol=1e-5)


def test_published_exponents():
    """Karras et al. (2024), section 3.1: widths of 0.05 and 0.1 are exponents of 16.97 and 6.94."""
    exponents = [power_exponent(std) for std in (0.05, 0.1)]
    np.testing.assert_allclose(exponents, [16.97, 6.94], atol=0.005)


@pytest.mark.parametrize("std", [0.06, 0.075, 0.12, 0.15, 0.2])
def test_an_average_that_was_never_kept_is_made_of_snapshots(std):
    """Of 40 snapshots of two widths, as in the paper; of a random walk, in NumPy's float64."""
    total, every = 2_000, 50
    path = np.cumsum(np.random.default_rng(1).normal(size=(total, 3)), 0)

    def exact(std, step):
        steps, power = np.arange(1, step + 1, dtype=float), power_exponent(std) + 1
        return ((steps / step) ** power - ((steps - 1) / step) ** power) @ path[:step]

    saved = [(step, width) for step in range(every, total + 1, every) for width in (0.05, 0.1)]
    weights, error = combination([w for _, w in saved], [step for step, _ in saved], std)
    made = combine([{"a": exact(width, step)} for step, width in saved], weights)
    assert error < 0.01
    np.testing.assert_allclose(weights.sum(), 1, atol=1e-3)
    np.testing.assert_allclose(made["a"], exact(std, total), atol=0.02 * np.abs(path).max())


def test_weights_of_a_combination_are_least_squares_of_profiles():
    """Against ``numpy.linalg.lstsq`` on profiles that are sampled finely."""
    stds, steps, std, step = [0.05, 0.1, 0.1, 0.2], [60, 60, 100, 80], 0.12, 90
    t = (np.arange(100_000) + 0.5) / 1_000

    def profile(std, step):
        gamma = power_exponent(std)
        return np.where(t < step, (gamma + 1) / step * (np.minimum(t, step) / step) ** gamma, 0)

    profiles = np.stack([profile(*pair) for pair in zip(stds, steps, strict=True)], 1)
    wanted = profile(std, step)
    expected = np.linalg.lstsq(profiles, wanted, rcond=None)[0]
    weights, error = combination(stds, steps, std, step)
    np.testing.assert_allclose(weights, expected, atol=1e-3)
    distance = np.linalg.norm(profiles @ expected - wanted) / np.linalg.norm(wanted)
    np.testing.assert_allclose(error, distance, rtol=1e-3)


def test_a_snapshot_of_the_width_asked_for_is_taken_as_it_is():
    weights, error = combination([0.05, 0.1], [10, 10], 0.1)
    np.testing.assert_allclose(weights, [0, 1], atol=1e-9)
    assert error < 1e-6


def test_half_lives():
    """After so many steps the weight of the old parameters is one half; 0 keeps the newest."""
    np.testing.assert_allclose(float(ema_half_life(7.0)(0)) ** 7, 0.5, rtol=1e-5)
    growing = ema_half_life(cosine(0.0, 100.0, steps=10))
    assert growing(0) == 0.0
    np.testing.assert_allclose(growing(5), 0.5 ** (1 / 50), rtol=1e-6)
    np.testing.assert_allclose(growing(20), 0.5 ** (1 / 100), rtol=1e-6)


def test_cosine_is_half_a_period():
    steps = np.array([0, 3, 10, 40])
    expected = 2 + (0.5 - 2) * (1 - np.cos(np.pi * np.minimum(steps / 10, 1))) / 2
    np.testing.assert_allclose(cosine(2.0, 0.5, 10)(steps), expected, rtol=1e-6)
    with pytest.raises(ValueError, match="positive number of steps"):
        cosine(1.0, 0.0, 0)


def test_several_averages_at_once_are_those_of_runs_with_one():
    nets, sgd = tiny.networks(), optax.sgd(0.1)
    game, key = adversarial(nets, {"minimax": minimax()}), tiny.key(0)
    decays = (0.5, power_ema(0.1), ema(0.9))

    def trained(ema_decay, emas):
        step = jax.jit(alternating(game, sgd, sgd, ema_decay))
        state = init_state(nets, sgd, sgd, key, emas=emas)
        for _ in range(4):
            state, _ = step(state, tiny.batch(discriminator_steps=1), key)
        return state.generator_ema, *state.other_emas

    together = trained(decays, 3)
    for average, decay in zip(together, decays, strict=True):
        tiny.assert_trees_close(average, trained(decay, 1)[0], rtol=1e-6, atol=1e-7)
    with pytest.raises(ValueError, match=r"2 decays for 1 moving averages.*emas=2"):
        trained(decays[:2], 1)


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: power_ema(0.3), "std between 0 and 0.2887, not 0.3"),
        (lambda: power_ema(0.0), "std between 0 and"),
        (lambda: ema(1.0), r"decay in \[0, 1\), not 1.0"),
    ],
)
def test_impossible_averages_are_refused(call, message):
    with pytest.raises(UserError, match=message):
        call()


def test_impossible_combinations_are_refused():
    with pytest.raises(ValueError, match="a step for each width: 2 and 1"):
        combination([0.05, 0.1], [1], 0.1)
    with pytest.raises(ValueError, match="steps from 1 on"):
        combination([0.05], [0], 0.1)
