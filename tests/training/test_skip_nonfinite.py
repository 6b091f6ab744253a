"""Updates that are not finite are skipped, alike in every way of training."""

import jax
import jax.numpy as jnp
import numpy as np
import optax
import parallelism_cases
import pytest
import tiny

from gan_jax.distributed.collectives import mean_over_devices
from gan_jax.distributed.mesh import device_mesh
from gan_jax.game import Player, adversarial
from gan_jax.objectives import losses
from gan_jax.training.alternating_updates import alternating
from gan_jax.training.data_parallel import population_step
from gan_jax.training.nonfinite import (
    SKIPPED_UPDATES,
    first_nonfinite_parameter,
    skip_nonfinite,
)
from gan_jax.training.steps import TrainState, fused, init_state

STEPS, BAD = 6, (2, 3)


def toy_step(state, batch, rng):
    """Plain numbers in place of networks: parameters go towards the mean of the samples."""
    moved = jax.tree.map(lambda leaf: leaf + jnp.mean(batch["real"]), state.generator.params)
    generator = Player(moved, state.generator.opt_state)
    metrics = {"generator/loss": batch["metric"].mean()}
    return state._replace(step=state.step + 1, generator=generator, generator_ema=moved), metrics


def toy_state():
    """With an infinity of its own, as the best value of a schedule has before the first one."""
    params = {"a": jnp.zeros((2,)), "b": jnp.ones(())}
    generator = Player(params, (jnp.array(jnp.inf), jnp.array(3)))
    discriminator = Player({"c": jnp.ones(())}, ())
    ema = jax.tree.map(jnp.copy, params)  # states are donated
    return TrainState(jnp.zeros((), jnp.int32), generator, discriminator, ema)


def toy_batches(bad, where="real", devices=4):
    """Batches of ones, of which one sample is not finite at some steps."""
    shape = (STEPS, 1, 2 * devices)
    leaves = {name: np.ones(shape, np.float32) for name in ("real", "metric")}
    for step in bad:
        leaves[where][step, 0, 1] = np.inf
    index = np.broadcast_to(np.arange(shape[-1], dtype=np.int32), shape)
    return leaves | {"sample_index": index}


@pytest.mark.parametrize("where", ["real", "metric"])
def test_the_state_stays_and_the_step_counts(where):
    step = jax.jit(fused(skip_nonfinite(toy_step)))
    state, metrics = step(toy_state(), toy_batches(BAD, where), jax.random.key(0))
    assert state.step == STEPS
    np.testing.assert_array_equal(state.generator.params["a"], STEPS - len(BAD))
    np.testing.assert_array_equal(state.generator_ema["a"], STEPS - len(BAD))
    assert np.isinf(state.generator.opt_state[0]) and state.generator.opt_state[1] == 3
    np.testing.assert_array_equal(metrics[SKIPPED_UPDATES], [0, 0, 1, 1, 0, 0])


@pytest.mark.parametrize("name", parallelism_cases.MAPPINGS)
def test_all_devices_skip_what_is_not_finite_on_one(name):
    """pmapped sees a loss of each device's own samples."""

    def step(state, batch, rng):
        batch = batch | {"real": mean_over_devices(jnp.mean(batch["real"]))}
        return toy_step(state, batch, rng)

    assert jax.device_count() == 4
    parallel = parallelism_cases.MAPPINGS[name](fused(skip_nonfinite(step)))
    state, metrics = parallel(toy_state(), toy_batches(BAD, "metric"), jax.random.key(0))
    np.testing.assert_array_equal(state.generator.params["a"], STEPS - len(BAD))
    np.testing.assert_array_equal(metrics[SKIPPED_UPDATES], [0, 0, 1, 1, 0, 0])


def test_each_member_of_a_population_skips_its_own():
    states = jax.tree.map(lambda leaf: jnp.stack([leaf] * 2), toy_state())
    batches = [toy_batches(BAD), toy_batches((5,))]
    batch = jax.tree.map(lambda *leaves: np.stack(leaves), *batches)
    program = population_step(
        lambda numbers: fused(skip_nonfinite(toy_step)), device_mesh(jax.devices()[:2])
    )
    state, metrics = program((), states, batch, jax.random.split(jax.random.key(0), 2))
    np.testing.assert_array_equal(metrics[SKIPPED_UPDATES].sum(1), [2, 1])
    np.testing.assert_array_equal(state.generator.params["b"], [1 + STEPS - 2, 1 + STEPS - 1])


@pytest.mark.slow
def test_a_real_step_that_is_finite_is_not_changed():
    networks = tiny.networks()
    objective = adversarial(networks, losses.minimax())
    adam = optax.adam(1e-2)
    step = alternating(objective, adam, adam)
    state = init_state(networks, adam, adam, tiny.key(0))
    batch = tiny.batch(8, discriminator_steps=1)
    plain, metrics = jax.jit(step)(state, batch, tiny.key(1))
    kept, with_count = jax.jit(skip_nonfinite(step))(state, batch, tiny.key(1))
    tiny.assert_trees_close(kept, plain, rtol=1e-6, atol=1e-7)
    assert with_count.pop(SKIPPED_UPDATES) == 0 and with_count.keys() == metrics.keys()
    bad = batch | {"real": batch["real"].at[0, 3, 1].set(jnp.nan)}
    kept, with_count = jax.jit(skip_nonfinite(step))(state, bad, tiny.key(1))
    tiny.assert_trees_equal(kept._replace(step=state.step), state)
    assert with_count[SKIPPED_UPDATES] == 1 and kept.step == 1


def test_the_first_parameter_that_is_not_finite_is_named():
    state = toy_state()
    assert first_nonfinite_parameter(state) == ""
    bad = state.generator._replace(params=state.generator.params | {"b": jnp.array(jnp.nan)})
    both = state._replace(
        generator=bad, discriminator=Player({"c": {"kernel": jnp.array(jnp.inf)}}, ())
    )
    assert first_nonfinite_parameter(state._replace(generator=bad)) == "generator/params/b"
    assert first_nonfinite_parameter(both) == "discriminator/params/c/kernel"
    assert first_nonfinite_parameter(both, "generator") == "generator/params/b"
    low = {"d": jnp.array(jnp.nan, jnp.bfloat16)}
    assert first_nonfinite_parameter(state._replace(generator_ema=low)) == "generator_ema/d"
