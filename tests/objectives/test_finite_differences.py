"""Every objective with every penalty, 0 and 2 updates ahead: gradients against finite differences.

A new objective or penalty adds a row. To compile two programs rather than hundreds, one game holds
all terms, each times a weight of its own; a pair is that game with two weights of 1 and the others
0. Everything is in float64.
"""

import dataclasses
import functools
import inspect

import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest
import tiny

from gan_jax.game import Context, Player, Term, adversarial
from gan_jax.objectives import (
    after,
    autoencoding,
    every,
    losses,
    penalties,
    reconstruction,
    regularisers,
    until,
)
from gan_jax.objectives.f_divergences import DIVERGENCES
from gan_jax.objectives.unrolling import unrolled

OBJECTIVES = {
    "minimax": {"minimax": losses.minimax()},
    "non_saturating": {"non_saturating": losses.non_saturating(0.9)},
    "least_squares": {"least_squares": losses.least_squares()},
    "wasserstein": {"wasserstein": losses.wasserstein()},
    "hinge": {"hinge": losses.hinge()},
    "relativistic": {"relativistic": losses.relativistic()},
    "relativistic_average": {"relativistic_average": losses.relativistic_average()},
    "auxiliary_classifier": {
        "non_saturating": losses.non_saturating(0.9),
        "auxiliary_classifier": losses.auxiliary_classifier(),
    },
    "mutual_information": {
        "minimax": losses.minimax(),
        "mutual_information": losses.mutual_information(0, 2),
    },
    "feature_matching": {"feature_matching": losses.feature_matching(alone=True)},
} | {f"f_gan_{name}": {f"f_gan_{name}": losses.f_gan(name)} for name in DIVERGENCES}
PENALTIES = {
    "none": {},
    "gradient_penalty": {"gradient_penalty": penalties.gradient_penalty(2.0)},
    "lipschitz_penalty": {"lipschitz_penalty": penalties.lipschitz_penalty(2.0, target=0.1)},
    "dragan": {"dragan": penalties.dragan(2.0)},
    "r1": {"r1": penalties.r1(1.0)},
    "r2": {"r2": penalties.r2(1.0)},
    "drift": {"drift": penalties.drift(0.1)},
    "consistency": {"consistency": penalties.consistency()},
    "mode_seeking": {"mode_seeking": penalties.mode_seeking()},
    "approximate_r1": {"approximate_r1": regularisers.approximate_r1(1.0, std=0.1)},
    "approximate_r2": {"approximate_r2": regularisers.approximate_r2(1.0, std=0.1)},
    # With a decay of 1 the averages, through which no gradient passes, stay where they are.
    "lecam": {"lecam": regularisers.lecam(1.0, decay=1.0, start=0)},
    "path_length": {"path_length": regularisers.path_length(1.0, decay=1.0)},
    "reconstruction": {"reconstruction": reconstruction.reconstruction(2.0, mask="mask")},
    "reconstruction_l2": {"l2": reconstruction.reconstruction(2.0, "l2", target="input")},
    "paired_feature_matching": {
        "paired_feature_matching": reconstruction.paired_feature_matching(norm="charbonnier")
    },
    "cycle_consistency": {"cycle_consistency": reconstruction.cycle_consistency()},
    "identity": {"identity": reconstruction.identity()},
    "codebook": {"codebook": autoencoding.codebook()},
    "commitment": {"commitment": autoencoding.commitment()},
    "kl": {"kl": autoencoding.kl(0.5)},
    "every": {"lazy": every(3, penalties.r1(1.0))},
    "after": {"later": after(3, penalties.r2(lambda step: 0.1 * step))},
    "until": {"before": until(5, penalties.drift(0.1))},
    "on_every": {"lazy_lecam": every(3, regularisers.lecam(1.0, decay=1.0, start=0))},
}
TERMS = functools.reduce(lambda a, b: a | b, [*OBJECTIVES.values(), *PENALTIES.values()])
AVERAGES = {"real": 0.2, "fake": -0.1}
MEMORY = {"lecam": AVERAGES, "lazy_lecam": AVERAGES, "path_length": 0.3}
CONTEXT, STEPS = Context(tiny.key(5), 3, MEMORY), (0, 2)


def scaled(term, weight):
    """The term times a weight."""

    def times_weight(side):
        if side is None:
            return None
        if term.memory is None:
            return lambda round: weight * side(round)
        return lambda round: (weight * side(round)[0], side(round)[1])

    return dataclasses.replace(
        term,
        discriminator=times_weight(term.discriminator),
        generator=times_weight(term.generator),
    )


def networks():
    """Networks whose generator starts from an input too, and a classifier of two outputs."""
    nets = tiny.networks(labels=True)

    def generate(params, latents, label=None, input=None, **_):
        return nets.generate(params, latents + 0.5 * input, label)

    def outputs(params, latents, **conditions):
        samples = generate(params, latents, **conditions)
        norms = jnp.sum(jnp.square(samples), 1)
        kl = jnp.sum(latents, 1) * params["out"]["b"][0]
        return samples, {"codebook": norms, "commitment": jnp.sin(samples), "kl": kl}

    return nets._replace(
        generate=generate,
        outputs=outputs,
        score=lambda params, samples, label=None, **_: nets.score(params, samples, label),
        features=lambda params, samples, label=None, **_: nets.features(params, samples, label),
        classify=lambda params, samples, **_: nets.classify(params, samples)[:, :2],
    )


def batch():
    """Points, labels of two classes, the generator's inputs, and which samples count."""
    draws = np.random.default_rng(7)
    points = tiny.batch(labels=True)
    return points | {
        "label": points["label"] % 2,
        "input": jnp.asarray(draws.normal(size=points["real"].shape)),
        "mask": jnp.asarray([[1.0], [0.0], [1.0], [0.5], [1.0]]),
    }


@functools.cache
def program(steps):
    """Both players' losses and gradients.

    The program takes both networks' parameters, a weight for each term and a batch, and returns the
    generator's pair of loss and gradient and the discriminator's.
    """

    def both(generator, discriminator, weights, batch):
        game = adversarial(
            networks(),
            {name: scaled(term, weights[i]) for i, (name, term) in enumerate(TERMS.items())},
        )
        game, sgd = unrolled(game, steps, optax.sgd(0.05)), optax.sgd(0.05)
        opponent = Player(discriminator, sgd.init(discriminator))
        return (
            jax.value_and_grad(lambda p: game.generator(p, opponent, batch, CONTEXT)[0])(generator),
            jax.value_and_grad(
                lambda p: game.discriminator(p, Player(generator), batch, CONTEXT)[0]
            )(discriminator),
        )

    # The numbers matter here, not their speed.
    quick = {"xla_backend_optimization_level": 0, "xla_llvm_disable_expensive_passes": True}
    return jax.jit(both, compiler_options=quick)


@pytest.mark.parametrize("steps", STEPS)
@pytest.mark.parametrize("objective", OBJECTIVES)
def test_gradients_match_finite_differences(float64, objective, steps):
    run, points = program(steps), batch()
    players = networks().init(jax.random.key(1))
    towards = [tiny.direction(player) for player in players]
    for penalty, extra in PENALTIES.items():
        named = OBJECTIVES[objective] | extra
        weights = jnp.asarray([float(name in named) for name in TERMS])
        losses_and_gradients = run(*players, weights, points)
        for side in range(2):

            def loss(params, side=side, weights=weights):
                return run(
                    *(params if i == side else player for i, player in enumerate(players)),
                    weights,
                    points,
                )[side][0]

            slope = tiny.dot(losses_and_gradients[side][1], towards[side])
            expected = tiny.slope_along(loss, players[side], towards[side])
            np.testing.assert_allclose(
                slope, expected, rtol=1e-6, atol=1e-9, err_msg=f"{objective} + {penalty}"
            )


@pytest.mark.parametrize("objective", OBJECTIVES)
def test_every_pair_builds(objective):
    """As a user would build it: its two terms alone, looking ahead."""
    points = batch()
    players = [Player(params) for params in networks().init(jax.random.key(1))]
    for extra in PENALTIES.values():
        game = unrolled(adversarial(networks(), OBJECTIVES[objective] | extra), 2, optax.sgd(0.05))
        sgd = players[1]._replace(opt_state=optax.sgd(0.05).init(players[1].params))
        loss, (metrics, memory) = jax.eval_shape(
            game.generator, players[0].params, sgd, points, CONTEXT
        )
        assert loss.shape == () and all(metric.shape == () for metric in metrics.values())
        assert jax.tree.structure(memory) == jax.tree.structure(MEMORY)


def test_the_table_has_every_term():
    """Every public function that makes a term has a row above."""
    made = {
        name
        for room in (losses, penalties, regularisers, reconstruction, autoencoding)
        for name, function in inspect.getmembers(room, inspect.isfunction)
        if not name.startswith("_")
        and function.__module__ == room.__name__
        and function.__annotations__.get("return") is Term
    }
    # `perceptual` needs images: tests/objectives/test_autoencoding.py.
    assert (
        made - {"f_gan", "generator_output", "perceptual"} <= TERMS.keys()
        and {f"f_gan_{name}" for name in DIVERGENCES} <= TERMS.keys()
    )
