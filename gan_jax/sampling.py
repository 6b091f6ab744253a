"""Samples of a trained generator."""

import functools
from collections.abc import Callable

import jax
import jax.numpy as jnp
import numpy as np

from gan_jax.game import Array, Networks, Params, PRNGKey, per_row

Sampler = Callable[..., np.ndarray]
"""``(rng, n, label=None, first=0) -> samples [n, ...]`` float32 on the host; label: ``[n]`` int."""


def sampler(
    networks: Networks,
    params: Params,
    *,
    classes: int = 0,
    fade: float | None = None,
    batch_size: int = 256,
    standing: int = 2048,
) -> Sampler:
    """A function that draws samples of the generator ``params`` in batches of one fixed size.

    Sample i depends on ``(rng, i)`` and its label alone: not on how many are drawn nor on its neighbours. Where the
    generator has BatchNorm, its statistics are gathered once over ``standing`` latents and held. With ``classes`` the
    generator is given a label a sample, i mod ``classes`` where none is named; ``fade``: that of a growing generator.
    """
    constant = {} if fade is None else {"fade": jnp.full(batch_size, fade, jnp.float32)}

    def labels(row: np.ndarray | Array) -> dict[str, Array]:
        return {"label": jnp.asarray(row % classes, jnp.int32)} if classes else {}

    if networks.standing:
        row = jnp.arange(standing)
        latents = per_row(jax.random.key(0), row, lambda key: networks.latent(key, 1)[0])
        params = _settled(networks, params, latents, labels(row))

    def draw(rng: PRNGKey, n: int, label: np.ndarray | None = None, first: int = 0) -> np.ndarray:
        pieces = []
        for start in range(0, n, batch_size):
            row = np.arange(start, start + batch_size)  # the last batch is drawn whole too: one shape, one compile
            conditions = labels(row + first)
            if label is not None:
                conditions = {"label": jnp.asarray(np.resize(label, n)[np.minimum(row, n - 1)], jnp.int32)}
            pieces.append(np.asarray(_generated(networks, params, rng, row + first, conditions | constant), np.float32))
        return np.concatenate(pieces)[:n]

    return draw


# Compiled once for the networks and shapes, not once for each sampler: evaluations during training make many samplers.
@functools.partial(jax.jit, static_argnums=0)
def _generated(networks: Networks, params: Params, rng: PRNGKey, row: Array, conditions: dict[str, Array]) -> Array:
    return networks.generate(params, per_row(rng, row, lambda key: networks.latent(key, 1)[0]), **conditions)


@functools.partial(jax.jit, static_argnums=0)
def _settled(networks: Networks, params: Params, latents: Array, conditions: dict[str, Array]) -> Params:
    assert networks.standing is not None
    return networks.standing(params, latents, **conditions)
