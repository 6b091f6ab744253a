"""Health against closed forms, and that measuring it changes nothing."""

import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest
import tiny

from gan_jax.data import decode
from gan_jax.diagnosis import health as measures
from gan_jax.diagnosis import quantities
from gan_jax.diagnosis.monitoring import monitored, movement
from gan_jax.distributed.mesh import device_mesh
from gan_jax.game import Networks, adversarial
from gan_jax.objectives import losses
from gan_jax.training import alternating, fused, init_state, pmapped, sharded
from gan_jax.training.data_parallel import MEMBERS, population_step

SGD = optax.sgd(0.1)
N = 16


def affine_game(gain=1.0, slope=1.0, offset=0.0) -> Networks:
    """G(z) = gain z, D(x) = slope sum(x) + offset: everything is known."""
    return Networks(
        init=lambda rng: (
            {"gain": jnp.float32(gain)},
            {"slope": jnp.float32(slope), "offset": jnp.float32(offset)},
        ),
        latent=lambda rng, n: jax.random.normal(rng, (n, 2)),
        generate=lambda params, latents: params["gain"] * latents,
        score=lambda params, x: params["slope"] * jnp.sum(x, 1) + params["offset"],
    )


def measured(networks, *chosen, terms=None, real=None, centres=None):
    objective = adversarial(networks, terms or losses.non_saturating())
    state = init_state(networks, SGD, SGD, jax.random.key(0))
    real = jax.random.normal(jax.random.key(1), (N, 2)) if real is None else real
    measure = jax.jit(measures.health(networks, objective, centres, chosen))
    return {
        name.removeprefix("health/"): float(value)
        for name, value in measure(state, {"real": real}, jax.random.key(2)).items()
    }


def test_the_mean_distance_is_that_of_all_pairs():
    samples = np.random.default_rng(0).normal(5.0, 1.0, (7, 3, 2)).astype(np.float32)
    pairs = [np.linalg.norm(samples[i] - samples[j]) for i in range(7) for j in range(i)]
    np.testing.assert_allclose(quantities.mean_distance(samples), np.mean(pairs), rtol=1e-5)


def test_a_collapsed_generator_has_no_diversity_and_dead_latents():
    both = (quantities.diversity, quantities.dead_latents)
    collapsed, healthy = (measured(affine_game(gain=gain), *both) for gain in (1e-4, 1.0))
    assert collapsed["diversity"] < 1e-3 and collapsed["dead_latents"] == 1
    assert 0.5 < healthy["diversity"] < 2 and healthy["dead_latents"] == 0


def test_spectral_norms_are_the_largest_singular_values():
    rng = np.random.default_rng(0)
    shapes = {"dense": (24, 7), "convolution": (3, 3, 4, 16), "wide": (5, 64), "scale": (9,)}
    params = {name: rng.normal(size=shape).astype(np.float32) for name, shape in shapes.items()}
    score = lambda params, x: jnp.sum(x, 1)
    nets = affine_game()._replace(init=lambda key: ({"gain": jnp.float32(1)}, params), score=score)
    found = measured(nets, quantities.spectral_norms)
    kernels = [leaf.reshape(-1, leaf.shape[-1]) for leaf in params.values() if leaf.ndim > 1]
    exact = [np.linalg.svd(kernel, compute_uv=False)[0] for kernel in kernels]
    # Ten iterations are short of the values by less than 2% each, and never above.
    assert 0.98 * max(exact) < found["spectral_norm"] <= max(exact) * (1 + 1e-5)
    product = np.sum(np.log(exact))
    assert product + 3 * np.log(0.98) < found["log_spectral_product"] <= product + 1e-4

    # With a gap between the values they are exact.
    u, _ = np.linalg.qr(rng.normal(size=(6, 6)))
    params = {"kernel": (u * [3.0, 1.5, 1, 1, 0.5, 0.1]).astype(np.float32)}
    nets = nets._replace(init=lambda key: ({"gain": jnp.float32(1)}, params))
    found = measured(nets, quantities.spectral_norms)
    np.testing.assert_allclose(found["spectral_norm"], 3.0, rtol=1e-5)
    np.testing.assert_allclose(found["log_spectral_product"], np.log(3.0), rtol=1e-5)
    assert measured(affine_game(), quantities.spectral_norms) == {}


def test_modes_that_have_their_share_are_counted():
    real = jnp.tile(jnp.array([[5.0, 0.0], [-5.0, 0.0]]), (N // 2, 1))
    four = np.array([[5, 0], [-5, 0], [0, 5], [0, -5]], np.float32)
    nets = affine_game()._replace(generate=lambda params, z: params["gain"] * real[: len(z)])
    assert measured(nets, quantities.mode_share, centres=four)["mode_share"] == 0.5


def test_slopes_of_a_linear_discriminator_are_all_the_same():
    found = measured(affine_game(slope=3.0), quantities.slope_quantiles)
    for name in ("slope_low", "slope_median", "slope_high"):
        np.testing.assert_allclose(found[name], 3.0 * np.sqrt(2.0), rtol=1e-5)


def test_the_generator_loss_is_flat_only_where_the_saturating_loss_is():
    """At scores near -30 the minimax loss has slope sigmoid(-30), the non-saturating one 1."""
    certain = affine_game(slope=0.1, offset=-30.0)
    flat = lambda networks, terms: measured(networks, quantities.flat_samples, terms=terms)
    assert flat(certain, losses.minimax())["flat_samples"] == 1
    assert flat(certain, losses.non_saturating())["flat_samples"] == 0
    assert flat(affine_game(), losses.minimax())["flat_samples"] < 0.5


def test_the_separation_is_the_area_under_the_roc_curve():
    real = jnp.asarray(np.random.default_rng(0).normal(1.0, 1.0, (N, 2)), jnp.float32)
    area = lambda networks, real: measured(networks, quantities.separation, real=real)
    assert area(affine_game(), real + 50)["separation"] == 1
    assert area(affine_game(), real - 50)["separation"] == 0
    assert area(affine_game(slope=0.0), real)["separation"] == 0.5


def test_overfitting_is_the_share_of_the_scores_difference_that_is_lost_on_new_samples():
    """Scores are sums of coordinates: 8 for training samples, 2 for new ones, about 0 for fakes."""
    nets = affine_game(gain=0.0)
    state = init_state(nets, SGD, SGD, jax.random.key(0))
    measure = measures.health(
        nets,
        adversarial(nets, losses.non_saturating()),
        quantities=(quantities.overfitting,),
        held_out=lambda batch: {"real": jnp.ones((5, 2))},
    )
    found = measure(state, {"real": 4 * jnp.ones((N, 2))}, jax.random.key(0))
    np.testing.assert_allclose(found["health/overfitting"], (8 - 2) / 8, rtol=1e-6)


def test_clipped_weights_are_at_the_bound():
    def nets(weights):
        return affine_game()._replace(
            init=lambda rng: ({"gain": jnp.float32(1.0)}, {"w": jnp.asarray(weights)}),
            score=lambda params, x: x[:, 0] * jnp.sum(params["w"]),
        )

    share = lambda weights: measured(nets(weights), quantities.weights_at_bound)
    assert share([0.01, -0.01])["weights_at_bound"] == 1
    assert share([0.01, 0.002])["weights_at_bound"] == 0
    assert share([0.01, -0.01, 0.002])["weights_at_bound"] == 0.5
    assert share([0.01, 0.0])["weights_at_bound"] == 0


def test_movement_on_a_line_and_on_a_circle():
    line = movement(jnp.linspace(0.0, 1.0, 9)[:, None] * jnp.ones((1, 3)))
    np.testing.assert_allclose(
        [line["update_cosine"], line["path_ratio"]], [1.0, 8**-0.5], rtol=1e-5
    )
    angle = np.linspace(0, 3 * np.pi, 37)  # one and a half turns: it ends opposite to its start
    circle = movement(jnp.asarray(np.stack([np.cos(angle), np.sin(angle)], 1), jnp.float32))
    step = 3 * np.pi / 36
    np.testing.assert_allclose(circle["update_cosine"], np.cos(step), rtol=1e-4)
    ratio = 36 * 2 * np.sin(step / 2) / (2 * 6)
    np.testing.assert_allclose(circle["path_ratio"], ratio, rtol=1e-4)


def test_maps_and_several_scores_and_image_conditions_are_measured():
    nets = affine_game()._replace(
        score=lambda params, x, input: {
            "map": params["slope"] * x,
            "one": params["slope"] * x[:, 0] + params["offset"],
        },
        generate=lambda params, latents, input: params["gain"] * input,
        latent=None,
    )
    objective = adversarial(nets, losses.hinge())
    state = init_state(nets, SGD, SGD, jax.random.key(0))
    x = jax.random.normal(jax.random.key(1), (N, 2))
    some = (quantities.diversity, quantities.dead_latents, quantities.slope_quantiles)
    measure = measures.health(nets, objective, quantities=some)
    found = measure(state, {"real": x, "input": x}, jax.random.key(2))
    assert found["health/diversity"] == 1 and "health/dead_latents" not in found
    # The gradient of the map's sum and of the other score: (2, 1).
    np.testing.assert_allclose(found["health/slope_median"], np.sqrt(5.0), rtol=1e-5)


def test_what_networks_do_not_allow_is_named_and_the_rest_is_measured():
    calls = []

    def generate(params, latents):
        calls.append(1)
        if len(calls) > 1:
            raise ValueError("it may be called once")
        return params["gain"] * latents

    nets = affine_game()._replace(generate=generate)
    failed = {}
    objective = adversarial(nets, losses.non_saturating())
    state = init_state(nets, SGD, SGD, jax.random.key(0))
    batch = {"real": jnp.ones((N, 2)) * jnp.arange(N)[:, None]}
    found = measures.health(
        nets, objective, on_failure=lambda name, error: failed.update({name: str(error)})
    )(state, batch, jax.random.key(0))
    assert failed == {"dead_latents": "it may be called once"}
    assert "health/diversity" in found and "health/dead_latents" not in found
    calls.clear()
    with pytest.raises(ValueError, match="called once"):
        measures.health(nets, objective)(state, batch, jax.random.key(0))


# ------------------------------------------------------------------------------ in the fused step


def game():
    networks = tiny.networks()
    objective = adversarial(networks, losses.non_saturating())
    step = alternating(objective, SGD, SGD)
    state = init_state(networks, SGD, SGD, jax.random.key(0))
    return step, state, measures.health(networks, objective)


def batches(steps: int, size: int = N):
    real = tiny.batch(size, steps, seed=3)["real"].astype(np.float32)[:, None]
    index = jnp.tile(jnp.arange(size, dtype=jnp.int32), (steps, 1, 1))
    return {"real": real, "sample_index": index}


@pytest.mark.parametrize("steps", [pytest.param(1, marks=pytest.mark.slow), 4])
def test_no_bit_of_states_and_metrics_depends_on_whether_health_is_measured(steps):
    step, state, measure = game()
    key = jax.random.key(1)
    plain, metrics = jax.jit(fused(step))(state, batches(steps), key)
    program = jax.jit(monitored(step, decode, measure, lambda step: step % 4 == 0))
    after, with_health = program(state, batches(steps), key)
    tiny.assert_trees_equal(plain, after)
    tiny.assert_trees_equal(metrics, {name: with_health[name] for name in metrics})
    health = [value for name, value in with_health.items() if name.startswith("health/")]
    assert len(health) > 10
    assert np.isnan(health).all() == (steps == 1)  # not due after the first step
    program(after, batches(steps), key)
    assert program._cache_size() == 1


@pytest.mark.slow
def test_health_does_not_depend_on_how_the_batch_is_split():
    step, state, measure = game()
    run = monitored(step, decode, measure, lambda step: step > 0, samples=8)
    copies = lambda: jax.tree.map(jnp.copy, state)
    one, *others = [
        program(copies(), batches(4), jax.random.key(1))[1]
        for program in (
            sharded(run, device_mesh(jax.devices()[:1])),
            sharded(run),
            pmapped(run),
        )
    ]
    for other in others:
        for name, value in one.items():
            np.testing.assert_allclose(other[name], value, rtol=2e-4, atol=1e-6, err_msg=name)


@pytest.mark.slow
def test_each_member_of_a_population_has_the_health_of_the_run_alone():
    step, state, measure = game()
    due = lambda step: step > 0
    alone = jax.jit(monitored(step, decode, measure, due))
    keys = jax.vmap(jax.random.key)(jnp.arange(4))
    fourfold = lambda tree: jax.tree.map(lambda leaf: jnp.stack([leaf] * 4), tree)
    members = population_step(
        lambda numbers: monitored(step, decode, measure, due, members=MEMBERS)
    )
    _, metrics = members({}, fourfold(state), fourfold(batches(4)), keys)
    for member in range(4):
        _, expected = alone(state, batches(4), keys[member])
        for name, value in expected.items():
            np.testing.assert_allclose(
                metrics[name][member], value, rtol=2e-4, atol=1e-5, err_msg=name
            )


def test_a_population_measures_nothing_when_it_is_not_due():
    """The branch is one of the whole program: mapped over members, it would always be computed."""
    step, state, measure = game()
    run = monitored(step, decode, measure, lambda step: step % 100 == 0, members=MEMBERS)
    stacked = jax.tree.map(lambda leaf: jnp.stack([leaf] * 2), (state, batches(1)))
    keys = jax.random.split(jax.random.key(0), 2)
    jaxpr = jax.make_jaxpr(jax.vmap(run, axis_name=MEMBERS))(*stacked, keys)
    assert any(equation.primitive.name == "cond" for equation in jaxpr.eqns)
