"""Codes in the latents, for InfoGAN: drawn with them, and recognised in the samples."""

import jax
import jax.numpy as jnp
import optax

from gan_jax.errors import UserError
from gan_jax.game import Array, Networks, Params, PRNGKey, Round


def with_latent_code(
    networks: Networks, categories: int = 10, continuous: int = 0, labels: bool = True
) -> Networks:
    """The networks with a code at the head of their latents: one of ``categories`` one-hot, then ``continuous`` U[-1, 1].

    The generator gets the category as its ``label`` and the rest, in which the continuous code replaces the first
    numbers, as latents of their old size: networks that are conditional by labels need no change. ``latent`` then returns
    ``[batch, categories + size]``. With ``labels=False`` the generator takes the whole code as the first of its latents,
    ``[batch, size]``, and no label.

    As the code is part of the latents, it is drawn by row like them, and samplers know it with no word about it.

    Raises UserError for fewer than 2 categories with ``labels``, or for no code at all.

    Source: Chen et al., "InfoGAN" (2016), section 5 and appendix C.
    """
    if categories + continuous < 1 or (labels and categories < 2):
        raise UserError(
            f"a code has 2 categories or more, or labels=False, not {categories} and {continuous}"
        )

    def latent(rng: PRNGKey, batch_size: int) -> Array:
        noise_rng, category_rng, continuous_rng = jax.random.split(rng, 3)
        noise = networks.latent(noise_rng, batch_size)
        numbers = jax.random.uniform(
            continuous_rng, (batch_size, continuous), noise.dtype, -1.0, 1.0
        )
        parts = [numbers, noise[:, continuous + (0 if labels else categories) :]]
        if categories:
            category = jax.random.randint(category_rng, (batch_size,), 0, categories)
            parts.insert(0, jax.nn.one_hot(category, categories, dtype=noise.dtype))
        return jnp.concatenate(parts, 1)

    def given(latents: Array, conditions: dict[str, Array]) -> tuple[Array, dict[str, Array]]:
        if not labels:
            return latents, conditions
        return latents[:, categories:], conditions | {
            "label": jnp.argmax(latents[:, :categories], 1)
        }

    def generate(params: Params, latents: Array, **conditions: Array) -> Array:
        latents, conditions = given(latents, conditions)
        return networks.generate(params, latents, **conditions)

    def standing(params: Params, latents: Array, **conditions: Array) -> Params:
        latents, conditions = given(latents, conditions)
        assert networks.standing is not None
        return networks.standing(params, latents, **conditions)

    return networks._replace(
        latent=latent, generate=generate, standing=networks.standing and standing
    )


def code_error(round: Round, categories: int, continuous: int) -> Array:
    """``-log Q(c | G(z, c))`` of each generated sample, ``[batch]``, but for the constant ``continuous log(2 pi) / 2``.

    Raises UserError: networks without ``classify``, fakes without their latents, outputs of another size.
    """
    size = categories + continuous
    if round.classify is None:
        raise UserError(
            "mutual_information needs networks whose discriminator classifies: labels='auxiliary'"
        )
    if round.latents is None:
        raise UserError(
            "mutual_information needs the latents of the generated samples: the batch has fakes alone"
        )
    guess, code = round.classify(round.fake), round.latents[:, :size]
    if guess.shape[1] != size or code.shape[1] != size:
        raise UserError(
            f"a code of {size} numbers: classify returns {guess.shape[1]}, the latents have {code.shape[1]}"
        )
    error = 0.5 * jnp.sum(jnp.square(guess[:, categories:] - code[:, categories:]), 1)
    if categories:
        error = error + optax.softmax_cross_entropy(guess[:, :categories], code[:, :categories])
    return error
