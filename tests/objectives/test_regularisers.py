"""LeCam, path length and approximate R1 against NumPy, closed forms and limits."""

import functools

import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest
import tiny

from gan_jax.distributed.collectives import batch_axis
from gan_jax.errors import UserError
from gan_jax.game import Context, Networks, Player, Round, adversarial, initial_memory
from gan_jax.objectives import losses, penalties, regularisers
from gan_jax.objectives.saddle_point import saddle
from gan_jax.objectives.unrolling import unrolled

KEY = jax.random.key(3)


def scored(real, fake, step, memory) -> Round:
    """A round of which only the scores, the step and the memory are looked at."""
    nothing = jnp.zeros((len(real), 1))
    return Round(
        real=nothing,
        fake=nothing,
        real_scores=jnp.asarray(real),
        fake_scores=jnp.asarray(fake),
        score=lambda samples, **_: samples[:, 0],
        classify=None,
        label=None,
        sample_index=jnp.arange(len(real)),
        rng=KEY,
        step=step,
        memory=memory,
    )


def test_lecam_is_the_authors_procedure(float64):
    """Averages that follow the batch until the start, then decay; moved first; strictly after."""
    weight, decay, start = 0.3, 0.9, 2
    draws = np.random.default_rng(0)
    average = {"real": 1000.0, "fake": 1000.0}  # what they begin with does not matter
    memory = {"real": jnp.float64(0), "fake": jnp.float64(0)}
    term = regularisers.lecam(weight, decay, start)
    for step in range(6):
        real, fake = draws.normal(1, 1, 7), draws.normal(-1, 1, 7)
        keep = 0.0 if step < start else decay
        for kind, scores in (("real", real), ("fake", fake)):
            average[kind] = average[kind] * keep + scores.mean() * (1 - keep)
        above = np.maximum(real - average["fake"], 0)
        below = np.maximum(average["real"] - fake, 0)
        expected = weight * ((above**2).mean() + (below**2).mean()) if step > start else 0.0
        value, memory = term.discriminator(scored(real, fake, step, memory))
        np.testing.assert_allclose(value, expected, rtol=1e-12)
        np.testing.assert_allclose(memory["real"], average["real"], rtol=1e-12)


def test_no_gradient_of_lecam_passes_through_its_averages(float64):
    real, fake = jnp.arange(4.0), -jnp.arange(4.0)
    memory = {"real": 0.5, "fake": -0.5}

    def value(real):
        return regularisers.lecam(1.0, 0.9, 0).discriminator(scored(real, fake, 1, memory))[0]

    average = 0.9 * -0.5 + 0.1 * float(fake.mean())
    expected = 2 * np.maximum(np.asarray(real) - average, 0) / 4
    np.testing.assert_allclose(jax.grad(value)(real), expected, rtol=1e-12)


def linear_generator(matrix) -> Networks:
    """Samples ``[2, 2, 3]`` that are linear in the latents: the Jacobian is the matrix."""
    nets = tiny.networks()

    def generate(params, latents):
        return (latents @ params["w"]).reshape(-1, 2, 2, 3)

    return nets._replace(
        init=lambda rng: ({"w": jnp.asarray(matrix)}, {"v": jnp.ones(())}),
        generate=generate,
        score=lambda params, samples: params["v"] * jnp.mean(samples, (1, 2, 3)),
    )


def test_path_length_of_a_linear_generator(float64):
    """``|J^T y|`` with y = N(0, 1) / sqrt(h w): its mean square is ``|J|^2 / (h w)``."""
    matrix = np.random.default_rng(1).normal(size=(2, 12))
    nets, n = linear_generator(matrix), 20_000
    generator, discriminator = nets.init(KEY)
    objective = adversarial(
        nets, losses.hinge() + regularisers.path_length(2.0, decay=0.75, share=2)
    )
    batch = {"real": jnp.zeros((n, 2, 2, 3))}
    context = Context(KEY, 0, initial_memory(objective) | {"path_length": jnp.float64(0.0)})
    _, (metrics, memory) = objective.generator(generator, Player(discriminator), batch, context)
    mean = float(memory["path_length"]) / 0.25  # from an average of 0
    # E (l - a)^2 = E l^2 - 2 a E l + a^2, with the average a = mean / 4.
    square = float(metrics["generator/path_length"]) / 2 + 2 * mean / 4 * mean - (mean / 4) ** 2
    np.testing.assert_allclose(square, (matrix**2).sum() / 4, rtol=0.03)


def test_path_lengths_are_taken_where_styles_are_given(float64):
    """With a mapping network the Jacobian is that of the synthesis alone."""
    matrix = np.random.default_rng(1).normal(size=(2, 12))
    plain = linear_generator(matrix)

    def generate(params, latents, styles=None):
        styles = styles if styles is not None else 5.0 * latents
        return plain.generate(params, styles)

    mapped = plain._replace(generate=generate, styles=lambda params, latents: 5.0 * latents)
    values = []
    for nets in (plain, mapped):
        generator, discriminator = nets.init(KEY)
        objective = adversarial(nets, losses.hinge() + regularisers.path_length())
        context = Context(KEY, 0, initial_memory(objective))
        batch = {"real": jnp.zeros((8, 2, 2, 3))}
        _, (metrics, _) = objective.generator(generator, Player(discriminator), batch, context)
        values.append(metrics["generator/path_length"])
    np.testing.assert_allclose(values[1], values[0], rtol=1e-9)


@pytest.mark.parametrize("devices", [2, 4])
def test_path_lengths_do_not_depend_on_how_the_batch_is_split(devices):
    """Also if the generator draws: lengths belong to samples, and so do their keys."""
    if len(jax.devices()) < devices:
        pytest.skip(f"needs {devices} devices")
    plain = tiny.networks()

    def generate(params, latents, rng):
        noise = jax.vmap(lambda key: jax.random.normal(key, (tiny.SIZE,)))(rng)
        return noise * plain.generate(params, latents)

    nets = plain._replace(generate=generate, random=("generate",))
    generator, discriminator = nets.init(KEY)
    objective = adversarial(nets, losses.hinge() + regularisers.path_length())
    context = Context(KEY, 0, initial_memory(objective))

    def average(batch, axis=None):
        with batch_axis(axis):
            _, (_, memory) = objective.generator(generator, Player(discriminator), batch, context)
        return memory["path_length"]

    batch = tiny.batch(8) | {"sample_index": jnp.arange(8, dtype=jnp.int32)}
    split = jax.tree.map(lambda x: x.reshape(devices, 8 // devices, *x.shape[1:]), batch)
    over_devices = jax.pmap(
        functools.partial(average, axis="devices"), "devices", devices=jax.devices()[:devices]
    )(split)
    whole = jax.jit(average)(batch)
    assert whole > 0
    np.testing.assert_allclose(over_devices, np.full(devices, whole), rtol=1e-5)


def test_path_length_needs_latents():
    nets = tiny.networks()._replace(
        latent=None, generate=lambda params, latents: jnp.zeros((5, 2)) + params["out"]["b"][None]
    )
    generator, discriminator = nets.init(KEY)
    objective = adversarial(nets, losses.hinge() + regularisers.path_length())
    with pytest.raises(UserError, match="needs a generator of latents"):
        objective.generator(
            generator,
            Player(discriminator),
            tiny.batch(),
            Context(KEY, 0, initial_memory(objective)),
        )


@pytest.mark.parametrize(
    ("approximate", "exact", "kind"),
    [
        (regularisers.approximate_r1, penalties.r1, "real"),
        (regularisers.approximate_r2, penalties.r2, "fake"),
    ],
)
def test_approximate_penalties_are_those_of_slopes_in_the_limit(float64, approximate, exact, kind):
    """E over e of ``(s(x + std e) - s(x))^2 / std^2`` is ``|grad s|^2`` as std goes to 0."""
    n, slope = 40_000, np.array([0.6, -1.1])
    score = lambda samples, **_: samples @ slope + 0.3 * jnp.sin(samples[:, 0])
    samples = jnp.asarray(np.random.default_rng(2).normal(size=(n, 2)))
    round = scored(np.zeros(n), np.zeros(n), 0, None)._replace(
        score=score, **{kind: samples, f"{kind}_scores": score(samples)}
    )
    estimate = approximate(3.0, std=1e-4).discriminator(round)
    np.testing.assert_allclose(estimate, exact(3.0).discriminator(round), rtol=0.02)


# ------------------------------------------------------------------------------------------- saddle


def test_saddle_negates_the_whole_loss_of_the_discriminator(float64):
    nets = tiny.networks()
    generator, discriminator = nets.init(KEY)
    game = adversarial(nets, losses.wasserstein() + penalties.r1(2.0))

    def negated(params):
        return -game.discriminator(discriminator, Player(params), tiny.batch(), KEY)[0]

    def loss(params):
        return saddle(game).generator(params, Player(discriminator), tiny.batch(), KEY)

    (value, (metrics, memory)), gradient = jax.value_and_grad(loss, has_aux=True)(generator)
    tiny.assert_trees_close((value, gradient), jax.value_and_grad(negated)(generator), rtol=1e-12)
    assert set(metrics) == {"generator/wasserstein", "generator/r1", "generator/loss"}
    np.testing.assert_allclose(metrics["generator/loss"], value, rtol=1e-12)
    assert memory == {}


def test_minimax_is_a_saddle_already(float64):
    nets, sgd = tiny.networks(), optax.sgd(0.1)
    generator, discriminator = nets.init(KEY)
    game = adversarial(nets, losses.minimax())
    player = Player(discriminator, sgd.init(discriminator))

    def loss(params, objective):
        ahead = unrolled(objective, 2, sgd)
        return ahead.generator(params, player, tiny.batch(), KEY)[0]

    gradients = [jax.grad(loss)(generator, objective) for objective in (game, saddle(game))]
    tiny.assert_trees_close(*gradients, rtol=1e-10, atol=1e-14)
