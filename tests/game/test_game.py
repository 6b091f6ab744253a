"""The game itself: sums of terms, what an adversarial objective refuses, and its metrics."""

import functools

import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest
import tiny

from gan_jax.game import Player, Term, Terms, adversarial
from gan_jax.objectives import accumulated, augmented, losses, penalties, unrolled
from gan_jax.training import alternating, consensus, extragradient, init_state, simultaneous

SGD = optax.sgd(0.1)
GAP = Term(
    discriminator=lambda round: jnp.mean(round.fake_scores) - jnp.mean(round.real_scores),
    generator=lambda round: -jnp.mean(round.fake_scores),
)


def losses_of(objective, batch=None, nets=None):
    """The values of both losses and their metrics at one point of the game."""
    batch = tiny.batch() if batch is None else batch
    generator, discriminator = (nets or tiny.networks()).init(jax.random.key(0))
    key = jax.random.key(3)
    return (
        objective.discriminator(discriminator, Player(generator), batch, key),
        objective.generator(generator, Player(discriminator), batch, key),
    )


# ------------------------------------------------------------------------------------------ terms


def test_terms_add_up_in_order():
    a, b, c = losses.hinge(), penalties.r1(), penalties.drift()
    for terms in (a + b + c, a + (b + c), sum([a, b, c]), sum([b, c], a + Terms())):
        assert isinstance(terms, Terms)
        assert dict(terms) == {"hinge": a, "r1": b, "drift": c}
        assert list(terms) == ["hinge", "r1", "drift"]
    assert functools.reduce(lambda left, right: left + right, [a, b]) == a + b
    assert repr(a + b) == "Terms(hinge + r1)"


def test_a_sum_is_the_mapping_of_its_names():
    """The same losses, bit for bit: the keys of the draws follow the order of the terms."""
    terms = losses.wasserstein() + penalties.gradient_penalty(2.0) + penalties.dragan(3.0)
    mapping = {
        "wasserstein": losses.wasserstein(),
        "gradient_penalty": penalties.gradient_penalty(2.0),
        "dragan": penalties.dragan(3.0),
    }
    nets = tiny.networks()
    by_sum, by_mapping = (losses_of(adversarial(nets, given)) for given in (terms, mapping))
    tiny.assert_trees_equal(by_sum, by_mapping)


def test_each_term_draws_from_the_key_of_its_position():
    drawn = lambda round: jax.random.uniform(round.rng)
    noise = Term(discriminator=drawn, generator=drawn)
    game = adversarial(tiny.networks(), losses.hinge() + noise.named("a") + noise.named("b"))
    for side, (_, (metrics, _)) in zip(
        ("discriminator", "generator"), losses_of(game), strict=True
    ):
        for position, name in ((1, "a"), (2, "b")):
            key = jax.random.fold_in(jax.random.key(3), position + 1)
            np.testing.assert_array_equal(metrics[f"{side}/{name}"], jax.random.uniform(key))


def test_a_term_alone_is_an_objective():
    nets = tiny.networks()
    alone, in_mapping = (
        losses_of(adversarial(nets, terms)) for terms in (losses.hinge(), {"hinge": losses.hinge()})
    )
    tiny.assert_trees_equal(alone, in_mapping)


def test_a_term_takes_its_name_from_the_mapping():
    game = adversarial(tiny.networks(), {"gap": GAP, "penalty": penalties.r1()})
    _, (metrics, _) = losses_of(game)[0]
    assert {"discriminator/gap", "discriminator/penalty"} <= metrics.keys()
    assert Terms({"gap": GAP})["gap"].name == "gap" and GAP.name == ""


def test_a_name_twice_is_refused():
    with pytest.raises(ValueError, match=r'two terms are named \'r1\'.*\.named\("other"\)'):
        losses.hinge() + penalties.r1(1.0) + penalties.r1(2.0)
    both = penalties.r1(1.0) + penalties.r1(2.0).named("other")
    assert list(both) == ["r1", "other"]


def test_a_sum_needs_names():
    with pytest.raises(ValueError, match="a term needs a name"):
        GAP + penalties.r1()
    with pytest.raises(ValueError, match="a term needs a name"):
        adversarial(tiny.networks(), GAP)
    assert list(GAP.named("gap") + penalties.r1()) == ["gap", "r1"]


@pytest.mark.parametrize(
    ("terms", "message"),
    [
        ([losses.hinge()], "not a list: add its terms up, a \\+ b"),
        ((losses.hinge(), penalties.r1()), "not a tuple: add its terms up"),
        (losses.hinge, "not the function hinge: call it to make a term, hinge\\(\\)"),
        ("hinge + r1", "not the string 'hinge \\+ r1'"),
        ({"hinge": losses.hinge}, "terms\\['hinge'\\] is a Term, not the function hinge"),
        ({"hinge": [losses.hinge()]}, "terms\\['hinge'\\] is a Term, not a list"),
        ({0: losses.hinge()}, "the name of a term is a string, not 0"),
        (None, "not an object of type NoneType"),
    ],
)
def test_what_is_not_a_term_is_refused(terms, message):
    with pytest.raises(TypeError, match=message):
        adversarial(tiny.networks(), terms)


def test_a_term_takes_functions_only():
    with pytest.raises(TypeError, match=r"Term\(discriminator=...\) takes a function of a Round"):
        Term(name="constant", discriminator=3.0)


def test_arguments_in_the_wrong_order_are_refused():
    nets, terms = tiny.networks(), losses.hinge()
    with pytest.raises(TypeError, match="adversarial takes Networks first, not Term"):
        adversarial(terms, nets)
    with pytest.raises(TypeError, match=r"takes terms, .* not an object of type Networks"):
        adversarial(nets, nets)


@pytest.mark.parametrize(
    "use",
    [
        lambda terms: unrolled(terms, 1, SGD),
        lambda terms: accumulated(terms, 2),
        lambda terms: augmented(terms, lambda rng, sample: sample),
        *(
            functools.partial(lambda make, terms: make(terms, SGD, SGD), make)
            for make in (alternating, simultaneous, consensus, extragradient)
        ),
    ],
)
def test_terms_in_place_of_an_objective_are_refused(use):
    with pytest.raises(TypeError, match=r"takes an Objective, such as adversarial\(.* not Term"):
        use(losses.hinge())


@pytest.mark.parametrize("other", [losses.hinge, [losses.hinge()], "hinge", 1])
def test_what_is_not_a_term_cannot_be_added(other):
    with pytest.raises(TypeError):
        penalties.r1() + other
    with pytest.raises(TypeError):
        other + penalties.r1()


@pytest.mark.parametrize("module", [losses, penalties])
def test_every_term_has_the_name_of_its_function(module):
    functions = [getattr(module, name) for name in module.__all__]
    makers = [f for f in functions if getattr(f, "__annotations__", {}).get("return") is Term]
    assert len(makers) >= 8
    for function in makers:
        assert function().name == function.__name__


def test_every_player_needs_a_term():
    for term, side in ((penalties.r1(), "generator"), (penalties.mode_seeking(), "discriminator")):
        with pytest.raises(ValueError, match=f"no term of .* moves the {side}"):
            adversarial(tiny.networks(), term)


# --------------------------------------------------------------- what networks and terms return


def test_the_metrics_are_the_terms_their_sum_and_the_scores():
    game = adversarial(tiny.networks(), losses.hinge() + penalties.r1())
    (loss, (metrics, memory)), (_, (generator_metrics, _)) = losses_of(game)
    assert memory == {}
    scores = {"scores/real", "scores/fake", "scores/real_sign"}
    assert set(metrics) == {f"discriminator/{n}" for n in ("hinge", "r1", "loss")} | scores
    total = metrics["discriminator/hinge"] + metrics["discriminator/r1"]
    np.testing.assert_allclose(loss, total, rtol=1e-6)
    assert set(generator_metrics) == {"generator/hinge", "generator/loss"}


@pytest.mark.parametrize("independent_scores", [False, True])
def test_scores_of_another_shape_are_refused(independent_scores):
    nets = tiny.networks()
    rows = lambda params, samples: nets.score(params, samples)[None]
    wide = nets._replace(score=rows, independent_scores=independent_scores)
    message = r"score must return \[(5|10)\], one score per sample, .* not \[1, (5|10)\]"
    with pytest.raises(ValueError, match=message):
        losses_of(adversarial(wide, losses.hinge()))


def test_a_term_that_is_no_scalar_is_refused_by_its_name():
    squares = Term(generator=lambda round: jnp.square(round.fake_scores)).named("squares")
    with pytest.raises(ValueError, match=r"squares returned \[5\] for the generator.* a mean"):
        losses_of(adversarial(tiny.networks(), losses.hinge() + squares))


def test_a_game_does_not_depend_on_how_its_batch_is_split(float64):
    """Samples 2 to 4 alone draw what they draw in the whole batch."""
    nets, key = tiny.networks(), jax.random.key(9)
    game = adversarial(nets, losses.minimax())
    generator, _ = nets.init(key)
    whole = game.generate_fakes(generator, tiny.batch(), key)
    part = {"real": tiny.batch()["real"][2:], "sample_index": jnp.arange(2, 5)}
    part = game.generate_fakes(generator, part, key)
    for name in ("fake", "latents"):
        np.testing.assert_allclose(part[name], whole[name][2:], rtol=1e-13)


# ---------------------------------------------------------------------------------------- batches

POINTS = jnp.ones((16, tiny.SIZE))


@pytest.mark.parametrize("make", [alternating, simultaneous, consensus, extragradient])
@pytest.mark.parametrize(
    ("batch", "message"),
    [
        (
            {"real": POINTS[:2]},
            r"batch\['real'\] is \[2\], .*\[discriminator_steps, batch, \.\.\.\]",
        ),
        (
            {"real": POINTS[:, 0]},
            r"\[discriminator_steps, batch, \.\.\.\]; batch\['real'\] is \[16\]",
        ),
        (
            {"real": POINTS[None], "label": jnp.ones(16)},
            r"batch\['label'\] is \[16\]: add .* x\[None\]",
        ),
        ({"fake": POINTS[None]}, r"a batch needs 'real', .* this one has \['fake'\]"),
        (POINTS[None], r"a batch is a dict .* as in \{'real': x\}, not an array"),
    ],
)
def test_a_batch_without_an_axis_or_real_samples_is_refused_by_train_steps(make, batch, message):
    game = adversarial(tiny.networks(), losses.hinge())
    state = init_state(tiny.networks(), SGD, SGD, tiny.key(0))
    with pytest.raises(TypeError, match=message):
        jax.eval_shape(make(game, SGD, SGD), state, batch, tiny.key(0))


@pytest.mark.parametrize("batch", [{"real": POINTS[0]}, {"real": POINTS[0, 0]}, {}, POINTS])
def test_a_batch_without_an_axis_or_real_samples_is_refused_by_losses(batch):
    game = adversarial(tiny.networks(), losses.hinge())
    with pytest.raises(TypeError, match="batch"):
        losses_of(game, batch)


def test_bytes_in_place_of_floats_are_refused():
    game = adversarial(tiny.networks(), losses.hinge())
    with pytest.raises(TypeError, match=r"is uint8, not float: .* gan_jax\.data\.decode"):
        losses_of(game, {"real": POINTS.astype(jnp.uint8)})
    image = jnp.zeros((*POINTS.shape[:2], 4, 4, 1), jnp.uint8)
    with pytest.raises(TypeError, match=r"batch\['input'\] is uint8: .* gan_jax\.data\.decode"):
        losses_of(game, {"real": POINTS, "input": image})


def test_generated_samples_of_another_shape_than_the_real_ones_are_refused():
    networks = tiny.networks()
    flat = networks._replace(generate=lambda *args, **kwargs: networks.generate(*args)[:, :1])
    with pytest.raises(ValueError, match=r"samples \[16, 1\], but the real ones are \[16, 2\]"):
        losses_of(adversarial(flat, losses.hinge()), {"real": POINTS})


def test_the_shape_of_a_batch_is_told_by_help():
    game = adversarial(tiny.networks(), losses.hinge())
    for make in (alternating, simultaneous, extragradient):
        assert "[discriminator_steps, batch, ...]" in make(game, SGD, SGD).__doc__
