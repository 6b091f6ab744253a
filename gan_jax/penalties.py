"""Terms that regularise: gradient penalties of the discriminator."""

from collections.abc import Callable

import jax
import jax.numpy as jnp

from gan_jax.game import Array, Round, Term, per_row

EPSILON = 1e-12
"""Added under the square root of a slope: the root's derivative is infinite at a zero gradient (dead units)."""


def slopes(score: Callable[[Array], Array], samples: Array) -> Array:
    """``|grad_x score(x)|_2`` of each sample, over all of its entries.

    Args: ``score``: samples ``[batch, ...]`` -> scores ``[batch]``; ``samples``: ``[batch, ...]``, float.
    Returns: ``[batch]``, sqrt(|gradient|^2 + 1e-12), so that its own gradient is finite where the slope is 0.
    """
    gradients = jax.grad(lambda x: jnp.sum(score(x)))(samples)
    squares = jnp.sum(jnp.square(gradients), axis=tuple(range(1, gradients.ndim)))
    return jnp.sqrt(squares + EPSILON)


def interpolate(round: Round) -> Array:
    """``e x + (1 - e) G(z)`` with one ``e ~ U[0, 1]`` a sample: points between real and generated, ``[batch, ...]``."""
    share = per_row(round.rng, round.row, lambda key: jax.random.uniform(key, dtype=round.fake.dtype))
    share = share.reshape(-1, *[1] * (round.fake.ndim - 1))
    return share * round.real + (1 - share) * round.fake


def gradient_penalty(weight: float = 10.0, target: float = 1.0) -> Term:
    """``weight E (|grad f(x^)|_2 - target)^2`` at points x^ between real and generated samples.

    Source: Gulrajani et al., "Improved Training of Wasserstein GANs" (2017), eq. 3 and algorithm 1 (target 1).
    """

    def penalty(round: Round) -> Array:
        return weight * jnp.mean(jnp.square(slopes(round.score, interpolate(round)) - target))

    return Term(discriminator=penalty)
