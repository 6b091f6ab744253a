"""Scores of any shape and several of them, conditions of any shape, generators without latents."""

import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest
import tiny

from gan_jax.errors import UserError
from gan_jax.game import Context, Networks, Player, Term, adversarial
from gan_jax.objectives import losses, penalties, regularisers
from gan_jax.objectives.timing import on_scores
from gan_jax.objectives.unrolling import unrolled
from gan_jax.training import alternating, init_state, sampler

KEY, SGD = jax.random.key(3), optax.sgd(0.1)
OBJECTIVES = {
    "minimax": losses.minimax(),
    "non_saturating": losses.non_saturating(0.9),
    "least_squares": losses.least_squares(),
    "wasserstein": losses.wasserstein(),
    "hinge": losses.hinge(),
    "relativistic": losses.relativistic(),
    "relativistic_average": losses.relativistic_average(),
    "f_gan": losses.f_gan("kl"),
    "r1": losses.hinge() + penalties.r1(),
    "gradient_penalty": losses.hinge() + penalties.gradient_penalty(),
    "drift": losses.hinge() + penalties.drift(),
    "consistency": losses.hinge() + penalties.consistency(),
    "approximate_r1": losses.hinge() + regularisers.approximate_r1(),
}


def maps(nets: Networks, weights: list[float]) -> Networks:
    """The networks whose discriminator returns a map: its score times each of the weights."""
    row = jnp.asarray(weights)[None]
    return nets._replace(score=lambda params, x: nets.score(params, x)[:, None] * row)


def several(nets: Networks) -> Networks:
    """Two discriminators: the score, and twice the score as a map ``[batch, 3]``."""

    def score(params, samples):
        scores = nets.score(params, samples)
        return {"one": scores, "map": 2 * scores[:, None] * jnp.ones((1, 3))}

    return nets._replace(score=score)


def losses_of(nets: Networks, terms) -> list[float]:
    """The losses of the discriminator and of the generator."""
    generator, discriminator = nets.init(jax.random.key(0))
    game = adversarial(nets, terms)
    return [
        game.discriminator(discriminator, Player(generator), tiny.batch(), KEY)[0],
        game.generator(generator, Player(discriminator), tiny.batch(), KEY)[0],
    ]


@pytest.mark.parametrize("terms", OBJECTIVES.values(), ids=OBJECTIVES)
def test_a_map_of_one_score_is_that_score(float64, terms):
    nets = tiny.networks()
    np.testing.assert_allclose(
        losses_of(maps(nets, [1.0]), terms), losses_of(nets, terms), rtol=1e-12
    )


def test_losses_are_means_over_a_map_and_slopes_those_of_its_sum(float64):
    nets = tiny.networks()
    plain = losses_of(nets, losses.wasserstein())
    of_map = losses_of(maps(nets, [1.0, 2.0, 6.0]), losses.wasserstein())
    np.testing.assert_allclose(of_map, 3 * np.asarray(plain), rtol=1e-12)

    def penalty(nets):
        generator, discriminator = nets.init(jax.random.key(0))
        game = adversarial(nets, losses.wasserstein() + penalties.r1())
        _, (metrics, _) = game.discriminator(discriminator, Player(generator), tiny.batch(), KEY)
        return metrics["discriminator/r1"]

    np.testing.assert_allclose(penalty(maps(nets, [1.0, 2.0, 6.0])), 81 * penalty(nets), rtol=1e-12)


@pytest.mark.parametrize("terms", OBJECTIVES.values(), ids=OBJECTIVES)
def test_terms_are_summed_over_several_discriminators(float64, terms):
    nets = tiny.networks()
    expected = np.add(losses_of(nets, terms), losses_of(maps(nets, [2.0, 2.0, 2.0]), terms))
    np.testing.assert_allclose(losses_of(several(nets), terms), expected, rtol=1e-12)


def test_several_discriminators_may_score_both_kinds_in_one_pass(float64):
    nets, terms = several(tiny.networks()), losses.hinge() + penalties.r1()
    in_one_pass = nets._replace(independent_scores=True)
    np.testing.assert_allclose(losses_of(in_one_pass, terms), losses_of(nets, terms), rtol=1e-12)


def test_a_term_may_be_of_one_discriminator_alone(float64):
    nets = tiny.networks()
    terms = on_scores("one", losses.hinge()) + on_scores("map", losses.hinge())
    assert list(terms) == ["hinge_one", "hinge_map"]
    np.testing.assert_allclose(
        losses_of(several(nets), terms), losses_of(several(nets), losses.hinge()), rtol=1e-12
    )
    np.testing.assert_allclose(
        losses_of(several(nets), on_scores("one", losses.hinge())),
        losses_of(nets, losses.hinge()),
        rtol=1e-12,
    )
    with pytest.raises(UserError, match="hinge is for the score 'two': there is map, one"):
        losses_of(several(nets), on_scores("two", losses.hinge()))
    with pytest.raises(UserError, match="there is a single one"):
        losses_of(nets, on_scores("two", losses.hinge()))


def test_a_term_that_looks_at_no_scores_counts_once(float64):
    nets = tiny.networks()
    shift = Term(name="shift", generator=lambda round: jnp.mean(round.fake), each_score=False)
    of_two = losses_of(several(nets), losses.hinge() + shift)[1]
    of_one = losses_of(nets, shift + losses.hinge())[1] - losses_of(nets, losses.hinge())[1]
    hinge = losses_of(several(nets), losses.hinge())[1]
    np.testing.assert_allclose(of_two, hinge + of_one, rtol=1e-12)


def test_a_memory_is_of_one_discriminator():
    nets = several(tiny.networks())
    generator, discriminator = nets.init(jax.random.key(0))

    def loss(terms):
        game = adversarial(nets, terms)
        context = Context(KEY, 5, dict(game.memory))
        return game.discriminator(discriminator, Player(generator), tiny.batch(), context)[1][1]

    with pytest.raises(ValueError, match=r"name the one that it is for, on_scores\('map', ...\)"):
        loss(losses.hinge() + regularisers.lecam())
    both = (
        losses.hinge()
        + on_scores("one", regularisers.lecam())
        + on_scores("map", regularisers.lecam())
    )
    memory = loss(both)
    np.testing.assert_allclose(
        memory["lecam_map"]["real"], 2 * memory["lecam_one"]["real"], rtol=1e-6
    )


# -------------------------------------------------------------------------------------- conditions


def painters(latent: bool = False) -> Networks:
    """A generator of images ``[4, 4, 1]`` from a sketch of the same shape, and an embedding."""

    def init(rng):
        return {"gain": jnp.ones(()), "bias": jnp.zeros((1, 4, 4, 1))}, {"w": jnp.ones((3,))}

    def generate(params, latents, sketch, embedding):
        assert sketch.shape[1:] == (4, 4, 1) and embedding.shape[1:] == (3,)
        noise = 0.0 if latents is None else latents[:, None, None]
        return params["gain"] * sketch + params["bias"] + noise

    def score(params, samples, sketch, embedding):
        return jnp.mean(samples * sketch, (1, 2, 3)) + embedding @ params["w"]

    draw = (lambda rng, n: jax.random.normal(rng, (n, 1))) if latent else None
    return Networks(init=init, latent=draw, generate=generate, score=score)


def sketches(*shape: int) -> dict[str, jax.Array]:
    keys = jax.random.split(jax.random.key(1), 3)
    return {
        "real": jax.random.normal(keys[0], (*shape, 4, 4, 1)),
        "sketch": jax.random.normal(keys[1], (*shape, 4, 4, 1)),
        "embedding": jax.random.normal(keys[2], (*shape, 3)),
    }


def reconstruction() -> Term:
    """Uses all that a term may see of conditions: the values, and both networks under others."""

    def generator(round):
        again = round.generate(None, sketch=round.fake)
        other = round.score(round.fake, embedding=-round.conditions["embedding"])
        return jnp.mean(jnp.abs(again - round.conditions["sketch"])) + 0 * jnp.mean(other)

    return Term(name="reconstruction", generator=generator, each_score=False)


def test_a_generator_starts_from_an_image():
    nets = painters()
    step = alternating(adversarial(nets, losses.hinge() + reconstruction()), SGD, SGD)
    state = init_state(nets, SGD, SGD, KEY)
    after, metrics = jax.jit(step)(state, sketches(2, 8), KEY)
    assert np.isfinite(metrics["generator/reconstruction"])
    assert after.generator.params["gain"] != state.generator.params["gain"]


def test_conditions_pass_through_a_look_ahead():
    nets = painters(latent=True)
    game = unrolled(adversarial(nets, losses.minimax()), 2, SGD)
    generator, discriminator = nets.init(KEY)
    player = Player(discriminator, SGD.init(discriminator))
    loss, _ = game.generator(generator, player, sketches(8), KEY)
    assert np.isfinite(loss)


def test_a_sampler_gives_the_generator_its_conditions():
    nets = painters()
    images = sketches(5)
    params = nets.init(KEY)[0]
    draw = sampler(
        nets,
        params,
        batch_size=4,
        conditions=lambda index: {
            name: np.asarray(images[name])[index % 5] for name in ("sketch", "embedding")
        },
    )
    samples = draw(KEY, 7)
    np.testing.assert_allclose(samples, np.asarray(images["sketch"])[np.arange(7) % 5])
    np.testing.assert_allclose(draw(KEY, 3, first=4), samples[4:])
    assert not draw.takes_latents
    with pytest.raises(UserError, match="takes no latents"):
        draw.latents(KEY, 3)


# ------------------------------------------------------------------------- networks that draw


def noisy() -> Networks:
    """Tiny networks whose both halves add noise of their own."""
    nets = tiny.networks()

    def noise(rng):
        return 0.1 * jax.vmap(lambda key: jax.random.normal(key, (2,)))(rng)

    return nets._replace(
        generate=lambda params, latents, rng: nets.generate(params, latents) + noise(rng),
        score=lambda params, samples, rng: nets.score(params, samples + noise(rng)),
        random=("generate", "score"),
        independent_scores=True,
    )


def test_networks_that_draw_get_a_key_for_each_sample():
    nets = noisy()
    generator, discriminator = nets.init(jax.random.key(0))
    game = adversarial(nets, losses.hinge() + penalties.r1())
    batch = tiny.batch() | {"sample_index": jnp.arange(5)}
    whole = game.generate_fakes(generator, batch, KEY)
    part = game.generate_fakes(generator, jax.tree.map(lambda leaf: leaf[3:], batch), KEY)
    np.testing.assert_allclose(part["fake"], whole["fake"][3:], rtol=1e-6)
    assert (whole["fake"] != tiny.networks().generate(generator, whole["latents"])).all()
    one, other = (
        game.discriminator(discriminator, Player(generator), batch, key)[0]
        for key in (KEY, jax.random.key(4))
    )
    assert one != other


def test_a_sampler_of_a_generator_that_draws_is_a_function_of_the_key():
    nets = noisy()
    draw = sampler(nets, nets.init(KEY)[0], batch_size=4)
    np.testing.assert_array_equal(draw(KEY, 6)[2:], draw(KEY, 4, first=2))
    assert (draw(KEY, 6) != draw(jax.random.key(9), 6)).all()
