"""PacGAN: a discriminator that scores several samples from the same source together."""

import jax.numpy as jnp

from gan_jax.errors import UserError
from gan_jax.game import Array, Networks, Params, PRNGKey
from gan_jax.networks.factory import NetworksFactory


def packed(
    shape: tuple[int, ...], classes: int = 0, *, m: int = 2, networks: NetworksFactory
) -> Networks:
    """Returns networks whose discriminator sees packs of ``m`` samples.

    The samples of a pack are joined along their last axis.

    ``score`` maps samples ``[batch, *shape]`` to ``[batch]``. Samples ``m k, ..., m k + m - 1``
    form a pack, and each of them gets the score of its pack. The mean over the batch of any
    function of the scores is therefore its mean over the packs, as in the paper, and every
    objective works unchanged. The gradient with respect to one sample of the summed scores is ``m``
    times that of its pack's score.

    The samples of a pack are neighbours in the batch, so a batch that is split over devices forms
    the same packs if ``m`` divides each part.

    Args:
      shape: shape of one sample.
      classes: must be 0: the label of a pack is not defined.
      m: samples per pack.
      networks: called twice, with the shape of one sample (for the generator) and with that of a
        pack (for the discriminator), such as ``functools.partial(mlp, latent_size=2)``.

    Returns:
      The generator for one sample and the discriminator for packs. ``score`` and ``features`` raise
      ValueError if the batch is not a multiple of ``m``.

    Raises:
      UserError: there are classes, ``m`` is below 1, or the discriminator classifies.

    References:
      Lin et al., "PacGAN: The power of two samples in generative adversarial networks" (2018),
      section 2.
    """
    if m < 1:
        raise UserError(f"m={m}: a pack needs at least one sample")
    if classes:
        raise UserError("packed networks take no labels: the label of a pack is not defined")
    single = networks(tuple(shape))
    joined = networks((*shape[:-1], m * shape[-1]))
    if joined.classify is not None:
        raise UserError("packed networks cannot classify: the label of a pack is not defined")

    def pack(samples: Array) -> Array:
        if len(samples) % m:
            raise ValueError(
                f"a batch of {len(samples)} (per device) does not divide into packs of {m}: "
                f"it must be a multiple of {m}"
            )
        packs = samples.reshape(-1, m, *samples.shape[1:])
        packs = jnp.moveaxis(packs, 1, -2)
        return packs.reshape(len(packs), *samples.shape[1:-1], m * samples.shape[-1])

    def pack_conditions(conditions: dict[str, Array]) -> dict[str, Array]:
        """The conditions of a pack are those of its first sample."""
        return {name: value[::m] for name, value in conditions.items()}

    def init(rng: PRNGKey) -> tuple[Params, Params]:
        return single.init(rng)[0], joined.init(rng)[1]

    def score(params: Params, samples: Array, **conditions: Array) -> Array:
        scores = joined.score(params, pack(samples), **pack_conditions(conditions))
        return jnp.repeat(scores, m, axis=0)

    def features(params: Params, samples: Array, **conditions: Array) -> Array:
        assert joined.features is not None
        of_packs = joined.features(params, pack(samples), **pack_conditions(conditions))
        return jnp.repeat(of_packs, m, axis=0)

    return Networks(
        init=init,
        latent=single.latent,
        generate=single.generate,
        score=score,
        standing=single.standing,
        features=None if joined.features is None else features,
        independent_scores=False,
        random=tuple(name for name in single.random if name in ("generate", "styles")),
        styles=single.styles,
        bounds=single.bounds,
    )
