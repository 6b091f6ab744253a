"""A state that is divided over four devices: where it lies, what is sent, and its numbers."""

import functools
import re

import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest
from jax.sharding import PartitionSpec as P

from gan_jax import networks
from gan_jax.distributed.mesh import device_mesh
from gan_jax.distributed.state_sharding import leaf_sharding, state_sharding
from gan_jax.game import adversarial
from gan_jax.objectives import accumulated, losses, penalties, regularisers, unrolled
from gan_jax.training import alternating, fused, init_state
from gan_jax.training.data_parallel import fully_sharded, sharded

STEPS, BATCH, SMALLEST = 3, 16, 64
ADAM = optax.adam(1e-2, eps_root=1e-8)
TERMS = {
    "unrolled": losses.minimax(),
    "accumulated": losses.non_saturating(),
    "WGAN-GP with a memory": losses.wasserstein()
    + penalties.gradient_penalty()
    + regularisers.lecam(0.1),
}


@pytest.mark.parametrize(
    ("shape", "spec"),
    [
        ((12, 8), P("devices")),
        ((3, 8), P(None, "devices")),
        ((3, 3, 8, 16), P(None, None, None, "devices")),
        ((8, 8), P("devices")),  # the first of equal ones
        ((10, 4), P(None, "devices")),  # four devices do not divide 10
        ((6, 6), P()),
        ((4, 5), P()),  # fewer than 24 entries
        ((24,), P("devices")),
        ((), P()),
        ((0, 4), P()),
    ],
)
def test_the_largest_axis_that_the_devices_divide_is_divided(shape, spec):
    assert leaf_sharding(shape, device_mesh(), smallest=24).spec == spec


@functools.cache
def game(case):
    """A fused step, a state and batches."""
    nets = networks.mlp((2,), latent_size=4, generator_widths=(32,), discriminator_widths=(32,))
    objective = adversarial(nets, TERMS[case])
    if case == "unrolled":
        objective = unrolled(objective, 2, ADAM)
    if case == "accumulated":
        objective = accumulated(objective, 2)
    step = fused(alternating(objective, ADAM, ADAM, ema_decay=(0.9, 0.5)))
    state = init_state(nets, ADAM, ADAM, jax.random.key(0), objective, emas=2)
    real = np.random.default_rng(0).normal(size=(STEPS, 2, BATCH, 2)).astype(np.float32)
    index = np.tile(np.arange(BATCH, dtype=np.int32), (STEPS, 2, 1))
    return step, state, {"real": real, "sample_index": index}


def copied(state):
    """A state that may be donated."""
    return jax.tree.map(jnp.copy, state)


@pytest.mark.parametrize("case", TERMS)
def test_a_divided_state_has_the_numbers_of_a_whole_one(case):
    assert jax.device_count() == 4
    step, start, batch = game(case)
    whole, metrics = sharded(step)(copied(start), batch, jax.random.key(1))
    placed = jax.device_put(copied(start), state_sharding(start, smallest=SMALLEST))
    program = fully_sharded(step, smallest=SMALLEST)
    divided, divided_metrics = program(placed, batch, jax.random.key(1))
    moved = np.abs(np.asarray(whole.generator.params["params"]["hidden"]["dense_0"]["kernel"]))
    assert moved.max() > 0
    for one, other in zip(jax.tree.leaves(whole), jax.tree.leaves(divided), strict=True):
        np.testing.assert_allclose(one, other, rtol=1e-5, atol=1e-6)
    for name, values in metrics.items():
        np.testing.assert_allclose(values, divided_metrics[name], rtol=1e-4, atol=1e-6)

    # Parameters, both moments of Adam and both moving averages.
    kernels = [
        leaf
        for path, leaf in jax.tree_util.tree_leaves_with_path(divided)
        if "kernel" in str(path) and leaf.size >= SMALLEST
    ]
    assert len(kernels) == 3 * 3 + 2 * 2
    for leaf in jax.tree.leaves(divided):
        parts = [shard.data.size for shard in leaf.addressable_shards]
        assert parts == [leaf.size // 4 if leaf.size >= SMALLEST else leaf.size] * 4

    # The next call finds the state where the program wants it.
    program(divided, batch, jax.random.key(1))
    assert program._cache_size() == 1


def test_parameters_are_gathered_where_they_are_used_and_activations_are_not():
    """Left to itself XLA divides the layers, and sends activations."""
    step, start, batch = game("unrolled")
    shapes = jax.tree.map(
        lambda leaf, sharding: jax.ShapeDtypeStruct(leaf.shape, leaf.dtype, sharding=sharding),
        start,
        state_sharding(start, smallest=SMALLEST),
    )
    compiled = fully_sharded(step, smallest=SMALLEST).lower(shapes, batch, jax.random.key(0))
    compiled = compiled.compile()
    sent = re.findall(r"= (.*?) (all-\w+|reduce-scatter|collective-permute)\(", compiled.as_text())
    assert {kind for _, kind in sent} == {"all-gather", "all-reduce"}
    gathered = {shape.partition("{")[0] for shape, kind in sent if kind == "all-gather"}
    large = {
        f"f32[{','.join(map(str, leaf.shape))}]"
        for leaf in jax.tree.leaves((start.generator.params, start.discriminator.params))
        if leaf.size >= SMALLEST
    }
    assert gathered == large

    copies = sharded(step).lower(start, batch, jax.random.key(0)).compile()
    saved = sum(3 * leaf.nbytes // 4 for leaf in jax.tree.leaves(start) if leaf.size >= SMALLEST)
    sizes = [program.memory_analysis().argument_size_in_bytes for program in (copies, compiled)]
    assert sizes[0] - sizes[1] == saved


def test_a_replicated_state_is_divided_by_the_first_call():
    step, start, batch = game("accumulated")
    state, _ = fully_sharded(step, smallest=SMALLEST)(copied(start), batch, jax.random.key(1))
    for leaf in jax.tree.leaves(state):
        assert leaf.sharding.is_fully_replicated == (leaf.size < SMALLEST)


def test_a_negative_size_is_refused():
    with pytest.raises(ValueError, match="smallest >= 0"):
        fully_sharded(game("accumulated")[0], smallest=-1)
