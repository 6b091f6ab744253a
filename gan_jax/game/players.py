"""The two players: their objective, and one optimizer step of one of them."""

from typing import NamedTuple, Protocol

import jax
import optax

from gan_jax.distributed.collectives import mean_over_devices
from gan_jax.game.batches import Array, Batch, Metrics, Params, PRNGKey


class Player(NamedTuple):
    """A network in the game: its parameters and the state of the optimizer that updates them."""

    params: Params
    opt_state: optax.OptState = ()


class LossFn(Protocol):
    """A function that returns what a player minimises against a fixed opponent."""

    def __call__(
        self, own: Params, opponent: Player, batch: Batch, rng: PRNGKey, /
    ) -> tuple[Array, Metrics]:
        """Computes the loss and its metrics.

        Args:
          own: the player's own parameters, with respect to which the loss is differentiated.
          opponent: the other player, whole: a look-ahead needs its optimizer's state.
          batch: arrays ``[batch, ...]``, among them ``"real"``.
          rng: one key, from which all draws of this loss are derived.

        Returns:
          The loss, a float scalar, and metrics, a dict of scalars.
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
    """

    discriminator: LossFn
    generator: LossFn
    generate_fakes: FakesFn | None = None


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


def update(
    loss: LossFn,
    optimizer: optax.GradientTransformation,
    player: Player,
    opponent: Player,
    batch: Batch,
    rng: PRNGKey,
) -> tuple[Player, Metrics]:
    """Computes one optimizer step of ``player`` on ``loss`` against a fixed ``opponent``.

    If the batch is split over a mapped axis (`gan_jax.distributed.collectives`), the gradient is
    that of the whole batch.

    Args:
      loss: what the player minimises.
      optimizer: the player's optimizer.
      player: who moves.
      opponent: who does not.
      batch: arrays ``[batch, ...]``.
      rng: the key of the loss.

    Returns:
      The player after the step, and the metrics of the loss with ``"gradient_norm"``, the global l2
      norm of the gradient before the optimizer sees it.
    """
    gradient, metrics = jax.grad(loss, has_aux=True)(player.params, opponent, batch, rng)
    gradient = mean_over_devices(gradient)
    moved = descend(optimizer, player, gradient)
    return moved, metrics | {"gradient_norm": optax.global_norm(gradient)}
