"""Dropout by a key per sample, as networks that draw are given them."""

import jax
import jax.numpy as jnp

from gan_jax.game import Array


def dropout(x: Array, rng: Array, rate: float) -> Array:
    """Sets each entry to 0 with a probability, and divides the others by that of being kept.

    A network that uses it takes ``rng`` and is named in `Networks.random`.

    Args:
      x: ``[batch, ...]``.
      rng: a key for each sample, ``[batch]``.
      rate: the probability, below 1.

    References:
      Srivastava et al., "Dropout" (2014).
    """
    kept = jax.vmap(lambda key: jax.random.bernoulli(key, 1 - rate, x.shape[1:]))(rng)
    return jnp.where(kept, x / (1 - rate), 0)
