"""Train steps on games with known answers, the bilinear game and the Dirac-GAN; chunks of steps."""

import functools

import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest
import tiny

from gan_jax import theory
from gan_jax.game import Networks, Player, adversarial, update
from gan_jax.objectives.losses import minimax, non_saturating, wasserstein
from gan_jax.objectives.penalties import EPSILON, gradient_penalty, r1
from gan_jax.training import (
    alternating,
    consensus,
    extragradient,
    fused,
    init_state,
    simultaneous,
    symplectic,
)
from gan_jax.training.schedules import (
    discriminator_steps_at,
    discriminator_steps_before,
    ema_num_updates,
    ema_rampup,
)

H = 0.2
DIRAC = Networks(  # one number each; the score's sign is that of Mescheder et al. (2018)
    init=lambda rng: (jnp.ones(()), jnp.ones(())),
    latent=lambda rng, n: jnp.zeros((n, 1)),
    generate=lambda theta, latents: theta * jnp.ones_like(latents),
    score=lambda psi, samples: -psi * samples[:, 0],
)
GAMES = {
    "GAN": {"minimax": minimax()},
    "NSGAN": {"non_saturating": non_saturating()},
    "WGAN": {"wasserstein": wasserstein()},
    "WGAN-GP": {"wasserstein": wasserstein(), "gradient_penalty": gradient_penalty(0.35)},
    "R1 .3": {"minimax": minimax(), "r1": r1(0.3)},
    "R1 1": {"minimax": minimax(), "r1": r1(1.0)},
    "NSGAN+R1 .3": {"non_saturating": non_saturating(), "r1": r1(0.3)},
}
FIELDS = {
    "GAN": theory.dirac_field("minimax"),
    "NSGAN": theory.dirac_field("non_saturating"),
    "WGAN": theory.dirac_field("wasserstein"),
    "WGAN-GP": theory.dirac_field("gradient_penalty", 0.7),
    "R1 .3": theory.dirac_field("minimax", 0.3),
    "R1 1": theory.dirac_field("minimax", 1.0),
    "NSGAN+R1 .3": theory.dirac_field("non_saturating", 0.3),
    "consensus 1": theory.dirac_field("consensus", 1.0),
}


def reals(*shape):
    return {"real": jnp.zeros((*shape, 1, 1))}


@functools.cache
def field_of_losses(name):
    """The Dirac-GAN's field as our losses give it: minus the gradients of both."""
    game = adversarial(DIRAC, GAMES[name])

    @jax.jit
    def field(theta, psi):
        key = jax.random.key(0)
        down = jax.grad(lambda t: game.generator(t, Player(psi), reals(), key)[0])(theta)
        return -down, -jax.grad(lambda p: game.discriminator(p, Player(theta), reals(), key)[0])(
            psi
        )

    return lambda theta, psi: tuple(float(v) for v in field(theta, psi))


def trajectory(field, discriminator_steps, clip=np.inf, steps=500):
    """Gradient descent from (1, 1).

    Simultaneous if `discriminator_steps` is 0, else one step of theta, then that many of psi.
    """
    theta = psi = 1.0
    path = []
    for _ in range(steps):
        if discriminator_steps == 0:
            a, b = field(theta, psi)
            theta, psi = theta + H * a, float(np.clip(psi + H * b, -clip, clip))
        else:
            theta += H * field(theta, psi)[0]
            for _ in range(discriminator_steps):
                psi = float(np.clip(psi + H * field(theta, psi)[1], -clip, clip))
        path.append((theta, psi))
    return np.array(path)


# Least and greatest radii over the last 100 of 500 steps: simultaneous, 1, 5 discriminator steps.
TABLE = {
    "GAN": [(3.096, 3.097), (1.344, 1.422), (1.03, 2.42)],
    "NSGAN": [(0.626, 0.644), (0.274, 0.314), (0.126, 0.309)],
    "WGAN": [(1.00, 1.27), (0.95, 1.05), (0.43, 1.01)],
    "WGAN-GP": [(1.62, 1.97), (1.14, 1.44), (0.68, 1.50)],
    "R1 .3": [(2.6e-6, 3.6e-5), (2.3e-7, 5.2e-6), (0, 1e-20)],
    "R1 1": [(0, 3e-17), (0, 2e-13), (5.1e-12, 9.5e-10)],
    "NSGAN+R1 .3": [(2.2e-6, 2.7e-5), (1.5e-7, 3.3e-6), (0, 1e-20)],
    "consensus 1": [(2.6e-10, 2.4e-8), (1.7e-11, 2.8e-9), (10.28, 10.97)],
}


@pytest.mark.parametrize("name", TABLE)
def test_dirac_gan_table(float64, name):
    """Mescheder et al. (2018), figures 2 and 3, by the closed-form fields.

    The published code's consensus field lacks a factor 2 in one summand, and then 5 discriminator
    steps converge. With the gradient itself, as here, the last cell does not.
    """
    for discriminator_steps, (least, most) in zip((0, 1, 5), TABLE[name], strict=True):
        radius = np.hypot(
            *trajectory(FIELDS[name], discriminator_steps, 1.0 if name == "WGAN" else np.inf)[
                -100:
            ].T
        )
        extremes = [radius.min(), radius.max()]
        if least < 1e-20 or most < 1e-12:
            assert radius.max() <= 1.05 * most
        else:
            np.testing.assert_allclose(
                extremes,
                [least, most],
                rtol=2.5e-2,
                atol=0,
                err_msg=f"{discriminator_steps} discriminator_steps",
            )
            if most > 0.1:
                np.testing.assert_allclose(extremes, [least, most], atol=6e-3, rtol=0)


def test_dirac_gan_ends_where_it_should():
    np.testing.assert_allclose(trajectory(FIELDS["GAN"], 0)[-1], (-2.162, -2.218), atol=5e-4)
    np.testing.assert_allclose(trajectory(FIELDS["R1 .3"], 0)[-1], (1.11e-6, -2.40e-6), rtol=5e-3)
    np.testing.assert_allclose(trajectory(FIELDS["GAN"], 1)[-1], (0.6868, 1.244), atol=5e-4)


@pytest.mark.parametrize("name", GAMES)
def test_our_losses_give_the_closed_form_trajectories(float64, name):
    clip = 1.0 if name == "WGAN" else np.inf

    def smoothed(theta, psi):  # the penalty as we define it: slopes are sqrt(psi^2 + 1e-12)
        slope = np.sqrt(psi**2 + EPSILON)
        return -psi, theta - 0.7 * (slope - 1) * psi / slope

    for discriminator_steps in (0, 1, 5):
        ours, exact = (
            trajectory(field, discriminator_steps, clip, 150)
            for field in (field_of_losses(name), FIELDS[name])
        )
        if name == "WGAN-GP":
            np.testing.assert_allclose(ours, exact, atol=1e-5)
            exact = trajectory(smoothed, discriminator_steps, clip, 150)
        np.testing.assert_allclose(ours, exact, atol=1e-10)


EIGENVALUES = {
    "GAN": (0, 0.5),
    "NSGAN": (0, 0.5),
    "WGAN": (0, 1),
    "R1 .3": (0.3, 0.5),
    "R1 1": (1, 0.5),
}


@pytest.mark.parametrize("name", EIGENVALUES)
def test_our_losses_give_the_eigenvalues(float64, name):
    field, h = field_of_losses(name), 1e-6
    jacobian = np.stack([np.subtract(field(*e), field(*-e)) / (2 * h) for e in np.eye(2) * h], 1)
    numerical, exact = (
        np.sort_complex(v)
        for v in (np.linalg.eigvals(jacobian), theory.dirac_eigenvalues(*EIGENVALUES[name]))
    )
    np.testing.assert_allclose(
        numerical, exact, atol=1e-5 if name == "R1 1" else 1e-8
    )  # at the critical weight, a double root


def radii(make, terms, steps, optimizer=None, networks=DIRAC):
    optimizer = optimizer or optax.sgd(H)
    step = make(adversarial(networks, terms), optimizer, optimizer)
    state = init_state(networks, optimizer, optimizer, jax.random.key(0))

    def record(state, batch, rng):
        state, _ = step(state, batch, rng)
        return state, {"radius": jnp.hypot(state.generator.params, state.discriminator.params)}

    _, metrics = jax.jit(fused(record))(state, reals(steps, 1), jax.random.key(0))
    return np.asarray(metrics["radius"])


BILINEAR = {
    "simultaneous": (simultaneous, np.sqrt(1 + H**2)),
    "extragradient": (extragradient, np.sqrt((1 - H**2) ** 2 + H**2)),
    "consensus": (functools.partial(consensus, weight=2.0), np.sqrt((1 - 2 * H) ** 2 + H**2)),
    "symplectic": (functools.partial(symplectic, weight=2.0), np.sqrt((1 - 2 * H) ** 2 + H**2)),
}


@pytest.mark.parametrize("name", BILINEAR)
def test_bilinear_game_contracts_or_expands_as_it_must(float64, name):
    """Every step multiplies the radius of min max theta psi by the same factor."""
    make, factor = BILINEAR[name]
    radius = radii(make, GAMES["WGAN"], 40)
    np.testing.assert_allclose(radius, np.sqrt(2) * factor ** np.arange(1, 41), rtol=1e-12)


def test_bilinear_game_circles_when_alternating_and_converges_with_optimism(float64):
    radius = radii(alternating, GAMES["WGAN"], 1000)
    # psi' = psi + h theta, theta' = theta - h psi' conserves theta^2 + psi^2 + h theta psi.
    assert 1.2 < radius.min() < radius.max() < 1.6 and radius[-100:].max() > 0.99 * radius.max()
    optimistic = radii(simultaneous, GAMES["WGAN"], 1000, optax.optimistic_gradient_descent(H))
    assert optimistic[-1] < 1e-6 and optimistic[500] < 1e-2


def test_dirac_gan_converges_circles_or_diverges_as_it_must(float64):
    """Unregularised minimax: eigenvalues +-i/2."""
    plain = radii(simultaneous, GAMES["GAN"], 500)
    np.testing.assert_allclose(plain[-1], np.hypot(-2.162, -2.218), atol=1e-3)  # grows
    circling = radii(alternating, GAMES["GAN"], 500)
    assert 1.2 < circling[-100:].min() < circling[-100:].max() < 1.6
    consensual = radii(functools.partial(consensus, weight=1.0), GAMES["GAN"], 500)
    assert 2.5e-10 < consensual[-100:].min() < consensual[-100:].max() < 2.5e-8  # the table's cell
    converging = (
        radii(extragradient, GAMES["GAN"], 500),
        radii(symplectic, GAMES["GAN"], 500),
        radii(simultaneous, GAMES["GAN"], 500, optax.optimistic_gradient_descent(H)),
    )
    for radius in converging:
        assert radius[-1] < 0.3 and np.all(np.diff(radius[-300:]) < 0)


def test_consensus_and_symplectic_move_along_their_formulas(float64):
    """On networks: against the Jacobian of the whole field as a matrix."""
    nets, key, batch = tiny.networks(), tiny.key(4), tiny.batch(discriminator_steps=1)
    game, sgd = adversarial(nets, {"minimax": minimax()}), optax.sgd(1.0)
    state = init_state(nets, sgd, sgd, jax.random.key(1))
    flat, rebuild = jax.flatten_util.ravel_pytree(
        (state.generator.params, state.discriminator.params)
    )
    last = jax.tree.map(lambda leaf: leaf[0], batch)
    own = jax.random.split(jax.random.fold_in(key, 0), 1)[0]

    def field(x):
        g, d = rebuild(x)
        down = jax.grad(lambda g: game.generator(g, Player(d), last, own)[0])(g)
        return jax.flatten_util.ravel_pytree(
            (down, jax.grad(lambda d: game.discriminator(d, Player(g), last, own)[0])(d))
        )[0]

    v, jacobian = (
        np.asarray(value) for value in jax.jit(lambda x: (field(x), jax.jacfwd(field)(x)))(flat)
    )
    slope, adjustment = jacobian.T @ v, (jacobian.T - jacobian) @ v / 2
    sign = np.sign((v @ slope) * (adjustment @ slope) / len(v) + 0.1)
    for make, along in {
        consensus: v + 0.3 * slope,
        symplectic: v + 0.3 * sign * adjustment,
    }.items():
        after, metrics = jax.jit(make(game, sgd, sgd, weight=0.3))(state, batch, key)
        moved = jax.flatten_util.ravel_pytree((after.generator.params, after.discriminator.params))[
            0
        ]
        np.testing.assert_allclose(flat - moved, along, rtol=1e-9, atol=1e-12)
        size = sum(p.size for p in jax.tree.leaves(state.generator.params))
        np.testing.assert_allclose(
            metrics["generator/gradient_norm"], np.linalg.norm(v[:size]), rtol=1e-12
        )


def test_extragradient_takes_one_or_two_discriminator_steps():
    nets, sgd = tiny.networks(), optax.sgd(0.1)
    step = extragradient(adversarial(nets, {"minimax": minimax()}), sgd, sgd)
    state = init_state(nets, sgd, sgd, jax.random.key(0))
    jax.eval_shape(step, state, tiny.batch(discriminator_steps=2), jax.random.key(0))
    with pytest.raises(ValueError, match="1 or 2 discriminator steps, not 3"):
        jax.eval_shape(step, state, tiny.batch(discriminator_steps=3), jax.random.key(0))


def test_joint_updates_follow_the_discriminators_own():
    """The discriminator is updated alone on all batches but the last, by plain updates."""
    nets, sgd = tiny.networks(), optax.sgd(0.1)
    game = adversarial(nets, {"minimax": minimax()})
    state = init_state(nets, sgd, sgd, jax.random.key(0))
    batch, key = tiny.batch(discriminator_steps=2), tiny.key(5)
    after, metrics = jax.jit(simultaneous(game, sgd, sgd))(state, batch, key)
    keys = jax.random.split(jax.random.fold_in(key, 0), 2)
    on = [jax.tree.map(lambda leaf, k=k: leaf[k], batch) for k in range(2)]

    @jax.jit
    def by_hand(state):
        first, _, _ = update(
            game.discriminator, sgd, state.discriminator, state.generator, on[0], keys[0]
        )
        second, _, _ = update(game.discriminator, sgd, first, state.generator, on[1], keys[1])
        return second, update(game.generator, sgd, state.generator, first, on[1], keys[1])[0]

    second, generator = by_hand(state)
    tiny.assert_trees_close(after.discriminator.params, second.params, rtol=2e-6, atol=1e-7)
    tiny.assert_trees_close(after.generator.params, generator.params, rtol=2e-6, atol=1e-7)
    assert {
        "generator/loss",
        "discriminator/loss",
        "generator/gradient_norm",
        "discriminator/gradient_norm",
    } <= metrics.keys()


@pytest.mark.parametrize("discriminator_steps", [pytest.param(1, marks=pytest.mark.slow), 2])
def test_reuse_takes_the_samples_of_the_last_discriminator_step_twice(discriminator_steps):
    """The generator's update has the key, and so the latents, of the last discriminator step.

    They are generated once for both.
    """
    nets, sgd = tiny.networks(), optax.sgd(0.1)
    game = adversarial(nets, {"non_saturating": non_saturating()})
    state = init_state(nets, sgd, sgd, jax.random.key(0))
    batch, key = tiny.batch(size=64, discriminator_steps=discriminator_steps), tiny.key(5)
    step = jax.jit(alternating(game, sgd, sgd, reuse=True))
    after, metrics = step(state, batch, key)
    keys = jax.random.split(jax.random.split(jax.random.fold_in(key, 0))[0], discriminator_steps)
    discriminator, seen = state.discriminator, []
    for k in range(discriminator_steps):
        on = jax.tree.map(lambda leaf, k=k: leaf[k], batch)
        discriminator, step_metrics, _ = update(
            game.discriminator, sgd, discriminator, state.generator, on, keys[k]
        )
        seen.append(step_metrics)
    generator, _, _ = update(game.generator, sgd, state.generator, discriminator, on, keys[-1])
    tiny.assert_trees_close(after.discriminator.params, discriminator.params, rtol=2e-6, atol=1e-7)
    tiny.assert_trees_close(after.generator.params, generator.params, rtol=2e-6, atol=1e-7)
    for name in ("discriminator/loss", "scores/fake"):
        np.testing.assert_allclose(
            metrics[name], np.mean([step_metrics[name] for step_metrics in seen]), rtol=1e-5
        )

    def products(play):
        """Of matrices, in the compiled step: each pass of a network has two."""
        return jax.jit(play).lower(state, batch, key).compile().as_text().count(" dot(")

    if discriminator_steps == 1:  # what is in a loop is counted once
        assert (
            products(alternating(game, sgd, sgd))
            - products(alternating(game, sgd, sgd, reuse=True))
            == 2
        )


def test_fused_gives_the_same_bits_whatever_the_chunk():
    nets, adam = tiny.networks(), optax.adam(1e-2)
    game = adversarial(nets, {"minimax": minimax()})
    steps, key = jax.jit(fused(alternating(game, adam, adam, ema_decay=0.9))), tiny.key(2)
    batches = jax.tree.map(
        lambda *leaves: jnp.stack(leaves),
        *[tiny.batch(discriminator_steps=2, seed=s) for s in range(4)],
    )

    def played(chunk):
        state, metrics = init_state(nets, adam, adam, jax.random.key(0)), []
        for start in range(0, 4, chunk):
            state, seen = steps(
                state, jax.tree.map(lambda leaf, s=start: leaf[s : s + chunk], batches), key
            )
            metrics.append(seen)
        return state, jax.tree.map(lambda *leaves: np.concatenate(leaves), *metrics)

    whole = played(4)
    tiny.assert_trees_equal(played(3), whole)  # three and a rest of one
    assert whole[0].step == 4 and whole[1]["generator/loss"].shape == (4,)


def test_metrics_of_any_shape_and_type_are_those_of_each_step():
    def step(state, batch, rng):
        x = batch["real"][0, 0, 0]
        metrics = {
            "b": x,
            "a": 2 * x,
            "count": jnp.int32(x),
            "vector": jnp.stack([x, -x]),
            "half": x.astype(jnp.bfloat16),
        }
        return state, metrics

    values = jnp.arange(5.0)
    _, metrics = fused(step)(None, {"real": values.reshape(5, 1, 1, 1)}, jax.random.key(0))
    assert set(metrics) == {"a", "b", "count", "vector", "half"}
    np.testing.assert_array_equal(metrics["a"], 2 * values)
    np.testing.assert_array_equal(metrics["b"], values)
    np.testing.assert_array_equal(metrics["count"], np.arange(5))
    np.testing.assert_array_equal(metrics["vector"], np.stack([values, -values], 1))
    assert metrics["count"].dtype == jnp.int32 and metrics["half"].dtype == jnp.bfloat16


def test_prepare_acts_within_the_scan():
    noted = lambda state, batch, rng: (state, {"mean": jnp.mean(batch["real"])})
    halved = lambda batch: batch | {"real": batch["real"] / 2}
    _, metrics = fused(noted, halved)(None, {"real": jnp.ones((3, 1, 5, 2))}, jax.random.key(0))
    np.testing.assert_array_equal(metrics["mean"], [0.5] * 3)


def test_moving_average_and_its_warm_ups():
    nets, sgd = tiny.networks(), optax.sgd(0.1)
    game, key = adversarial(nets, {"minimax": minimax()}), tiny.key(0)
    warm_ups = [(ema_num_updates(0.15), [0.1, 0.15, 0.15]), (ema_rampup(0.6, 1.0), [0.0, 0.5, 0.6])]
    for ema_decay, decays in [(0.0, [0.0]), (0.8, [0.8] * 2), *warm_ups]:
        step = jax.jit(alternating(game, sgd, sgd, ema_decay))
        state = init_state(nets, sgd, sgd, key)
        expected = state.generator_ema
        for decay in decays:
            state, _ = step(state, tiny.batch(discriminator_steps=1), key)
            expected = jax.tree.map(
                lambda a, p, d=decay: d * a + (1 - d) * p, expected, state.generator.params
            )
            tiny.assert_trees_close(state.generator_ema, expected, rtol=1e-5, atol=1e-6)


def test_bursts_of_discriminator_steps():
    counts = [discriminator_steps_at(step) for step in range(1200)]
    assert (
        counts[:27] == [100] * 25 + [5, 5]
        and counts[499:502] == [5, 100, 5]
        and counts[1000] == 100
    )
    total = np.concatenate([[0], np.cumsum(counts)])
    assert [discriminator_steps_before(step) for step in range(1201)] == total.tolist()
    odd = {"discriminator_steps": 2, "burst": 7, "first": 3, "every": 4}
    total = np.concatenate(
        [[0], np.cumsum([discriminator_steps_at(step, **odd) for step in range(50)])]
    )
    assert [discriminator_steps_before(step, **odd) for step in range(51)] == total.tolist()
