"""InfoGAN's networks: a generator that is given a code, and a discriminator that recognises it."""

from typing import Any

import jax.numpy as jnp

from gan_jax.errors import UserError
from gan_jax.game import Networks
from gan_jax.networks.wrapped import Inner, maker
from gan_jax.objectives import infogan


def latent_code(
    shape: tuple[int, ...],
    classes: int = 0,
    *,
    categories: int = 10,
    continuous: int = 0,
    networks: Inner,
    dtype: Any = jnp.float32,
) -> Networks:
    """Any network that takes labels, with a code at the head of its latents in their place: `gan_jax.objectives.infogan.with_latent_code`.

    The category is the generator's label, the continuous code replaces the first of its latents, and the discriminator's
    classifier, ``[batch, categories + continuous]``, is the code's Q. Beside an objective it wants the term
    ``mutual_information`` with the same numbers.

    Args:
      shape: of one sample.
      classes: must be 0: the code takes the labels' place.
      categories: of the categorical code, 2 or more.
      continuous: numbers of the continuous code, U[-1, 1].
      networks: ``shape=, classes= -> Networks`` whose discriminator classifies, or the name of a network of this package
        with its settings, ``{"infogan": {...}}``.
      dtype: of the work inside networks that are named.

    Raises UserError where there are classes, or fewer than 2 categories. Source: Chen et al., "InfoGAN" (2016), appendix C.
    """
    if classes:
        raise UserError(
            "coded networks take no labels, the code is in their place: leave out the dataset's labels"
        )
    if categories < 2 or continuous < 0:
        raise UserError(
            f"a code has 2 categories or more, and no fewer than 0 numbers, not {categories} and {continuous}"
        )
    make = maker("latent_code", networks, dtype=dtype, labels="auxiliary")
    return infogan.with_latent_code(
        make(shape=tuple(shape), classes=categories + continuous), categories, continuous
    )
