"""Samples of a trained generator."""

from collections.abc import Callable

import jax
import jax.numpy as jnp
import numpy as np

from gan_jax.game import Array, Networks, Params, PRNGKey, per_row

Sampler = Callable[..., np.ndarray]
"""``(rng, n, label=None, first=0) -> samples [n, ...]`` float32 on the host; label: ``[n]`` int."""


def sampler(
    networks: Networks, params: Params, *, classes: int = 0, batch_size: int = 256, standing: int = 2048
) -> Sampler:
    """A function that draws samples of the generator ``params`` in batches of one fixed size.

    Sample i depends on ``(rng, i)`` and its label alone: not on how many are drawn nor on its neighbours. Where the
    generator has BatchNorm, its statistics are gathered once over ``standing`` latents and held. With ``classes`` the
    generator is given a label a sample, i mod ``classes`` where none is named.
    """
    generate = jax.jit(
        lambda params, rng, row, conditions: networks.generate(
            params, per_row(rng, row, lambda key: networks.latent(key, 1)[0]), **conditions
        )
    )

    def labels(row: np.ndarray | Array) -> dict[str, Array]:
        return {"label": jnp.asarray(row % classes, jnp.int32)} if classes else {}

    if networks.standing:
        row = jnp.arange(standing)
        latents = per_row(jax.random.key(0), row, lambda key: networks.latent(key, 1)[0])
        params = jax.jit(networks.standing)(params, latents, **labels(row))

    def draw(rng: PRNGKey, n: int, label: np.ndarray | None = None, first: int = 0) -> np.ndarray:
        pieces = []
        for start in range(0, n, batch_size):
            row = np.arange(start, start + batch_size)  # the last batch is drawn whole too: one shape, one compile
            conditions = labels(row + first)
            if label is not None:
                conditions = {"label": jnp.asarray(np.resize(label, n)[np.minimum(row, n - 1)], jnp.int32)}
            pieces.append(np.asarray(generate(params, rng, row + first, conditions), np.float32))
        return np.concatenate(pieces)[:n]

    return draw
