"""VQGAN's adaptive weight: its value, its gradients, and what it may be combined with."""

import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest
import tiny

from gan_jax import data
from gan_jax.errors import UserError
from gan_jax.game import Context, Player, Term, Terms, adversarial, update
from gan_jax.objectives import accumulated, after, losses, reconstruction, unrolled
from gan_jax.objectives.weighting import adaptive_weight
from gan_jax.training import alternating, fused, init_state, pmapped, sharded

KEY, LAYER = jax.random.key(3), "out/w"
ADVERSARIAL = losses.hinge()
COMPARED = reconstruction.reconstruction(2.0, "l2") + reconstruction.reconstruction().named("l1")
SGD = optax.sgd(0.05)


def weighted(objective, **settings):
    names = {"terms": "hinge", "against": "reconstruction, l1", "layer": LAYER}
    return adaptive_weight(objective, **(names | settings))


def players():
    generator, discriminator = tiny.networks().init(KEY)
    return generator, Player(discriminator, SGD.init(discriminator))


def gradient_of(objective, batch, context=KEY, steps=0):
    """The generator's gradient, and its metrics."""
    generator, discriminator = players()
    objective = unrolled(objective, steps, SGD)
    run = jax.jit(jax.grad(objective.generator, has_aux=True))
    gradient, (metrics, _) = run(generator, discriminator, batch, context)
    return gradient, metrics


@pytest.mark.parametrize("steps", [0, 2])
def test_both_sides_push_equally_hard_at_the_layer(float64, steps):
    """``|grad rec| / (|grad adv| + 1e-4)``, and the gradient of the sum with this weight fixed."""
    nets, batch, scale = tiny.networks(), tiny.batch(), 0.8
    whole, metrics = gradient_of(
        weighted(adversarial(nets, ADVERSARIAL + COMPARED), scale=scale), batch, steps=steps
    )
    # Terms are told apart by objectives of their own. With a look-ahead, the gradients at the layer
    # are those that face the discriminator it ends in, and do not pass through it.
    generator, discriminator = players()
    ahead = discriminator
    for _ in range(steps):
        loss = adversarial(nets, ADVERSARIAL).discriminator
        ahead = update(loss, SGD, ahead, Player(generator), batch, KEY)[0]
    norms = []
    for terms in (Terms({"hinge": ADVERSARIAL}), COMPARED):
        game = adversarial(nets, terms + losses.wasserstein())  # which the discriminator needs
        names = [f"generator/{name}" for name in terms]

        def value(layer, game=game, names=names):
            moved = generator | {"out": generator["out"] | {"w": layer}}
            metrics = game.generator(moved, ahead, batch, KEY)[1][0]
            return sum(metrics[name] for name in names)

        norms.append(jnp.linalg.norm(jax.grad(value)(generator["out"]["w"])))
    expected = scale * norms[1] / (norms[0] + 1e-4)
    np.testing.assert_allclose(metrics["generator/adaptive_weight"], expected, rtol=1e-9)

    def fixed(round):
        return expected * ADVERSARIAL.generator(round)

    by_hand = dict(COMPARED) | {
        "hinge": Term(discriminator=ADVERSARIAL.discriminator, generator=fixed)
    }
    gradient, _ = gradient_of(adversarial(nets, by_hand), batch, steps=steps)
    tiny.assert_trees_close(whole, gradient, rtol=1e-9, atol=1e-12)


def test_accumulation_is_exact_inside_and_refused_outside(float64):
    objective, batch = adversarial(tiny.networks(), ADVERSARIAL + COMPARED), tiny.batch(6)
    whole, metrics = gradient_of(weighted(objective), batch)
    parts, of_parts = gradient_of(weighted(accumulated(objective, 3)), batch)
    tiny.assert_trees_close(whole, parts, rtol=1e-9, atol=1e-12)
    np.testing.assert_allclose(
        metrics["generator/adaptive_weight"], of_parts["generator/adaptive_weight"], rtol=1e-9
    )
    with pytest.raises(UserError, match="needs the whole batch"):
        gradient_of(accumulated(weighted(objective), 3), batch)


def test_before_the_start_step_only_the_other_terms_act(float64):
    nets, batch = tiny.networks(), tiny.batch()
    timed = after(5, ADVERSARIAL) + COMPARED
    idle, metrics = gradient_of(weighted(adversarial(nets, timed)), batch, Context(KEY, 4))
    assert metrics["generator/adaptive_weight"] == 1e4
    alone = dict(COMPARED) | {"hinge": Term(discriminator=ADVERSARIAL.discriminator)}
    expected, _ = gradient_of(adversarial(nets, alone), batch)
    tiny.assert_trees_close(idle, expected, rtol=1e-12)
    started, _ = gradient_of(weighted(adversarial(nets, timed)), batch, Context(KEY, 5))
    expected, _ = gradient_of(weighted(adversarial(nets, ADVERSARIAL + COMPARED)), batch)
    tiny.assert_trees_close(started, expected, rtol=1e-12)


def test_the_scale_may_be_a_schedule(float64):
    """At 0 the other terms act alone; then the scale is that of the step."""
    batch = tiny.batch()
    objective = adversarial(tiny.networks(), ADVERSARIAL + COMPARED)
    ramp = weighted(objective, scale=optax.linear_schedule(0.0, 0.8, 4, transition_begin=2))
    for step, scale in ((2, 0.0), (3, 0.2), (6, 0.8)):
        scheduled, metrics = gradient_of(ramp, batch, Context(KEY, step))
        expected, same = gradient_of(weighted(objective, scale=scale), batch, Context(KEY, step))
        tiny.assert_trees_close(scheduled, expected, rtol=1e-6)
        np.testing.assert_allclose(
            metrics["generator/adaptive_weight"], same["generator/adaptive_weight"], rtol=1e-6
        )


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"terms": "hinges"}, "names the term 'hinges' of the generator: did you mean hinge"),
        ({"against": ""}, "needs at least one term on each side"),
        ({"layer": "out/kernel"}, "instead of 'kernel' there is b, w"),
        ({"layer": "out/w/0"}, "instead of '0' there is arrays alone"),
    ],
)
def test_unknown_names_are_refused(settings, message):
    objective = weighted(adversarial(tiny.networks(), ADVERSARIAL + COMPARED), **settings)
    with pytest.raises(UserError, match=message):
        gradient_of(objective, tiny.batch())


def test_the_weight_does_not_depend_on_the_devices():
    nets = tiny.networks()
    objective = weighted(adversarial(nets, ADVERSARIAL + COMPARED))
    draws = np.random.default_rng(0)
    batch = {
        "real": draws.normal(size=(2, 1, 8, 2)).astype(np.float32),
        "sample_index": np.tile(np.arange(8, dtype=np.int32), (2, 1, 1)),
    }
    results = [
        mapping(fused(alternating(objective, SGD, SGD), data.decode))(
            init_state(nets, SGD, SGD, KEY), batch, KEY
        )
        for mapping in (jax.jit, sharded, pmapped)
    ]
    for other, metrics in results[1:]:
        tiny.assert_trees_close(results[0][1], metrics, rtol=1e-4, atol=1e-6)
        tiny.assert_trees_close(
            results[0][0].generator.params, other.generator.params, rtol=1e-5, atol=1e-6
        )
