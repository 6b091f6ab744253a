"""Alternating updates: the discriminator first, then the generator."""

import jax
import jax.numpy as jnp
import optax

from gan_jax.game import (
    Array,
    Batch,
    Context,
    Memory,
    Metrics,
    Objective,
    Player,
    PRNGKey,
    check_objective,
    update,
)
from gan_jax.training.schedules import Decay
from gan_jax.training.steps import (
    TrainState,
    TrainStep,
    all_but_last,
    count_discriminator_steps,
    last_batch,
    next_state,
    train_discriminator,
)

__all__ = ["alternating"]


def alternating(
    objective: Objective,
    generator_optimizer: optax.GradientTransformation,
    discriminator_optimizer: optax.GradientTransformation,
    ema_decay: Decay | tuple[Decay, ...] = 0.0,
    reuse: bool = False,
) -> TrainStep:
    """Returns the step of alternating updates: the discriminator on each batch, then the generator.

    Batch leaves are ``[discriminator_steps, batch, ...]``: the number of discriminator updates per
    generator update is the data's shape. The generator's update sees the last batch.

    Metrics: those of the generator's loss; means over the discriminator steps of those of the
    discriminator's loss; and ``"generator/gradient_norm"``, ``"discriminator/gradient_norm"``.

    Args:
      objective: what both players minimise.
      generator_optimizer: the generator's optimizer.
      discriminator_optimizer: the discriminator's optimizer.
      ema_decay: the decay b of the generator's moving average, ``a <- b a + (1 - b) theta``, or a
        function of the step, see `moving_averages`; 0 keeps the newest parameters. A tuple: one for
        each of the averages of ``init_state(..., emas=n)``.
      reuse: whether the generator learns from the samples of the last discriminator step, latents
        and all, which are generated once for both. Otherwise it draws its own, as in the paper.

    References:
      Goodfellow et al., "Generative Adversarial Nets" (2014), algorithm 1 (k = discriminator
      steps).
    """
    check_objective(objective, "a train step")

    def train_step(state: TrainState, batch: Batch, rng: PRNGKey) -> tuple[TrainState, Metrics]:
        """Updates the discriminator on each batch, then the generator on the last: see `TrainStep`.

        Batch leaves are ``[discriminator_steps, batch, ...]``; metrics are scalars.
        """
        discriminator_steps = count_discriminator_steps(batch)
        discriminator_rng, generator_rng = jax.random.split(jax.random.fold_in(rng, state.step))
        keys = jax.random.split(discriminator_rng, discriminator_steps)
        last = last_batch(batch)
        train_on_batches = train_discriminator
        if reuse:
            generator_rng = keys[-1]
            train_on_batches = _train_discriminator_last_update_apart
        discriminator, discriminator_metrics, memory = train_on_batches(
            objective,
            discriminator_optimizer,
            state.discriminator,
            state.generator,
            batch,
            keys,
            Context(rng, state.step, state.memory),
        )
        generator, generator_metrics, memory = update(
            objective.generator,
            generator_optimizer,
            state.generator,
            discriminator,
            last,
            Context(generator_rng, state.step, memory),
        )
        metrics = _with_named_norm(generator_metrics, "generator") | _with_named_norm(
            jax.tree.map(jnp.mean, discriminator_metrics), "discriminator"
        )
        return next_state(state, generator, discriminator, memory, ema_decay), metrics

    return train_step


def _train_discriminator_last_update_apart(
    objective: Objective,
    optimizer: optax.GradientTransformation,
    discriminator: Player,
    generator: Player,
    batch: Batch,
    keys: Array,
    context: Context,
) -> tuple[Player, Metrics, Memory]:
    """As `train_discriminator`, with the last update outside of the loop over the others.

    So the compiler sees that a generator's update with the same key generates the same samples.
    """
    several = len(keys) > 1
    memory = context.memory
    if several:
        discriminator, metrics, memory = train_discriminator(
            objective, optimizer, discriminator, generator, all_but_last(batch), keys[:-1], context
        )
    discriminator, last_metrics, memory = update(
        objective.discriminator,
        optimizer,
        discriminator,
        generator,
        last_batch(batch),
        context._replace(rng=keys[-1], memory=memory),
    )
    if not several:
        return discriminator, jax.tree.map(jnp.atleast_1d, last_metrics), memory
    return discriminator, jax.tree.map(jnp.append, metrics, last_metrics), memory


def _with_named_norm(metrics: Metrics, side: str) -> Metrics:
    """The metrics of one player's update, with the gradient norm named after the player."""
    metrics = dict(metrics)
    metrics[f"{side}/gradient_norm"] = metrics.pop("gradient_norm")
    return metrics
