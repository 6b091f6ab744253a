"""Discriminators against a generator that stands still."""

import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest

from gan_jax.game import Networks, adversarial
from gan_jax.objectives.losses import minimax
from gan_jax.theory.fixed_generator import fit_discriminator

NETWORKS = Networks(
    init=lambda rng: (jnp.float32(1.0), jnp.zeros(2)),
    latent=lambda rng, n: jax.random.normal(rng, (n, 1)),
    generate=lambda mean, latents: mean + latents,
    score=lambda params, samples: params[0] * samples[:, 0] + params[1],
)


def test_it_finds_the_optimal_discriminator_of_each_generator():
    """p = N(0, 1), q = N(m, 1): the best score is m^2 / 2 - m x. Many generators at once, by vmap."""
    objective, means = adversarial(NETWORKS, {"minimax": minimax()}), jnp.array([0.0, 1.0, 2.0])
    normal = lambda key, n: jax.random.normal(key, (n, 1))
    optimizer = optax.adam(optax.cosine_decay_schedule(0.05, 600))

    def fit(mean):
        watch = lambda params, key: {"slope": params[0], "draw": jax.random.uniform(key)}
        settings = {"batch_size": 1024, "steps": 600, "watch": watch, "every": 6}
        return fit_discriminator(
            objective, optimizer, jnp.zeros(2), mean, normal, jax.random.key(0), **settings
        )

    params, metrics = jax.jit(jax.vmap(fit))(means)
    np.testing.assert_allclose(params, np.stack([-means, means**2 / 2], 1), atol=0.12)
    assert metrics["discriminator/loss"].shape == (3, 600) and metrics["slope"].shape == (3, 100)
    assert (
        np.all(metrics["slope"][:, 0] == 0) and len(np.unique(metrics["draw"][0])) == 100
    )  # before the update; fresh keys
    np.testing.assert_allclose(metrics["discriminator/loss"][0, -1], np.log(4), atol=0.01)


def test_how_often_it_is_watched_changes_nothing():
    objective = adversarial(NETWORKS, {"minimax": minimax()})
    normal = lambda key, n: jax.random.normal(key, (n, 1))

    def fit(every):
        watch = lambda params, key: {"slope": params[0]}
        rng = jax.random.key(3)
        settings = {"batch_size": 8, "steps": 6, "watch": watch, "every": every}
        return fit_discriminator(
            objective, optax.sgd(0.1), jnp.zeros(2), 1.0, normal, rng, **settings
        )

    (params, metrics), (again, sparse) = fit(1), fit(3)
    np.testing.assert_allclose(params, again, rtol=1e-6)
    np.testing.assert_allclose(metrics["slope"][::3], sparse["slope"], rtol=1e-6)
    np.testing.assert_allclose(
        metrics["discriminator/loss"], sparse["discriminator/loss"], rtol=1e-6
    )
    with pytest.raises(ValueError, match="found 6 and 4"):
        fit(4)
