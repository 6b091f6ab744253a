"""A history of generated samples, from which the discriminator sees some in place of new ones."""

from collections.abc import Sequence

import jax
import jax.numpy as jnp
import numpy as np

from gan_jax.distributed.collectives import gather_batch, local_slice
from gan_jax.errors import UserError
from gan_jax.game import (
    Array,
    Batch,
    Context,
    Memory,
    Metrics,
    Objective,
    Params,
    Player,
    PRNGKey,
    as_context,
    check_objective,
    per_sample,
    sample_indices,
    without_fakes,
)

__all__ = ["HISTORY", "history"]

HISTORY = "history"
"""The name of the stored samples in the memory of a `history` objective."""

HISTORY_KEY = 2**31 - 4
"""Folded into a loss's key. The terms of an objective fold in 0, 1, 2, ..."""

Buffer = dict[str, Array]
"""``samples``, ``[size, ...]``, and ``stored``, how many of them there are: a float scalar, since
memories are averaged over devices."""


def history(objective: Objective, shape: Sequence[int], size: int = 50) -> Objective:
    """Returns the objective whose discriminator is shown generated samples of earlier updates too.

    A buffer holds ``size`` generated samples. Until it is full, each new sample is stored and
    shown. From then on, with probability 1/2, a new sample takes the place of a stored one,
    uniformly chosen, which is shown instead; otherwise the new one is shown and not stored. Samples
    of a batch pass through the buffer one after another. A pair of images, as CycleGAN's, is one
    sample; the authors' code has a buffer for each of the two domains.

    The generator's loss is unchanged. Stored samples come without the conditions, latents and
    outputs that they were made with, so the discriminator should score samples alone.

    The buffer is part of the objective's memory: every device holds the same one, of the global
    batch, and inside a look-ahead it stands still. So ``history(accumulated(...))`` is exact, and
    the other order raises UserError. Augmentations of ``history(augmented(...))`` change what is
    shown, not what is stored.

    Metrics: the objective's, and ``"history/share"``, the share of the generated samples shown that
    were stored.

    Args:
      objective: one with ``generate_fakes``, such as that of `adversarial`.
      shape: the shape of one sample, ``[...]``. A config takes it from the dataset.
      size: how many samples the buffer holds, 50 in the paper.

    Raises:
      TypeError: ``objective`` is not an `Objective`.
      ValueError: the objective has no ``generate_fakes``, or a history already.
      UserError: ``size`` is not a whole number of at least 1; in the discriminator's loss, samples
        of another shape, or labels.

    References:
      Zhu et al., "Unpaired Image-to-Image Translation using Cycle-Consistent Adversarial Networks"
      (CycleGAN, 2017), section 4, and the authors' code, ``ImagePool``.
      Shrivastava et al., "Learning from Simulated and Unsupervised Images through Adversarial
      Training" (2017), section 2.3.
    """
    check_objective(objective, "history")
    generate_fakes = objective.generate_fakes
    if generate_fakes is None:
        raise ValueError("history needs an objective with generate_fakes, as adversarial makes it")
    if HISTORY in objective.memory:
        raise ValueError("the objective has a history already")
    if not isinstance(size, int) or size < 1:
        raise UserError(f"history holds a whole number of samples, at least 1, not {size}")

    def discriminator_loss(
        own: Params, generator: Player, batch: Batch, context: Context | PRNGKey
    ) -> tuple[Array, tuple[Metrics, Memory]]:
        context = as_context(context)
        if HISTORY not in context.memory:
            raise ValueError(
                "history keeps samples, which the train state lacks: make the state by "
                "init_state(..., objective=objective)"
            )
        if "fake" not in batch:
            batch = generate_fakes(generator.params, batch, context.rng)
        fake, buffer = batch["fake"], context.memory[HISTORY]
        _check(batch, buffer)
        # Every device puts the whole batch through its copy of the buffer.
        index = gather_batch(sample_indices(batch))
        rng = jax.random.fold_in(context.rng, HISTORY_KEY)
        shown, replaced, buffer = _exchange(buffer, gather_batch(fake), index, rng)
        shown = local_slice(shown, len(fake)).astype(fake.dtype)
        loss, (metrics, memory) = objective.discriminator(
            own, generator, without_fakes(batch) | {"fake": shown}, context
        )
        measured = {"history/share": jnp.mean(replaced.astype(jnp.float32))}
        return loss, (metrics | measured, memory | {HISTORY: jax.lax.stop_gradient(buffer)})

    dtype = jnp.result_type(float)
    empty = {"samples": np.zeros((size, *shape), dtype), "stored": np.zeros((), dtype)}
    return objective._replace(
        discriminator=discriminator_loss, memory={**objective.memory, HISTORY: empty}
    )


def _exchange(
    buffer: Buffer, fake: Array, sample_index: Array, rng: PRNGKey
) -> tuple[Array, Array, Buffer]:
    """The samples to show, ``[batch, ...]``, which of them were stored, ``[batch]``, the buffer."""
    size = len(buffer["samples"])

    def draw(key: PRNGKey) -> tuple[Array, Array]:
        exchange_key, slot_key = jax.random.split(key)
        return jax.random.bernoulli(exchange_key), jax.random.randint(slot_key, (), 0, size)

    def show(buffer: Buffer, drawn: tuple[Array, ...]) -> tuple[Buffer, tuple[Array, Array]]:
        sample, exchanged, slot = drawn
        samples, stored = buffer["samples"], buffer["stored"]
        is_full = stored >= size
        slot = jnp.where(is_full, slot, stored.astype(jnp.int32))
        old, replaced = samples[slot], is_full & exchanged
        samples = samples.at[slot].set(jnp.where(is_full & ~exchanged, old, sample))
        moved = {"samples": samples, "stored": jnp.minimum(stored + 1, size)}
        return moved, (jnp.where(replaced, old, sample), replaced)

    draws = per_sample(rng, sample_index, draw)
    fake = fake.astype(buffer["samples"].dtype)
    buffer, (shown, replaced) = jax.lax.scan(show, buffer, (fake, *draws))
    return shown, replaced, buffer


def _check(batch: Batch, buffer: Buffer) -> None:
    if "label" in batch:
        raise UserError(
            "history keeps generated samples without their labels, and this batch has labels: "
            "leave it out for conditional networks"
        )
    kept, fake = buffer["samples"].shape[1:], batch["fake"].shape[1:]
    if kept != fake:
        raise UserError(
            f"history keeps samples {list(kept)}, not {list(fake)}: samples need one shape all "
            "through a run (no progressive growing), that of shape"
        )
