"""The adversarial objective: a sum of named terms for each player."""

import functools
from collections.abc import Callable, Mapping
from typing import Literal

import jax
import jax.numpy as jnp

from gan_jax.game.batches import (
    Array,
    Batch,
    Metrics,
    Params,
    PRNGKey,
    check_batch,
    conditions,
    sample_indices,
)
from gan_jax.game.networks import ClassifyFn, FeaturesFn, Networks, draw_latents
from gan_jax.game.players import Objective, Player
from gan_jax.game.terms import Round, Term, TermFn, Terms, as_terms

Side = Literal["discriminator", "generator"]
SIDES: tuple[Side, Side] = ("discriminator", "generator")


def adversarial(networks: Networks, terms: Term | Mapping[str, Term]) -> Objective:
    """Returns the objective that sums named terms for each player.

    Each term draws from ``fold_in(rng, position + 1)``; key 0 draws the latents.

    Metrics: each term's value as ``"discriminator/<name>"`` or ``"generator/<name>"``, each
    player's sum as ``".../loss"``, the mean scores of real and generated samples
    (``"scores/real"``, ``"scores/fake"``), and the mean sign of the real ones
    (``"scores/real_sign"``, ADA's measure of overfitting).

    Args:
      networks: the two networks.
      terms: one term, a sum of terms, ``losses.wasserstein() + penalties.gradient_penalty()``, or a
        mapping from names to terms.

    Returns:
      The objective. Its losses raise ValueError if ``score`` does not return ``[batch]`` or a term
      does not return a scalar, and TypeError for a batch without ``"real"`` or without an axis.

    Raises:
      TypeError: ``networks`` are not `Networks`, or ``terms`` is something else, such as a list or
        a function that was not called.
      ValueError: a player has no term.
    """
    if not isinstance(networks, Networks):
        raise TypeError(f"adversarial takes Networks first, not {type(networks).__name__}")
    terms = as_terms(terms)
    for side in SIDES:
        if not any(getattr(term, side) for term in terms.values()):
            raise ValueError(
                f"no term of {list(terms)} moves the {side}: "
                "add an objective such as non_saturating()"
            )

    def discriminator_loss(
        own: Params, generator: Player, batch: Batch, rng: PRNGKey
    ) -> tuple[Array, Metrics]:
        round = _play_round(
            networks, generator.params, own, batch, rng, in_one_pass=networks.independent_scores
        )
        loss, metrics = _sum_terms(terms, "discriminator", round)
        return loss, metrics | _score_metrics(round)

    def generator_loss(
        own: Params, discriminator: Player, batch: Batch, rng: PRNGKey
    ) -> tuple[Array, Metrics]:
        round = _play_round(networks, own, discriminator.params, batch, rng, in_one_pass=False)
        return _sum_terms(terms, "generator", round)

    return Objective(
        discriminator_loss, generator_loss, functools.partial(_generate_fakes, networks)
    )


def _generate_fakes(networks: Networks, generator: Params, batch: Batch, rng: PRNGKey) -> Batch:
    """The batch with fresh ``"fake"`` and the ``"latents"`` that they were generated from."""
    check_batch(batch, "batch")
    latents = draw_latents(networks, jax.random.fold_in(rng, 0), sample_indices(batch))
    fake = networks.generate(generator, latents, **conditions(batch))
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
    return batch | {"fake": fake, "latents": latents}


def _play_round(
    networks: Networks,
    generator: Params,
    discriminator: Params,
    batch: Batch,
    rng: PRNGKey,
    in_one_pass: bool,
) -> Round:
    """Generates, unless the batch has ``"fake"``, and scores; ``in_one_pass``: both together."""
    check_batch(batch, "batch")
    if "fake" not in batch:
        batch = _generate_fakes(networks, generator, batch, rng)
    real, fake, conditioning = batch["real"], batch["fake"], conditions(batch)
    score = functools.partial(_scores, networks, discriminator, conditioning)
    if in_one_pass:
        real_scores, fake_scores = _paired_scores(networks, discriminator, conditioning, real, fake)
    else:
        real_scores, fake_scores = score(real), score(fake)
    # A classifier that saw the label would have nothing to learn.
    unlabelled = {name: value for name, value in conditioning.items() if name != "label"}
    return Round(
        real=real,
        fake=fake,
        real_scores=real_scores,
        fake_scores=fake_scores,
        score=score,
        classify=_of_samples(networks.classify, discriminator, unlabelled),
        label=batch.get("label"),
        sample_index=sample_indices(batch),
        rng=rng,
        features=_of_samples(networks.features, discriminator, conditioning),
        latents=batch.get("latents"),
        latent=lambda key: draw_latents(networks, key, sample_indices(batch)),
        generate=lambda latents: networks.generate(generator, latents, **conditioning),
    )


def _scores(
    networks: Networks, discriminator: Params, conditioning: Batch, samples: Array
) -> Array:
    """Scores ``[batch]``, float32 or wider, under the conditions."""
    scores = networks.score(discriminator, samples, **conditioning)
    if scores.shape != samples.shape[:1]:
        raise ValueError(
            f"score must return {list(samples.shape[:1])}, one score per sample, "
            f"for samples {list(samples.shape)}, not {list(scores.shape)}"
        )
    return scores.astype(jnp.promote_types(scores.dtype, jnp.float32))


def _paired_scores(
    networks: Networks, discriminator: Params, conditioning: Batch, real: Array, fake: Array
) -> tuple[Array, Array]:
    """The scores of both kinds from one pass of the discriminator."""
    # Each real sample stands next to a generated one, so that a batch which is split over devices
    # stays where it is.
    pairs = jnp.stack([real, fake], 1).reshape(-1, *real.shape[1:])
    twice = {name: jnp.repeat(value, 2, axis=0) for name, value in conditioning.items()}
    scores = _scores(networks, discriminator, twice, pairs).reshape(-1, 2)
    return scores[:, 0], scores[:, 1]


def _of_samples(
    function: ClassifyFn | FeaturesFn | None, discriminator: Params, conditioning: Batch
) -> Callable[[Array], Array] | None:
    """A head of the discriminator as a function of samples alone; None if there is none."""
    if function is None:
        return None
    return lambda samples: function(discriminator, samples, **conditioning)


def _sum_terms(terms: Terms, side: Side, round: Round) -> tuple[Array, Metrics]:
    """One player's loss and the values of its terms."""
    values: Metrics = {}
    for position, (name, term) in enumerate(terms.items()):
        function: TermFn | None = getattr(term, side)
        if function is None:
            continue
        # Key 0 drew the latents.
        value = function(round._replace(rng=jax.random.fold_in(round.rng, position + 1)))
        if jnp.shape(value) != ():
            raise ValueError(
                f"{name} returned {list(jnp.shape(value))} for the {side}, not a scalar: "
                "a mean over the batch is missing"
            )
        values[f"{side}/{name}"] = value
    loss: Array = sum(values.values())  # type: ignore[assignment]
    return loss, values | {f"{side}/loss": loss}


def _score_metrics(round: Round) -> Metrics:
    return {
        "scores/real": jnp.mean(round.real_scores),
        "scores/fake": jnp.mean(round.fake_scores),
        "scores/real_sign": jnp.mean(jnp.sign(round.real_scores)),
    }
