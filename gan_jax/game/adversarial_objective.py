"""The adversarial objective: a sum of named terms for each player."""

from collections.abc import Callable, Mapping
from typing import Any, Literal

import jax
import jax.numpy as jnp

from gan_jax.distributed.state_sharding import whole_parameters
from gan_jax.game.batches import Array, Batch, Metrics, Params, PRNGKey
from gan_jax.game.networks import Networks
from gan_jax.game.players import Context, Memory, Objective, Player, as_context
from gan_jax.game.rounds import generate_fakes, play_round, show_scores
from gan_jax.game.terms import Round, Term, TermFn, Terms, as_terms

Side = Literal["discriminator", "generator"]
"""The player whose loss is computed."""
SIDES: tuple[Side, Side] = ("discriminator", "generator")
"""Both players, in the order of their updates."""


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
        generator_params, own = whole_parameters((generator.params, own))
        round = play_round(
            networks, generator_params, own, batch, context, networks.independent_scores
        )
        loss, metrics, memory = _sum_terms(terms, "discriminator", round, context.memory)
        return loss, (metrics | _score_metrics(round), memory)

    def generator_loss(
        own: Params, discriminator: Player, batch: Batch, context: Context | PRNGKey
    ) -> tuple[Array, tuple[Metrics, Memory]]:
        context = as_context(context)
        own, discriminator_params = whole_parameters((own, discriminator.params))
        round = play_round(networks, own, discriminator_params, batch, context, in_one_pass=False)
        loss, metrics, memory = _sum_terms(terms, "generator", round, context.memory)
        return loss, (metrics, memory)

    def fakes(generator: Params, batch: Batch, rng: PRNGKey) -> Batch:
        return generate_fakes(networks, whole_parameters(generator), batch, rng)

    return Objective(
        discriminator_loss,
        generator_loss,
        fakes,
        {name: term.memory for name, term in terms.items() if term.memory is not None},
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
