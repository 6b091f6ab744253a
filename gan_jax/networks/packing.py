"""PacGAN: a discriminator that judges several samples of the same source together."""

from typing import Any

import jax.numpy as jnp

from gan_jax.errors import UserError
from gan_jax.game import Array, Networks, Params
from gan_jax.networks.wrapped import Inner, maker


def packed(
    shape: tuple[int, ...],
    classes: int = 0,
    *,
    m: int = 2,
    networks: Inner,
    dtype: Any = jnp.float32,
) -> Networks:
    """Any network with a discriminator that sees packs of ``m`` samples, joined along their last axis.

    ``score``: samples ``[batch, *shape]`` -> ``[batch]``; samples ``m k, ..., m k + m - 1`` are a pack, and each of them gets
    its pack's score. So the mean of any function of the scores over the batch is its mean over the packs, as in the
    paper, and every objective works as it stands. A gradient by one sample, summed over the scores, is ``m`` times
    that of the pack's score.

    Packs are consecutive rows, so a batch that is split over devices makes the same ones if ``m`` divides each part.

    Args:
      shape: of one sample.
      classes: must be 0: what the label of a pack would be is not defined.
      m: samples a pack.
      networks: ``shape=, classes= -> Networks``, called once for the generator's shape and once for the pack's, or the name
        of a network of this package with its settings, ``{"mlp": {...}}``.
      dtype: of the work inside networks that are named.

    Raises UserError where there are classes, m is below 1, or the discriminator classifies; ValueError where the batch
    is not a multiple of m.
    Source: Lin et al., "PacGAN: The power of two samples in generative adversarial networks" (2018), section 2.
    """
    if m < 1:
        raise UserError(f"a pack needs at least one sample, not m={m}")
    if classes:
        raise UserError(
            "packed networks take no labels: what the label of a pack would be is not defined"
        )
    make = maker("packed", networks, dtype=dtype)
    single = make(shape=tuple(shape), classes=0)
    joined = make(shape=(*shape[:-1], m * shape[-1]), classes=0)
    if joined.classify is not None:
        raise UserError(
            "packed networks cannot classify: what the label of a pack would be is not defined"
        )

    def init(rng: Array) -> tuple[Params, Params]:
        return single.init(rng)[0], joined.init(rng)[1]

    def score(params: Params, samples: Array, **conditions: Array) -> Array:
        if len(samples) % m:
            raise ValueError(
                f"packs of {m} need a batch (on each device) that is a multiple of {m}, not {len(samples)}"
            )
        packs = samples.reshape(-1, m, *samples.shape[1:])
        packs = jnp.moveaxis(packs, 1, -2).reshape(
            len(packs), *samples.shape[1:-1], m * samples.shape[-1]
        )
        first = {name: value[::m] for name, value in conditions.items()}
        return jnp.repeat(joined.score(params, packs, **first), m)

    return single._replace(init=init, score=score, classify=None, independent_scores=False)
