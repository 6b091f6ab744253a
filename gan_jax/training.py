"""Train steps: pure functions from state, batch and key to state and metrics."""

from collections.abc import Callable
from typing import NamedTuple

import jax
import jax.numpy as jnp
import optax

from gan_jax.game import Array, Batch, Metrics, Networks, Objective, Params, Player, PRNGKey, update


class TrainState(NamedTuple):
    """All that training changes. With the seed, ``step`` fixes all randomness, so nothing else needs saving."""

    step: Array  # generator updates so far, int32
    generator: Player
    discriminator: Player
    average: Params  # moving average of the generator's parameters: what is sampled


TrainStep = Callable[[TrainState, Batch, PRNGKey], tuple[TrainState, Metrics]]


def init_state(
    networks: Networks,
    generator_optimizer: optax.GradientTransformation,
    discriminator_optimizer: optax.GradientTransformation,
    rng: PRNGKey,
) -> TrainState:
    """The state before the first step, from one key."""
    generator, discriminator = networks.init(rng)
    return TrainState(
        step=jnp.zeros((), jnp.int32),
        generator=Player(generator, generator_optimizer.init(generator)),
        discriminator=Player(discriminator, discriminator_optimizer.init(discriminator)),
        average=jax.tree.map(jnp.copy, generator),
    )


def alternating(
    objective: Objective,
    generator_optimizer: optax.GradientTransformation,
    discriminator_optimizer: optax.GradientTransformation,
    averaging: float = 0.0,
) -> TrainStep:
    """One step of alternating play: the discriminator takes a turn on each batch, then the generator plays the last.

    Batch leaves are ``[turns, batch, ...]``, so n discriminator updates per generator update is the data's shape. The key
    given is the run's; the step's own is ``fold_in(key, state.step)``. ``averaging``: the decay b of the moving average
    of the generator, ``a <- b a + (1 - b) theta``; 0 keeps the newest parameters. Metrics are scalars: the
    discriminator's are means over its turns.

    Source: Goodfellow et al., "Generative Adversarial Nets" (2014), algorithm 1 (k = turns).
    """

    def train_step(state: TrainState, batch: Batch, rng: PRNGKey) -> tuple[TrainState, Metrics]:
        discriminator_rng, generator_rng = jax.random.split(jax.random.fold_in(rng, state.step))
        turns = len(batch["real"])

        def turn(discriminator: Player, batch_and_key: tuple[Batch, PRNGKey]) -> tuple[Player, Metrics]:
            return update(objective.discriminator, discriminator_optimizer, discriminator, state.generator, *batch_and_key)

        keys = jax.random.split(discriminator_rng, turns)
        discriminator, seen = jax.lax.scan(turn, state.discriminator, (batch, keys))
        last = jax.tree.map(lambda leaf: leaf[-1], batch)
        generator, played = update(
            objective.generator, generator_optimizer, state.generator, discriminator, last, generator_rng
        )
        average = optax.incremental_update(generator.params, state.average, 1.0 - averaging)
        metrics = _named(played, "generator") | _named(jax.tree.map(jnp.mean, seen), "discriminator")
        return TrainState(state.step + 1, generator, discriminator, average), metrics

    return train_step


def _named(metrics: Metrics, side: str) -> Metrics:
    """Says whose gradient norm it is."""
    return {f"{side}/{name}" if name == "gradient_norm" else name: value for name, value in metrics.items()}


def fused(train_step: TrainStep, prepare: Callable[[Batch], Batch] = lambda batch: batch) -> TrainStep:
    """Many steps in one call: scans ``train_step`` over batch leaves ``[steps, turns, batch, ...]``.

    ``prepare`` turns each step's raw batch into the one that is played (uint8 to floats, say) inside the scan. Metrics are
    ``[steps]`` each. Chunking never changes the bits: use it for a single step too.
    """

    def train_steps(state: TrainState, batches: Batch, rng: PRNGKey) -> tuple[TrainState, Metrics]:
        return jax.lax.scan(lambda state, batch: train_step(state, prepare(batch), rng), state, batches)

    return train_steps
