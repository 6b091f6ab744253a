"""The adversarial objective: a sum of named terms for each player."""

import functools
from collections.abc import Callable, Mapping
from typing import Any, Literal

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
from gan_jax.game.networks import Networks, call, draw_latents
from gan_jax.game.players import Context, Memory, Objective, Player, as_context
from gan_jax.game.terms import Round, Term, TermFn, Terms, as_terms

Side = Literal["discriminator", "generator"]
SIDES: tuple[Side, Side] = ("discriminator", "generator")


def adversarial(networks: Networks, terms: Term | Mapping[str, Term]) -> Objective:
    """Returns the objective that sums named terms for each player.

    Each term draws from ``fold_in(rng, position + 1)``; key 0 draws the latents. If the
    discriminator returns a dict of scores, each term is computed for each of them and summed (see
    `Term`).

    Metrics: each term's value as ``"discriminator/<name>"`` or ``"generator/<name>"``, each
    player's sum as ``".../loss"``, the mean scores of real and generated samples
    (``"scores/real"``, ``"scores/fake"``), and the mean sign of the real ones
    (``"scores/real_sign"``, ADA's measure of overfitting).

    Args:
      networks: the two networks.
      terms: one term, a sum of terms, ``losses.wasserstein() + penalties.gradient_penalty()``, or a
        mapping from names to terms.

    Returns:
      The objective. Its losses raise ValueError if ``score`` does not return ``[batch, ...]`` or a
      term does not return a scalar, and TypeError for a batch without ``"real"`` or without an
      axis.

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
        own: Params, generator: Player, batch: Batch, context: Context | PRNGKey
    ) -> tuple[Array, tuple[Metrics, Memory]]:
        context = as_context(context)
        round = _play_round(
            networks, generator.params, own, batch, context, networks.independent_scores
        )
        loss, metrics, memory = _sum_terms(terms, "discriminator", round, context.memory)
        return loss, (metrics | _score_metrics(round), memory)

    def generator_loss(
        own: Params, discriminator: Player, batch: Batch, context: Context | PRNGKey
    ) -> tuple[Array, tuple[Metrics, Memory]]:
        context = as_context(context)
        round = _play_round(networks, own, discriminator.params, batch, context, in_one_pass=False)
        loss, metrics, memory = _sum_terms(terms, "generator", round, context.memory)
        return loss, (metrics, memory)

    return Objective(
        discriminator_loss,
        generator_loss,
        functools.partial(_generate_fakes, networks),
        {name: term.memory for name, term in terms.items() if term.memory is not None},
    )


def _generate_fakes(networks: Networks, generator: Params, batch: Batch, rng: PRNGKey) -> Batch:
    """The batch with fresh ``"fake"`` and the ``"latents"`` that they were generated from."""
    check_batch(batch, "batch")
    index = sample_indices(batch)
    latents = draw_latents(networks, jax.random.fold_in(rng, 0), index)
    fake = call(networks, "generate", generator, latents, conditions(batch), index, rng, use=0)
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
    generated = {"fake": fake} if latents is None else {"fake": fake, "latents": latents}
    return batch | generated


def _play_round(
    networks: Networks,
    generator: Params,
    discriminator: Params,
    batch: Batch,
    context: Context,
    in_one_pass: bool,
) -> Round:
    """Generates, unless the batch has ``"fake"``, and scores; ``in_one_pass``: both together."""
    check_batch(batch, "batch")
    if "fake" not in batch:
        batch = _generate_fakes(networks, generator, batch, context.rng)
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

    def generate(latents: Array | None = None, /, **changed: Array) -> Array:
        given = conditioning | changed
        made: Array = call(networks, "generate", generator, latents, given, index, rng, use=0)
        return made

    def styles(latents: Array | None = None, /, **changed: Array) -> Array:
        given = conditioning | changed
        made: Array = call(networks, "styles", generator, latents, given, index, rng, use=0)
        return made

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
        generate=generate,
        conditions=conditioning,
        step=context.step,
        styles=None if networks.styles is None else styles,
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


def _sum_terms(
    terms: Terms, side: Side, round: Round, memory: Memory
) -> tuple[Array, Metrics, Memory]:
    """One player's loss, the values of its terms, and what they remember."""
    values: Metrics = {}
    memory = dict(memory)
    for position, (name, term) in enumerate(terms.items()):
        function: TermFn | None = getattr(term, side)
        if function is None:
            continue
        # Key 0 drew the latents.
        own = round._replace(rng=jax.random.fold_in(round.rng, position + 1))
        if term.memory is None:
            shown = [_scalar(function(r), name, side) for r in _rounds_shown(term, own, name)]
            value = sum(shown[1:], shown[0])
        else:
            value, memory[name] = _remembering(term, function, own, memory, side)
        values[f"{side}/{name}"] = value
    loss: Array = sum(values.values())  # type: ignore[assignment]
    return loss, values | {f"{side}/loss": loss}, memory


def _rounds_shown(term: Term, round: Round, name: str) -> list[Round]:
    """The rounds that a term is computed for: one for each of several scores."""
    if not term.each_score or not isinstance(round.real_scores, Mapping):
        return [round]
    if term.memory is not None:
        known = ", ".join(f"on_scores({entry!r}, ...)" for entry in round.real_scores)
        raise ValueError(
            f"{name} keeps a memory, and the discriminator returns several scores: name the one "
            f"that it is for, {known}"
        )
    return [show_scores(round, entry) for entry in round.real_scores]


def show_scores(round: Round, entry: str) -> Round:
    """Returns the round in which the discriminator returns one of its several scores alone."""
    return round._replace(
        real_scores=round.real_scores[entry],
        fake_scores=round.fake_scores[entry],
        score=lambda samples, /, **conditions: round.score(samples, **conditions)[entry],
    )


def _remembering(
    term: Term, function: TermFn, round: Round, memory: Memory, side: Side
) -> tuple[Array, Any]:
    """The value of a term with a memory, and its new memory."""
    name = term.name
    if name not in memory:
        raise ValueError(
            f"{name} keeps a memory, which the train state lacks: make the state by "
            "init_state(..., objective=objective)"
        )
    (shown,) = _rounds_shown(term, round._replace(memory=memory[name]), name)
    returned = function(shown)
    if not isinstance(returned, tuple) or len(returned) != 2:
        raise ValueError(
            f"{name} keeps a memory: it must return (value, new memory) for the {side}"
        )
    value, new = returned
    new = jax.tree.map(
        lambda old, new: jax.lax.stop_gradient(jnp.asarray(new, jnp.result_type(old))),
        memory[name],
        new,
    )
    return _scalar(value, name, side), new


def _scalar(value: Any, name: str, side: Side) -> Array:
    if isinstance(value, tuple):
        raise ValueError(
            f"{name} returned a tuple for the {side}, not a scalar: a term that returns a new "
            "memory needs an initial one, Term(memory=...)"
        )
    if jnp.shape(value) != ():
        raise ValueError(
            f"{name} returned {list(jnp.shape(value))} for the {side}, not a scalar: "
            "a mean over the batch is missing"
        )
    scalar: Array = value
    return scalar


def _score_metrics(round: Round) -> Metrics:
    return {
        "scores/real": _mean(round.real_scores, jnp.mean),
        "scores/fake": _mean(round.fake_scores, jnp.mean),
        "scores/real_sign": _mean(round.real_scores, lambda scores: jnp.mean(jnp.sign(scores))),
    }


def _mean(scores: Any, of_each: Callable[[Array], Array]) -> Array:
    """The mean over all scores of what is computed for each of them."""
    means = [of_each(leaf) for leaf in jax.tree.leaves(scores)]
    mean: Array = sum(means[1:], means[0])
    return mean / len(means) if len(means) > 1 else mean
