"""A discriminator that learns against a generator which stands still: what an objective says about a fixed pair p, q."""

from collections.abc import Callable

import jax
import jax.numpy as jnp
import optax

from gan_jax.game import Array, Metrics, Objective, Params, Player, PRNGKey, update


def fitted(
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
) -> tuple[Params, Metrics]:
    """The discriminator's parameters after ``steps`` updates on fresh batches, and its metrics ``[steps]``.

    A pure function: vmap it over keys, generators or initial parameters, and jit it.

    Args: ``real``: ``(key, n) -> samples [n, ...]``; ``watch``: more metrics, of the discriminator as it is before each
    update; its key differs from step to step.
    """

    def turn(player: Player, step: Array) -> tuple[Player, Metrics]:
        data, play, look = jax.random.split(jax.random.fold_in(rng, step), 3)
        seen = watch(player.params, look) if watch else {}
        player, metrics = update(
            objective.discriminator, optimizer, player, Player(generator), {"real": real(data, batch_size)}, play
        )
        return player, metrics | seen

    start = Player(discriminator, optimizer.init(discriminator))
    player, metrics = jax.lax.scan(turn, start, jnp.arange(steps))
    return player.params, metrics
