"""A history of generated samples: what is shown and stored, on devices, in look-aheads, resumed."""

import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest
import tiny

from gan_jax.distributed.mesh import device_mesh
from gan_jax.errors import UserError
from gan_jax.experiment import build, load_settings, run
from gan_jax.experiment.checkpoint import Checkpoints
from gan_jax.game import Context, Objective, Player, adversarial, initial_memory
from gan_jax.objectives import accumulated, augmented, history, losses, unrolled
from gan_jax.training import alternating, fused, init_state, pmapped, sharded

KEY, SGD = jax.random.key(3), optax.sgd(0.1)
GAME = losses.non_saturating() + losses.wasserstein()


def numbered(size: int):
    """A history whose generated samples are numbers that the test chooses, and one update of it."""

    def discriminator(own, generator, batch, context):
        return jnp.float32(0), ({"shown": batch["fake"]}, context.memory)

    objective = history(Objective(discriminator, discriminator, lambda g, b, k: b), (1,), size)

    @jax.jit
    def update(first, key, memory):
        numbers = first + jnp.arange(4.0)[:, None]
        batch = {"real": numbers, "fake": numbers, "latents": numbers}
        context = Context(key, 0, memory)
        return objective.discriminator({}, Player({}), batch, context)[1]

    return update, initial_memory(objective)


@pytest.mark.parametrize("size", [3, pytest.param(50, marks=pytest.mark.slow)])
def test_a_sample_is_shown_or_exchanged_for_a_stored_one(size):
    """``ImagePool`` of the authors, replayed from what was shown."""
    update, memory = numbered(size)
    pool, exchanges, slots = [], [], []
    for step in range(500):
        metrics, memory = update(4.0 * step, jax.random.key(step), memory)
        before = len(exchanges)
        for new, (shown,) in zip(4.0 * step + np.arange(4), metrics["shown"], strict=True):
            if len(pool) < size:
                assert shown == new
                pool.append(new)
                continue
            exchanges.append(shown != new)
            if shown != new:
                slots.append(pool.index(shown))  # raises if it is not a stored one
                pool[slots[-1]] = new
        share = sum(exchanges[before:]) / 4
        np.testing.assert_allclose(metrics["history/share"], share, rtol=1e-6)
        np.testing.assert_array_equal(memory["history"]["samples"][: len(pool), 0], pool)
        assert memory["history"]["stored"] == len(pool)
    n = len(exchanges)
    assert abs(sum(exchanges) - n / 2) < 4 * np.sqrt(n / 4)  # with probability 1/2 ...
    counts = np.bincount(slots, minlength=size)  # ... in a uniform place
    chi_squared = np.sum((counts - len(slots) / size) ** 2) / (len(slots) / size)
    assert chi_squared < (size - 1) + 4 * np.sqrt(2 * (size - 1))


def batches(steps=6, size=8):
    draws = np.random.default_rng(0)
    return {
        "real": draws.normal(size=(steps, 2, size, 2)).astype(np.float32),
        "sample_index": np.tile(np.arange(size, dtype=np.int32), (steps, 2, 1)),
    }


def end(objective, mapping=jax.jit, **shape):
    state = init_state(tiny.networks(), SGD, SGD, KEY, objective)
    run = mapping(fused(alternating(objective, SGD, SGD)))
    return jax.device_get(run(state, batches(**shape), KEY))


@pytest.mark.parametrize(
    ("mapping", "unroll"),
    [
        (pmapped, 0),
        pytest.param(sharded, 0, marks=pytest.mark.slow),
        pytest.param(pmapped, 2, marks=pytest.mark.slow),
        pytest.param(sharded, 2, marks=pytest.mark.slow),
    ],
)
def test_four_devices_hold_the_history_of_one(mapping, unroll):
    objective = unrolled(history(adversarial(tiny.networks(), GAME), (2,), 11), unroll, SGD)
    one = end(objective, lambda step: sharded(step, device_mesh(jax.devices()[:1])))
    tiny.assert_trees_close(one, end(objective, mapping), rtol=2e-4, atol=1e-6)
    assert (one[1]["history/share"] > 0).any()


def test_a_look_ahead_sees_the_history_and_leaves_it_alone():
    objective = history(adversarial(tiny.networks(), GAME), (2,), 1000)
    stored = end(unrolled(objective, 3, SGD))[0].memory["history"]["stored"]
    assert stored == 6 * 2 * 8  # once for each update of the discriminator


@pytest.mark.slow
def test_generators_learn_through_the_part_of_a_look_ahead_that_is_new(float64):
    """Finite differences. A stored sample that is shown is a constant."""
    objective = history(adversarial(tiny.networks(), GAME), (2,), 4)
    generator, discriminator = tiny.networks().init(KEY)
    samples = np.random.default_rng(1).normal(size=(4, 2))
    memory = {"history": {"samples": jnp.asarray(samples), "stored": jnp.asarray(4.0)}}
    sgd = optax.sgd(0.05)
    opponent, batch = Player(discriminator, sgd.init(discriminator)), tiny.batch(8)
    context = Context(KEY, 0, memory)
    share = objective.discriminator(discriminator, Player(generator), batch, context)[1][0]
    assert 0 < share["history/share"] < 1

    @jax.jit
    def loss(params):
        return unrolled(objective, 2, sgd).generator(params, opponent, batch, context)[0]

    towards = tiny.direction(generator)
    slope = tiny.dot(jax.grad(loss)(generator), towards)
    np.testing.assert_allclose(slope, tiny.slope_along(loss, generator, towards), rtol=1e-7)


@pytest.mark.slow
def test_the_parts_of_a_batch_share_a_history(float64):
    game = adversarial(tiny.networks(), GAME)
    whole, parts = end(history(game, (2,), 5)), end(history(accumulated(game, 4), (2,), 5))
    tiny.assert_trees_close(whole, parts, rtol=1e-9, atol=1e-12)
    with pytest.raises(UserError, match="cannot be accumulated"):
        end(accumulated(history(game, (2,), 5), 4))


def test_samples_are_stored_before_they_are_augmented():
    game = adversarial(tiny.networks(), GAME)
    brighter = augmented(game, lambda rng, sample: sample + 100.0)
    memory = end(history(brighter, (2,), 5))[0].memory["history"]
    assert np.abs(memory["samples"]).max() < 50 and memory["stored"] == 5


@pytest.mark.slow
def test_a_resumed_run_ends_with_the_same_bits(root, tmp_path):
    flags = [
        "networks=mlp(latent_size=4, generator_widths=(8,), discriminator_widths=(8,))",
        "transformations=history(size=40)",
        "batch_size=16",
        "health=false",
        "metrics=",
        *(f"{name}=5" for name in ("steps_per_call", "log_every", "checkpoint_every")),
    ]
    ends = []
    for name, all_steps in (("whole", [10]), ("resumed", [5, 10])):
        for steps in all_steps:
            settings = load_settings(str(root / "configs/ring.py"), [*flags, f"steps={steps}"])
            run(settings, tmp_path / name)
        like = jax.eval_shape(build(settings).init, jax.random.key(0))
        with Checkpoints(tmp_path / name / "checkpoints", 2) as checkpoints:
            ends.append(jax.device_get(checkpoints.restore(like)[1]))
    assert ends[0].memory["history"]["samples"].shape == (40, 2)  # of the dataset's shape
    assert ends[0].memory["history"]["stored"] == 40
    tiny.assert_trees_equal(ends[0], ends[1])


def test_what_it_cannot_do_is_refused_in_one_line():
    game = adversarial(tiny.networks(), GAME)
    objective = history(game, (2,))
    context = Context(KEY, 0, initial_memory(objective))

    def loss(objective=objective, context=context, labels=False):
        generator, discriminator = tiny.networks(labels).init(KEY)
        batch = tiny.batch(labels=labels)
        return objective.discriminator(discriminator, Player(generator), batch, context)

    with pytest.raises(UserError, match="this batch has labels"):
        loss(history(adversarial(tiny.networks(labels=True), GAME), (2,)), labels=True)
    other = history(game, (3,))
    with pytest.raises(UserError, match=r"history keeps samples \[3\], not \[2\]"):
        loss(other, Context(KEY, 0, initial_memory(other)))
    with pytest.raises(ValueError, match=r"the train state lacks.*init_state\(..., objective="):
        loss(context=KEY)
    with pytest.raises(ValueError, match="has a history already"):
        history(objective, (2,))
    with pytest.raises(ValueError, match="generate_fakes"):
        history(game._replace(generate_fakes=None), (2,))
    with pytest.raises(UserError, match="at least 1, not 0"):
        history(game, (2,), 0)
    with pytest.raises(TypeError, match="history takes an Objective"):
        history(losses.hinge(), (2,))
