"""The maps whose Jacobians tell how a game moves: its vector field, and one train step.

They hold their states and batches as arguments, so that a map of another state of the same
objective, or of the same train step, is not compiled again.
"""

import functools
from collections.abc import Callable
from typing import Any, cast

import jax
import jax.numpy as jnp
from jax.tree_util import Partial

from gan_jax.game import (
    Array,
    Batch,
    Context,
    Objective,
    Pair,
    PRNGKey,
    check_batch,
    check_objective,
    joint_gradients,
)
from gan_jax.training import TrainState, TrainStep

Function = Callable[..., Any]
"""A loss or a train step as what it is: a function, by whose identity maps are cached."""


def vector_field(
    objective: Objective, state: TrainState, batch: Batch, rng: PRNGKey
) -> tuple[Callable[[Pair], Pair], Pair]:
    """Returns the game's vector field and the point at which a state of training is.

    ``v(theta_G, theta_D) = (grad_G L_G, grad_D L_D)``, on one minibatch and with one key, so that
    it is a function of the parameters alone. Players who descend move along ``-v``: a stationary
    point attracts them if all eigenvalues of the Jacobian of v have positive real parts. Part of
    the literature takes -v for the field, as `theory.dirac_field` does, whose eigenvalues have the
    opposite signs.

    Args:
      objective: what both players minimise: with penalties, unrolled, or any other.
      state: the state; its optimizers' states (which a look-ahead uses), step and memory are held.
      batch: arrays ``[batch, ...]``, among them ``"real"``.
      rng: the key of both losses.

    Returns:
      The field, a function from the parameters of both players to a pytree of the same structure;
      and the parameters of both players.

    Raises:
      TypeError: ``objective`` is not an `Objective`, or the batch lacks ``"real"`` or an axis.

    References:
      Mescheder et al., "The Numerics of GANs" (2017), section 2.
      Berard et al., "A Closer Look at the Optimization Landscapes of Generative Adversarial
      Networks" (2020), section 2, whose sign is used here.
    """
    check_objective(objective, "vector_field")
    check_batch(batch, "batch")
    losses = cast(tuple[Function, Function], (objective.discriminator, objective.generator))
    field = _field(*losses)
    at = (state.generator.params, state.discriminator.params)
    return Partial(field, state, batch, rng), at


def step_map(
    train_step: TrainStep,
    state: TrainState,
    batch: Batch,
    rng: PRNGKey,
    whole_state: bool = False,
) -> tuple[Callable[[Any], Any], Any]:
    """Returns one train step as a map of numbers, and the point at which a state is.

    The map is that of any update rule and any optimizers, on one batch and with one key. Its
    Jacobian's eigenvalues are the factors by which repeated steps multiply small deviations: near a
    fixed point the step converges if all are less than 1 in magnitude. Of simultaneous steps of
    plain gradients with step size h they are ``1 - h lambda``, lambda those of `vector_field`.

    Args:
      train_step: a train step that is not fused.
      state: the state before the step.
      batch: as the train step takes it, ``[discriminator_steps, batch, ...]``.
      rng: the run's key.
      whole_state: whether the map is one of all numbers that the next step depends on: parameters,
        optimizers' states and what terms remember. Otherwise it is one of the parameters alone, all
        else held, which is exact for optimizers without a state, such as SGD. Momentum, optimistic
        gradients and Adam need the whole.

    Returns:
      The map and its point: the parameters of both players, or the list of all floating-point
      arrays of the state but its moving averages, on which no update depends.

    References:
      Gidel et al., "Negative Momentum for Improved Game Dynamics" (2019), section 3: a step as an
      operator, and its spectral radius.
    """
    if whole_state:
        numbers, _ = _split(state)
        return Partial(_step_of_state(cast(Function, train_step)), state, batch, rng), numbers
    at = (state.generator.params, state.discriminator.params)
    return Partial(_step_of_parameters(cast(Function, train_step)), state, batch, rng), at


@functools.lru_cache(maxsize=64)
def _field(discriminator: Function, generator: Function) -> Callable[..., Pair]:
    objective = Objective(discriminator, generator)

    def field(state: TrainState, batch: Batch, rng: PRNGKey, at: Pair) -> Pair:
        players = (state.generator, state.discriminator)
        context = Context(rng, state.step, state.memory)
        return joint_gradients(objective, players, batch, context)(at)[0]

    return field


@functools.lru_cache(maxsize=64)
def _step_of_parameters(train_step: Function) -> Callable[..., Pair]:
    def step(state: TrainState, batch: Batch, rng: PRNGKey, at: Pair) -> Pair:
        moved = state._replace(
            generator=state.generator._replace(params=at[0]),
            discriminator=state.discriminator._replace(params=at[1]),
        )
        after, _ = train_step(moved, batch, rng)
        return after.generator.params, after.discriminator.params

    return step


@functools.lru_cache(maxsize=64)
def _step_of_state(train_step: Function) -> Callable[..., list[Array]]:
    def step(state: TrainState, batch: Batch, rng: PRNGKey, numbers: list[Array]) -> list[Array]:
        _, merge = _split(state)
        after, _ = train_step(merge(numbers), batch, rng)
        return _split(after)[0]

    return step


def _split(state: TrainState) -> tuple[list[Array], Callable[[list[Array]], TrainState]]:
    """The numbers that the next step depends on, and the state with others in their place."""
    leaves, structure = jax.tree.flatten((state.generator, state.discriminator, state.memory))
    places = [
        place
        for place, leaf in enumerate(leaves)
        if jnp.issubdtype(jnp.result_type(leaf), jnp.floating)
    ]

    def merge(numbers: list[Array]) -> TrainState:
        merged = list(leaves)
        for place, number in zip(places, numbers, strict=True):
            merged[place] = number
        generator, discriminator, memory = jax.tree.unflatten(structure, merged)
        return state._replace(generator=generator, discriminator=discriminator, memory=memory)

    return [leaves[place] for place in places], merge
