"""The stages that optax lacks, and games on parts of a batch against games on the whole."""

import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest
import tiny

from gan_jax.distributed.collectives import batch_axis
from gan_jax.game import adversarial
from gan_jax.objectives.losses import feature_matching, relativistic_average
from gan_jax.objectives.penalties import dragan
from gan_jax.training import consensus, init_state
from gan_jax.training.optimizers import average_over, clip_weights, orthogonal_regularization


def test_clip_weights_keeps_every_parameter_within_its_bound():
    optimizer = optax.chain(optax.sgd(1.0), clip_weights(0.5))
    params = {"w": jnp.array([0.4, -0.4, 0.0]), "b": jnp.array(0.2)}
    updates, _ = optimizer.update(
        {"w": jnp.array([-1.0, 1.0, 0.1]), "b": jnp.array(0.1)}, optimizer.init(params), params
    )
    tiny.assert_trees_close(
        optax.apply_updates(params, updates),
        {"w": np.array([0.5, -0.5, -0.1]), "b": np.array(0.1)},
        rtol=1e-6,
    )
    with pytest.raises(ValueError, match="needs the parameters"):
        clip_weights(0.1).update(params, None)


def test_orthogonal_regularization_adds_the_gradient_of_its_formula(float64):
    draws = np.random.default_rng(0)
    params = {
        "conv": jnp.asarray(draws.normal(size=(2, 2, 3, 4))),
        "bias": jnp.asarray(draws.normal(size=4)),
    }

    def formula(params):
        w = params["conv"].reshape(-1, 4)
        return 0.3 * jnp.sum(jnp.square(w.T @ w * (1 - jnp.eye(4))))

    stage = orthogonal_regularization(0.3)
    gradient = jax.tree.map(jnp.ones_like, params)
    updates, _ = stage.update(gradient, stage.init(params), params)
    expected = jax.tree.map(jnp.add, gradient, jax.grad(formula)(params))
    tiny.assert_trees_close(updates, expected, rtol=1e-12)

    def unit_formula(params):
        w = params["conv"].reshape(-1, 4)
        return 0.3 * jnp.sum(jnp.square(w.T @ w - jnp.eye(4)))

    pull, _ = orthogonal_regularization(0.3, unit_norm=True).update(gradient, (), params)
    expected = jax.tree.map(jnp.add, gradient, jax.grad(unit_formula)(params))
    tiny.assert_trees_close(pull, expected, rtol=1e-12)
    square = {
        "w": jnp.linalg.qr(jnp.asarray(draws.normal(size=(5, 3))))[0] * jnp.array([[1.0, 2.0, 3.0]])
    }
    pull, _ = stage.update(jax.tree.map(jnp.zeros_like, square), (), square)
    np.testing.assert_allclose(pull["w"], 0, atol=1e-12)  # orthogonal filters of any length
    with pytest.raises(ValueError, match="needs the parameters"):
        stage.update(params, ())


def test_a_mapped_game_sees_the_whole_batch(float64):
    """Averages inside a loss, DRAGAN's deviation, consensus: 4 devices give the numbers of one."""
    nets, sgd = tiny.networks(), optax.sgd(0.1)
    terms = {
        "relativistic_average": relativistic_average(),
        "dragan": dragan(),
        "feature_matching": feature_matching(),
    }
    game = adversarial(nets, terms)
    batch, key = (
        tiny.batch(size=8, discriminator_steps=1) | {"sample_index": jnp.arange(8)[None]},
        jax.random.key(3),
    )
    batch |= {"fake": tiny.batch(size=8, discriminator_steps=1, seed=4)["real"]}
    state = init_state(nets, sgd, sgd, jax.random.key(0))
    alone, _ = jax.jit(consensus(game, sgd, sgd, weight=0.2))(state, batch, key)
    averaged = optax.chain(average_over("devices"), sgd)
    state = init_state(nets, averaged, averaged, jax.random.key(0))
    step = consensus(game, averaged, averaged, weight=0.2)

    def on_device(state, batch, key):
        with batch_axis("devices"):
            return step(state, batch, key)[0]

    parts = jax.tree.map(
        lambda leaf: jnp.moveaxis(leaf.reshape(1, 4, 2, *leaf.shape[2:]), 1, 0), batch
    )
    mapped = jax.pmap(on_device, "devices", in_axes=(None, 0, None), out_axes=None)(
        state, parts, key
    )
    for side in ("generator", "discriminator"):
        a, b = getattr(alone, side).params, getattr(mapped, side).params
        tiny.assert_trees_close(a, b, rtol=1e-10, atol=1e-13)
