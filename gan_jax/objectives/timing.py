"""When and on what a term acts: at every n-th step, from a step on, on one of several scores."""

from collections.abc import Callable, Mapping
from typing import Any

import jax
import jax.numpy as jnp

from gan_jax.errors import UserError
from gan_jax.game import Array, Context, Round, Term, TermFn, show_scores

__all__ = ["Weight", "after", "every", "on_scores", "until", "weight_at"]

Weight = float | Callable[[Any], Any]
"""The weight of a term: a number, or a function of the step such as optax's schedules."""


def weight_at(weight: Weight, round: Round | Context) -> float | Array:
    """Returns a weight at the step of a round, or of what a loss is given beside the batch."""
    if callable(weight):
        now: Array = jnp.asarray(weight(round.step))
        return now
    return weight


def every(n: int, term: Term) -> Term:
    """Returns a term that acts at every n-th step, n times as strong: a lazy penalty.

    Over n steps its gradients sum to those of the term itself. At the other steps it is not
    computed at all, except in a population, whose members share one program.

    In StyleGAN2 the penalty has an optimizer step of its own. Here it is added to the loss of its
    step. For Adam see `gan_jax.training.optimizers.lazy_adam`.

    Args:
      n: the interval; steps 0, n, 2 n, ... are due.
      term: any term, such as ``r1()``.

    Raises:
      UserError: ``n`` is below 1.

    References:
      Karras et al., "Analyzing and Improving the Image Quality of StyleGAN" (2020), section 3.1
      and appendix B: n is 16 for R1 and 8 for the path length.
    """
    if n < 1:
        raise UserError(f"every takes an interval of at least 1 step, not {n}")
    return _when(term, lambda step: step % n == 0, float(n)) if n > 1 else term


def after(step: int, term: Term) -> Term:
    """Returns a term that acts from a step on, such as VQGAN's adversarial loss.

    Before it the term is not computed, except in a population.

    Args:
      step: the first step at which the term acts.
      term: any term.
    """
    return _when(term, lambda now: now >= step)


def until(step: int, term: Term) -> Term:
    """Returns a term that acts before a step. From then on it is not computed, as in `after`.

    Args:
      step: the first step at which the term no longer acts.
      term: any term.
    """
    return _when(term, lambda now: now < step)


def on_scores(score: str, term: Term) -> Term:
    """Returns a term that is computed for one of the discriminator's several scores.

    Its name is ``"<term>_<score>"``. Without it a term is computed for each of the scores, and the
    values are summed.

    Args:
      score: the key of the score, if ``Networks.score`` returns a dict.
      term: any term.

    Raises:
      UserError: in the loss, if there is no such score.
    """

    def restricted(function: TermFn | None) -> TermFn | None:
        if function is None:
            return None

        def value(round: Round) -> Any:
            if not isinstance(round.real_scores, Mapping) or score not in round.real_scores:
                known = (
                    ", ".join(map(str, round.real_scores))
                    if isinstance(round.real_scores, Mapping)
                    else "a single one"
                )
                raise UserError(f"{term.name} is for the score {score!r}: there is {known}")
            return function(show_scores(round, score))

        return value

    return Term(
        name=f"{term.name}_{score}",
        discriminator=restricted(term.discriminator),
        generator=restricted(term.generator),
        memory=term.memory,
        each_score=False,
    )


def _when(term: Term, is_due: Callable[[Any], Any], scale: float = 1.0) -> Term:
    """The term, multiplied, at the steps that are due; at others 0, with nothing remembered."""

    def timed(function: TermFn | None) -> TermFn | None:
        if function is None:
            return None

        def value(round: Round) -> Any:
            return _computed_if(is_due(jnp.asarray(round.step)), function, round, scale)

        return value

    return Term(
        name=term.name,
        discriminator=timed(term.discriminator),
        generator=timed(term.generator),
        memory=term.memory,
        each_score=term.each_score,
    )


def _computed_if(due: Array, function: TermFn, round: Round, scale: float) -> Any:
    """``scale function(round)`` if due, else 0, with a backward pass that is skipped too.

    ``lax.cond`` alone would not skip it: under ``jax.grad`` both branches return the residuals of
    the other, and the backward pass of an idle step works through zeros. Here the forward pass
    computes the gradient inside the branch, so that all that is left to do later is to multiply it
    by a scalar.
    """

    # What the term is differentiable in reaches it through the round's closures.
    converted, hoisted = jax.closure_convert(lambda: function(round))

    def compute(*hoisted: Array) -> tuple[Array, Any]:
        returned = converted(*hoisted)
        value, memory = returned if round.memory is not None else (returned, None)
        return scale * value, memory

    def idle(*hoisted: Array) -> tuple[Array, Any]:
        shape = jax.eval_shape(lambda: compute(*hoisted))[0]
        return jnp.zeros(shape.shape, shape.dtype), round.memory

    # `due` is an argument: it may belong to the trace of another timed term around this one, which
    # has ended when the forward pass is traced.
    @jax.custom_vjp
    def value(due: Array, *hoisted: Array) -> tuple[Array, Any]:
        computed: tuple[Array, Any] = jax.lax.cond(due, compute, idle, *hoisted)
        return computed

    def forward(due: Array, *hoisted: Array) -> tuple[tuple[Array, Any], tuple[Array, ...]]:
        def compute_both(*hoisted: Array) -> tuple[tuple[Array, Any], tuple[Array, ...]]:
            argnums = tuple(range(len(hoisted)))
            return jax.value_and_grad(compute, argnums, has_aux=True)(*hoisted)

        def idle_both(*hoisted: Array) -> tuple[tuple[Array, Any], tuple[Array, ...]]:
            return idle(*hoisted), tuple(jnp.zeros_like(leaf) for leaf in hoisted)

        both: tuple[tuple[Array, Any], tuple[Array, ...]] = jax.lax.cond(
            due, compute_both, idle_both, *hoisted
        )
        return both

    def backward(gradient: tuple[Array, ...], cotangent: tuple[Array, Any]) -> tuple[Any, ...]:
        return None, *((cotangent[0] * leaf).astype(leaf.dtype) for leaf in gradient)

    value.defvjp(forward, backward)
    result, memory = value(due, *hoisted)
    return result if round.memory is None else (result, memory)
