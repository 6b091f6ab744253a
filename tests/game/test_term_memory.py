"""What terms remember: in the train state, on several devices, in look-aheads, after a resume."""

import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest
import tiny

from gan_jax.distributed.mesh import device_mesh
from gan_jax.game import Context, Player, Term, adversarial, initial_memory
from gan_jax.objectives import losses, regularisers
from gan_jax.objectives.accumulation import accumulated
from gan_jax.objectives.timing import every
from gan_jax.objectives.unrolling import unrolled
from gan_jax.training import (
    alternating,
    consensus,
    extragradient,
    fused,
    init_state,
    pmapped,
    sharded,
    simultaneous,
)

KEY, SGD = jax.random.key(3), optax.sgd(0.1)


def counting(side: str = "discriminator") -> Term:
    """A term that counts the updates of a player, and sums the steps that it has seen."""

    def count(round):
        updates, steps = round.memory["updates"], round.memory["steps"]
        new = {"updates": updates + 1, "steps": steps + round.step}
        return 0.0 * jnp.mean(round.fake), new

    return Term(name="count", memory={"updates": 0, "steps": 0}, **{side: count})


def trained(objective, steps=3, discriminator_steps=2, rule=alternating):
    nets = tiny.networks()
    state = init_state(nets, SGD, SGD, KEY, objective)
    batch = tiny.batch(discriminator_steps=discriminator_steps)
    batch = jax.tree.map(lambda leaf: jnp.stack([leaf] * steps), batch)
    return jax.jit(fused(rule(objective, SGD, SGD)))(state, batch, KEY)[0]


@pytest.mark.parametrize(
    ("rule", "side", "updates"),
    [
        (alternating, "discriminator", 6),
        (alternating, "generator", 3),
        (lambda *args: alternating(*args, reuse=True), "discriminator", 6),
        (simultaneous, "discriminator", 6),
        (simultaneous, "generator", 3),
        (consensus, "discriminator", 6),
        (extragradient, "discriminator", 3),  # the extrapolation is a look-ahead
        (extragradient, "generator", 3),
    ],
)
def test_a_memory_moves_once_for_each_update(rule, side, updates):
    objective = adversarial(tiny.networks(), losses.minimax() + counting(side))
    memory = trained(objective, rule=rule).memory["count"]
    assert (int(memory["updates"]), int(memory["steps"])) == (updates, updates)  # 0 + 1 + 2 twice


def test_a_memory_stands_still_inside_a_look_ahead():
    objective = adversarial(tiny.networks(), losses.minimax() + counting())
    assert trained(unrolled(objective, 3, SGD)).memory["count"]["updates"] == 6


def test_a_lazy_term_remembers_when_it_acts():
    objective = adversarial(tiny.networks(), losses.minimax() + every(2, counting()))
    memory = trained(objective, steps=5).memory["count"]
    assert (int(memory["updates"]), int(memory["steps"])) == (6, 12)  # at steps 0, 2 and 4


def test_accumulation_averages_what_its_parts_remember(float64):
    nets = tiny.networks()
    terms = losses.non_saturating() + losses.wasserstein() + means()
    batch = tiny.batch(8, discriminator_steps=2)
    ends = []
    for parts in (1, 4):
        objective = accumulated(adversarial(nets, terms), parts)
        state = init_state(nets, SGD, SGD, KEY, objective)
        ends.append(jax.jit(alternating(objective, SGD, SGD))(state, batch, KEY))
    tiny.assert_trees_close(ends[0], ends[1], rtol=1e-9, atol=1e-12)


def means() -> Term:
    """Remembers the mean score of the batch, by which it is scaled: linear, so parts add up."""

    def scaled(round):
        return round.memory * jnp.mean(round.fake_scores), jnp.mean(round.real_scores)

    return Term(name="means", discriminator=scaled, memory=0.5)


@pytest.mark.parametrize("mapping", [sharded, pmapped])
@pytest.mark.parametrize("unroll", [0, 2])
def test_four_devices_remember_what_one_does(mapping, unroll):
    nets = tiny.networks()
    terms = losses.non_saturating() + regularisers.lecam(1.0, start=0) + means()
    terms += every(2, regularisers.path_length(1.0, share=1))
    objective = unrolled(adversarial(nets, terms), unroll, SGD)
    batch = {
        "real": np.random.default_rng(0).normal(size=(5, 2, 8, 2)).astype(np.float32),
        "sample_index": np.tile(np.arange(8, dtype=np.int32), (5, 2, 1)),
    }
    ends = []
    for run in (
        sharded(fused(alternating(objective, SGD, SGD)), device_mesh(jax.devices()[:1])),
        mapping(fused(alternating(objective, SGD, SGD))),
    ):
        state, metrics = run(init_state(nets, SGD, SGD, KEY, objective), batch, KEY)
        ends.append(jax.device_get((state, metrics)))
    assert ends[0][0].memory["lecam"]["real"] != 0 and ends[0][0].memory["path_length"] > 0
    tiny.assert_trees_close(ends[0], ends[1], rtol=2e-4, atol=1e-6)


def test_members_of_a_population_have_memories_of_their_own():
    nets = tiny.networks()
    objective = adversarial(nets, losses.hinge() + every(2, regularisers.lecam(1.0, start=0)))
    step = fused(alternating(objective, SGD, SGD))
    batch = jax.tree.map(lambda leaf: jnp.stack([leaf] * 5), tiny.batch(discriminator_steps=1))
    keys = jax.random.split(KEY, 3)

    def run(key):
        return step(init_state(nets, SGD, SGD, key, objective), batch, key)[0]

    members = jax.jit(jax.vmap(run))(keys)
    alone = jax.jit(run)(keys[2])
    last = jax.tree.map(lambda leaf: leaf[2], members)
    tiny.assert_trees_close(last, alone, rtol=1e-4, atol=1e-6)
    assert len(np.unique(members.memory["lecam"]["real"])) == 3


def test_no_gradient_passes_through_a_memory(float64):
    """Two losses in a row: what the first one remembers is a constant to the second."""
    nets = tiny.networks()
    objective = adversarial(nets, losses.wasserstein() + means())
    generator, discriminator = nets.init(KEY)

    def second(params):
        context = Context(KEY, 0, initial_memory(objective))
        _, (_, memory) = objective.discriminator(params, Player(generator), tiny.batch(), context)
        return memory["means"]

    gradient = jax.grad(second)(discriminator)
    assert all((leaf == 0).all() for leaf in jax.tree.leaves(gradient))


def test_a_state_without_the_memory_is_refused():
    nets = tiny.networks()
    objective = adversarial(nets, losses.minimax() + counting())
    state = init_state(nets, SGD, SGD, KEY)
    with pytest.raises(ValueError, match=r"count keeps a memory.*init_state\(..., objective="):
        alternating(objective, SGD, SGD)(state, tiny.batch(discriminator_steps=1), KEY)


def test_a_term_returns_what_it_remembers():
    nets = tiny.networks()
    generator, discriminator = nets.init(KEY)
    forgetful = Term(name="forgetful", discriminator=lambda r: jnp.mean(r.fake_scores), memory=0.0)
    unasked = Term(name="unasked", discriminator=lambda r: (jnp.mean(r.fake_scores), 1.0))
    for term, says in (
        (forgetful, r"forgetful keeps a memory: it must return \(value, new memory\)"),
        (unasked, "unasked returned a tuple .* needs an initial one"),
    ):
        objective = adversarial(nets, losses.minimax() + term)
        context = Context(KEY, 0, initial_memory(objective))
        with pytest.raises(ValueError, match=says):
            objective.discriminator(discriminator, Player(generator), tiny.batch(), context)
