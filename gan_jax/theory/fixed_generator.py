"""A discriminator trained against a fixed generator: what an objective says about a pair p, q."""

from typing import Protocol

import jax
import jax.numpy as jnp
import optax

from gan_jax.game import (
    Array,
    Context,
    Memory,
    Metrics,
    Objective,
    Params,
    Player,
    PRNGKey,
    initial_memory,
    update,
)

Carry = tuple[Player, Memory]


class DrawFn(Protocol):
    """A source of real samples."""

    def __call__(self, rng: PRNGKey, n: int, /) -> Array:
        """Draws samples ``[n, ...]``."""
        ...


class MeasureFn(Protocol):
    """Further metrics of a discriminator."""

    def __call__(self, params: Params, rng: PRNGKey, /) -> Metrics:
        """Computes scalars by name from the discriminator's parameters."""
        ...


def fit_discriminator(
    objective: Objective,
    optimizer: optax.GradientTransformation,
    discriminator: Params,
    generator: Params,
    real: DrawFn,
    rng: PRNGKey,
    *,
    batch_size: int = 256,
    steps: int = 1000,
    measure: MeasureFn | None = None,
    measure_every: int = 1,
) -> tuple[Params, Metrics]:
    """Trains a discriminator on fresh batches against a generator that does not change.

    A pure function: vmap it over keys, generators or initial parameters, and jit it.

    Args:
      objective: the game.
      optimizer: the discriminator's.
      discriminator: its initial parameters.
      generator: the generator's parameters.
      real: draws real samples, ``(key, n) -> [n, ...]``.
      rng: fixes batches and latents.
      batch_size: samples per update.
      steps: the number of updates, a multiple of ``measure_every``; terms see their count as the
        step.
      measure: further metrics, ``(params, key) -> {name: scalar}``, computed before updates 0,
        ``measure_every``, 2 ``measure_every``, ..., with a different key each time.
      measure_every: updates from one measurement to the next.

    Returns:
      The discriminator's parameters, and its metrics: ``[steps]`` each, and
      ``[steps / measure_every]`` for those of ``measure``.

    Raises:
      ValueError: if ``steps`` is not a multiple of ``measure_every``.
    """
    if steps % measure_every:
        raise ValueError(
            f"steps must be a multiple of measure_every: found {steps} and {measure_every}"
        )

    def update_once(carry: Carry, step: Array) -> tuple[Carry, Metrics]:
        player, memory = carry
        data_key, update_key = jax.random.split(jax.random.fold_in(rng, step))
        batch = {"real": real(data_key, batch_size)}
        context = Context(update_key, step, memory)
        player, metrics, memory = update(
            objective.discriminator, optimizer, player, Player(generator), batch, context
        )
        return (player, memory), metrics

    def measure_and_update(carry: Carry, first: Array) -> tuple[Carry, tuple[Metrics, Metrics]]:
        measured: Metrics = {}
        if measure is not None:
            measure_key = jax.random.fold_in(jax.random.fold_in(rng, first), 1)
            measured = measure(carry[0].params, measure_key)
        carry, metrics = jax.lax.scan(update_once, carry, first + jnp.arange(measure_every))
        return carry, (metrics, measured)

    start = (Player(discriminator, optimizer.init(discriminator)), initial_memory(objective))
    (player, _), (metrics, measured) = jax.lax.scan(
        measure_and_update, start, jnp.arange(0, steps, measure_every)
    )
    by_step = {name: jnp.reshape(values, (steps,)) for name, values in metrics.items()}
    return player.params, by_step | measured
