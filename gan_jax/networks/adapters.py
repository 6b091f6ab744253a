"""From two Flax modules to the plain functions that the game plays with."""

from collections.abc import Callable
from typing import Any

import flax.linen as nn
import jax
import jax.numpy as jnp

from gan_jax.errors import UserError
from gan_jax.game import Array, Networks, Params, PRNGKey
from gan_jax.networks import spectral
from gan_jax.networks.initializers import in_one_draw
from gan_jax.networks.label_conditioning import Head

STANDING_BATCH = 64
"""Standing statistics are those of batches of this size, whatever number of latents is given."""

STATE = ("params", "spectral")
"""The collections that belong to a network's parameters from the start."""


def assemble(
    generator: Any,
    discriminator: Any,
    shape: tuple[int, ...],
    latent: Callable[[PRNGKey, int], Array],
    labels: str = "none",
    fades: bool = False,
    standing: bool = False,
    independent_scores: bool = True,
) -> Networks:
    """The networks of two Flax modules: a generator ``(latents, label=, fade=) -> samples`` and a discriminator
    ``(samples, label=, fade=) -> (scores, label logits or None)``.

    ``labels`` is one of ``labels.WAYS``; ``fades``: both modules take ``fade``; ``standing``: the generator has BatchNorm;
    ``independent_scores``: the discriminator has none, nor anything else that compares samples.
    Conditions that the networks do not know, and labels that they need and did not get, raise UserError.
    """

    known = ["label"] * (labels != "none") + ["fade"] * fades

    def conditions(given: dict[str, Array]) -> dict[str, Array]:
        given = {name: value for name, value in given.items() if value is not None}
        if unknown := [name for name in given if name not in known]:
            what = f"takes {' and '.join(known)} alone" if known else "is unconditional"
            raise UserError(f"this network {what}: it has no use for {', '.join(unknown)}")
        if labels != "none" and "label" not in given:
            raise UserError(
                f"this network is conditional (labels={labels!r}): it needs label=[batch]"
            )
        return given

    @jax.jit
    def init(rng: PRNGKey) -> tuple[Params, Params]:
        latents = jax.eval_shape(lambda key: latent(key, 2), rng)
        samples = jax.ShapeDtypeStruct((2, *shape), jnp.float32)
        label = {"label": jax.ShapeDtypeStruct((2,), jnp.int32)} if labels != "none" else {}

        def variables(module: Any, given: Any, key: PRNGKey) -> Params:
            # Lazy: the parameters' shapes are found out without a forward pass.
            made = in_one_draw(
                lambda key: module.lazy_init(key, given, **label, mutable=STATE), key
            )
            return (
                spectral.iterate(made, spectral.INITIAL_ITERATIONS) if "spectral" in made else made
            )

        first, second = jax.random.split(rng)
        return variables(generator, latents, first), variables(discriminator, samples, second)

    def generate(params: Params, latents: Array, **given: Array) -> Array:
        samples = generator.apply(params, latents, **conditions(given))
        return samples.astype(jnp.promote_types(samples.dtype, jnp.float32))

    def score(params: Params, samples: Array, **given: Array) -> Array:
        if labels == "auxiliary":
            given = {
                "label": jnp.zeros(len(samples), jnp.int32)
            } | given  # its score does not depend on it
        return discriminator.apply(params, samples, **conditions(given))[0]

    def classify(params: Params, samples: Array, **given: Array) -> Array:
        return discriminator.apply(params, samples, **given)[1]

    def features(params: Params, samples: Array, **given: Array) -> Array:
        """What the discriminator's head sees, ``[batch, features]``."""
        seen: list[Array] = []

        def note(run: Callable, args: tuple, kwargs: dict[str, Any], context: Any) -> Any:
            if isinstance(context.module, Head):
                seen.append(args[0])
            return run(*args, **kwargs)

        with nn.intercept_methods(note):
            score(params, samples, **given)
        return seen[-1].reshape(len(samples), -1)

    def gather(params: Params, latents: Array, **given: Array) -> Params:
        size = min(STANDING_BATCH, len(latents))
        count = len(latents) // size

        def batches(x: Array) -> Array:
            return x[: count * size].reshape(count, size, *x.shape[1:])

        def statistics(batch: tuple[Array, dict[str, Array]]) -> Any:
            latents, given = batch
            return generator.apply(own, latents, **given, mutable="statistics")[1]["statistics"]

        own = {name: value for name, value in params.items() if name != "statistics"}
        each = jax.lax.map(statistics, (batches(latents), jax.tree.map(batches, conditions(given))))
        return own | {"statistics": jax.tree.map(lambda leaf: jnp.mean(leaf, 0), each)}

    return Networks(
        init=init,
        latent=latent,
        generate=generate,
        score=score,
        classify=classify if labels == "auxiliary" else None,
        features=features,
        standing=gather if standing else None,
        independent_scores=independent_scores,
    )
