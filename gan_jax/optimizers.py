"""Optax stages: what happens to an update before it is applied."""

import jax
import jax.numpy as jnp
import optax


def clip_weights(bound: float) -> optax.GradientTransformation:
    """Keeps every parameter within ``[-bound, bound]`` after the update: ``u <- clip(p + u, -bound, bound) - p``.

    The last stage of a chain. Source: Arjovsky et al., "Wasserstein GAN" (2017), algorithm 1, line 7 (bound 0.01).
    """

    def update(updates, state, params=None):
        if params is None:
            raise ValueError("clip_weights needs the parameters: call update(updates, state, params)")
        return jax.tree.map(lambda u, p: jnp.clip(p + u, -bound, bound) - p, updates, params), state

    return optax.GradientTransformation(optax.init_empty_state, update)
