"""The gradients of both players' losses at one point of the game."""

from collections.abc import Callable

import jax

from gan_jax.distributed.collectives import mean_over_devices
from gan_jax.game.batches import Batch, Metrics, Params
from gan_jax.game.players import Context, Memory, Objective, Player

Pair = tuple[Params, Params]
"""The generator's and the discriminator's parameters, or the game's vector field at them."""


def joint_gradients(
    objective: Objective, players: tuple[Player, Player], batch: Batch, context: Context
) -> Callable[[Pair], tuple[Pair, Metrics, Memory]]:
    """Returns the game's vector field ``v = (grad_G L_G, grad_D L_D)`` on one minibatch.

    It is the field of the global batch: the Jacobian of a part's field would not average to the
    whole's. What terms remember passes through the discriminator's loss first.

    Args:
      objective: what both players minimise.
      players: the generator and the discriminator, whose optimizers' states the losses are given.
      batch: arrays ``[batch, ...]``, among them ``"real"``.
      context: the key, the step and the memory of both losses.

    Returns:
      Parameters of both players -> the field there, the metrics of both losses, and the memory
      after them.
    """

    def field(at: Pair) -> tuple[Pair, Metrics, Memory]:
        generator = Player(at[0], players[0].opt_state)
        discriminator = Player(at[1], players[1].opt_state)
        discriminator_gradient, (discriminator_metrics, memory) = jax.grad(
            objective.discriminator, has_aux=True
        )(discriminator.params, generator, batch, context)
        generator_gradient, (generator_metrics, memory) = jax.grad(
            objective.generator, has_aux=True
        )(generator.params, discriminator, batch, context._replace(memory=memory))
        v: Pair = (generator_gradient, discriminator_gradient)
        v, memory = mean_over_devices((v, memory))
        return v, discriminator_metrics | generator_metrics, memory

    return field
