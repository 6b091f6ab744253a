"""Matrix-free eigenvalues against whole matrices; Jacobians of GANs against finite differences."""

import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest
import tiny
from jax.flatten_util import ravel_pytree

from gan_jax import dynamics
from gan_jax.dynamics import eigenvalues
from gan_jax.game import Player, adversarial
from gan_jax.networks import dcgan
from gan_jax.networks.convolution import forward_mode
from gan_jax.objectives import losses, penalties, regularisers, unrolled
from gan_jax.training import TrainState, alternating, init_state, simultaneous

ADAM, SGD = optax.adam(0.05, b1=0.5, b2=0.9, eps_root=1e-3), optax.sgd(0.5)
OBJECTIVES = {
    "minimax": losses.minimax(),
    "wgan_gp": losses.wasserstein() + penalties.gradient_penalty(2.0),
    "lecam": losses.non_saturating() + regularisers.lecam(weight=0.3),
}


def game(name="minimax", steps=0, optimizer=SGD, rule=alternating):
    """A state of the tiny game, its objective, its train step and a batch."""
    networks = tiny.networks()
    objective = unrolled(adversarial(networks, OBJECTIVES[name]), steps, optimizer)
    state = init_state(networks, optimizer, optimizer, tiny.key(1), objective)
    return state, objective, rule(objective, optimizer, optimizer), tiny.batch()


def finite_differences(function, at, spacing=1e-5):
    flat, unravel = ravel_pytree(at)
    compiled = jax.jit(lambda x: ravel_pytree(function(unravel(x)))[0])
    columns = []
    for shift in np.eye(flat.size) * spacing:
        ahead, behind = np.asarray(compiled(flat + shift)), np.asarray(compiled(flat - shift))
        columns.append((ahead - behind) / (2 * spacing))
    return np.stack(columns, axis=1)


@pytest.mark.usefixtures("float64")
@pytest.mark.parametrize(
    ("name", "steps"),
    [
        ("minimax", 0),
        pytest.param("minimax", 1, marks=pytest.mark.slow),
        pytest.param("wgan_gp", 0, marks=pytest.mark.slow),
        pytest.param("lecam", 0, marks=pytest.mark.slow),
    ],
)
def test_the_jacobian_of_a_small_gan(name, steps, monkeypatch):
    """Against finite differences; products, and eigenvalues by Arnoldi, against the whole."""
    state, objective, _, batch = game(name, steps)
    field, at = dynamics.vector_field(objective, state, batch, tiny.key(3))
    whole = dynamics.jacobian(field, at)
    np.testing.assert_allclose(whole, finite_differences(field, at), atol=1e-7, rtol=1e-6)
    direction = tiny.direction(at)
    u = np.asarray(ravel_pytree(direction)[0])
    backward = jax.jit(dynamics.transposed_jacobian_product)(field, at, direction)
    np.testing.assert_allclose(ravel_pytree(backward)[0], whole.T @ u, atol=1e-10)

    monkeypatch.setattr(eigenvalues, "DENSE_SIZE", 0)
    exact = np.linalg.eigvals(whole)
    size = np.abs(exact).max()
    keys = {"LM": lambda values: -np.abs(values), "SR": np.real, "LR": lambda values: -values.real}
    for which, key in keys.items():
        found = dynamics.leading_eigenvalues(field, at, 5, which, krylov_size=20)
        assert len(found.eigenvalues) in (5, 6)
        for value in found.eigenvalues:
            assert np.abs(exact - value).min() < 1e-7 * size
            assert np.abs(found.eigenvalues - value.conj()).min() < 1e-7 * size
        np.testing.assert_allclose(
            np.sort(key(found.eigenvalues))[:5], np.sort(key(exact))[:5], atol=1e-7 * size
        )
        assert np.all(found.residuals < 1e-6)
        np.testing.assert_allclose(np.linalg.norm(found.vectors, axis=0), 1)


@pytest.mark.slow
@pytest.mark.usefixtures("float64")
def test_a_whole_step_of_adam_is_that_of_finite_differences():
    state, _, step, batch = game("minimax", optimizer=ADAM)
    batch = {"real": batch["real"][None]}
    # One step on: moments of zero leave nothing to see of their decay.
    state, _ = jax.jit(step)(state, batch, tiny.key(2))
    step, at = dynamics.step_map(step, state, batch, tiny.key(3), whole_state=True)
    assert len(at) == 3 * 10  # parameters and both moments
    whole = dynamics.jacobian(step, at)
    np.testing.assert_allclose(whole, finite_differences(step, at, 1e-6), atol=1e-6, rtol=1e-4)


def rotations(angles, sizes):
    """A matrix whose eigenvalues are ``size exp(+-i angle)``, in an oblique basis."""
    blocks = [
        s * np.array([[np.cos(a), -np.sin(a)], [np.sin(a), np.cos(a)]])
        for a, s in zip(angles, sizes)
    ]
    n = 2 * len(blocks)
    matrix = np.zeros((n, n))
    for i, block in enumerate(blocks):
        matrix[2 * i : 2 * i + 2, 2 * i : 2 * i + 2] = block
    basis = np.eye(n) + 0.3 * np.random.default_rng(0).normal(size=(n, n)) / np.sqrt(n)
    return basis @ matrix @ np.linalg.inv(basis)


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_conjugate_pairs_are_never_cut(dtype):
    with jax.enable_x64(dtype == np.float64):
        sizes = np.concatenate([[3.0, 2.0], np.full(48, 0.5)])
        matrix = jnp.asarray(rotations(np.linspace(0.3, 2.8, 50), sizes), dtype)
        linear = lambda at: {"x": matrix @ at["x"]}
        found = dynamics.leading_eigenvalues(linear, {"x": jnp.ones(100, dtype)}, 3)
    expected = np.array([3 * np.exp(0.3j), 2 * np.exp(1j * (0.3 + 2.5 / 49))])
    accuracy = 1e-8 if dtype == np.float64 else 1e-3
    np.testing.assert_allclose(
        found.eigenvalues, np.stack([expected, expected.conj()], 1).ravel(), atol=accuracy
    )
    assert np.all(found.residuals < accuracy)


def test_eigenvalues_near_zero_are_found_by_their_real_parts():
    """75 zeros, as of dead units: relative to themselves they would never converge."""
    diagonal = jnp.concatenate([jnp.zeros(75), jnp.linspace(1, 10, 24), jnp.array([-0.1])])
    scale = lambda at: diagonal * at
    stability = dynamics.flow_stability(scale, jnp.ones(100))
    assert stability.verdict == "unstable" and stability.value == pytest.approx(-0.1, abs=5e-3)
    flat = lambda at: jnp.maximum(diagonal, 0) * at
    flow = dynamics.flow_stability(flat, jnp.ones(100))
    assert flow.verdict == "marginal" and np.all(flow.spectrum.residuals < 1e-2)


@pytest.mark.slow
def test_simultaneous_steps_of_plain_gradients_are_one_less_the_field():
    sgd = optax.sgd(0.1)
    state, objective, step, batch = game("minimax", 0, sgd, simultaneous)
    rng = tiny.key(5)
    # The key of the field is the one that the step derives for its only batch.
    key = jax.random.split(jax.random.fold_in(rng, state.step), 1)[0]
    field, at = dynamics.vector_field(objective, state, batch, key)
    step, _ = dynamics.step_map(step, state, {"real": batch["real"][None]}, rng)
    expected = np.eye(42) - 0.1 * dynamics.jacobian(field, at)
    np.testing.assert_allclose(dynamics.jacobian(step, at), expected, atol=1e-6)


def test_a_part_without_a_forward_derivative_is_differentiated_backwards_twice():
    @jax.custom_vjp
    def cube(x):
        return x**3

    cube.defvjp(lambda x: (cube(x), x), lambda x, g: (3 * x**2 * g,))
    matrix = jnp.asarray(np.random.default_rng(0).normal(size=(3, 3)), jnp.float32)
    at, direction = jnp.array([0.5, -1.0, 2.0]), jnp.array([1.0, 2.0, -1.0])
    cubes = lambda x: cube(matrix @ x)
    found = dynamics.jacobian_product(cubes, at, direction, forward=False)
    expected = dynamics.jacobian_product(lambda x: (matrix @ x) ** 3, at, direction)
    np.testing.assert_allclose(found, expected, rtol=1e-5)
    np.testing.assert_allclose(dynamics.jacobian(cubes, at) @ direction, expected, rtol=1e-5)


@pytest.mark.slow
def test_a_convolutional_game_with_r1_and_a_look_ahead_has_the_whole_jacobians_eigenvalues():
    networks = dcgan(
        (8, 8, 1), latent_size=2, width=4, depth=1, norm="none", discriminator_norm="none"
    )
    terms = losses.non_saturating() + penalties.r1(1.0)
    objective = unrolled(adversarial(networks, terms), 1, SGD)
    state = init_state(networks, SGD, SGD, tiny.key(0))
    real = jnp.asarray(np.random.default_rng(0).normal(size=(4, 8, 8, 1)), jnp.float32)
    field, at = dynamics.vector_field(objective, state, {"real": real}, tiny.key(1))
    with pytest.raises(TypeError, match="custom_vjp"):  # so this is a case of its own
        jax.jit(dynamics.jacobian_product)(field, at, at)
    found = dynamics.leading_eigenvalues(field, at, 2)
    whole = dynamics.jacobian(field, at)
    direction = tiny.direction(at)
    with forward_mode():  # XLA's own convolutions
        expected = jax.jit(lambda u: dynamics.jacobian_product(field, at, u))(direction)
    expected = np.asarray(ravel_pytree(expected)[0])
    found_product = whole @ np.asarray(ravel_pytree(direction)[0])
    np.testing.assert_allclose(found_product, expected, atol=1e-4 * np.abs(expected).max())
    greatest = np.abs(np.linalg.eigvals(whole)).max()
    assert abs(np.abs(found.eigenvalues[0]) - greatest) < 1e-3 * greatest
    assert np.all(found.residuals < 1e-3)


def test_bad_input_is_refused():
    objective, batch = adversarial(tiny.networks(), losses.minimax()), tiny.batch()
    state = TrainState(jnp.zeros((), jnp.int32), Player({}), Player({}), {})
    with pytest.raises(TypeError, match="vector_field takes an Objective"):
        dynamics.vector_field(losses.minimax(), state, batch, tiny.key(0))
    with pytest.raises(TypeError, match="needs 'real'"):
        dynamics.vector_field(objective, state, {"image": batch["real"]}, tiny.key(0))
    identity = lambda at: at
    with pytest.raises(ValueError, match="count is 1 or more"):
        dynamics.leading_eigenvalues(identity, jnp.ones(3), 0)
    with pytest.raises(ValueError, match="unlike the point"):
        dynamics.leading_eigenvalues(jnp.sum, jnp.ones(3), 1)
    for size in (3, 100):
        with pytest.raises(ValueError, match="not finite"):
            dynamics.leading_eigenvalues(lambda x: jnp.sqrt(x), jnp.zeros(size), 1)
    matrix = jnp.asarray(np.random.default_rng(0).normal(size=(100, 100)), jnp.float32)
    with pytest.raises(RuntimeError, match="krylov_size=8: raise"):
        dynamics.leading_eigenvalues(
            lambda x: matrix @ x, jnp.ones(100), 5, krylov_size=8, restarts=1
        )
