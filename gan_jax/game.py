"""The two-player game: objectives as sums of named terms, and one optimizer step of a player.

Everything here is a pure function of arrays; no file, device, config or network library is known.
"""

from collections.abc import Callable, Mapping
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import optax

from gan_jax.distributed.collectives import mean_over_devices

Array = jax.Array
PRNGKey = jax.Array
Params = Any
Batch = dict[str, Array]
"""``"real"``: samples ``[batch, ...]``; ``"sample_index"``: each sample's row in the global batch, ``[batch]`` int32 (0, 1, 2, ...
where absent); ``"fake"`` and ``"latents"``: generated samples to score in place of fresh ones, and what they were made
from; every other entry (``"label"``, ``"fade"``), ``[batch]`` each, conditions both networks."""
Metrics = dict[str, Array]
"""Scalars, named like ``"discriminator/wasserstein"``."""

NOT_CONDITIONS = ("real", "fake", "latents", "sample_index")


class Player(NamedTuple):
    """A network in the game: its parameters and the state of the optimizer that moves them."""

    params: Params
    opt_state: optax.OptState = ()


LossFn = Callable[[Params, Player, Batch, PRNGKey], tuple[Array, Metrics]]
"""``(own params, opponent, batch, rng) -> (loss, metrics)``: what a player minimises against a fixed opponent."""


class Objective(NamedTuple):
    """What each player minimises against a fixed opponent.

    ``generate_fakes(generator params, batch, rng)`` returns the batch with the ``"fake"`` that both losses would generate from
    this ``rng``, and its ``"latents"``; unrolling uses it to generate once for all its look-ahead steps. Without it each
    loss generates anew.
    """

    discriminator: LossFn
    generator: LossFn
    generate_fakes: Callable[[Params, Batch, PRNGKey], Batch] | None = None


class Networks(NamedTuple):
    """A generator and a discriminator of any library, as plain functions. Parameters are pytrees of arrays.

    The discriminator returns raw scores (logits, critic values), never probabilities. ``standing`` is needed only where
    the generator couples the samples of a batch (BatchNorm): it returns parameters with which ``generate`` no longer
    does, with statistics gathered over the given latents.
    """

    init: Callable[
        [PRNGKey], tuple[Params, Params]
    ]  # rng -> (generator params, discriminator params)
    latent: Callable[[PRNGKey, int], Array]  # (rng, batch size) -> latents [batch, ...]
    generate: Callable[
        ..., Array
    ]  # (generator params, latents, **conditions) -> samples [batch, ...]
    score: Callable[..., Array]  # (discriminator params, samples, **conditions) -> scores [batch]
    classify: Callable[..., Array] | None = (
        None  # (discriminator params, samples) -> label logits [batch, classes]
    )
    standing: Callable[..., Params] | None = (
        None  # (generator params, latents [batch, ...], **conditions) -> params
    )
    features: Callable[..., Array] | None = (
        None  # (discriminator params, samples, **conditions) -> features [batch, ...]
    )
    independent_scores: bool = (
        False  # a sample's score depends on no other of its batch: one pass may score real and fake
    )


class Round(NamedTuple):
    """Both networks played on one batch: all that a term may look at. It lives inside one loss and never crosses jit."""

    real: Array  # [batch, ...]
    fake: Array  # [batch, ...]
    real_scores: Array  # [batch], float32 or wider
    fake_scores: Array  # [batch], float32 or wider
    score: Callable[
        [Array], Array
    ]  # the discriminator itself: samples [batch, ...] -> scores [batch]
    classify: (
        Callable[[Array], Array] | None
    )  # samples [batch, ...] -> label logits [batch, classes]
    label: Array | None  # [batch] int32
    sample_index: Array  # [batch] int32, each sample's row in the global batch
    rng: PRNGKey  # a different key for each term
    features: Callable[[Array], Array] | None = (
        None  # samples [batch, ...] -> the discriminator's features [batch, ...]
    )
    latents: Array | None = (
        None  # [batch, ...], what ``fake`` was generated from; None where it was given ready-made
    )
    latent: Callable[[PRNGKey], Array] | None = None  # fresh latents [batch, ...], keyed by row
    generate: Callable[[Array], Array] | None = (
        None  # the generator itself: latents [batch, ...] -> samples [batch, ...]
    )


class Term(NamedTuple):
    """One summand of an objective, a scalar for each player; a missing side adds nothing."""

    discriminator: Callable[[Round], Array] | None = None
    generator: Callable[[Round], Array] | None = None


def per_sample(rng: PRNGKey, row: Array, draw: Callable[[PRNGKey], Any]) -> Any:
    """Draws for each sample from a key of its own, ``draw(fold_in(rng, row))``, stacked to ``[batch, ...]``.

    The numbers depend on a sample's row in the global batch alone, so any split of a batch over devices or processes
    draws the same ones. Use it for every draw that belongs to a sample.
    """
    return jax.vmap(lambda r: draw(jax.random.fold_in(rng, r)))(row)


def sample_indices(batch: Batch) -> Array:
    """Each sample's row in the global batch, ``[batch]`` int32."""
    return (
        batch["sample_index"]
        if "sample_index" in batch
        else jnp.arange(len(batch["real"]), dtype=jnp.int32)
    )


def conditions(batch: Batch) -> Batch:
    """The entries of a batch that condition both networks: all but the samples and their rows."""
    return {name: value for name, value in batch.items() if name not in NOT_CONDITIONS}


def adversarial(networks: Networks, terms: Mapping[str, Term]) -> Objective:
    """The objective that sums the named ``terms`` for each player.

    Metrics: each term's value as ``"discriminator/<name>"`` or ``"generator/<name>"``, each player's sum as ``.../loss``,
    the mean scores of real and generated samples, and the mean sign of the real ones (ADA's measure of overfitting).
    Raises ValueError where ``score`` does not return ``[batch]``, or where a player has no term.
    """
    for side in Term._fields:
        if not any(getattr(term, side) for term in terms.values()):
            raise ValueError(
                f"no term of {list(terms)} moves the {side}: add an objective such as non_saturating()"
            )

    def latent(batch: Batch, rng: PRNGKey) -> Array:
        # One key a sample, so `networks.latent` is asked for one latent at a time.
        return per_sample(rng, sample_indices(batch), lambda key: networks.latent(key, 1)[0])

    def generate_fakes(generator: Params, batch: Batch, rng: PRNGKey) -> Batch:
        latents = latent(batch, jax.random.fold_in(rng, 0))
        return batch | {
            "fake": networks.generate(generator, latents, **conditions(batch)),
            "latents": latents,
        }

    def round_of(
        generator: Params, discriminator: Params, batch: Batch, rng: PRNGKey, one_pass: bool
    ) -> Round:
        batch = batch if "fake" in batch else generate_fakes(generator, batch, rng)
        given = conditions(batch)

        def score(samples: Array) -> Array:
            scores = networks.score(discriminator, samples, **given)
            if scores.shape != samples.shape[:1]:
                raise ValueError(
                    f"score must return shape {samples.shape[:1]}, one score a sample, not {scores.shape}"
                )
            return scores.astype(jnp.promote_types(scores.dtype, jnp.float32))

        def both(real: Array, fake: Array) -> tuple[Array, Array]:
            # Side by side, each sample's neighbour the other kind: a batch that is split over devices stays where it is.
            pairs = jnp.stack([real, fake], 1).reshape(-1, *real.shape[1:])
            twice = {name: jnp.repeat(value, 2, axis=0) for name, value in given.items()}
            scores = networks.score(discriminator, pairs, **twice)
            if scores.shape != pairs.shape[:1]:
                raise ValueError(
                    f"score must return shape {pairs.shape[:1]}, one score a sample, not {scores.shape}"
                )
            scores = scores.astype(jnp.promote_types(scores.dtype, jnp.float32)).reshape(-1, 2)
            return scores[:, 0], scores[:, 1]

        # A classifier that saw the label would have nothing to learn.
        unlabelled = {name: value for name, value in given.items() if name != "label"}
        real, fake = batch["real"], batch["fake"]
        real_scores, fake_scores = both(real, fake) if one_pass else (score(real), score(fake))
        return Round(
            real=real,
            fake=fake,
            real_scores=real_scores,
            fake_scores=fake_scores,
            score=score,
            classify=networks.classify
            and (lambda samples: networks.classify(discriminator, samples, **unlabelled)),
            label=batch.get("label"),
            sample_index=sample_indices(batch),
            rng=rng,
            features=networks.features
            and (lambda samples: networks.features(discriminator, samples, **given)),
            latents=batch.get("latents"),
            latent=lambda key: latent(batch, key),
            generate=lambda latents: networks.generate(generator, latents, **given),
        )

    def total(side: str, round: Round) -> tuple[Array, Metrics]:
        values = {}
        for index, (name, term) in enumerate(terms.items()):
            if loss := getattr(term, side):
                # Key 0 drew the latents.
                values[f"{side}/{name}"] = loss(
                    round._replace(rng=jax.random.fold_in(round.rng, index + 1))
                )
        loss = sum(values.values())
        return loss, values | {f"{side}/loss": loss}

    def discriminator_loss(
        own: Params, generator: Player, batch: Batch, rng: PRNGKey
    ) -> tuple[Array, Metrics]:
        round = round_of(generator.params, own, batch, rng, networks.independent_scores)
        loss, metrics = total("discriminator", round)
        real, fake = round.real_scores, round.fake_scores
        scores = {
            "scores/real": jnp.mean(real),
            "scores/fake": jnp.mean(fake),
            "scores/real_sign": jnp.mean(jnp.sign(real)),
        }
        return loss, metrics | scores

    def generator_loss(
        own: Params, discriminator: Player, batch: Batch, rng: PRNGKey
    ) -> tuple[Array, Metrics]:
        return total("generator", round_of(own, discriminator.params, batch, rng, False))

    return Objective(discriminator_loss, generator_loss, generate_fakes)


def update(
    loss: LossFn,
    optimizer: optax.GradientTransformation,
    player: Player,
    opponent: Player,
    batch: Batch,
    rng: PRNGKey,
) -> tuple[Player, Metrics]:
    """One optimizer step of ``player`` on ``loss`` against a fixed ``opponent``.

    The metrics gain ``"gradient_norm"``, the global l2 norm of the gradient before the optimizer sees it. Where the batch is
    spread over a mapped axis (`gan_jax.distributed.collectives`), the gradient is that of the whole batch.
    """
    gradient, metrics = jax.grad(loss, has_aux=True)(player.params, opponent, batch, rng)
    gradient = mean_over_devices(gradient)
    step, opt_state = optimizer.update(gradient, player.opt_state, player.params)
    moved = Player(optax.apply_updates(player.params, step), opt_state)
    return moved, metrics | {"gradient_norm": optax.global_norm(gradient)}
