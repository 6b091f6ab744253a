"""Unrolled GANs: the generator looks discriminator updates ahead and learns through them."""

import jax
import jax.numpy as jnp
import optax

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
    update,
    without_fakes,
)
from gan_jax.objectives.differentiability import check_differentiable
from gan_jax.platforms import scan_unroll


def unrolled(
    objective: Objective,
    steps: int,
    optimizer: optax.GradientTransformation,
    *,
    resample: bool = False,
    stop_gradient: bool = False,
    rematerialise: bool = False,
) -> Objective:
    """Returns the objective whose generator faces the discriminator ``steps`` updates ahead.

    ``min_G f(theta_G, theta_D^K)``, with theta_D^0 the live discriminator and theta_D^{k+1} its
    ``update`` by ``optimizer`` from its live optimizer state, all differentiated through. Each
    look-ahead step sees the same minibatch, real samples and latents, as in the paper, at the
    same step and with what terms remember unchanged. The discriminator's own loss is unchanged.

    The paper's generator minimises the negated loss of the discriminator. That is so for `minimax`;
    for other objectives use ``unrolled(saddle(objective), ...)``: see
    `gan_jax.objectives.saddle_point`.

    Args:
      objective: any objective.
      steps: K >= 0; 0 returns ``objective`` itself.
      optimizer: the discriminator's. It must be differentiable: Adam needs ``eps_root > 0``, since
        the derivative of sqrt(v) is infinite at v = 0.
      resample: whether each look-ahead step draws fresh latents and penalty points.
      stop_gradient: whether to look ahead only, with no gradient through theta_D^K (the ablation
        that several codes run instead of the paper's method).
      rematerialise: whether to recompute each step in the backward pass, so that memory hardly
        grows with K.

    Raises:
      TypeError: ``objective`` is not an `Objective`.
      ValueError: ``steps`` is negative.
      UserError: in the generator's loss, if gradients through ``optimizer`` are NaN or zero, as far
        as `check_differentiable` can find out.

    References:
      Metz et al., "Unrolled Generative Adversarial Networks" (2017), eqs. 7 to 9.
    """
    check_objective(objective, "unrolled")
    if steps < 0:
        raise ValueError(f"unrolled looks steps >= 0 updates ahead, not {steps}")
    if steps == 0:
        return objective
    optimizer_is_checked = stop_gradient

    def generator_loss(
        own: Params, discriminator: Player, batch: Batch, context: Context | PRNGKey
    ) -> tuple[Array, tuple[Metrics, Memory]]:
        nonlocal optimizer_is_checked
        context = as_context(context)
        if not optimizer_is_checked:
            check_differentiable(optimizer, discriminator.params)
            optimizer_is_checked = True
        if objective.generate_fakes:
            # Generated once, so that every step sees the same samples.
            batch = objective.generate_fakes(own, batch, context.rng)
        seen = without_fakes(batch) if resample else batch

        def look_ahead(player: Player, k: Array) -> tuple[Player, None]:
            key = jax.random.fold_in(context.rng, k) if resample else context.rng
            here = context._replace(rng=key)
            # Terms remember nothing of a look-ahead, and a gradient norm has no derivative at 0.
            player, _, _ = update(
                objective.discriminator, optimizer, player, Player(own), seen, here
            )
            return player, None

        step = jax.checkpoint(look_ahead) if rematerialise else look_ahead
        unroll = 1 if rematerialise else scan_unroll(steps)
        ahead, _ = jax.lax.scan(step, discriminator, jnp.arange(1, steps + 1), unroll=unroll)
        if stop_gradient:
            ahead = jax.lax.stop_gradient(ahead)
        return objective.generator(own, ahead, batch, context)

    return objective._replace(generator=generator_loss)
