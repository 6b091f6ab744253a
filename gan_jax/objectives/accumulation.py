"""Gradient accumulation: a batch that does not fit in memory at once, in parts, one after the other."""

import jax
import jax.numpy as jnp

from gan_jax.distributed.collectives import accumulating
from gan_jax.errors import UserError
from gan_jax.game import Array, Batch, LossFn, Metrics, Objective, Params, Player, PRNGKey


def accumulated(objective: Objective, parts: int) -> Objective:
    """The same objective with losses and gradients summed up over ``parts`` equal parts of the batch.

    ``L = mean_i L(part i)``, which is the loss of the whole batch: draws are keyed by row, and whatever looks at the whole
    batch (BatchNorm, minibatch statistics, relativistic averages) raises UserError. Each part is recomputed in the
    backward pass, so memory is that of one part, for one more forward pass. It composes with `unrolled`, inside it.

    Args: ``parts``: at least 1, which is ``objective`` itself; must divide the batch, else UserError.
    """
    if parts < 1:
        raise ValueError(f"accumulated takes at least 1 part, not {parts}")
    if parts == 1:
        return objective

    def over_parts(loss: LossFn) -> LossFn:
        def mean_loss(
            own: Params, opponent: Player, batch: Batch, rng: PRNGKey
        ) -> tuple[Array, Metrics]:
            size = len(batch["real"])
            if size % parts:
                raise UserError(
                    f"a batch of {size} (on each device) does not divide into {parts} parts to accumulate"
                )
            batch = {
                "sample_index": jnp.arange(size, dtype=jnp.int32)
            } | batch  # parts must know which rows they are
            split = jax.tree.map(
                lambda leaf: leaf.reshape(parts, size // parts, *leaf.shape[1:]), batch
            )

            @jax.checkpoint
            def of_part(own: Params, opponent: Player, part: Batch) -> tuple[Array, Metrics]:
                with accumulating(parts):
                    return loss(own, opponent, part, rng)

            def add(
                total: tuple[Array, Metrics], part: Batch
            ) -> tuple[tuple[Array, Metrics], None]:
                return jax.tree.map(jnp.add, total, of_part(own, opponent, part)), None

            first = jax.tree.map(lambda leaf: leaf[0], split)
            like = jax.eval_shape(of_part, own, opponent, first)
            zeros = jax.tree.map(lambda leaf: jnp.zeros(leaf.shape, leaf.dtype), like)
            total, _ = jax.lax.scan(add, zeros, split)
            return jax.tree.map(lambda leaf: leaf / parts, total)

        return mean_loss

    return objective._replace(
        discriminator=over_parts(objective.discriminator), generator=over_parts(objective.generator)
    )
