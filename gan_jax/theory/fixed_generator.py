"""A discriminator that learns against a generator which stands still: what an objective says about a fixed pair p, q."""

from collections.abc import Callable

import jax
import jax.numpy as jnp
import optax

from gan_jax.game import Array, Metrics, Objective, Params, Player, PRNGKey, update


def fit_discriminator(
    objective: Objective,
    optimizer: optax.GradientTransformation,
    discriminator: Params,
    generator: Params,
    real: Callable[[PRNGKey, int], Array],
    rng: PRNGKey,
    *,
    batch_size: int = 256,
    steps: int = 1000,
    watch: Callable[[Params, PRNGKey], Metrics] | None = None,
    every: int = 1,
) -> tuple[Params, Metrics]:
    """The discriminator's parameters after ``steps`` updates on fresh batches, and its metrics ``[steps]``.

    A pure function: vmap it over keys, generators or initial parameters, and jit it.

    Args: ``real``: ``(key, n) -> samples [n, ...]``; ``watch``: more metrics ``[steps / every]``, of the discriminator as it
    is before updates 0, ``every``, 2 ``every``, ...; its key differs from one to the next. Raises ValueError where ``steps``
    is no multiple of ``every``.
    """
    if steps % every:
        raise ValueError(f"steps is a multiple of every: found {steps} and {every}")

    def turn(player: Player, step: Array) -> tuple[Player, Metrics]:
        data, play = jax.random.split(jax.random.fold_in(rng, step))
        return update(
            objective.discriminator,
            optimizer,
            player,
            Player(generator),
            {"real": real(data, batch_size)},
            play,
        )

    def block(player: Player, first: Array) -> tuple[Player, tuple[Metrics, Metrics]]:
        seen = (
            watch(player.params, jax.random.fold_in(jax.random.fold_in(rng, first), 1))
            if watch
            else {}
        )
        player, metrics = jax.lax.scan(turn, player, first + jnp.arange(every))
        return player, (metrics, seen)

    start = Player(discriminator, optimizer.init(discriminator))
    player, (metrics, seen) = jax.lax.scan(block, start, jnp.arange(0, steps, every))
    return player.params, {
        name: jnp.reshape(values, (steps,)) for name, values in metrics.items()
    } | seen
