"""Saddle objectives: the generator minimises what the discriminator maximises."""

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
)

__all__ = ["saddle"]


def saddle(objective: Objective) -> Objective:
    """Returns the objective whose generator minimises the negated loss of the discriminator.

    ``L_G = -L_D``, whole, penalties included. The paper of `unrolled` speaks of such objectives;
    unrolling another one gives the generator terms that the paper does not mean: Wasserstein with
    R1, say, whose generator's loss ignores the penalty that holds the discriminator back.

    Metrics: the discriminator's terms, negated, as ``"generator/<name>"``. What terms remember is
    left to the discriminator's own loss.

    Args:
      objective: any objective; its generator's loss is not used.

    Raises:
      TypeError: ``objective`` is not an `Objective`.

    References:
      Metz et al., "Unrolled Generative Adversarial Networks" (2017), eqs. 1 to 3.
    """
    check_objective(objective, "saddle")

    def generator_loss(
        own: Params, discriminator: Player, batch: Batch, context: Context | PRNGKey
    ) -> tuple[Array, tuple[Metrics, Memory]]:
        context = as_context(context)
        loss, (metrics, _) = objective.discriminator(
            discriminator.params, Player(own), batch, context
        )
        negated = {
            f"generator/{name.removeprefix('discriminator/')}": -value
            for name, value in metrics.items()
            if name.startswith("discriminator/")
        }
        return -loss, (negated, context.memory)

    return objective._replace(generator=generator_loss)
