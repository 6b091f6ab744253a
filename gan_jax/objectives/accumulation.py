"""Gradient accumulation: a batch that does not fit in memory, one part after another."""

import jax
import jax.numpy as jnp

from gan_jax.distributed.collectives import accumulating
from gan_jax.errors import UserError
from gan_jax.game import (
    Array,
    Batch,
    Context,
    LossFn,
    Memory,
    Metrics,
    Objective,
    Params,
    Player,
    PRNGKey,
    as_context,
    check_objective,
    sample_indices,
)


def accumulated(objective: Objective, parts: int) -> Objective:
    """Returns the same objective, with losses and gradients accumulated over ``parts`` equal parts.

    ``L = mean_i L(part i)``, which is the loss of the whole batch: draws are keyed by sample index,
    and anything that looks at the whole batch (BatchNorm, minibatch statistics, relativistic
    averages) raises UserError. What terms remember is averaged over the parts. Each part is
    recomputed in the backward pass, so that a device needs the memory of one part, at the cost of
    one more forward pass. `unrolled` may be applied to the result.

    Args:
      objective: any objective.
      parts: into how many parts the batch is split; 1 returns ``objective`` itself.

    Raises:
      TypeError: ``objective`` is not an `Objective`.
      ValueError: ``parts`` is less than 1.
      UserError: in the losses, if ``parts`` does not divide the batch.
    """
    check_objective(objective, "accumulated")
    if parts < 1:
        raise ValueError(f"accumulated takes at least 1 part, not {parts}")
    if parts == 1:
        return objective
    return objective._replace(
        discriminator=_mean_over_parts(objective.discriminator, parts),
        generator=_mean_over_parts(objective.generator, parts),
    )


Sums = tuple[Array, tuple[Metrics, Memory]]


def _mean_over_parts(loss: LossFn, parts: int) -> LossFn:
    def mean_loss(
        own: Params, opponent: Player, batch: Batch, context: Context | PRNGKey
    ) -> tuple[Array, tuple[Metrics, Memory]]:
        context = as_context(context)
        size = len(batch["real"])
        if size % parts:
            raise UserError(
                f"a batch of {size} (on each device) does not divide into {parts} parts: "
                "accumulated needs equal ones"
            )
        batch = batch | {"sample_index": sample_indices(batch)}  # else each part begins at 0
        stacked = jax.tree.map(
            lambda leaf: leaf.reshape(parts, size // parts, *leaf.shape[1:]), batch
        )

        @jax.checkpoint
        def loss_of_part(
            own: Params, opponent: Player, part: Batch
        ) -> tuple[Array, tuple[Metrics, Memory]]:
            with accumulating(parts):
                return loss(own, opponent, part, context)

        def add(total: Sums, part: Batch) -> tuple[Sums, None]:
            return jax.tree.map(jnp.add, total, loss_of_part(own, opponent, part)), None

        first_part = jax.tree.map(lambda leaf: leaf[0], stacked)
        shapes = jax.eval_shape(loss_of_part, own, opponent, first_part)
        zeros = jax.tree.map(lambda leaf: jnp.zeros(leaf.shape, leaf.dtype), shapes)
        sums, _ = jax.lax.scan(add, zeros, stacked)
        means: Sums = jax.tree.map(lambda total: total / parts, sums)
        return means

    return mean_loss
