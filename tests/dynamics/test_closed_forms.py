"""Eigenvalues, stability, best responses and paths of games that are solved on paper."""

import functools

import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest

from gan_jax import dynamics, theory, training
from gan_jax.game import Networks, Player, adversarial
from gan_jax.objectives import losses, penalties, saddle, unrolled
from gan_jax.objectives.penalties import EPSILON

pytestmark = pytest.mark.usefixtures("float64")

H = 0.2
SGD = optax.sgd(H)
DIRAC = Networks(  # generated samples at theta, plus noise if the batch has some
    init=lambda rng: (jnp.zeros(()), jnp.zeros(())),
    latent=lambda rng, n: jnp.zeros((n, 1)),
    generate=lambda theta, latents, noise=0.0: theta * jnp.ones_like(latents) + noise,
    score=lambda psi, samples, noise=0.0: -psi * samples[:, 0],
)
KEY = jax.random.PRNGKey(0)
TERMS = {
    "GAN": (losses.minimax(), 0.0, 0.5),
    "NSGAN": (losses.non_saturating(), 0.0, 0.5),
    "WGAN": (losses.wasserstein(), 0.0, 1.0),
    "GAN + R1, 0.3": (losses.minimax() + penalties.r1(0.3), 0.3, 0.5),
    "GAN + R1, 1 (critical)": (losses.minimax() + penalties.r1(1.0), 1.0, 0.5),
    "GAN + R1, 2 (overdamped)": (losses.minimax() + penalties.r1(2.0), 2.0, 0.5),
    "NSGAN + R1, 0.3": (losses.non_saturating() + penalties.r1(0.3), 0.3, 0.5),
    "GAN + R2, 0.3": (losses.minimax() + penalties.r2(0.3), 0.3, 0.5),
    "WGAN + R1, 0.5": (losses.wasserstein() + penalties.r1(0.5), 0.5, 1.0),
}
"""Terms, the weight gamma of R1 or R2, and f'(0)."""


def state_at(theta=0.0, psi=0.0, optimizer=SGD):
    state = training.init_state(DIRAC, optimizer, optimizer, KEY)
    theta, psi = jnp.asarray(theta), jnp.asarray(psi)
    return state._replace(
        generator=Player(theta, optimizer.init(theta)),
        discriminator=Player(psi, optimizer.init(psi)),
    )


def assert_same_eigenvalues(spectrum, expected, atol=1e-10):
    for found, exact in zip(
        np.sort_complex(np.round(spectrum.eigenvalues, 12)),
        np.sort_complex(np.round(np.asarray(expected, complex), 12)),
        strict=True,
    ):
        assert abs(found - exact) < atol
    assert np.all(spectrum.residuals < 1e-7)


@pytest.mark.parametrize("name", TERMS)
def test_eigenvalues_of_the_dirac_gan(name):
    terms, gamma, slope = TERMS[name]
    batch = {"real": jnp.zeros((4, 1))}
    field, at = dynamics.vector_field(adversarial(DIRAC, terms), state_at(), batch, KEY)
    # The paper's field is that of descent. A double eigenvalue is exact to sqrt(rounding) only.
    expected = -np.array(theory.dirac_eigenvalues(gamma, slope))
    critical = "critical" in name
    spectrum = dynamics.leading_eigenvalues(field, at, 2)
    assert_same_eigenvalues(spectrum, expected, 1e-7 if critical else 1e-10)
    flow = dynamics.flow_stability(field, at, tolerance=1e-6)
    assert flow.verdict == ("stable" if gamma else "marginal")
    assert flow.value == pytest.approx(expected.real.min(), abs=1e-7)
    bound = dynamics.greatest_stable_step_size(expected)
    assert bound == pytest.approx(min(2 * expected.real / np.abs(expected) ** 2) if gamma else 0)


def test_instance_noise_is_r1_of_half_its_variance():
    """The Jacobian at the equilibrium depends on the noise's second moment alone: two points."""
    std = 0.7
    noise = std * jnp.array([[-1.0], [1.0], [-1.0], [1.0]])
    field, at = dynamics.vector_field(
        adversarial(DIRAC, losses.minimax()), state_at(), {"real": noise, "noise": noise}, KEY
    )
    expected = -np.array(theory.dirac_eigenvalues(std**2 / 2, 0.5))
    assert_same_eigenvalues(dynamics.leading_eigenvalues(field, at, 2), expected)


@pytest.mark.parametrize("point", [(0.6, 0.9), (-0.4, 1.3)])
def test_the_jacobian_away_from_the_equilibrium_is_that_of_the_known_field(point):
    """WGAN-GP, whose penalty has a kink at the equilibrium, and the others."""
    cases = {
        ("minimax", 0.3): losses.minimax() + penalties.r1(0.3),
        ("non_saturating", 0.0): losses.non_saturating(),
        ("gradient_penalty", 0.7): losses.wasserstein() + penalties.gradient_penalty(0.35),
    }
    for (objective, weight), terms in cases.items():
        field, at = dynamics.vector_field(
            adversarial(DIRAC, terms), state_at(*point), {"real": jnp.zeros((4, 1))}, KEY
        )
        known = theory.games.jacobian(theory.dirac_field(objective, weight), point)
        smoothing = EPSILON if objective == "gradient_penalty" else 0
        np.testing.assert_allclose(dynamics.jacobian(field, at), -known, atol=1e-8 + 10 * smoothing)


@pytest.mark.parametrize("steps", [1, 5])
def test_unrolling_damps_the_generator_as_r1_damps_the_discriminator(steps):
    """Near the equilibrium ``psi_K = psi + K h a theta``: gamma = 2 K h a^2, a = f'(0) = 1/2."""
    optimizer = optax.sgd(H)
    objective = unrolled(adversarial(DIRAC, losses.minimax()), steps, optimizer)
    field, at = dynamics.vector_field(objective, state_at(), {"real": jnp.zeros((4, 1))}, KEY)
    expected = -np.array(theory.dirac_eigenvalues(2 * steps * H * 0.5**2, 0.5))
    assert_same_eigenvalues(dynamics.leading_eigenvalues(field, at, 2), expected)
    np.testing.assert_allclose(
        dynamics.jacobian(field, at), [[2 * steps * H / 4, 0.5], [-0.5, 0]], atol=1e-12
    )


def roots_of_optimistic(h):
    """Of ``mu^2 - (1 - 2 h lambda) mu - h lambda``, lambda = +-i."""
    return np.concatenate([np.roots([1, -(1 - 2 * h * s), -h * s]) for s in (1j, -1j)])


def roots_of_momentum(h, decay):
    """Of ``mu^2 - (1 + decay - h lambda) mu + decay``, lambda = +-i."""
    return np.concatenate([np.roots([1, -(1 + decay - h * s), decay]) for s in (1j, -1j)])


def conjugates(value):
    return [value, np.conj(value)]


RULES = {
    "simultaneous": (training.simultaneous, SGD, conjugates(1 + H * 1j)),
    "alternating": (
        training.alternating,
        SGD,
        conjugates(1 - H**2 / 2 + 1j * H * np.sqrt(1 - H**2 / 4)),
    ),
    "extragradient": (training.extragradient, SGD, conjugates(1 - H**2 + H * 1j)),
    "consensus, 2": (
        functools.partial(training.consensus, weight=2.0),
        SGD,
        conjugates(1 - 2 * H + H * 1j),
    ),
    "symplectic, 2": (
        functools.partial(training.symplectic, weight=2.0),
        SGD,
        conjugates(1 - 2 * H + H * 1j),
    ),
    "optimistic": (
        training.simultaneous,
        optax.optimistic_gradient_descent(H),
        roots_of_optimistic(H),
    ),
    "momentum 0.5": (
        training.simultaneous,
        optax.sgd(H, momentum=0.5),
        roots_of_momentum(H, 0.5),
    ),
    "momentum -0.5": (
        training.simultaneous,
        optax.sgd(H, momentum=-0.5),
        roots_of_momentum(H, -0.5),
    ),
}
"""Update rule, optimizer, and the eigenvalues of one step of the bilinear game ``theta psi``."""


@pytest.mark.parametrize("name", RULES)
def test_one_step_of_the_bilinear_game(name):
    make_step, optimizer, expected = RULES[name]
    step = make_step(adversarial(DIRAC, losses.wasserstein()), optimizer, optimizer)
    batch = {"real": jnp.zeros((1, 4, 1))}
    # One step on: the first of optimistic gradients is a special one.
    state, _ = step(state_at(0.0, 0.0, optimizer), batch, KEY)
    stateful = name.startswith(("optimistic", "momentum"))
    step, at = dynamics.step_map(step, state, batch, KEY, whole_state=stateful)
    found = dynamics.leading_eigenvalues(step, at, len(expected))
    assert_same_eigenvalues(found, expected)
    radius = np.abs(expected).max()
    stability = dynamics.step_stability(step, at, tolerance=1e-9)
    assert stability.value == pytest.approx(radius, abs=1e-12)
    expected_verdict = {
        "simultaneous": "unstable",
        "alternating": "marginal",
        "momentum 0.5": "unstable",
        "momentum -0.5": "unstable",  # simultaneous: only alternating updates profit from it
    }
    assert stability.verdict == expected_verdict.get(name, "stable")


def test_the_disc_of_a_step_size_decides_as_the_step_does():
    """WGAN + R1, 0.5: the greatest stable step size is 2 Re / |lambda|^2 = 0.5."""
    objective = adversarial(DIRAC, TERMS["WGAN + R1, 0.5"][0])
    field, at = dynamics.vector_field(objective, state_at(), {"real": jnp.zeros((4, 1))}, KEY)
    eigenvalues = dynamics.leading_eigenvalues(field, at, 2).eigenvalues
    assert dynamics.greatest_stable_step_size(eigenvalues) == pytest.approx(0.5)
    for size, verdict in {0.49: "stable", 0.5: "marginal", 0.51: "unstable"}.items():
        sgd = optax.sgd(size)
        step = training.simultaneous(objective, sgd, sgd)
        step, at = dynamics.step_map(step, state_at(), {"real": jnp.zeros((1, 4, 1))}, KEY)
        assert dynamics.step_stability(step, at).verdict == verdict
        boundary = dynamics.stability_disc(size)
        np.testing.assert_allclose(np.abs(1 - size * boundary), 1)
        assert boundary[0] == pytest.approx(0) and boundary[180] == pytest.approx(2 / size)


def test_best_responses_in_games_that_are_linear_or_quadratic():
    """WGAN: K h theta^2, K h psi^2; with R1 the discriminator's best response is theta / gamma."""
    theta, psi, gamma, steps = 0.8, -0.5, 2.0, 200
    batches, held_out = {"real": jnp.zeros((steps, 4, 1))}, {"real": jnp.zeros((4, 1))}
    sgd = optax.sgd(H)
    objective = adversarial(DIRAC, losses.wasserstein())
    gaps = dynamics.best_response_gaps(
        objective, sgd, sgd, state_at(theta, psi), batches, held_out, KEY
    )
    assert gaps.generator == pytest.approx(steps * H * psi**2)
    assert gaps.discriminator == pytest.approx(steps * H * theta**2)
    assert gaps.total == pytest.approx(steps * H * (theta**2 + psi**2))

    regularised = saddle(adversarial(DIRAC, losses.wasserstein() + penalties.r1(gamma)))
    gaps = dynamics.best_response_gaps(
        regularised, sgd, sgd, state_at(theta, psi), batches, held_out, KEY
    )
    best = theta / gamma
    loss = lambda psi: -theta * psi + gamma / 2 * psi**2
    assert gaps.discriminator == pytest.approx(loss(psi) - loss(best))

    at_equilibrium = dynamics.best_response_gaps(
        regularised, sgd, sgd, state_at(0.0, 0.0), batches, held_out, KEY
    )
    assert at_equilibrium.total == pytest.approx(0, abs=1e-12)


def test_path_statistics_of_a_linear_field():
    """``v = A x``, A = [[a, b], [-b, a]]: the cosine is a / sqrt(a^2 + b^2), beyond 0 minus it."""
    a, b = 0.3, 0.4
    start = (jnp.array([2.0]), {"psi": jnp.array(-1.0)})
    end = jax.tree.map(jnp.zeros_like, start)

    def field(at):
        theta, psi = at[0], at[1]["psi"]
        return a * theta + b * psi, {"psi": (-b * theta + a * psi)[0]}

    position = np.array([-0.5, 0.0, 0.9, 1.1])
    found = dynamics.path_statistics(field, start, end, position)
    np.testing.assert_array_equal(found.position, position)
    np.testing.assert_allclose(found.angle, np.array([1, 1, 1, -1]) * 0.6)
    np.testing.assert_allclose(found.norm, np.abs(1 - position) * np.sqrt(5) * 0.5)
    assert len(dynamics.path_statistics(field, start, end).position) == 121


def test_another_state_is_not_compiled_again_and_the_same_one_gives_the_same_bits():
    traced = []

    def score(psi, samples):
        traced.append(psi)
        return -psi * samples[:, 0]

    networks = DIRAC._replace(score=score)
    objective, batch = adversarial(networks, losses.minimax()), {"real": jnp.zeros((4, 1))}
    found, traces = [], []
    for theta in (0.3, 0.7, 0.3):
        field, at = dynamics.vector_field(objective, state_at(theta), batch, KEY)
        before = len(traced)
        found.append(dynamics.leading_eigenvalues(field, at, 2).eigenvalues)
        traces.append(len(traced) - before)
    before = len(traced)
    jax.eval_shape(*dynamics.vector_field(objective, state_at(0.9), batch, KEY))
    # What is left are the checks of what the map returns, which compile nothing.
    assert traces[0] > traces[1] == traces[2] <= 2 * (len(traced) - before)
    np.testing.assert_array_equal(found[0], found[2])
    assert not np.array_equal(found[0], found[1])
