"""Latent distributions: ``(rng, batch size) -> [batch, size]`` float32."""

import math
from collections.abc import Callable

import jax
import jax.numpy as jnp

from gan_jax import random
from gan_jax.errors import UserError
from gan_jax.game import Array, LatentFn, PRNGKey


def _normal(rng: PRNGKey, shape: tuple[int, int]) -> Array:
    return random.normal(rng, shape)


def _uniform(rng: PRNGKey, shape: tuple[int, int]) -> Array:
    return jax.random.uniform(rng, shape, minval=-1.0, maxval=1.0)


def _standard_uniform(rng: PRNGKey, shape: tuple[int, int]) -> Array:
    return math.sqrt(3.0) * _uniform(rng, shape)


def _spherical(rng: PRNGKey, shape: tuple[int, int]) -> Array:
    z = random.normal(rng, shape)
    return z * jax.lax.rsqrt(jnp.mean(jnp.square(z), -1, keepdims=True) + 1e-8)


LATENTS: dict[str, Callable[[PRNGKey, tuple[int, int]], Array]] = {
    "normal": _normal,
    "uniform": _uniform,
    "standard_uniform": _standard_uniform,
    "spherical": _spherical,
}


def latent_distribution(name: str, size: int) -> LatentFn:
    """Returns a function that draws latents, ``(rng, batch size) -> [batch, size]`` float32.

    - ``normal``: N(0, I).
    - ``uniform``: each number U[-1, 1].
    - ``standard_uniform``: each number U[-sqrt 3, sqrt 3], which has variance 1.
    - ``spherical``: uniform on the sphere of radius sqrt(size): N(0, I) scaled to a mean square of
      1.

    Args:
      name: one of these four.
      size: numbers in one latent vector, at least 1.

    Raises:
      UserError: an unknown name, or a size below 1.
    """
    if name not in LATENTS:
        known = ", ".join(LATENTS)
        raise UserError(f"latent cannot be {name!r}: choose one of {known}")
    if size < 1:
        raise UserError(f"latent_size must be at least 1, not {size}")
    draw = LATENTS[name]
    return lambda rng, batch_size: draw(rng, (batch_size, size))
