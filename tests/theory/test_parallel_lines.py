"""Distances between parallel lines, and the slope of the best critic under a penalty."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from gan_jax import theory
from gan_jax.game import Networks, Player, adversarial
from gan_jax.objectives.losses import wasserstein
from gan_jax.objectives.penalties import gradient_penalty


def test_only_the_wasserstein_distance_of_parallel_lines_depends_on_theta():
    assert theory.parallel_lines(0.0) == (0, 0, 0, 0, 0)
    distances = theory.parallel_lines(-0.3)
    assert distances.wasserstein == 0.3 and abs(distances.js - 0.6931) < 5e-5
    assert distances.kl == distances.reverse_kl == np.inf and distances.total_variation == 1


@pytest.mark.parametrize("distance", [0.1, 4.0])
def test_the_penalised_loss_is_least_at_the_penalised_slope(distance):
    """By gan_jax's own terms, for real data at 0 and generated data at ``distance``."""
    networks = Networks(
        init=lambda rng: ((), jnp.zeros(())),
        latent=lambda rng, n: jnp.zeros((n, 1)),
        generate=lambda params, latents: latents + distance,
        score=lambda slope, samples: -slope * samples[:, 0],
    )
    terms = {"wasserstein": wasserstein(), "penalty": gradient_penalty(10.0)}
    objective = adversarial(networks, terms)

    def loss(slope):
        batch = {"real": jnp.zeros((4, 1))}
        return objective.discriminator(slope, Player(()), batch, jax.random.key(0))[0]

    best = theory.penalised_slope(distance)
    assert loss(best) < min(loss(best + 0.01), loss(best - 0.01))
    assert abs(jax.grad(loss)(jnp.float32(best))) < 1e-4
