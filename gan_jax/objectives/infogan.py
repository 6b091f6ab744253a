"""Codes in the latents, for InfoGAN: drawn with them, and recognised in the samples."""

import jax
import jax.numpy as jnp
import optax

from gan_jax.errors import UserError
from gan_jax.game import Array, Networks, Params, PRNGKey, Round

__all__ = ["code_error", "with_latent_code"]


def with_latent_code(
    networks: Networks, categories: int = 10, continuous: int = 0, labels: bool = True
) -> Networks:
    """Returns the networks with a code at the head of their latents.

    The code is one of ``categories``, one-hot, then ``continuous`` numbers U[-1, 1]. The generator
    gets the category as its ``label`` and the rest, in which the continuous code replaces the first
    numbers, as latents of their usual size: networks that are conditional on labels need no change.
    ``latent`` then returns ``[batch, categories + size]``.

    As the code is part of the latents, it is drawn by sample index like them, and samplers need no
    special case for it.

    Args:
      networks: any networks.
      categories: the size of the one-hot vector; 0 if there is none.
      continuous: how many numbers follow.
      labels: whether the category is the generator's label. Otherwise the generator takes the whole
        code as the first of its latents, ``[batch, size]``, and no label.

    Raises:
      UserError: fewer than 2 categories with ``labels``, or no code at all.

    References:
      Chen et al., "InfoGAN" (2016), section 5 and appendix C.
    """
    if categories + continuous < 1 or (labels and categories < 2):
        raise UserError(
            "a code has 2 categories or more, or labels=False and at least one category or number, "
            f"not {categories} categories and {continuous} numbers"
        )

    draw_noise = networks.latent
    if draw_noise is None:
        raise UserError("a code is part of the latents, and this generator takes none")

    def latent(rng: PRNGKey, batch_size: int) -> Array:
        noise_rng, category_rng, continuous_rng = jax.random.split(rng, 3)
        noise = draw_noise(noise_rng, batch_size)
        numbers = jax.random.uniform(
            continuous_rng, (batch_size, continuous), noise.dtype, -1.0, 1.0
        )
        # Without labels the code takes the place of as many numbers of the noise.
        replaced = continuous if labels else continuous + categories
        parts = [numbers, noise[:, replaced:]]
        if categories:
            category = jax.random.randint(category_rng, (batch_size,), 0, categories)
            parts.insert(0, jax.nn.one_hot(category, categories, dtype=noise.dtype))
        return jnp.concatenate(parts, 1)

    def split_label(latents: Array, conditions: dict[str, Array]) -> tuple[Array, dict[str, Array]]:
        """The inner generator's latents and conditions."""
        if not labels:
            return latents, conditions
        label = jnp.argmax(latents[:, :categories], 1)
        return latents[:, categories:], conditions | {"label": label}

    def generate(params: Params, latents: Array, /, **conditions: Array) -> Array:
        latents, conditions = split_label(latents, conditions)
        return networks.generate(params, latents, **conditions)

    def standing(params: Params, latents: Array, /, **conditions: Array) -> Params:
        assert networks.standing is not None
        latents, conditions = split_label(latents, conditions)
        return networks.standing(params, latents, **conditions)

    return networks._replace(
        latent=latent, generate=generate, standing=standing if networks.standing else None
    )


def code_error(round: Round, categories: int, continuous: int) -> Array:
    """Computes ``-log Q(c | G(z, c))`` of each generated sample.

    Args:
      round: networks with ``classify``, and fakes with their latents.
      categories: the size of the one-hot vector at the head of the latents.
      continuous: how many numbers follow it.

    Returns:
      ``[batch]``, without the constant ``continuous log(2 pi) / 2``.

    Raises:
      UserError: networks without ``classify``, fakes without their latents, outputs of another
        size.
    """
    size = categories + continuous
    if round.classify is None:
        raise UserError(
            "mutual_information needs networks whose discriminator classifies: labels='auxiliary'"
        )
    if round.latents is None:
        raise UserError(
            "mutual_information needs the latents of the generated samples: "
            "the batch has fakes alone"
        )
    guess, code = round.classify(round.fake), round.latents[:, :size]
    if guess.shape[1] != size or code.shape[1] != size:
        raise UserError(
            f"a code of {size} numbers: classify returns {guess.shape[1]}, "
            f"the latents have {code.shape[1]}"
        )
    error = 0.5 * jnp.sum(jnp.square(guess[:, categories:] - code[:, categories:]), 1)
    if categories:
        error = error + optax.softmax_cross_entropy(guess[:, :categories], code[:, :categories])
    return error
