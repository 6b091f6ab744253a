"""Updates of both players from one vector field: simultaneous ones, and what corrects them."""

from collections.abc import Callable
from typing import Protocol

import jax
import jax.numpy as jnp
import optax

from gan_jax.errors import UserError
from gan_jax.game import (
    Array,
    Batch,
    Context,
    Memory,
    Metrics,
    Objective,
    Pair,
    Player,
    PRNGKey,
    check_objective,
    descend,
    joint_gradients,
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

__all__ = ["consensus", "extragradient", "simultaneous", "symplectic"]


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
    ema_decay: Decay | tuple[Decay, ...] = 0.0,
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
    ema_decay: Decay | tuple[Decay, ...] = 0.0,
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
    ema_decay: Decay | tuple[Decay, ...] = 0.0,
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
    ema_decay: Decay | tuple[Decay, ...] = 0.0,
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
        discriminator_steps = count_discriminator_steps(batch)
        if discriminator_steps > 2:
            raise UserError(
                f"extragradient takes 1 or 2 discriminator steps, not {discriminator_steps}: "
                "one minibatch for each of its two fields"
            )
        keys = jax.random.split(jax.random.fold_in(rng, state.step))
        start = (state.generator, state.discriminator)

        def step_from_start(
            players: tuple[Player, Player], index: int
        ) -> tuple[tuple[Player, Player], Metrics, Memory]:
            """Steps from the start along the field at ``players``, by their optimizers' states."""
            minibatch = jax.tree.map(lambda leaf: leaf[index], batch)
            context = Context(keys[index], state.step, state.memory)
            field = joint_gradients(objective, players, minibatch, context)
            v, metrics, memory = field((players[0].params, players[1].params))
            generator = start[0]._replace(opt_state=players[0].opt_state)
            discriminator = start[1]._replace(opt_state=players[1].opt_state)
            moved = (
                descend(generator_optimizer, generator, v[0]),
                descend(discriminator_optimizer, discriminator, v[1]),
            )
            return moved, metrics | _gradient_norms(v), memory

        # The first step is a look-ahead, of which terms remember nothing.
        ahead, metrics, _ = step_from_start(start, 0)
        players, _, memory = step_from_start(ahead, discriminator_steps - 1)
        return next_state(state, *players, memory, ema_decay), metrics

    return train_step


def _joint_step(
    objective: Objective,
    generator_optimizer: optax.GradientTransformation,
    discriminator_optimizer: optax.GradientTransformation,
    ema_decay: Decay | tuple[Decay, ...],
    direction: Direction,
) -> TrainStep:
    """The simultaneous step along ``direction(field, at, field(at))``."""
    check_objective(objective, "a train step")

    def train_step(state: TrainState, batch: Batch, rng: PRNGKey) -> tuple[TrainState, Metrics]:
        """Updates the discriminator alone on all batches but the last, then both at once.

        Batch leaves are ``[discriminator_steps, batch, ...]``; metrics are scalars.
        """
        discriminator_steps = count_discriminator_steps(batch)
        keys = jax.random.split(jax.random.fold_in(rng, state.step), discriminator_steps)
        last = last_batch(batch)
        generator, discriminator = state.generator, state.discriminator
        context = Context(keys[-1], state.step, state.memory)
        if discriminator_steps > 1:
            discriminator, _, memory = train_discriminator(
                objective,
                discriminator_optimizer,
                discriminator,
                generator,
                all_but_last(batch),
                keys[:-1],
                context,
            )
            context = context._replace(memory=memory)
        field = joint_gradients(objective, (generator, discriminator), last, context)
        at = (generator.params, discriminator.params)
        v, metrics, memory = field(at)
        generator_step, discriminator_step = direction(lambda pair: field(pair)[0], at, v)
        generator = descend(generator_optimizer, generator, generator_step)
        discriminator = descend(discriminator_optimizer, discriminator, discriminator_step)
        state = next_state(state, generator, discriminator, memory, ema_decay)
        return state, metrics | _gradient_norms(v)

    return train_step


def _gradient_norms(v: Pair) -> Metrics:
    return {
        "generator/gradient_norm": optax.global_norm(v[0]),
        "discriminator/gradient_norm": optax.global_norm(v[1]),
    }
