"""The two players: their objective, and one optimizer step of one of them."""

from collections.abc import Mapping
from typing import Any, NamedTuple, Protocol

import jax
import jax.numpy as jnp
import optax

from gan_jax.distributed.collectives import mean_over_devices
from gan_jax.game.batches import Array, Batch, Metrics, Params, PRNGKey


class Player(NamedTuple):
    """A network in the game: its parameters and the state of the optimizer that updates them."""

    params: Params
    opt_state: optax.OptState = ()


Memory = dict[str, Any]
"""What terms keep from one update to the next: pytrees of arrays, by the name of the term."""


class Context(NamedTuple):
    """What a loss is given beside the players and the batch.

    Attributes:
      rng: one key, from which all draws of the loss are derived.
      step: the generator updates before this one, an int32 scalar.
      memory: what terms have kept, by their names: see `Term`.
    """

    rng: PRNGKey
    step: Array | int = 0
    memory: Memory = {}  # noqa: RUF012 - a NamedTuple's default; nobody changes it


def as_context(context: Context | PRNGKey) -> Context:
    """Returns a context; a key alone is that of step 0, with nothing remembered."""
    return context if isinstance(context, Context) else Context(context)


class LossFn(Protocol):
    """A function that returns what a player minimises against a fixed opponent."""

    def __call__(
        self, own: Params, opponent: Player, batch: Batch, context: Context | PRNGKey, /
    ) -> tuple[Array, tuple[Metrics, Memory]]:
        """Computes the loss, its metrics, and what its terms remember.

        Args:
          own: the player's own parameters, with respect to which the loss is differentiated.
          opponent: the other player, whole: a look-ahead needs its optimizer's state.
          batch: arrays ``[batch, ...]``, among them ``"real"``.
          context: the key, the step and the memory; a key alone stands for ``Context(key)``.

        Returns:
          The loss, a float scalar; metrics, a dict of scalars; and the memory after this loss, of
          the structure of ``context.memory``.
        """
        ...


class FakesFn(Protocol):
    """A function that adds to a batch the samples that both losses would generate from a key."""

    def __call__(self, generator: Params, batch: Batch, rng: PRNGKey, /) -> Batch:
        """Returns ``batch`` with ``"fake"`` and ``"latents"``, ``[batch, ...]`` each."""
        ...


class Objective(NamedTuple):
    """What each player minimises against a fixed opponent.

    Attributes:
      discriminator: the discriminator's loss.
      generator: the generator's loss.
      generate_fakes: generates the samples that both losses would generate from the same key;
        unrolling uses it to generate once for all its look-ahead steps. Without it each loss
        generates anew.
      memory: what the terms remember before the first update, by their names.
    """

    discriminator: LossFn
    generator: LossFn
    generate_fakes: FakesFn | None = None
    memory: Mapping[str, Any] = {}


def check_objective(objective: Objective, takes: str) -> None:
    """Checks that a function got an objective.

    Args:
      objective: what it got.
      takes: the function, for the message: ``"unrolled"``.

    Raises:
      TypeError: it is something else, such as a term.
    """
    if not isinstance(objective, Objective):
        raise TypeError(
            f"{takes} takes an Objective, such as adversarial(networks, terms), "
            f"not {type(objective).__name__}"
        )


def descend(optimizer: optax.GradientTransformation, player: Player, gradient: Params) -> Player:
    """Returns the player after one optimizer step; ``gradient`` is a pytree like its parameters."""
    step, opt_state = optimizer.update(gradient, player.opt_state, player.params)
    return Player(optax.apply_updates(player.params, step), opt_state)


def initial_memory(objective: Objective) -> Memory:
    """Returns what an objective's terms remember before the first update, as arrays."""
    # With dtypes of their own, which those of plain numbers are not: as after a step, so that the
    # second step finds the program of the first.
    memory: Memory = jax.tree.map(
        lambda leaf: jnp.asarray(leaf, jnp.result_type(leaf)), dict(objective.memory)
    )
    return memory


def update(
    loss: LossFn,
    optimizer: optax.GradientTransformation,
    player: Player,
    opponent: Player,
    batch: Batch,
    context: Context | PRNGKey,
) -> tuple[Player, Metrics, Memory]:
    """Computes one optimizer step of ``player`` on ``loss`` against a fixed ``opponent``.

    If the batch is split over a mapped axis (`gan_jax.distributed.collectives`), the gradient is
    that of the whole batch, and what terms remember is averaged over the devices.

    Args:
      loss: what the player minimises.
      optimizer: the player's optimizer.
      player: who moves.
      opponent: who does not.
      batch: arrays ``[batch, ...]``.
      context: of the loss; a key alone stands for ``Context(key)``.

    Returns:
      The player after the step; the metrics of the loss with ``"gradient_norm"``, the global l2
      norm of the gradient before the optimizer sees it; and the memory after the step.
    """
    gradient, (metrics, memory) = jax.grad(loss, has_aux=True)(
        player.params, opponent, batch, as_context(context)
    )
    gradient, memory = mean_over_devices((gradient, memory))
    moved = descend(optimizer, player, gradient)
    return moved, metrics | {"gradient_norm": optax.global_norm(gradient)}, memory
