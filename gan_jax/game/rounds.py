"""Rounds: both networks played on one batch."""

import functools
from collections.abc import Callable
from typing import Any, cast

import jax
import jax.numpy as jnp

from gan_jax.game.batches import (
    Array,
    Batch,
    Params,
    PRNGKey,
    check_batch,
    conditions,
    sample_indices,
)
from gan_jax.game.networks import Networks, call, draw_latents
from gan_jax.game.players import Context
from gan_jax.game.terms import Round


def generate_fakes(networks: Networks, generator: Params, batch: Batch, rng: PRNGKey) -> Batch:
    """Returns the batch with fresh ``"fake"``, and the ``"latents"`` that they were made from.

    With ``"outputs"`` too, if the networks have them.
    """
    check_batch(batch, "batch")
    index = sample_indices(batch)
    latents = draw_latents(networks, jax.random.fold_in(rng, 0), index)
    given = _generator_conditions(networks, batch)
    function = "generate" if networks.outputs is None else "outputs"
    made = call(networks, function, generator, latents, given, index, rng, use=0)
    fake, outputs = (made, None) if networks.outputs is None else made
    if batch["real"].shape == fake.shape[1:]:
        # Only here is the shape of a sample known.
        raise TypeError(
            f"batch['real'] is {list(batch['real'].shape)}, the shape of a single sample: batch "
            "leaves are [batch, ...] for a loss and [discriminator_steps, batch, ...] for a train "
            "step; add the missing axis with x[None]"
        )
    if fake.shape != batch["real"].shape:
        raise ValueError(
            f"generate returned samples {list(fake.shape)}, but the real ones are "
            f"{list(batch['real'].shape)}"
        )
    generated = {"fake": fake, "latents": latents, "outputs": outputs}
    return batch | {name: value for name, value in generated.items() if value is not None}


def _generator_conditions(networks: Networks, batch: Batch) -> Batch:
    given = conditions(batch)
    return given | {"real": batch["real"]} if networks.autoencoder else given


def play_round(
    networks: Networks,
    generator: Params,
    discriminator: Params,
    batch: Batch,
    context: Context,
    in_one_pass: bool,
) -> Round:
    """Generates, unless the batch has ``"fake"``, and scores; ``in_one_pass``: both together.

    Raises:
      TypeError: a batch without ``"real"`` or without an axis.
      ValueError: samples or scores of another shape.
    """
    check_batch(batch, "batch")
    if "fake" not in batch:
        batch = generate_fakes(networks, generator, batch, context.rng)
    real, fake, conditioning = batch["real"], batch["fake"], conditions(batch)
    index, rng = sample_indices(batch), context.rng
    score = functools.partial(_scores, networks, discriminator, conditioning, index, rng)
    if in_one_pass and "score" not in networks.random:
        real_scores, fake_scores = _paired_scores(score, conditioning, real, fake)
    else:
        real_scores, fake_scores = score(real, use=1), score(fake, use=2)

    def of_samples(function: str, conditioning: Batch) -> Callable[[Array], Any] | None:
        """A head of the discriminator as a function of samples alone; None if there is none."""
        if getattr(networks, function) is None:
            return None
        return lambda samples: call(
            networks, function, discriminator, samples, conditioning, index, rng, use=3
        )

    def of_latents(function: str) -> Callable[..., Array]:
        """A part of the generator as a function of latents and changed conditions."""

        def generated(latents: Array | None = None, /, **changed: Array) -> Array:
            given = _generator_conditions(networks, batch) | changed
            at = given.pop("sample_index", index)
            made: Array = call(networks, function, generator, latents, given, at, rng, use=0)
            return made

        return generated

    # A classifier that saw the label would have nothing to learn.
    unlabelled = {name: value for name, value in conditioning.items() if name != "label"}
    return Round(
        real=real,
        fake=fake,
        real_scores=real_scores,
        fake_scores=fake_scores,
        score=score,
        classify=of_samples("classify", unlabelled),
        label=batch.get("label"),
        sample_index=index,
        rng=context.rng,
        features=of_samples("features", conditioning),
        latents=batch.get("latents"),
        latent=None if networks.latent is None else lambda key: _drawn(networks, key, index),
        generate=of_latents("generate"),
        conditions=conditioning,
        step=context.step,
        styles=None if networks.styles is None else of_latents("styles"),
        outputs=cast(Any, batch.get("outputs")),
        generator_params=generator,
        discriminator_params=discriminator,
    )


def _drawn(networks: Networks, rng: PRNGKey, sample_index: Array) -> Array:
    latents = draw_latents(networks, rng, sample_index)
    assert latents is not None
    return latents


def _scores(
    networks: Networks,
    discriminator: Params,
    conditioning: Batch,
    sample_index: Array,
    rng: PRNGKey,
    samples: Array,
    /,
    use: int = 3,
    **changed: Array,
) -> Any:
    """Scores ``[batch, ...]``, or a dict of them, float32 or wider, under the conditions."""
    given = conditioning | changed
    scores = call(networks, "score", discriminator, samples, given, sample_index, rng, use)
    for leaf in jax.tree.leaves(scores):
        if leaf.shape[:1] != samples.shape[:1]:
            raise ValueError(
                f"score must return {list(samples.shape[:1])}, one score per sample, or "
                f"[{len(samples)}, ...], a map of them, for samples {list(samples.shape)}, "
                f"not {list(leaf.shape)}"
            )
    return jax.tree.map(
        lambda leaf: leaf.astype(jnp.promote_types(leaf.dtype, jnp.float32)), scores
    )


def _paired_scores(
    score: Callable[..., Any], conditioning: Batch, real: Array, fake: Array
) -> tuple[Any, Any]:
    """The scores of both kinds from one pass of the discriminator."""
    # Each real sample stands next to a generated one, so that a batch which is split over devices
    # stays where it is.
    pairs = jnp.stack([real, fake], 1).reshape(-1, *real.shape[1:])
    twice = {name: jnp.repeat(value, 2, axis=0) for name, value in conditioning.items()}
    scores = score(pairs, **twice)
    scores = jax.tree.map(lambda leaf: leaf.reshape(-1, 2, *leaf.shape[1:]), scores)
    return (
        jax.tree.map(lambda leaf: leaf[:, 0], scores),
        jax.tree.map(lambda leaf: leaf[:, 1], scores),
    )


def show_scores(round: Round, entry: str) -> Round:
    """Returns the round in which the discriminator returns one of its several scores alone."""
    return round._replace(
        real_scores=round.real_scores[entry],
        fake_scores=round.fake_scores[entry],
        score=lambda samples, /, **conditions: round.score(samples, **conditions)[entry],
    )
