"""InfoGAN's networks: a generator that receives a code, and a discriminator that recognises it."""

import jax.numpy as jnp

from gan_jax.errors import UserError
from gan_jax.game import Array, Networks, Params
from gan_jax.networks.factory import NetworksFactory
from gan_jax.objectives import infogan


def latent_code(
    shape: tuple[int, ...],
    classes: int = 0,
    *,
    categories: int = 10,
    continuous: int = 0,
    networks: NetworksFactory,
) -> Networks:
    """Returns networks with a code at the start of their latents, in place of labels.

    The category of the code is the generator's label, the continuous code replaces the first of its
    latents, and the discriminator's classifier, ``[batch, categories + continuous]``, is the
    distribution Q of the code: see `gan_jax.objectives.infogan.with_latent_code`. The objective
    needs the term ``mutual_information`` with the same numbers.

    Args:
      shape: shape of one sample.
      classes: must be 0: the code takes the place of labels.
      categories: categories of the categorical code, at least 2; or 0 for none.
      continuous: numbers in the continuous code, each U[-1, 1]; at least 2 if there are no
        categories.
      networks: makes networks whose discriminator classifies, such as
        ``functools.partial(infogan, labels="auxiliary")``; called with ``categories + continuous``
        classes.

    Returns:
      The networks, with latents ``[batch, categories + latent size]``.

    Raises:
      UserError: there are classes, numbers out of bounds, or no classifier.

    References:
      Chen et al., "InfoGAN" (2016), appendix C.
    """
    if categories == 1 or categories < 0 or continuous < 0 or categories + continuous < 2:
        raise UserError(
            f"categories={categories}, continuous={continuous}: a code has at least 2 categories "
            "and at least 0 numbers, or 0 categories and at least 2 numbers"
        )
    inner = recognising(networks, shape, classes, categories + continuous, "latent_code")
    if not categories:
        inner = without_label(inner)
    return infogan.with_latent_code(inner, categories, continuous, labels=categories > 0)


def recognising(
    networks: NetworksFactory, shape: tuple[int, ...], classes: int, size: int, name: str
) -> Networks:
    """Returns networks whose discriminator predicts ``size`` numbers of each sample.

    Raises:
      UserError: there are classes, or no classifier; the message begins with ``name``.
    """
    if classes:
        raise UserError(
            f"{name} takes no labels, its code replaces them: leave out the dataset's labels"
        )
    inner = networks(tuple(shape), size)
    if inner.classify is None:
        raise UserError(
            f"{name} needs networks whose discriminator classifies: add labels='auxiliary', "
            "as in infogan(labels='auxiliary')"
        )
    return inner


def without_label(networks: Networks) -> Networks:
    """Returns networks whose generator takes no label: it is given label 0 for all samples."""

    def generate(params: Params, latents: Array, /, **conditions: Array) -> Array:
        label = jnp.zeros(len(latents), jnp.int32)
        return networks.generate(params, latents, label=label, **conditions)

    def standing(params: Params, latents: Array, /, **conditions: Array) -> Params:
        assert networks.standing is not None
        label = jnp.zeros(len(latents), jnp.int32)
        return networks.standing(params, latents, label=label, **conditions)

    return networks._replace(generate=generate, standing=standing if networks.standing else None)
