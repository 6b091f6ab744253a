"""What each player could gain alone: the distance from an equilibrium in units of the losses."""

from typing import NamedTuple

import jax
import jax.numpy as jnp
import optax

from gan_jax.game import (
    Array,
    Batch,
    Context,
    LossFn,
    Objective,
    Player,
    PRNGKey,
    check_batch,
    check_objective,
    update,
)
from gan_jax.training import TrainState


class BestResponseGaps(NamedTuple):
    """By how much each player lowers its loss alone, the other player held: float scalars.

    Attributes:
      generator: the generator's loss before less that after its steps.
      discriminator: the discriminator's.
    """

    generator: Array
    discriminator: Array

    @property
    def total(self) -> Array:
        """The sum of both, which is the duality gap if the losses are each other's negatives."""
        return self.generator + self.discriminator


def best_response_gaps(
    objective: Objective,
    generator_optimizer: optax.GradientTransformation,
    discriminator_optimizer: optax.GradientTransformation,
    state: TrainState,
    batches: Batch,
    held_out: Batch,
    rng: PRNGKey,
) -> BestResponseGaps:
    """Computes by how much each player lowers its loss in K steps against a fixed opponent.

    ``gap_G = L_G(theta_G, theta_D) - L_G(theta_G^K, theta_D)``, and likewise for the discriminator.
    At a Nash equilibrium both are 0. In a zero-sum game, such as that of `saddle` or `minimax`, the
    sum is the duality gap ``max_D' V(G, D') - min_G' V(G', D)``, as far as K steps find the best
    responses: raise K until it no longer grows. Otherwise it is the Nikaido-Isoda function.

    A pure function, to be compiled by its caller.

    Args:
      objective: what both players minimise.
      generator_optimizer: of the generator's steps, from its initial state.
      discriminator_optimizer: of the discriminator's steps, likewise.
      state: where both players start.
      batches: arrays ``[K, batch, ...]`` that the steps are taken on.
      held_out: arrays ``[batch, ...]`` that the losses before and after are computed on, with the
        same latents. On other samples than those of the steps a gap may be negative.
      rng: the key of all draws.

    Returns:
      `BestResponseGaps`.

    Raises:
      TypeError: ``objective`` is not an `Objective`, or a batch lacks ``"real"`` or an axis.

    References:
      Grnarova et al., "A Domain Agnostic Measure for Monitoring and Evaluating GANs" (2019),
      section 3, with held-out samples as in section 4.
      Nikaido, Isoda, "Note on Noncooperative Convex Games" (1955).
    """
    check_objective(objective, "best_response_gaps")
    check_batch(batches, "steps", "batch")
    check_batch(held_out, "batch")
    steps = len(batches["real"])
    context = Context(jax.random.fold_in(rng, steps), state.step, state.memory)

    def gap(
        loss: LossFn, optimizer: optax.GradientTransformation, own: Player, opponent: Player
    ) -> Array:
        def step(player: Player, batch_and_index: tuple[Batch, Array]) -> tuple[Player, None]:
            batch, index = batch_and_index
            here = context._replace(rng=jax.random.fold_in(rng, index))
            return update(loss, optimizer, player, opponent, batch, here)[0], None

        start = Player(own.params, optimizer.init(own.params))
        after, _ = jax.lax.scan(step, start, (batches, jnp.arange(steps)))
        before = loss(own.params, opponent, held_out, context)[0]
        return before - loss(after.params, opponent, held_out, context)[0]

    return BestResponseGaps(
        gap(objective.generator, generator_optimizer, state.generator, state.discriminator),
        gap(objective.discriminator, discriminator_optimizer, state.discriminator, state.generator),
    )
