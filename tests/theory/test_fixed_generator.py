"""A discriminator trained against a generator that does not change."""

import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest

from gan_jax.game import Networks, adversarial
from gan_jax.objectives.losses import minimax
from gan_jax.theory import fit_discriminator

NETWORKS = Networks(
    init=lambda rng: (jnp.float32(1.0), jnp.zeros(2)),
    latent=lambda rng, n: jax.random.normal(rng, (n, 1)),
    generate=lambda mean, latents: mean + latents,
    score=lambda params, samples: params[0] * samples[:, 0] + params[1],
)
OBJECTIVE = adversarial(NETWORKS, {"minimax": minimax()})


def draw_normal(rng, n):
    return jax.random.normal(rng, (n, 1))


def test_it_finds_the_optimal_discriminator_of_each_generator():
    """p = N(0, 1), q = N(m, 1): the best score is m^2 / 2 - m x. All generators in one vmap."""
    means = jnp.array([0.0, 1.0, 2.0])
    optimizer = optax.adam(optax.cosine_decay_schedule(0.05, 600))

    def measure(params, rng):
        return {"slope": params[0], "draw": jax.random.uniform(rng)}

    def fit(mean):
        return fit_discriminator(
            OBJECTIVE,
            optimizer,
            jnp.zeros(2),
            mean,
            draw_normal,
            jax.random.key(0),
            batch_size=1024,
            steps=600,
            measure=measure,
            measure_every=6,
        )

    params, metrics = jax.jit(jax.vmap(fit))(means)
    np.testing.assert_allclose(params, np.stack([-means, means**2 / 2], 1), atol=0.12)
    assert metrics["discriminator/loss"].shape == (3, 600) and metrics["slope"].shape == (3, 100)
    assert np.all(metrics["slope"][:, 0] == 0)  # measured before the update
    assert len(np.unique(metrics["draw"][0])) == 100  # with different keys
    np.testing.assert_allclose(metrics["discriminator/loss"][0, -1], np.log(4), atol=0.01)


def fit_with_measurements(measure_every):
    return fit_discriminator(
        OBJECTIVE,
        optax.sgd(0.1),
        jnp.zeros(2),
        1.0,
        draw_normal,
        jax.random.key(3),
        batch_size=8,
        steps=6,
        measure=lambda params, rng: {"slope": params[0]},
        measure_every=measure_every,
    )


def test_the_training_does_not_depend_on_how_often_it_is_measured():
    params, metrics = fit_with_measurements(1)
    sparse_params, sparse_metrics = fit_with_measurements(3)
    np.testing.assert_allclose(params, sparse_params, rtol=1e-6)
    np.testing.assert_allclose(metrics["slope"][::3], sparse_metrics["slope"], rtol=1e-6)
    losses, sparse_losses = metrics["discriminator/loss"], sparse_metrics["discriminator/loss"]
    np.testing.assert_allclose(losses, sparse_losses, rtol=1e-6)


def test_steps_that_are_no_multiple_of_measure_every_are_refused():
    with pytest.raises(ValueError, match="found 6 and 4"):
        fit_with_measurements(4)
