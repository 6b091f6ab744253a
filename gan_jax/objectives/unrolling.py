"""Unrolled GANs: the generator looks some discriminator updates ahead and learns through them."""

import jax
import optax

from gan_jax.game import Array, Batch, Metrics, Objective, Params, Player, PRNGKey, update


def unrolled(
    objective: Objective,
    steps: int,
    optimizer: optax.GradientTransformation,
    *,
    resample: bool = False,
    stop_gradient: bool = False,
    rematerialise: bool = False,
) -> Objective:
    """The objective whose generator plays against the discriminator ``steps`` updates ahead.

    ``min_G f(theta_G, theta_D^K)``, with theta_D^0 the live discriminator and theta_D^{k+1} its ``update`` by
    ``optimizer`` from its live optimizer state, all differentiated through. Each look-ahead step sees the same
    minibatch, reals and latents, as in the paper. The discriminator's own loss is unchanged. ``optimizer`` must be
    differentiable: Adam and RMSProp need ``eps_root > 0`` (the derivative of sqrt(v) is infinite at v = 0).

    Args: ``steps``: K >= 0; 0 returns ``objective`` itself. ``resample``: fresh latents and penalty draws each step.
    ``stop_gradient``: only look ahead, with no gradient through theta_D^K (the ablation that several codes run in place
    of the paper's method). ``rematerialise``: recompute each step in the backward pass, for memory flat in K.

    Source: Metz et al., "Unrolled Generative Adversarial Networks" (2017), eqs. 7 to 9.
    """
    if steps < 0:
        raise ValueError(f"unrolled looks steps >= 0 updates ahead, not {steps}")
    if steps == 0:
        return objective

    def generator_loss(
        own: Params, discriminator: Player, batch: Batch, rng: PRNGKey
    ) -> tuple[Array, Metrics]:
        if objective.generate_fakes:
            batch = objective.generate_fakes(
                own, batch, rng
            )  # generated once: every step sees the same samples
        seen = (
            {name: value for name, value in batch.items() if name not in ("fake", "latents")}
            if resample
            else batch
        )

        def look_ahead(player: Player, k: Array) -> tuple[Player, None]:
            key = jax.random.fold_in(rng, k) if resample else rng
            player, _ = update(objective.discriminator, optimizer, player, Player(own), seen, key)
            return player, None  # the metrics end here: a gradient norm has no derivative at 0

        step = jax.checkpoint(look_ahead) if rematerialise else look_ahead
        ahead, _ = jax.lax.scan(step, discriminator, jax.numpy.arange(1, steps + 1))
        if stop_gradient:
            ahead = jax.lax.stop_gradient(ahead)
        return objective.generator(own, ahead, batch, rng)

    return objective._replace(generator=generator_loss)
