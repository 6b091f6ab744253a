"""`unrolled` against an unroll written out by hand, in float64."""

import re

import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest
import tiny

from gan_jax.game import Player, adversarial, update
from gan_jax.networks.spectral import spectral_iteration
from gan_jax.objectives.differentiability import check_differentiable
from gan_jax.objectives.losses import minimax, non_saturating, wasserstein
from gan_jax.objectives.penalties import gradient_penalty
from gan_jax.objectives.unrolling import unrolled
from gan_jax.platforms import LONGEST_WRITTEN_OUT, programs_for
from gan_jax.training import alternating, init_state
from gan_jax.training.optimizers import average_over, clip_weights

RATE, B1, B2, EPS, EPS_ROOT, BOUND = 0.1, 0.5, 0.9, 1e-8, 1e-10, 0.5
TERMS = {
    "minimax": {"minimax": minimax()},
    "wgan_gp": {"wasserstein": wasserstein(), "gradient_penalty": gradient_penalty(2.0)},
    "clipped_wgan": {"wasserstein": wasserstein()},
}


def optimizer_of(name, objective):
    first = optax.sgd(RATE) if name == "sgd" else optax.adam(RATE, B1, B2, EPS, EPS_ROOT)
    return optax.chain(first, clip_weights(BOUND)) if objective == "clipped_wgan" else first


def by_hand(objective, optimizer, steps, resample, generator, discriminator, moments, real, rng):
    """The generator's loss after `steps` updates of the discriminator, written out.

    Nothing of the library is called; `moments` are Adam's (m, v, count) of the live discriminator.
    """
    nets = tiny.networks()
    indices = range(len(real))

    def fake(key):
        keys = [jax.random.fold_in(jax.random.fold_in(key, 0), index) for index in indices]
        return nets.generate(
            generator, jnp.stack([jax.random.normal(k, (tiny.LATENT,)) for k in keys])
        )

    def loss(d, x, key):
        r, f = nets.score(d, real), nets.score(d, x)
        if objective == "minimax":
            return -jnp.mean(jnp.log(1 / (1 + jnp.exp(-r)))) - jnp.mean(
                jnp.log(1 - 1 / (1 + jnp.exp(-f)))
            )
        value = jnp.mean(f) - jnp.mean(r)
        if objective == "clipped_wgan":
            return value
        term_key = jax.random.fold_in(key, 2)  # the second term's
        shares = jnp.stack(
            [
                jax.random.uniform(jax.random.fold_in(term_key, index), dtype=jnp.float64)
                for index in indices
            ]
        )[:, None]
        points = shares * real + (1 - shares) * x
        # The network is small: its gradient by hand is W_in (w_out * (1 - h^2)).
        h = jnp.tanh(points @ d["in"]["w"] + d["in"]["b"][None])
        gradient = (d["score"]["w"][:, 0][None] * (1 - h * h)) @ d["in"]["w"].T
        return value + 2.0 * jnp.mean((jnp.sqrt(jnp.sum(gradient**2, 1) + 1e-12) - 1) ** 2)

    fakes = fake(rng)
    d, (m, v, count) = discriminator, moments
    for k in range(1, steps + 1):
        key = jax.random.fold_in(rng, k) if resample else rng
        x = fake(key) if resample else fakes
        g = jax.grad(loss)(d, x, key)
        if optimizer == "sgd":
            d = jax.tree.map(lambda p, g: p - RATE * g, d, g)
        else:
            count = count + 1
            m = jax.tree.map(lambda m, g: B1 * m + (1 - B1) * g, m, g)
            v = jax.tree.map(lambda v, g: B2 * v + (1 - B2) * g * g, v, g)
            d = jax.tree.map(
                lambda p, m, v, n=count: p
                - RATE * (m / (1 - B1**n)) / (jnp.sqrt(v / (1 - B2**n) + EPS_ROOT) + EPS),
                d, m, v,
            )  # fmt: skip
        if objective == "clipped_wgan":
            d = jax.tree.map(lambda p: jnp.clip(p, -BOUND, BOUND), d)
    if objective == "minimax":
        return -loss(d, fakes, rng)
    return -jnp.mean(nets.score(d, fakes))


def played(objective, optimizer):
    """A discriminator that has moved twice, so that Adam's moments and count are live."""
    nets, terms = tiny.networks(), TERMS[objective]
    game, stages = adversarial(nets, terms), optimizer_of(optimizer, objective)
    generator, discriminator = nets.init(jax.random.key(1))
    if objective == "clipped_wgan":
        discriminator = jax.tree.map(lambda p: jnp.clip(p, -BOUND, BOUND), discriminator)
    player = Player(discriminator, stages.init(discriminator))
    for seed in range(2):
        player, _, _ = update(
            game.discriminator,
            stages,
            player,
            Player(generator),
            tiny.batch(seed=seed),
            jax.random.key(seed),
        )
    return game, stages, generator, player


def moments_of(player):
    adam_states = [
        s
        for s in jax.tree.leaves(player.opt_state, is_leaf=lambda s: hasattr(s, "mu"))
        if hasattr(s, "mu")
    ]
    if not adam_states:
        return None, None, None
    return adam_states[0].mu, adam_states[0].nu, adam_states[0].count


@pytest.mark.parametrize("optimizer", ["sgd", "adam"])
@pytest.mark.parametrize("objective", TERMS)
@pytest.mark.parametrize("resample", [False, pytest.param(True, marks=pytest.mark.slow)])
def test_equals_an_unroll_by_hand(float64, objective, optimizer, resample):
    game, stages, generator, player = played(objective, optimizer)
    batch, rng, steps = tiny.batch(seed=7), jax.random.key(7), 3
    ahead = unrolled(game, steps, stages, resample=resample).generator
    value, gradient = jax.jit(jax.value_and_grad(lambda g: ahead(g, player, batch, rng)[0]))(
        generator
    )
    expected = jax.value_and_grad(
        lambda g: by_hand(
            objective,
            optimizer,
            steps,
            resample,
            g,
            player.params,
            moments_of(player),
            batch["real"],
            rng,
        )
    )(generator)
    np.testing.assert_allclose(value, expected[0], rtol=1e-10)
    tiny.assert_trees_close(gradient, expected[1], rtol=1e-10, atol=1e-13)


def test_rematerialise_gives_equal_numbers(float64):
    game, stages, generator, player = played("wgan_gp", "adam")
    batch, rng = tiny.batch(seed=7), jax.random.key(7)

    def value(flag):
        loss = unrolled(game, 4, stages, rematerialise=flag).generator
        return jax.jit(jax.value_and_grad(lambda g: loss(g, player, batch, rng)[0]))(generator)

    tiny.assert_trees_close(value(False), value(True), rtol=1e-12, atol=1e-14)


def test_a_short_look_ahead_is_written_out_on_gpus_with_the_same_numbers(float64):
    game, stages, generator, player = played("wgan_gp", "adam")
    batch, rng = tiny.batch(seed=7), jax.random.key(7)

    def loss(steps, rematerialise=False):
        ahead = unrolled(game, steps, stages, rematerialise=rematerialise).generator
        return lambda g: ahead(g, player, batch, rng)[0]

    def written_out(function):
        text = str(jax.make_jaxpr(function)(generator))
        return [int(n) for n in re.findall(r"unroll=(\d+)", text)]

    expected = jax.jit(jax.value_and_grad(loss(3)))(generator)
    assert written_out(loss(3)) == [1]
    with programs_for("gpu"):
        found = jax.jit(jax.value_and_grad(loss(3)))(generator)
        assert written_out(loss(3)) == [3]
        assert written_out(loss(LONGEST_WRITTEN_OUT + 1)) == [1]
        assert written_out(loss(3, rematerialise=True)) == [1]
    tiny.assert_trees_close(found, expected, rtol=1e-12, atol=1e-14)


def test_stop_gradient_looks_ahead_without_learning_through_it(float64):
    game, stages, generator, player = played("minimax", "adam")
    batch, rng = tiny.batch(seed=7), jax.random.key(7)
    seen = game.generate_fakes(generator, batch, rng)
    ahead = player
    for _ in range(3):
        ahead, _, _ = update(game.discriminator, stages, ahead, Player(generator), seen, rng)
    expected = jax.grad(lambda g: game.generator(g, ahead, batch, rng)[0])(generator)
    stopped = jax.grad(
        lambda g: unrolled(game, 3, stages, stop_gradient=True).generator(g, player, batch, rng)[0]
    )(generator)
    full = jax.grad(lambda g: unrolled(game, 3, stages).generator(g, player, batch, rng)[0])(
        generator
    )
    tiny.assert_trees_close(stopped, expected, rtol=1e-10, atol=1e-14)
    assert float(jnp.abs(full["out"]["b"] - stopped["out"]["b"]).max()) > 1e-3


def test_every_look_ahead_step_sees_the_same_minibatch(float64):
    game, stages, generator, player = played("minimax", "sgd")
    batch, rng = tiny.batch(seed=7), jax.random.key(7)
    keys = []

    def noting(params, opponent, seen, key):
        jax.debug.callback(lambda fake: keys.append(np.asarray(fake)), seen["fake"])
        return game.discriminator(params, opponent, seen, key)

    unrolled(game._replace(discriminator=noting), 3, stages).generator(
        generator, player, batch, rng
    )[0].block_until_ready()
    jax.effects_barrier()
    assert len(keys) == 3
    assert all(np.array_equal(fake, keys[0]) for fake in keys)
    np.testing.assert_allclose(
        keys[0], game.generate_fakes(generator, batch, rng)["fake"], rtol=1e-15
    )


def test_no_steps_is_the_objective_itself():
    game = adversarial(tiny.networks(), {"non_saturating": non_saturating()})
    assert unrolled(game, 0, optax.sgd(0.1)) is game
    with pytest.raises(ValueError, match="steps >= 0 updates ahead, not -1"):
        unrolled(game, -1, optax.sgd(0.1))


@pytest.mark.slow
def test_the_discriminator_is_unchanged_by_the_look_ahead():
    """It ends, bit for bit, where the plain step leaves it, its optimizer's state included."""
    nets, adam, sgd = tiny.networks(), optax.adam(1e-2, eps_root=1e-14), optax.sgd(0.1)
    game = adversarial(nets, {"minimax": minimax()})
    state = init_state(nets, sgd, adam, jax.random.key(0))
    batch = tiny.batch(discriminator_steps=2)
    after = [
        jax.jit(alternating(o, sgd, adam))(state, batch, tiny.key(3))[0]
        for o in (game, unrolled(game, 3, adam))
    ]
    tiny.assert_trees_equal(after[0].discriminator, after[1].discriminator)
    assert (
        float(
            jnp.abs(
                after[0].generator.params["out"]["b"] - after[1].generator.params["out"]["b"]
            ).max()
        )
        > 0
    )


def test_memory_is_flat_in_the_steps_when_rematerialised():
    """The backward pass keeps one discriminator per step, not the activations of its update."""
    nets, sgd = tiny.networks(), optax.sgd(0.1)
    game = adversarial(nets, {"minimax": minimax()})
    generator, discriminator = nets.init(jax.random.key(1))
    batch = game.generate_fakes(generator, tiny.batch(size=4096), jax.random.key(0))

    def kept(flag):
        loss = unrolled(game, 40, sgd, rematerialise=flag).generator
        player = Player(discriminator, sgd.init(discriminator))
        grad = jax.jit(jax.grad(lambda g, batch: loss(g, player, batch, tiny.key(0))[0]))
        return grad.lower(generator, batch).compile().memory_analysis().temp_size_in_bytes

    assert kept(True) < 0.2 * kept(False)


# --------------------------------------------------------------------- optimizers that are refused

ADAM = optax.adam(1e-3, eps_root=1e-14)
ADAM_WITHOUT_ROOT = optax.adam(1e-3)
INFINITE, ZERO = "derivative is infinite at a gradient of zero", "not differentiable"
REFUSED = {
    "adam": (ADAM_WITHOUT_ROOT, INFINITE),
    "adamw": (optax.adamw(1e-3), INFINITE),
    "amsgrad": (optax.amsgrad(1e-3), INFINITE),
    "rmsprop with eps outside of the root": (optax.rmsprop(1e-3, eps_in_sqrt=False), INFINITE),
    "adam and clip_weights": (optax.chain(ADAM_WITHOUT_ROOT, clip_weights(0.01)), INFINITE),
    "lion": (optax.lion(1e-3), ZERO),
    "sign_sgd": (optax.sign_sgd(1e-3), ZERO),
    "rprop": (optax.rprop(1e-3), ZERO),
}
ACCEPTED = {
    "adam": ADAM,
    "adamw": optax.adamw(1e-3, eps_root=1e-14),
    "rmsprop": optax.rmsprop(1e-3),
    "sgd": optax.sgd(0.1),
    "momentum": optax.sgd(0.1, momentum=0.9, nesterov=True),
    "adam and clip_weights": optax.chain(ADAM, clip_weights(0.01)),
    "steps beyond the bound of clip_weights": optax.chain(optax.sgd(1.0), clip_weights(0.01)),
    "a gradient clipped by its norm": optax.chain(optax.clip_by_global_norm(1.0), ADAM),
    "a rate that starts at 0": optax.adam(optax.linear_schedule(0.0, 1e-3, 10), eps_root=1e-14),
    "a centred gradient": optax.chain(optax.centralize(), optax.sgd(0.1)),
    "hyperparameters in the state": optax.inject_hyperparams(optax.adam)(1e-3),
}


def unrolled_step(optimizer, nets=None, **settings):
    """A step that looks ahead through ``optimizer``, and what it is called with."""
    nets = nets or tiny.networks()
    game = unrolled(adversarial(nets, minimax()), 2, optimizer, **settings)
    state = init_state(nets, optax.sgd(0.1), optimizer, tiny.key(0))
    return alternating(game, optax.sgd(0.1), optimizer), state


def trace(step, state):
    return jax.make_jaxpr(step)(state, tiny.batch(discriminator_steps=1), tiny.key(0))


@pytest.mark.parametrize("name", REFUSED)
def test_optimizers_that_cannot_be_differentiated_are_refused(name):
    optimizer, message = REFUSED[name]
    with pytest.raises(ValueError, match=message):
        trace(*unrolled_step(optimizer))


@pytest.mark.parametrize("name", ACCEPTED)
def test_optimizers_that_can_be_differentiated_are_not_refused(name):
    trace(*unrolled_step(ACCEPTED[name]))


def test_a_look_ahead_without_a_gradient_takes_any_optimizer():
    trace(*unrolled_step(optax.lion(1e-3), stop_gradient=True))


def test_optimizers_of_structured_parameters_are_tried_too():
    """The vectors of spectral normalisation."""
    kernels = {"dense": {"kernel": jnp.ones((6, 5))}}
    spectral = {"params": kernels, "spectral": {"dense": {"u": jnp.ones(5)}}}
    check_differentiable(optax.chain(ADAM, spectral_iteration()), spectral)
    with pytest.raises(ValueError, match=INFINITE):
        check_differentiable(optax.chain(ADAM_WITHOUT_ROOT, spectral_iteration()), spectral)


def test_traced_hyperparameters_are_not_judged():
    """A population's: that of eps_root may be anything."""

    def loss(rate, eps_root):
        step, state = unrolled_step(optax.adam(rate, eps_root=eps_root))
        batch = tiny.batch(discriminator_steps=1)
        return step(state, batch, tiny.key(0))[1]["generator/loss"]

    assert jax.eval_shape(jax.vmap(loss), jnp.ones(3), jnp.zeros(3)).shape == (3,)
    assert jax.eval_shape(loss, jnp.ones(()), jnp.zeros(())).shape == ()


def test_a_mapped_axis_does_not_disturb_the_trial():
    step, state = unrolled_step(optax.chain(average_over("devices"), ADAM))
    batch = tiny.batch(discriminator_steps=1)
    mapped = jax.vmap(step, (None, 0, None), axis_name="devices")
    jax.eval_shape(mapped, state, jax.tree.map(lambda leaf: leaf[None], batch), tiny.key(0))


def test_the_trial_of_the_optimizer_adds_nothing_to_the_program(monkeypatch):
    optimizer = optax.chain(ADAM, clip_weights(0.01))
    tried = str(trace(*unrolled_step(optimizer)))
    monkeypatch.setattr("gan_jax.objectives.unrolling.check_differentiable", lambda *_: None)
    assert str(trace(*unrolled_step(optimizer))) == tried
