"""Discriminators against a generator that stands still."""

import jax
import jax.numpy as jnp
import numpy as np
import optax

from gan_jax.game import Networks, adversarial
from gan_jax.losses import minimax
from gan_jax.standstill import fitted

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
        return fitted(
            objective, optimizer, jnp.zeros(2), mean, normal, jax.random.key(0), batch_size=1024, steps=600, watch=watch
        )

    params, metrics = jax.jit(jax.vmap(fit))(means)
    np.testing.assert_allclose(params, np.stack([-means, means**2 / 2], 1), atol=0.12)
    assert metrics["slope"].shape == metrics["discriminator/loss"].shape == (3, 600)
    assert np.all(metrics["slope"][:, 0] == 0) and len(np.unique(metrics["draw"][0])) == 600  # before the update; fresh keys
    np.testing.assert_allclose(metrics["discriminator/loss"][0, -1], np.log(4), atol=0.01)
