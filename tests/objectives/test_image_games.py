"""The games of images: gradients against finite differences, in parts, and in a population.

StyleGAN2, VQGAN and CycleGAN are too large for the table of terms in `test_finite_differences`:
here each is one small game with its usual terms. How it is mapped over devices is in
`parallelism_cases`.
"""

import functools
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest
import tiny

from gan_jax import networks
from gan_jax.errors import UserError
from gan_jax.game import Context, Networks, Objective, Player, adversarial, initial_memory
from gan_jax.objectives import (
    accumulated,
    autoencoding,
    every,
    history,
    losses,
    penalties,
    reconstruction,
    regularisers,
    unrolled,
)
from gan_jax.training import alternating, fused, init_state

KEY, SGD, BATCH = jax.random.key(5), optax.sgd(0.01), 4
QUICK = {"xla_backend_optimization_level": 0, "xla_llvm_disable_expensive_passes": True}


class Game(NamedTuple):
    """Networks in float64, terms, the shape of a sample, and whether samples have inputs."""

    networks: Networks
    terms: Any
    shape: tuple[int, ...]
    paired: bool = False


def stylegan2() -> Game:
    nets = networks.stylegan2(
        (8, 8, 1), latent_size=3, style_size=3, mapping_layers=1, channel_max=2, dtype=jnp.float64
    )
    # With a decay of 1 the average, through which no gradient passes, stays where it is.
    lengths = regularisers.path_length(1.0, decay=1.0)
    terms = losses.non_saturating() + every(2, penalties.r1(1.0)) + every(2, lengths)
    return Game(nets, terms, (8, 8, 1))


def vqgan() -> Game:
    """With the Gaussian bottleneck: that of codes is not differentiable."""
    nets = networks.vqgan(
        (8, 8, 1),
        bottleneck="kl",
        widths=(2, 2),
        code_size=1,
        discriminator_width=2,
        discriminator_layers=1,
        discriminator_norm="instance",
        dtype=jnp.float64,
    )
    terms = losses.hinge() + reconstruction.reconstruction(norm="l2") + autoencoding.kl(0.1)
    # The perceptual distance is of float32: see test_autoencoding.
    return Game(nets, terms, (8, 8, 1))


def cyclegan() -> Game:
    shape = (2, 8, 8, 1)
    nets = networks.cyclegan(shape, width=2, blocks=1, layers=0, dtype=jnp.float64)
    terms = losses.least_squares() + reconstruction.cycle_consistency(norm="l2")
    return Game(nets, terms + reconstruction.identity(norm="l2"), shape, paired=True)


GAMES = {"stylegan2": stylegan2, "vqgan": vqgan, "cyclegan": cyclegan}
LOOK_AHEADS = [(name, steps) for name in GAMES for steps in (0, 1)]


def objective(name: str, game: Game, parts: int = 1) -> Objective:
    made = accumulated(adversarial(game.networks, game.terms), parts)
    return history(made, game.shape, 3) if name == "cyclegan" else made


def doubled(tree):
    return jax.tree.map(lambda leaf: leaf.astype(jnp.float64), tree)


def batch(game: Game, *before: int):
    draws = np.random.default_rng(0)
    names = ("real", "input") if game.paired else ("real",)
    return {
        name: jnp.asarray(draws.uniform(-1, 1, (*before, BATCH, *game.shape))) for name in names
    }


@functools.cache
def gradients(name: str, steps: int, parts: int = 1):
    """Both players, the program of their losses and gradients, and what it returns."""
    game = GAMES[name]()
    players = doubled(game.networks.init(KEY))
    inner = objective(name, game, parts)
    whole, data = unrolled(inner, steps, SGD), batch(game)
    context = Context(KEY, 2, initial_memory(inner))

    @functools.partial(jax.jit, compiler_options=QUICK)
    def run(generator, discriminator):
        opponent = Player(discriminator, SGD.init(discriminator))
        value = jax.value_and_grad
        return (
            value(lambda p: whole.generator(p, opponent, data, context)[0])(generator),
            value(lambda p: whole.discriminator(p, Player(generator), data, context)[0])(
                discriminator
            ),
        )

    return players, run, run(*players)


@pytest.mark.slow
@pytest.mark.parametrize(("name", "steps"), LOOK_AHEADS)
def test_gradients_are_those_of_finite_differences(float64, name, steps):
    players, run, found = gradients(name, steps)
    for side in range(2):
        towards = tiny.direction(players[side])

        def loss(params, side=side):
            return run(*(params if i == side else p for i, p in enumerate(players)))[side][0]

        slope = tiny.dot(found[side][1], towards)
        # Normalised images of few pixels bend sharply: at h = 1e-6 a step crosses a kink.
        expected = tiny.slope_along(loss, players[side], towards, h=1e-7)
        np.testing.assert_allclose(slope, expected, rtol=1e-5, atol=1e-8)


@pytest.mark.slow
@pytest.mark.parametrize("name", ["vqgan", "cyclegan"])
def test_parts_of_a_batch_add_up_to_the_whole(float64, name):
    tiny.assert_trees_close(
        gradients(name, 0)[2], gradients(name, 0, parts=2)[2], rtol=1e-9, atol=1e-12
    )


def test_what_compares_samples_is_not_accumulated(float64):
    game = stylegan2()
    generator, discriminator = doubled(game.networks.init(KEY))
    made = objective("stylegan2", game, parts=2)
    context = Context(KEY, 2, initial_memory(made))
    with pytest.raises(UserError, match="cannot be accumulated over 2 parts"):
        made.discriminator(discriminator, Player(generator), batch(game), context)


@pytest.mark.slow
@pytest.mark.parametrize("name", GAMES)
def test_a_member_of_a_population_is_the_run_alone(float64, name):
    game = GAMES[name]()
    made = objective(name, game)
    step, data = fused(alternating(made, SGD, SGD)), batch(game, 2, 1)

    def run(key):
        state = init_state(game.networks, SGD, SGD, key, made)
        return step(state, data, key)[0]

    keys = jax.random.split(jax.random.key(0), 2)
    members = jax.jit(jax.vmap(run), compiler_options=QUICK)(keys)
    alone = jax.jit(run, compiler_options=QUICK)(keys[1])
    last = jax.tree.map(lambda leaf: leaf[1], members)
    tiny.assert_trees_close(last, alone, rtol=1e-4, atol=1e-5)
