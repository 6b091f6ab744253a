"""Terms that act at some steps alone, and weights that are functions of the step."""

import functools

import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest
import tiny

from gan_jax.errors import UserError
from gan_jax.game import Context, Player, Term, Terms, adversarial
from gan_jax.objectives import losses, penalties, regularisers
from gan_jax.objectives.timing import after, every, until
from gan_jax.training import alternating, fused, init_state
from gan_jax.training.optimizers import lazy_adam

KEY, SGD = jax.random.key(3), optax.sgd(0.1)


def program(terms):
    """The discriminator's loss, gradient and metrics, as a compiled function of the step."""
    nets = tiny.networks()
    generator, discriminator = nets.init(jax.random.key(0))
    game = adversarial(nets, terms)

    def run(step):
        def loss(params):
            context = Context(KEY, step)
            return game.discriminator(params, Player(generator), tiny.batch(), context)

        (value, (metrics, _)), gradient = jax.value_and_grad(loss, has_aux=True)(discriminator)
        return value, gradient, metrics

    return jax.jit(run)


@pytest.mark.parametrize(
    ("timed", "factors"),
    [
        (lambda term: every(3, term), [3.0, 0.0, 0.0, 3.0, 0.0]),
        (lambda term: after(3, term), [0.0, 0.0, 0.0, 1.0, 1.0]),
        (lambda term: until(2, term), [1.0, 1.0, 0.0, 0.0, 0.0]),
        (lambda term: after(1, until(3, term)), [0.0, 1.0, 1.0, 0.0, 0.0]),
    ],
)
def test_a_timed_term_is_the_term_or_nothing(float64, timed, factors):
    plain, with_term, with_timed = (
        program(losses.hinge() + terms) for terms in (0, penalties.r1(), timed(penalties.r1()))
    )
    without, with_it = plain(0), with_term(0)  # at any step
    for step, factor in enumerate(factors):
        value, gradient, metrics = with_timed(jnp.int32(step))
        expected = optax.tree.add_scale(
            without[:2], factor, optax.tree.sub(with_it[:2], without[:2])
        )
        tiny.assert_trees_close((value, gradient), expected, rtol=1e-9, atol=1e-12)
        penalty = factor * with_it[2]["discriminator/r1"]
        np.testing.assert_allclose(metrics["discriminator/r1"], penalty, rtol=1e-9)


def test_every_step_is_the_term_itself():
    term = penalties.r1()
    assert every(1, term) is term
    with pytest.raises(UserError, match="at least 1 step, not 0"):
        every(0, term)


def test_an_idle_term_is_skipped_forward_and_backward():
    """Outside of the branches there is the work of the loss without the term, and no more."""
    nets = tiny.networks()
    generator, discriminator = nets.init(jax.random.key(0))

    def gradient_of(terms):
        game = adversarial(nets, terms)
        return jax.make_jaxpr(
            lambda params, step: jax.grad(game.discriminator, has_aux=True)(
                params, Player(generator), tiny.batch(), Context(KEY, step)
            )[0]
        )(discriminator, jnp.int32(0))

    def products(jaxpr):
        """Matrix products outside of branches."""
        total = 0
        for equation in jaxpr.eqns:
            if equation.primitive.name == "cond":
                continue
            total += equation.primitive.name == "dot_general"
            for value in equation.params.values():
                inner = getattr(value, "jaxpr", value)
                total += products(inner) if hasattr(inner, "eqns") else 0
        return total

    plain, lazy, eager = (
        products(gradient_of(terms).jaxpr)
        for terms in (
            losses.hinge(),
            losses.hinge() + every(4, penalties.r1()),
            losses.hinge() + penalties.r1(),
        )
    )
    assert 0 < plain == lazy < eager


TERMS = {
    "r1": penalties.r1,
    "r2": penalties.r2,
    "gradient_penalty": penalties.gradient_penalty,
    "lipschitz_penalty": lambda weight: penalties.lipschitz_penalty(weight, target=0.1),
    "dragan": penalties.dragan,
    "drift": penalties.drift,
    "consistency": penalties.consistency,
    "approximate_r1": regularisers.approximate_r1,
}


@functools.cache
def values_at():
    """The values of all terms with a weight that is the step, plus one."""
    nets = tiny.networks()
    generator, discriminator = nets.init(jax.random.key(0))
    terms = {name: make(lambda step: 1.0 + step) for name, make in TERMS.items()}
    game = adversarial(nets, losses.hinge() + Terms(terms))

    def metrics(step):
        context = Context(KEY, step)
        return game.discriminator(discriminator, Player(generator), tiny.batch(), context)[1][0]

    return [jax.jit(metrics)(jnp.int32(step)) for step in (0, 2)]


@pytest.mark.parametrize("name", TERMS)
def test_a_weight_may_be_a_function_of_the_step(name):
    first, third = (values[f"discriminator/{name}"] for values in values_at())
    assert first > 0
    np.testing.assert_allclose(third, 3 * first, rtol=1e-5)


def test_steps_are_those_of_the_train_state():
    def step(round):
        return jnp.asarray(round.step, jnp.float32) + 0 * jnp.mean(round.fake)

    nets = tiny.networks()
    seen = Term(name="step", discriminator=step, generator=step)
    objective = adversarial(nets, losses.hinge() + seen)
    state = init_state(nets, SGD, SGD, KEY)._replace(step=jnp.int32(7))
    batch = jax.tree.map(lambda leaf: jnp.stack([leaf] * 3), tiny.batch(discriminator_steps=2))
    _, metrics = jax.jit(fused(alternating(objective, SGD, SGD)))(state, batch, KEY)
    np.testing.assert_array_equal(metrics["discriminator/step"], [7, 8, 9])
    np.testing.assert_array_equal(metrics["generator/step"], [7, 8, 9])


def test_lazy_adam_has_the_settings_of_stylegan2():
    """mb_ratio = n / (n + 1), as in the authors' training loop: lr and both betas."""
    lazy, share = lazy_adam(0.002, 16, b1=0.5), 16 / 17
    plain = optax.adam(0.002 * share, b1=0.5**share, b2=0.99**share)
    params = {"w": jnp.arange(3.0)}
    states = [optimizer.init(params) for optimizer in (lazy, plain)]
    for seed in range(3):
        gradient = {"w": jax.random.normal(jax.random.key(seed), (3,))}
        moves = []
        for index, optimizer in enumerate((lazy, plain)):
            move, states[index] = optimizer.update(gradient, states[index], params)
            moves.append(move)
        tiny.assert_trees_close(*moves, rtol=1e-6)
