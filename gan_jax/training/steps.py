"""Train steps: pure functions from state, batch and key to state and metrics."""

from collections.abc import Callable
from typing import NamedTuple, Protocol

import jax
import jax.numpy as jnp
import optax

from gan_jax.distributed.collectives import mean_over_devices
from gan_jax.distributed.cpu import warn_if_slow
from gan_jax.errors import UserError
from gan_jax.game import (
    Array,
    Batch,
    Metrics,
    Networks,
    Objective,
    Params,
    Player,
    PRNGKey,
    check_batch,
    check_objective,
    descend,
    update,
)
from gan_jax.training.schedules import Decay

__all__ = [
    "TrainState",
    "TrainStep",
    "alternating",
    "consensus",
    "extragradient",
    "fused",
    "init_state",
    "simultaneous",
    "symplectic",
]


class TrainState(NamedTuple):
    """All that training changes. With the seed, ``step`` fixes all randomness.

    Attributes:
      step: generator updates so far, an int32 scalar.
      generator: parameters and optimizer state of the generator.
      discriminator: parameters and optimizer state of the discriminator.
      generator_ema: moving average of the generator's parameters, from which samples are drawn.
    """

    step: Array
    generator: Player
    discriminator: Player
    generator_ema: Params


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
) -> TrainState:
    """Returns the state before the first step, drawn from one key."""
    warn_if_slow()
    generator, discriminator = networks.init(rng)
    return TrainState(
        step=jnp.zeros((), jnp.int32),
        generator=Player(generator, generator_optimizer.init(generator)),
        discriminator=Player(discriminator, discriminator_optimizer.init(discriminator)),
        generator_ema=jax.tree.map(jnp.copy, generator),
    )


# ------------------------------------------------------------------------------------ alternating


def alternating(
    objective: Objective,
    generator_optimizer: optax.GradientTransformation,
    discriminator_optimizer: optax.GradientTransformation,
    ema_decay: Decay = 0.0,
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
        function of the step; 0 keeps the newest parameters.
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
        discriminator_steps = _count_discriminator_steps(batch)
        discriminator_rng, generator_rng = jax.random.split(jax.random.fold_in(rng, state.step))
        keys = jax.random.split(discriminator_rng, discriminator_steps)
        last = _last(batch)
        if reuse:
            generator_rng = keys[-1]
            train_discriminator = _train_discriminator_for_reuse
        else:
            train_discriminator = _train_discriminator
        discriminator, discriminator_metrics = train_discriminator(
            objective, discriminator_optimizer, state.discriminator, state.generator, batch, keys
        )
        generator, generator_metrics = update(
            objective.generator,
            generator_optimizer,
            state.generator,
            discriminator,
            last,
            generator_rng,
        )
        metrics = _with_named_norm(generator_metrics, "generator") | _with_named_norm(
            jax.tree.map(jnp.mean, discriminator_metrics), "discriminator"
        )
        return _next_state(state, generator, discriminator, ema_decay), metrics

    return train_step


# ----------------------------------------------------------------------------------- joint updates

Pair = tuple[Params, Params]
"""The generator's and the discriminator's parameters, or the game's vector field at them."""


class Direction(Protocol):
    """A function that returns the direction along which both players move at once."""

    def __call__(self, field: Callable[[Pair], Pair], at: Pair, v: Pair, /) -> Pair:
        """Computes the direction, a pytree like the parameters of both players.

        Args:
          field: the game's vector field ``(grad_G L_G, grad_D L_D)``, differentiable.
          at: the parameters of both players.
          v: ``field(at)``.
        """
        ...


def simultaneous(
    objective: Objective,
    generator_optimizer: optax.GradientTransformation,
    discriminator_optimizer: optax.GradientTransformation,
    ema_decay: Decay = 0.0,
) -> TrainStep:
    """Returns the step in which both players move at once, each against the other as it was.

    Both see the same minibatch and latents. With several discriminator steps, batch leaves
    ``[discriminator_steps, batch, ...]``, the discriminator is updated alone on all batches but the
    last. Metrics are those of the last. With plain gradients the bilinear game spirals outwards;
    with ``optax.optimistic_gradient_descent`` or ``optax.optimistic_adam_v2`` for both players it
    converges.

    Args:
      objective: what both players minimise.
      generator_optimizer: the generator's optimizer.
      discriminator_optimizer: the discriminator's optimizer.
      ema_decay: as in `alternating`.

    References:
      Mescheder et al., "The Numerics of GANs" (2017), algorithm 1.
      Daskalakis et al., "Training GANs with Optimism" (2018).
    """

    def direction(field: Callable[[Pair], Pair], at: Pair, v: Pair) -> Pair:
        return v

    return _joint_step(
        objective, generator_optimizer, discriminator_optimizer, ema_decay, direction
    )


def consensus(
    objective: Objective,
    generator_optimizer: optax.GradientTransformation,
    discriminator_optimizer: optax.GradientTransformation,
    ema_decay: Decay = 0.0,
    weight: float = 10.0,
) -> TrainStep:
    """Returns the simultaneous step along ``v + weight J^T v``, J the Jacobian of the field v.

    Both players also shrink ``|v|^2 / 2``. Batches and metrics are as in `simultaneous`.

    Args:
      objective: what both players minimise.
      generator_optimizer: the generator's optimizer.
      discriminator_optimizer: the discriminator's optimizer.
      ema_decay: as in `alternating`.
      weight: 10 on images in the paper.

    References:
      Mescheder et al., "The Numerics of GANs" (2017), algorithm 2.
    """

    def direction(field: Callable[[Pair], Pair], at: Pair, v: Pair) -> Pair:
        _, transposed_jacobian = jax.vjp(field, at)
        (slope,) = transposed_jacobian(v)  # J^T v
        moved: Pair = optax.tree.add_scale(v, weight, slope)
        return moved

    return _joint_step(
        objective, generator_optimizer, discriminator_optimizer, ema_decay, direction
    )


def symplectic(
    objective: Objective,
    generator_optimizer: optax.GradientTransformation,
    discriminator_optimizer: optax.GradientTransformation,
    ema_decay: Decay = 0.0,
    weight: float = 1.0,
    align: bool = True,
) -> TrainStep:
    """Returns the simultaneous step of symplectic gradient adjustment, along ``v + l A^T v``.

    A = (J - J^T) / 2 is the antisymmetric part of the field's Jacobian, and l is ``weight``. With
    ``align`` the sign of l is that of ``<v, h> <A^T v, h> / d + 0.1``, h = J^T v and d the number
    of parameters, so that unstable fixed points are left. Batches and metrics are as in
    `simultaneous`.

    Args:
      objective: what both players minimise.
      generator_optimizer: the generator's optimizer.
      discriminator_optimizer: the discriminator's optimizer.
      ema_decay: as in `alternating`.
      weight: the size of the adjustment.
      align: whether its sign is chosen at each step.

    References:
      Balduzzi et al., "The Mechanics of n-Player Differentiable Games" (2018), section 3 and
      algorithm 1.
    """

    def direction(field: Callable[[Pair], Pair], at: Pair, v: Pair) -> Pair:
        _, transposed_jacobian = jax.vjp(field, at)
        (slope,) = transposed_jacobian(v)  # J^T v
        _, along = jax.jvp(field, (at,), (v,))  # J v
        adjustment = jax.tree.map(lambda a, b: (a - b) / 2, slope, along)  # A^T v
        scale: float | Array = weight
        if align:
            size = sum(leaf.size for leaf in jax.tree.leaves(v))
            agreement = optax.tree.vdot(v, slope) * optax.tree.vdot(adjustment, slope) / size
            scale = weight * jnp.sign(agreement + 0.1)
        moved: Pair = optax.tree.add_scale(v, scale, adjustment)
        return moved

    return _joint_step(
        objective, generator_optimizer, discriminator_optimizer, ema_decay, direction
    )


def extragradient(
    objective: Objective,
    generator_optimizer: optax.GradientTransformation,
    discriminator_optimizer: optax.GradientTransformation,
    ema_decay: Decay = 0.0,
) -> TrainStep:
    """Returns the step from where both players are, along the field of where a first step leads.

    Both optimizers take the extrapolation as a step of theirs (with Adam: ExtraAdam). Batch leaves
    are ``[discriminator_steps, batch, ...]`` with one discriminator step, both fields being those
    of the same minibatch, or two, one for each field. Metrics are of the point from which the step
    starts.

    Args:
      objective: what both players minimise.
      generator_optimizer: the generator's optimizer.
      discriminator_optimizer: the discriminator's optimizer.
      ema_decay: as in `alternating`.

    Returns:
      The train step, which raises UserError for more than 2 discriminator steps.

    References:
      Gidel et al., "A Variational Inequality Perspective on GANs" (2019), eqs. 8, 9 and algorithm
      4.
    """
    check_objective(objective, "a train step")

    def train_step(state: TrainState, batch: Batch, rng: PRNGKey) -> tuple[TrainState, Metrics]:
        """Moves both players by an extragradient step: see `TrainStep`.

        Batch leaves are ``[discriminator_steps, batch, ...]``, 1 or 2; metrics are scalars.
        """
        discriminator_steps = _count_discriminator_steps(batch)
        if discriminator_steps > 2:
            raise UserError(
                f"extragradient takes 1 or 2 discriminator steps, not {discriminator_steps}: "
                "one minibatch for each of its two fields"
            )
        keys = jax.random.split(jax.random.fold_in(rng, state.step))
        start = (state.generator, state.discriminator)

        def step_from_start(
            players: tuple[Player, Player], index: int
        ) -> tuple[tuple[Player, Player], Metrics]:
            """Steps from the start along the field at ``players``, by their optimizers' states."""
            minibatch = jax.tree.map(lambda leaf: leaf[index], batch)
            field = _field(objective, players, minibatch, keys[index])
            v, metrics = field((players[0].params, players[1].params))
            generator = start[0]._replace(opt_state=players[0].opt_state)
            discriminator = start[1]._replace(opt_state=players[1].opt_state)
            moved = (
                descend(generator_optimizer, generator, v[0]),
                descend(discriminator_optimizer, discriminator, v[1]),
            )
            return moved, metrics | _gradient_norms(v)

        ahead, metrics = step_from_start(start, 0)
        (generator, discriminator), _ = step_from_start(ahead, discriminator_steps - 1)
        return _next_state(state, generator, discriminator, ema_decay), metrics

    return train_step


def _joint_step(
    objective: Objective,
    generator_optimizer: optax.GradientTransformation,
    discriminator_optimizer: optax.GradientTransformation,
    ema_decay: Decay,
    direction: Direction,
) -> TrainStep:
    """The simultaneous step along ``direction(field, at, field(at))``."""
    check_objective(objective, "a train step")

    def train_step(state: TrainState, batch: Batch, rng: PRNGKey) -> tuple[TrainState, Metrics]:
        """Updates the discriminator alone on all batches but the last, then both at once.

        Batch leaves are ``[discriminator_steps, batch, ...]``; metrics are scalars.
        """
        discriminator_steps = _count_discriminator_steps(batch)
        keys = jax.random.split(jax.random.fold_in(rng, state.step), discriminator_steps)
        last = _last(batch)
        generator, discriminator = state.generator, state.discriminator
        if discriminator_steps > 1:
            discriminator, _ = _train_discriminator(
                objective,
                discriminator_optimizer,
                discriminator,
                generator,
                _all_but_last(batch),
                keys[:-1],
            )
        field = _field(objective, (generator, discriminator), last, keys[-1])
        at = (generator.params, discriminator.params)
        v, metrics = field(at)
        generator_step, discriminator_step = direction(lambda pair: field(pair)[0], at, v)
        generator = descend(generator_optimizer, generator, generator_step)
        discriminator = descend(discriminator_optimizer, discriminator, discriminator_step)
        state = _next_state(state, generator, discriminator, ema_decay)
        return state, metrics | _gradient_norms(v)

    return train_step


def _field(
    objective: Objective, players: tuple[Player, Player], batch: Batch, rng: PRNGKey
) -> Callable[[Pair], tuple[Pair, Metrics]]:
    """The game's vector field ``v = (grad_G L_G, grad_D L_D)`` on one minibatch, and all metrics.

    It is the field of the global batch: the Jacobian of a part's field would not average to the
    whole's.
    """

    def field(at: Pair) -> tuple[Pair, Metrics]:
        generator = Player(at[0], players[0].opt_state)
        discriminator = Player(at[1], players[1].opt_state)
        generator_gradient, generator_metrics = jax.grad(objective.generator, has_aux=True)(
            generator.params, discriminator, batch, rng
        )
        discriminator_gradient, discriminator_metrics = jax.grad(
            objective.discriminator, has_aux=True
        )(discriminator.params, generator, batch, rng)
        v: Pair = mean_over_devices((generator_gradient, discriminator_gradient))
        return v, discriminator_metrics | generator_metrics

    return field


def _gradient_norms(v: Pair) -> Metrics:
    return {
        "generator/gradient_norm": optax.global_norm(v[0]),
        "discriminator/gradient_norm": optax.global_norm(v[1]),
    }


# ----------------------------------------------------------------------------- parts of train steps


def _count_discriminator_steps(batch: Batch) -> int:
    check_batch(batch, "discriminator_steps", "batch")
    return len(batch["real"])


def _all_but_last(batch: Batch) -> Batch:
    return {name: leaf[:-1] for name, leaf in batch.items()}


def _last(batch: Batch) -> Batch:
    return {name: leaf[-1] for name, leaf in batch.items()}


def _train_discriminator(
    objective: Objective,
    optimizer: optax.GradientTransformation,
    discriminator: Player,
    generator: Player,
    batch: Batch,
    keys: Array,
) -> tuple[Player, Metrics]:
    """One discriminator update on each batch; metrics are ``[discriminator_steps]`` each."""

    def discriminator_step(
        discriminator: Player, batch_and_key: tuple[Batch, PRNGKey]
    ) -> tuple[Player, Metrics]:
        batch, key = batch_and_key
        return update(objective.discriminator, optimizer, discriminator, generator, batch, key)

    return jax.lax.scan(discriminator_step, discriminator, (batch, keys))


def _train_discriminator_for_reuse(
    objective: Objective,
    optimizer: optax.GradientTransformation,
    discriminator: Player,
    generator: Player,
    batch: Batch,
    keys: Array,
) -> tuple[Player, Metrics]:
    """As `_train_discriminator`, with the last update outside of the loop over the others.

    So the compiler sees that a generator's update with the same key generates the same samples.
    """
    several = len(keys) > 1
    if several:
        discriminator, metrics = _train_discriminator(
            objective, optimizer, discriminator, generator, _all_but_last(batch), keys[:-1]
        )
    discriminator, last_metrics = update(
        objective.discriminator, optimizer, discriminator, generator, _last(batch), keys[-1]
    )
    if not several:
        return discriminator, jax.tree.map(jnp.atleast_1d, last_metrics)
    return discriminator, jax.tree.map(jnp.append, metrics, last_metrics)


def _with_named_norm(metrics: Metrics, side: str) -> Metrics:
    """The metrics of one player's update, with the gradient norm named after the player."""
    metrics = dict(metrics)
    metrics[f"{side}/gradient_norm"] = metrics.pop("gradient_norm")
    return metrics


def _next_state(
    state: TrainState, generator: Player, discriminator: Player, ema_decay: Decay
) -> TrainState:
    """The state after a step: both players moved, the step counted, the moving average updated."""
    decay = ema_decay(state.step) if callable(ema_decay) else ema_decay
    average = optax.incremental_update(generator.params, state.generator_ema, 1.0 - decay)
    # A decay with a dtype of its own must not change that of the average.
    average = optax.tree.cast_like(average, state.generator_ema)
    return TrainState(state.step + 1, generator, discriminator, average)


# ---------------------------------------------------------------------------------- several steps


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

        def one_step(state: TrainState, batch: Batch) -> tuple[TrainState, Metrics]:
            return train_step(state, prepare(batch), rng)

        return jax.lax.scan(one_step, state, batches)

    return train_steps
