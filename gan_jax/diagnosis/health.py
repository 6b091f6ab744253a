"""How a game is while it is played: `quantities` of one batch, inside a jitted step."""

from collections.abc import Callable, Sequence
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from gan_jax.diagnosis.quantities import GOLDEN_RATIO, QUANTITIES, Snapshot, norms
from gan_jax.distributed.state_sharding import whole_parameters
from gan_jax.errors import UserError
from gan_jax.game import (
    Array,
    Batch,
    Metrics,
    Networks,
    Objective,
    Params,
    PRNGKey,
    call,
    conditions,
    sample_indices,
)
from gan_jax.game.rounds import generate_fakes
from gan_jax.training.steps import TrainState

PREFIX = "health/"
"""The names of all metrics of health begin with it."""

HEALTH_KEY = 2**31 - 3
"""Folded into a run's key for the draws that are made to measure its health."""

HealthFn = Callable[[TrainState, Batch, PRNGKey], Metrics]
"""A function of a state, a batch ``[batch, ...]`` and a run's key that returns `PREFIX` metrics."""


def health(
    networks: Networks,
    objective: Objective,
    centres: np.ndarray | None = None,
    quantities: Sequence[Callable[[Snapshot], Metrics]] = QUANTITIES,
    held_out: Callable[[Batch], Batch] | None = None,
    on_failure: Callable[[str, Exception], None] | None = None,
) -> HealthFn:
    """Returns the function that measures the health of a state on one batch.

    Args:
      networks: that are trained.
      objective: what they minimise. Without look-ahead, which would cost as much as in training.
      centres: of the data's modes ``[modes, d]``, if they are known.
      quantities: which ones.
      held_out: returns real samples that are not trained on, ``[n, ...]`` by name as in a batch,
        with the conditions that are common to the given batch.
      on_failure: called once with the name of each quantity that networks or terms of another make
        do not allow, and with the error, when the function is traced; the others are measured. None
        raises the error.

    Returns:
      ``(state, batch, rng) -> metrics``, float32 scalars whose names begin with `PREFIX`.
    """

    failed: set[str] = set()

    def of_held_out(state: TrainState, batch: Batch, rng: PRNGKey) -> Array:
        assert held_out is not None
        others = held_out(batch)
        given, index = conditions(others), sample_indices(others)
        params, samples = state.discriminator.params, others["real"]
        scores = call(networks, "score", params, samples, given, index, rng, use=4)
        return _per_sample(scores, len(samples))

    def measure(state: TrainState, batch: Batch, rng: PRNGKey) -> Metrics:
        rng = jax.random.fold_in(jax.random.fold_in(rng, HEALTH_KEY), state.step)
        state = _with_whole_parameters(state)
        batch = generate_fakes(networks, state.generator.params, batch, rng)
        scores, slopes = _scores_and_slopes(networks, state.discriminator.params, batch, rng)
        snapshot = Snapshot(
            networks,
            objective,
            centres,
            state,
            batch,
            real_scores=scores[0],
            fake_scores=scores[1],
            slopes=slopes[2],
            held_out_scores=None if held_out is None else of_held_out(state, batch, rng),
            rng=rng,
        )
        metrics: Metrics = {}
        for quantity in quantities:
            try:
                metrics |= quantity(snapshot)
            except (TypeError, ValueError, NotImplementedError, UserError) as error:
                if on_failure is None:
                    raise
                if quantity.__name__ not in failed:
                    failed.add(quantity.__name__)
                    on_failure(quantity.__name__, error)
        return {f"{PREFIX}{name}": value.astype(jnp.float32) for name, value in metrics.items()}

    return measure


def _with_whole_parameters(state: TrainState) -> TrainState:
    generator, discriminator = state.generator, state.discriminator
    return state._replace(
        generator=generator._replace(params=whole_parameters(generator.params)),
        discriminator=discriminator._replace(params=whole_parameters(discriminator.params)),
    )


def _scores_and_slopes(
    networks: Networks, params: Params, batch: Batch, rng: PRNGKey
) -> tuple[Array, Array]:
    """Scores and slopes of real samples, generated ones, and points between: ``[3, batch]`` each.

    In a loop over the three kinds, which is compiled once.
    """
    real, fake, index = (
        batch["real"],
        batch["fake"].astype(batch["real"].dtype),
        sample_indices(batch),
    )
    # Spread evenly over [0, 1], whatever samples of the batch these are.
    share = (index * GOLDEN_RATIO % 1).astype(real.dtype).reshape(-1, *[1] * (real.ndim - 1))

    def total_and_scores(samples: Array) -> tuple[Array, Array]:
        scores = call(networks, "score", params, samples, conditions(batch), index, rng, use=3)
        total = sum(jnp.sum(leaf.astype(jnp.float32)) for leaf in jax.tree.leaves(scores))
        return jnp.asarray(total), _per_sample(scores, len(samples))

    def scores_and_slopes(samples: Array) -> tuple[Array, Array]:
        gradient, scores = jax.grad(total_and_scores, has_aux=True)(samples)
        return scores, norms(gradient)

    samples = jnp.stack([real, fake, share * real + (1 - share) * fake])
    both: tuple[Array, Array] = jax.lax.map(scores_and_slopes, samples)
    return both


def _per_sample(scores: Any, n: int) -> Array:
    """The mean score of each sample, ``[n]`` float32, over its map and over several scores."""
    leaves = jax.tree.leaves(scores)
    means = [jnp.mean(leaf.reshape(n, -1).astype(jnp.float32), 1) for leaf in leaves]
    mean: Array = sum(means[1:], means[0]) / len(means)
    return mean
