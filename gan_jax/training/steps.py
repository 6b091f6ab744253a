"""What a train step is, and what all of them share.

A train step is a pure function from state, batch and key to state and metrics. The update rules are
in `alternating_updates` and `joint_updates`.
"""

import functools
from collections.abc import Callable
from dataclasses import dataclass
from typing import NamedTuple, Protocol

import jax
import jax.numpy as jnp
import optax

from gan_jax.distributed.cpu import warn_if_slow
from gan_jax.game import (
    Array,
    Batch,
    Context,
    Memory,
    Metrics,
    Networks,
    Objective,
    Params,
    Player,
    PRNGKey,
    check_batch,
    check_params,
    initial_memory,
    update,
)
from gan_jax.platforms import scan_unroll
from gan_jax.training.schedules import Decay


class TrainState(NamedTuple):
    """All that training changes. With the seed, ``step`` fixes all randomness.

    Attributes:
      step: generator updates so far, an int32 scalar.
      generator: parameters and optimizer state of the generator.
      discriminator: parameters and optimizer state of the discriminator.
      generator_ema: moving average of the generator's parameters, from which samples are drawn.
      memory: what the objective's terms remember, by their names; empty if none does.
      other_emas: further moving averages of the generator, if there are several.
    """

    step: Array
    generator: Player
    discriminator: Player
    generator_ema: Params
    memory: Memory = {}  # noqa: RUF012 - a NamedTuple's default; nobody changes it
    other_emas: tuple[Params, ...] = ()


class TrainStep(Protocol):
    """A pure function that trains both networks by one step, or by several if it is `fused`."""

    def __call__(
        self, state: TrainState, batch: Batch, rng: PRNGKey, /
    ) -> tuple[TrainState, Metrics]:
        """Computes the next state.

        Args:
          state: the state before the step.
          batch: arrays ``[discriminator_steps, batch, ...]``, among them ``"real"``; of a fused
            step ``[steps, discriminator_steps, batch, ...]``.
          rng: the run's key, the same at every step: the step's own is ``fold_in(rng,
            state.step)``.

        Returns:
          The state after the step, of the same shapes and dtypes, and metrics: float scalars, or
          ``[steps]`` each if the step is fused.

        Raises:
          TypeError: the batch has no ``"real"``, or lacks an axis.
        """
        ...


def init_state(
    networks: Networks,
    generator_optimizer: optax.GradientTransformation,
    discriminator_optimizer: optax.GradientTransformation,
    rng: PRNGKey,
    objective: Objective | None = None,
    emas: int = 1,
) -> TrainState:
    """Returns the state before the first step, drawn from one key.

    On a CPU, draw the states of many keys by ``jax.lax.map``, not by ``jax.vmap``, if weights are
    orthogonal. jaxlib divides a batch of QR decompositions among XLA's threads and waits in one of
    them until all are done. As many such batches at a time as there are threads leave none to do
    the work, and the program stands still for ever, whether it also trains or not. Seen with
    jaxlib 0.10.2 on 2 cores: 32 keys, four kernels of 128 x 128.

    Args:
      networks: whose parameters are drawn.
      generator_optimizer: the generator's optimizer.
      discriminator_optimizer: the discriminator's optimizer.
      rng: the key.
      objective: what will be minimised; only needed if its terms remember anything.
      emas: how many moving averages of the generator there are.

    Raises:
      TypeError: a parameter is not an array of floats.
    """
    warn_if_slow()
    generator, discriminator = networks.init(rng)
    check_params("generator", generator)
    check_params("discriminator", discriminator)
    return TrainState(
        step=jnp.zeros((), jnp.int32),
        generator=Player(generator, generator_optimizer.init(generator)),
        discriminator=Player(discriminator, discriminator_optimizer.init(discriminator)),
        generator_ema=jax.tree.map(jnp.copy, generator),
        memory=initial_memory(objective) if objective else {},
        other_emas=tuple(jax.tree.map(jnp.copy, generator) for _ in range(1, emas)),
    )


def _identity(batch: Batch) -> Batch:
    return batch


def fused(train_step: TrainStep, prepare: Callable[[Batch], Batch] = _identity) -> TrainStep:
    """Returns the step that runs many steps in one call, by a scan.

    Batch leaves are ``[steps, discriminator_steps, batch, ...]``, metrics ``[steps]`` each. How
    steps are divided into calls never changes the bits: use it for a single step too.

    Args:
      train_step: a train step that is not fused.
      prepare: makes each step's batch out of the raw one (uint8 to floats, say), inside the scan.
    """

    def train_steps(state: TrainState, batches: Batch, rng: PRNGKey) -> tuple[TrainState, Metrics]:
        """Runs one step per entry of the first axis: see `TrainStep`.

        Batch leaves are ``[steps, discriminator_steps, batch, ...]``; metrics are ``[steps]`` each.
        """

        def one_step(state: TrainState, batch: Batch) -> tuple[TrainState, _Row]:
            state, metrics = train_step(state, prepare(batch), rng)
            return state, _Row.of(metrics)

        state, rows = jax.lax.scan(one_step, state, batches)
        return state, rows.metrics()

    return train_steps


@functools.partial(
    jax.tree_util.register_dataclass, data_fields=("numbers", "others"), meta_fields=("names",)
)
@dataclass(frozen=True)
class _Row:
    """Metrics of a step, of which the float32 scalars are one vector.

    A scan writes each of its results by an operation of its own, on a GPU a kernel.
    """

    names: tuple[str, ...]
    numbers: Array | None
    others: Metrics

    @classmethod
    def of(cls, metrics: Metrics) -> "_Row":
        names = tuple(
            sorted(
                name
                for name, value in metrics.items()
                if jnp.shape(value) == () and jnp.result_type(value) == jnp.float32
            )
        )
        numbers = jnp.stack([metrics[name] for name in names]) if names else None
        return cls(names, numbers, {k: v for k, v in metrics.items() if k not in names})

    def metrics(self) -> Metrics:
        """Returns the metrics of all steps, ``[steps, ...]`` each."""
        if self.numbers is None:
            return self.others
        return self.others | dict(zip(self.names, self.numbers.T, strict=True))


# ----------------------------------------------------------------------------- parts of train steps


def count_discriminator_steps(batch: Batch) -> int:
    """Returns the length of the batch's first axis; raises TypeError for what is no batch."""
    check_batch(batch, "discriminator_steps", "batch")
    return len(batch["real"])


def all_but_last(batch: Batch) -> Batch:
    """Returns the batches of all discriminator steps but the last."""
    return {name: leaf[:-1] for name, leaf in batch.items()}


def last_batch(batch: Batch) -> Batch:
    """Returns the batch ``[batch, ...]`` of the last discriminator step."""
    return {name: leaf[-1] for name, leaf in batch.items()}


def train_discriminator(
    objective: Objective,
    optimizer: optax.GradientTransformation,
    discriminator: Player,
    generator: Player,
    batch: Batch,
    keys: Array,
    context: Context,
) -> tuple[Player, Metrics, Memory]:
    """Updates the discriminator once on each batch.

    Args:
      objective: what it minimises.
      optimizer: its optimizer.
      discriminator: the player that moves.
      generator: the player that does not.
      batch: ``[discriminator_steps, batch, ...]``.
      keys: of the updates, ``[discriminator_steps]``.
      context: the step and the memory before the first update.

    Returns:
      The discriminator; metrics ``[discriminator_steps]`` each; the memory.
    """

    def discriminator_step(
        carry: tuple[Player, Memory], batch_and_key: tuple[Batch, PRNGKey]
    ) -> tuple[tuple[Player, Memory], Metrics]:
        discriminator, memory = carry
        batch, key = batch_and_key
        discriminator, metrics, memory = update(
            objective.discriminator,
            optimizer,
            discriminator,
            generator,
            batch,
            context._replace(rng=key, memory=memory),
        )
        return (discriminator, memory), metrics

    start = (discriminator, context.memory)
    (discriminator, memory), metrics = jax.lax.scan(
        discriminator_step, start, (batch, keys), unroll=scan_unroll(len(batch["real"]))
    )
    return discriminator, metrics, memory


def next_state(
    state: TrainState,
    generator: Player,
    discriminator: Player,
    memory: Memory,
    ema_decay: Decay | tuple[Decay, ...],
) -> TrainState:
    """Returns the state after a step: players moved, step counted, moving averages updated."""
    decays = ema_decay if isinstance(ema_decay, tuple) else (ema_decay,)
    averages = (state.generator_ema, *state.other_emas)
    if len(decays) != len(averages):
        raise ValueError(
            f"there are {len(decays)} decays for {len(averages)} moving averages: make the state "
            f"by init_state(..., emas={len(decays)})"
        )

    def moved(average: Params, decay: Decay) -> Params:
        share = 1.0 - (decay(state.step) if callable(decay) else decay)
        new = optax.incremental_update(generator.params, average, share)
        # A decay with a dtype of its own must not change that of the average.
        return optax.tree.cast_like(new, average)

    first, *others = map(moved, averages, decays)
    return TrainState(state.step + 1, generator, discriminator, first, memory, tuple(others))
