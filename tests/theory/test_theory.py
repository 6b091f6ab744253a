"""Exact results to the digits that are known of them."""

import numpy as np
import pytest

from gan_jax import theory
from gan_jax.objectives.f_divergences import DIVERGENCES
from gan_jax.theory import Grid, gaussian, grid, mixture

WIDE = grid(-14, 18, panels=160)


def test_quadrature_is_exact_for_densities():
    on = WIDE
    for density in (gaussian(1.0, 0.7), mixture([-2, 3], [0.5, 1.0], [3, 1])):
        np.testing.assert_allclose(np.sum(on.weights * np.exp(density(on.points))), 1.0, rtol=1e-13)
    assert isinstance(on, Grid) and np.all(np.diff(on.points) > 0)
    np.testing.assert_allclose(np.sum(on.weights * on.points**5), (18**6 - 14**6) / 6, rtol=1e-12)


@pytest.mark.parametrize(
    "mean,js,value",
    [
        (0.5, 0.030311, -1.325672),
        (1, 0.111421, -1.163451),
        (2, 0.336831, -0.712633),
        (3, 0.526777, -0.332740),
        (4, 0.632720, -0.120854),
    ],
)
def test_value_at_the_optimal_discriminator(mean, js, value):
    """Goodfellow et al. (2014), theorem 1, for p = N(0, 1) and q = N(mean, 1)."""
    p, q = gaussian(), gaussian(mean)
    score = theory.optimal_score(p, q)
    assert abs(theory.js(p, q, WIDE) - js) < 6e-7
    found = theory.value_function(p, q, score, WIDE)
    assert abs(found - value) < 6e-7
    np.testing.assert_allclose(found, -np.log(4) + 2 * theory.js(p, q, WIDE), rtol=1e-12)
    x = np.linspace(-4, mean + 4, 9)
    np.testing.assert_allclose(score(x), -mean * x + mean**2 / 2, atol=1e-12)  # linear
    ratio = np.exp(p(x)) / (np.exp(p(x)) + np.exp(q(x)))
    np.testing.assert_allclose(theory.optimal_discriminator(p, q)(x), ratio, rtol=1e-12)
    for worse in (lambda x: score(x) + 0.1, lambda x: 0.9 * score(x)):
        assert theory.value_function(p, q, worse, WIDE) < found


def test_divergences_of_gaussians_in_closed_form():
    mean, std = 1.5, 0.8
    p, q = gaussian(), gaussian(mean, std)
    np.testing.assert_allclose(
        theory.kl(p, q, WIDE), np.log(std) + (1 + mean**2) / (2 * std**2) - 0.5, rtol=1e-10
    )
    np.testing.assert_allclose(
        theory.kl(q, p, WIDE), -np.log(std) + (std**2 + mean**2) / 2 - 0.5, rtol=1e-10
    )
    same = gaussian(mean)
    erf_half = 0.5467452952462635  # erf(1.5 / (2 sqrt 2))
    fine = grid(-10, 12, panels=2000)  # |p - q| has a kink
    np.testing.assert_allclose(theory.total_variation(p, same, fine), erf_half, rtol=1e-6)
    np.testing.assert_allclose(theory.wasserstein_1(p, same, fine), mean, rtol=1e-5)
    # Between concentric Gaussians W1 = |std - 1| E|z|.
    np.testing.assert_allclose(
        theory.wasserstein_1(p, gaussian(0, 2), grid(-20, 20, 2000)), np.sqrt(2 / np.pi), rtol=1e-5
    )
    assert theory.kl(p, p, WIDE) == 0 and theory.js(p, p, WIDE) < 1e-15


def test_f_divergences_agree_with_what_they_are():
    p, q, on = gaussian(), gaussian(0.5), WIDE
    shift = 0.25
    expected = {
        "kl": shift / 2,
        "reverse_kl": shift / 2,
        "pearson": np.expm1(shift),
        "neyman": np.expm1(shift),
        "squared_hellinger": 2 - 2 * np.exp(-shift / 8),
        "js": 2 * theory.js(p, q, on),
        "gan": 2 * theory.js(p, q, on),
        "total_variation": theory.total_variation(p, q, on),
    }
    assert expected.keys() == DIVERGENCES.keys()
    for name, value in expected.items():
        np.testing.assert_allclose(
            theory.f_divergence(name, p, q, on), value, rtol=1e-9, err_msg=name
        )


@pytest.mark.parametrize("name", DIVERGENCES)
def test_f_gan_is_tight_at_its_optimal_score(name):
    """The term's own functions reach the divergence at the optimal score, and stay below it elsewhere."""
    p, q, on = gaussian(), gaussian(0.5), grid(-9, 9)
    row, logit = DIVERGENCES[name], p(on.points) - q(on.points)
    real, fake = np.exp(p(on.points)), np.exp(q(on.points))

    def bound(score):
        return np.sum(
            on.weights
            * (real * np.asarray(row.on_real(score)) - fake * np.asarray(row.on_fake(score)))
        )

    exact = theory.f_divergence(name, p, q, on) - (2 * np.log(2) if name == "gan" else 0.0)
    best = row.optimal(logit)
    best = np.clip(best, -50, 50)  # total variation's is infinite
    assert abs(bound(best) - exact) < 2e-5
    assert bound(best + 0.3) < exact and bound(0.8 * np.clip(best, -3, 3)) < exact


@pytest.mark.parametrize(
    "weights,divergence,start,expected",
    [
        ((1, 1), "kl", (0, 2), (0, 2.062, 0.72355)),
        ((1, 1), "reverse_kl", (2.2, 0.6), (2.0, 0.5, 0.69305)),
        ((1, 1), "reverse_kl", (0, 2), (0, 1.736, 1.871)),
        ((1, 1), "js", (0, 2), (0, 2.042, 0.20096)),
        ((1, 1), "js", (-2, 0.6), (-2.0, None, 0.21573)),
        ((7, 3), "kl", (0, 2), (-0.8, 1.900, 0.72422)),
        ((7, 3), "reverse_kl", (-2, 0.6), (-2.0, 0.5, 0.35661)),
        ((7, 3), "js", (-2, 0.6), (-2.0, None, 0.11725)),
        ((7, 3), "js", (-0.5, 2), (None, None, 0.20105)),
    ],
)
def test_gaussian_fits_of_two_modes(weights, divergence, start, expected):
    """The tutorial's figure 14 in numbers: KL covers, reverse KL seeks, and the JS divergence does either."""
    p = mixture([-2, 2], [0.5, 0.5], weights)
    fit = theory.fit_gaussian(divergence, p, grid(-16, 16, 80), *start)
    for found, known, digits in zip(
        fit, expected, (5e-3, 6e-4, 6e-6 if expected[2] != 1.871 else 6e-4), strict=True
    ):
        assert known is None or abs(found - known) < digits, (fit, expected)


def test_js_switches_from_covering_to_seeking():
    """Modes at +-c sigma of equal weight: covering is the better fit below c = 4.246 and seeking above."""

    def covering_minus_seeking(c):
        p = mixture([-c, c], [1, 1], [1, 1])
        on = grid(-c - 14, c + 14, 60)
        return (
            theory.fit_gaussian("js", p, on, 0, c).value
            - theory.fit_gaussian("js", p, on, c, 1.1).value
        )

    assert covering_minus_seeking(4.241) < 0 < covering_minus_seeking(4.251)


def test_dirac_eigenvalues_are_those_of_the_field():
    for name, gamma, slope in [("minimax", 0.0, 0.5), ("minimax", 0.3, 0.5), ("minimax", 1.0, 0.5), ("minimax", 2.0, 0.5),
                               ("non_saturating", 0.3, 0.5), ("wasserstein", 0.0, 1.0)]:  # fmt: skip
        field, h = theory.dirac_field(name, gamma), 1e-6
        columns = [np.subtract(field(*e), field(*-e)) / (2 * h) for e in np.eye(2) * h]
        found = np.sort_complex(np.linalg.eigvals(np.stack(columns, 1)))
        expected = np.sort_complex(theory.dirac_eigenvalues(gamma, slope))
        # At the critical weight the two coincide, and a perturbation of size e moves them by sqrt(e).
        np.testing.assert_allclose(found, expected, atol=1e-5 if gamma == 1.0 else 1e-8)
    with pytest.raises(ValueError, match="knows no objective 'hinge'"):
        theory.dirac_field("hinge")(1.0, 1.0)


def test_instance_noise_of_the_dirac_gan():
    field, std = theory.dirac_field("instance_noise", 0.7), 0.7
    noise = np.random.default_rng(0).normal(size=(2, 400_000)) * std
    theta, psi = 0.8, 1.3
    sigmoid = lambda t: 1 / (1 + np.exp(-t))
    fake = theta + noise[0]
    drawn = (
        -psi * np.mean(sigmoid(-psi * fake)),
        np.mean(fake * sigmoid(-psi * fake) - noise[1] * sigmoid(psi * noise[1])),
    )
    np.testing.assert_allclose(field(theta, psi), drawn, atol=4e-3)
    np.testing.assert_allclose(
        theory.dirac_field("instance_noise", 0.0)(theta, psi),
        theory.dirac_field("minimax")(theta, psi),
    )
    h = 1e-5
    columns = [np.subtract(field(*e), field(*-e)) / (2 * h) for e in np.eye(2) * h]
    found = np.sort_complex(np.linalg.eigvals(np.stack(columns, 1)))
    np.testing.assert_allclose(
        found, np.sort_complex(theory.dirac_eigenvalues(std**2 / 2)), atol=1e-8
    )


@pytest.mark.parametrize("strength", [0.0, 10.0])
def test_map_gaussian_is_the_best_there_is(strength):
    x, prior = np.random.default_rng(1).normal(1.0, 2.0, 25), (-2.0, 0.5)
    found = theory.map_gaussian(x, *prior, strength)

    def posterior(mean, std):
        expected = -0.5 * (prior[1] ** 2 + (prior[0] - mean) ** 2) / std**2 - np.log(std)
        return np.sum(-0.5 * ((x - mean) / std) ** 2 - np.log(std)) + strength * expected

    best = posterior(found.mean, found.std)
    for step in (0.02, -0.02):
        assert (
            posterior(found.mean + step, found.std) < best
            and posterior(found.mean, found.std * (1 + step)) < best
        )
    if not strength:
        assert found[:2] == pytest.approx((x.mean(), x.std()))
        assert found.value == pytest.approx(np.log(x.std()) + 0.5 + 0.5 * np.log(2 * np.pi))
    else:
        assert prior[0] < found.mean < x.mean()
    with pytest.raises(ValueError, match="needs samples or a prior"):
        theory.map_gaussian(np.zeros(0))


def test_parallel_lines():
    assert theory.parallel_lines(0.0) == (0, 0, 0, 0, 0)
    far = theory.parallel_lines(-0.3)
    assert far.wasserstein == 0.3 and abs(far.js - 0.6931) < 5e-5
    assert far.kl == far.reverse_kl == np.inf and far.total_variation == 1


@pytest.mark.parametrize("distance", [0.1, 4.0])
def test_the_slope_of_the_best_critic_under_a_penalty(distance):
    """By gan_jax's own terms, for real data at 0 and generated data at ``distance``, at the slope and around it."""
    import jax
    import jax.numpy as jnp

    from gan_jax.game import Networks, Player, adversarial
    from gan_jax.objectives.losses import wasserstein
    from gan_jax.objectives.penalties import gradient_penalty

    networks = Networks(
        init=lambda rng: ((), jnp.zeros(())),
        latent=lambda rng, n: jnp.zeros((n, 1)),
        generate=lambda params, latents: latents + distance,
        score=lambda slope, samples: -slope * samples[:, 0],
    )
    game = adversarial(networks, {"wasserstein": wasserstein(), "penalty": gradient_penalty(10.0)})
    loss = lambda g: game.discriminator(
        g, Player(()), {"real": jnp.zeros((4, 1))}, jax.random.key(0)
    )[0]
    best = theory.penalised_slope(distance)
    assert loss(best) < min(loss(best + 0.01), loss(best - 0.01))
    assert abs(jax.grad(loss)(jnp.float32(best))) < 1e-4
