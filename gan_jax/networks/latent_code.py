"""InfoGAN's networks: a generator that receives a code, and a discriminator that recognises it."""

from gan_jax.errors import UserError
from gan_jax.game import Networks
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
      categories: categories of the categorical code, at least 2.
      continuous: numbers in the continuous code, each U[-1, 1].
      networks: makes networks whose discriminator classifies, such as
        ``functools.partial(infogan, labels="auxiliary")``; called with ``categories + continuous``
        classes.

    Returns:
      The networks, with latents ``[batch, categories + latent size]``.

    Raises:
      UserError: there are classes, fewer than 2 categories, or no classifier.

    References:
      Chen et al., "InfoGAN" (2016), appendix C.
    """
    if classes:
        raise UserError(
            "latent_code takes no labels, its code replaces them: leave out the dataset's labels"
        )
    if categories < 2 or continuous < 0:
        raise UserError(
            f"categories={categories}, continuous={continuous}: "
            "a code has at least 2 categories and at least 0 numbers"
        )
    inner = networks(tuple(shape), categories + continuous)
    if inner.classify is None:
        raise UserError(
            "latent_code needs networks whose discriminator classifies: add labels='auxiliary', "
            "as in infogan(labels='auxiliary')"
        )
    return infogan.with_latent_code(inner, categories, continuous)
