"""Optax stages: what happens to a gradient or an update before it is applied.

As stages of a player's optimizer they hold in the train step and in the look-ahead of `unrolled` alike.
"""

import jax
import jax.numpy as jnp
import optax

__all__ = [
    "average_over",
    "clip_weights",
    "orthogonal_regularization",
]


def clip_weights(bound: float) -> optax.GradientTransformation:
    """Keeps every parameter within ``[-bound, bound]`` after the update: ``u <- clip(p + u, -bound, bound) - p``.

    The last stage of a chain. Source: Arjovsky et al., "Wasserstein GAN" (2017), algorithm 1, line 7 (bound 0.01).
    """

    def update(updates, state, params=None):
        if params is None:
            raise ValueError(
                "clip_weights needs the parameters: call update(updates, state, params)"
            )
        return jax.tree.map(lambda u, p: jnp.clip(p + u, -bound, bound) - p, updates, params), state

    return optax.GradientTransformation(optax.init_empty_state, update)


def average_over(axis_name: str) -> optax.GradientTransformation:
    """Averages gradients over the devices of a mapped axis, ``u <- mean over devices of u``.

    The first stage of a chain under ``jax.pmap``, or ``jax.shard_map(..., check_vma=False)``, with that axis name. (With
    ``check_vma=True`` gradients of replicated parameters are summed already, and ema_decay them changes nothing.)
    Outside of such a map, JAX raises NameError.
    """

    def update(updates, state, params=None):
        return jax.lax.pmean(updates, axis_name), state

    return optax.GradientTransformation(optax.init_empty_state, update)


def orthogonal_regularization(weight: float = 1e-4) -> optax.GradientTransformation:
    """Adds the gradient of ``weight sum_W |W^T W (1 - I)|_F^2``: filters may have any length, but should be orthogonal.

    W are the kernels, leaves of two axes or more, as ``[inputs, filters]``; other leaves are left alone. The first stage
    of a chain, before Adam, as weight decay's older form is. The gradient, ``4 weight W (W^T W (1 - I))``, is exact; BigGAN's
    code adds half of it.

    Source: Brock et al., "Large Scale GAN Training" (2019), eq. 3 (weight 1e-4, on the generator).
    """

    def pull(gradient, kernel):
        if kernel.ndim < 2:
            return gradient
        filters = kernel.reshape(-1, kernel.shape[-1])
        gram = filters.T @ filters
        return gradient + 4 * weight * (filters @ (gram - jnp.diag(jnp.diag(gram)))).reshape(
            kernel.shape
        )

    def update(updates, state, params=None):
        if params is None:
            raise ValueError(
                "orthogonal_regularization needs the parameters: call update(updates, state, params)"
            )
        return jax.tree.map(pull, updates, params), state

    return optax.GradientTransformation(optax.init_empty_state, update)
