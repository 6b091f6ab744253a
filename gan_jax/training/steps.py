"""Train steps: pure functions from state, batch and key to state and metrics."""

from collections.abc import Callable
from typing import NamedTuple

import jax
import jax.numpy as jnp
import optax

from gan_jax.distributed.collectives import mean_over_devices
from gan_jax.errors import UserError
from gan_jax.game import Array, Batch, Metrics, Networks, Objective, Params, Player, PRNGKey, update
from gan_jax.training.schedules import Decay

__all__ = [
    "Pair",
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
    """All that training changes. With the seed, ``step`` fixes all randomness, so nothing else needs saving."""

    step: Array  # generator updates so far, int32
    generator: Player
    discriminator: Player
    generator_ema: Params  # moving average of the generator's parameters: what is sampled


TrainStep = Callable[[TrainState, Batch, PRNGKey], tuple[TrainState, Metrics]]


def init_state(
    networks: Networks,
    generator_optimizer: optax.GradientTransformation,
    discriminator_optimizer: optax.GradientTransformation,
    rng: PRNGKey,
) -> TrainState:
    """The state before the first step, from one key."""
    generator, discriminator = networks.init(rng)
    return TrainState(
        step=jnp.zeros((), jnp.int32),
        generator=Player(generator, generator_optimizer.init(generator)),
        discriminator=Player(discriminator, discriminator_optimizer.init(discriminator)),
        generator_ema=jax.tree.map(jnp.copy, generator),
    )


def alternating(
    objective: Objective,
    generator_optimizer: optax.GradientTransformation,
    discriminator_optimizer: optax.GradientTransformation,
    ema_decay: Decay = 0.0,
    reuse: bool = False,
) -> TrainStep:
    """One step of alternating play: the discriminator takes a turn on each batch, then the generator plays the last.

    Batch leaves are ``[discriminator_steps, batch, ...]``, so n discriminator updates per generator update is the data's shape. The key
    given is the run's; the step's own is ``fold_in(key, state.step)``. ``ema_decay``: the decay b of the moving average
    of the generator, ``a <- b a + (1 - b) theta``; 0 keeps the newest parameters. ``reuse``: the generator plays the samples
    of the discriminator's last turn, latents and all, which are generated once for both; else it draws its own, as in the
    paper. Metrics are scalars: the discriminator's are means over its steps.

    Source: Goodfellow et al., "Generative Adversarial Nets" (2014), algorithm 1 (k = discriminator steps).
    """

    def train_step(state: TrainState, batch: Batch, rng: PRNGKey) -> tuple[TrainState, Metrics]:
        discriminator_rng, generator_rng = jax.random.split(jax.random.fold_in(rng, state.step))
        keys = jax.random.split(discriminator_rng, len(batch["real"]))
        early, last = (
            jax.tree.map(lambda leaf, cut=cut: leaf[cut], batch) for cut in (slice(-1), -1)
        )
        if reuse:
            generator_rng, discriminator = keys[-1], state.discriminator
            seen: Metrics = {}
            if len(keys) > 1:
                discriminator, seen = _turns(
                    objective, discriminator_optimizer, state, discriminator, early, keys[:-1]
                )
            # Not in a loop with the others: so the compiler sees that the generator's samples are these.
            discriminator, newest = update(
                objective.discriminator,
                discriminator_optimizer,
                discriminator,
                state.generator,
                last,
                generator_rng,
            )
            seen = {
                name: jnp.append(seen.get(name, jnp.zeros(0, value.dtype)), value)
                for name, value in newest.items()
            }
        else:
            discriminator, seen = _turns(
                objective, discriminator_optimizer, state, state.discriminator, batch, keys
            )
        generator, played = update(
            objective.generator,
            generator_optimizer,
            state.generator,
            discriminator,
            last,
            generator_rng,
        )
        metrics = _named(played, "generator") | _named(
            jax.tree.map(jnp.mean, seen), "discriminator"
        )
        return _finished(state, generator, discriminator, ema_decay), metrics

    return train_step


def simultaneous(
    objective: Objective,
    generator_optimizer: optax.GradientTransformation,
    discriminator_optimizer: optax.GradientTransformation,
    ema_decay: Decay = 0.0,
) -> TrainStep:
    """One step in which both players move at once, each against the other as it was, on the same minibatch and latents.

    Batch leaves are ``[discriminator_steps, batch, ...]``: the discriminator plays all but the last alone. Metrics are the last's. With
    plain gradients the bilinear game spirals outwards; with ``optax.optimistic_gradient_descent`` or
    ``optax.optimistic_adam_v2`` for both players it converges.

    Source: Mescheder et al., "The Numerics of GANs" (2017), algorithm 1; optimism: Daskalakis et al., "Training GANs with
    Optimism" (2018).
    """
    return _joint(
        objective, generator_optimizer, discriminator_optimizer, ema_decay, lambda field, at, v: v
    )


def consensus(
    objective: Objective,
    generator_optimizer: optax.GradientTransformation,
    discriminator_optimizer: optax.GradientTransformation,
    ema_decay: Decay = 0.0,
    weight: float = 10.0,
) -> TrainStep:
    """Simultaneous play along ``v + weight J^T v``, J the Jacobian of the field v: both players also shrink ``|v|^2 / 2``.

    Batches and metrics as in `simultaneous`. Source: Mescheder et al., "The Numerics of GANs" (2017), algorithm 2 (weight
    10 on images).
    """

    def direction(field: Callable[[Pair], Pair], at: Pair, v: Pair) -> Pair:
        return optax.tree.add_scale(v, weight, jax.vjp(field, at)[1](v)[0])

    return _joint(objective, generator_optimizer, discriminator_optimizer, ema_decay, direction)


def symplectic(
    objective: Objective,
    generator_optimizer: optax.GradientTransformation,
    discriminator_optimizer: optax.GradientTransformation,
    ema_decay: Decay = 0.0,
    weight: float = 1.0,
    align: bool = True,
) -> TrainStep:
    """Simultaneous play along ``v + l A^T v``, A = (J - J^T) / 2 the antisymmetric part of the field's Jacobian (SGA).

    l = ``weight``; with ``align`` its sign is that of ``<v, h> <A^T v, h> / d + 0.1``, h = J^T v and d the number of
    parameters, so that unstable fixed points are left. Batches and metrics as in `simultaneous`.

    Source: Balduzzi et al., "The Mechanics of n-Player Differentiable Games" (2018), section 3 and algorithm 1.
    """

    def direction(field: Callable[[Pair], Pair], at: Pair, v: Pair) -> Pair:
        slope = jax.vjp(field, at)[1](v)[0]  # J^T v
        turn = jax.tree.map(
            lambda a, b: (a - b) / 2, slope, jax.jvp(field, (at,), (v,))[1]
        )  # A^T v
        scale: float | Array = weight
        if align:
            size = sum(leaf.size for leaf in jax.tree.leaves(v))
            agreement = optax.tree.vdot(v, slope) * optax.tree.vdot(turn, slope) / size
            scale = weight * jnp.sign(agreement + 0.1)
        return optax.tree.add_scale(v, scale, turn)

    return _joint(objective, generator_optimizer, discriminator_optimizer, ema_decay, direction)


def extragradient(
    objective: Objective,
    generator_optimizer: optax.GradientTransformation,
    discriminator_optimizer: optax.GradientTransformation,
    ema_decay: Decay = 0.0,
) -> TrainStep:
    """One step from where both players are, along the field of where a first step would take them.

    Both optimizers take the extrapolation as a step of theirs (with Adam: ExtraAdam). Batch leaves are
    ``[discriminator_steps, batch, ...]`` with one turn, both fields being those of the same minibatch, or two, one for each; UserError
    for more. Metrics are of the point that the step starts from.

    Source: Gidel et al., "A Variational Inequality Perspective on GANs" (2019), eqs. 8, 9 and algorithm 4.
    """

    def train_step(state: TrainState, batch: Batch, rng: PRNGKey) -> tuple[TrainState, Metrics]:
        discriminator_steps = len(batch["real"])
        if discriminator_steps > 2:
            raise UserError(
                f"extragradient takes 1 turn or 2, not {discriminator_steps}: one minibatch for each of its two fields"
            )
        keys = jax.random.split(jax.random.fold_in(rng, state.step))
        optimizers, first = (
            (generator_optimizer, discriminator_optimizer),
            (state.generator, state.discriminator),
        )

        def moved(players: tuple[Player, Player], k: int) -> tuple[list[Player], Metrics]:
            on = jax.tree.map(lambda leaf: leaf[k], batch)
            v, metrics = _field(objective, players, on, keys[k])(
                (players[0].params, players[1].params)
            )
            after = []
            for gradient, optimizer, player, start in zip(
                v, optimizers, players, first, strict=True
            ):
                move, opt_state = optimizer.update(gradient, player.opt_state, start.params)
                after.append(Player(optax.apply_updates(start.params, move), opt_state))
            return after, metrics | _norms(v)

        ahead, metrics = moved(first, 0)
        (generator, discriminator), _ = moved((ahead[0], ahead[1]), discriminator_steps - 1)
        return _finished(state, generator, discriminator, ema_decay), metrics

    return train_step


Pair = tuple[Params, Params]
"""The generator's and the discriminator's parameters, or the field at them."""


def _field(
    objective: Objective, players: tuple[Player, Player], batch: Batch, rng: PRNGKey
) -> Callable[[Pair], tuple[Pair, Metrics]]:
    """The game's vector field ``v = (grad_G L_G, grad_D L_D)`` on one minibatch, with the metrics of both losses.

    It is the field of the global batch: the Jacobian of a part's field would not average to the whole's.
    """

    def field(at: Pair) -> tuple[Pair, Metrics]:
        generator, discriminator = (
            Player(params, player.opt_state) for params, player in zip(at, players, strict=True)
        )
        first, played = jax.grad(objective.generator, has_aux=True)(
            at[0], discriminator, batch, rng
        )
        second, seen = jax.grad(objective.discriminator, has_aux=True)(at[1], generator, batch, rng)
        return mean_over_devices((first, second)), seen | played

    return field


def _norms(v: Pair) -> Metrics:
    return {
        f"{side}/gradient_norm": optax.global_norm(v[i])
        for i, side in enumerate(("generator", "discriminator"))
    }


def _joint(
    objective: Objective,
    generator_optimizer: optax.GradientTransformation,
    discriminator_optimizer: optax.GradientTransformation,
    ema_decay: Decay,
    direction: Callable[[Callable[[Pair], Pair], Pair, Pair], Pair],
) -> TrainStep:
    """Simultaneous play along ``direction(field, at, field(at))``."""

    def train_step(state: TrainState, batch: Batch, rng: PRNGKey) -> tuple[TrainState, Metrics]:
        keys = jax.random.split(jax.random.fold_in(rng, state.step), len(batch["real"]))
        early, last = (
            jax.tree.map(lambda leaf, cut=cut: leaf[cut], batch) for cut in (slice(-1), -1)
        )
        discriminator = state.discriminator
        if len(keys) > 1:
            discriminator, _ = _turns(
                objective, discriminator_optimizer, state, discriminator, early, keys[:-1]
            )
        field = _field(objective, (state.generator, discriminator), last, keys[-1])
        at = (state.generator.params, discriminator.params)
        v, metrics = field(at)
        along = direction(lambda pair: field(pair)[0], at, v)
        moved = []
        players = ((state.generator, generator_optimizer), (discriminator, discriminator_optimizer))
        for gradient, (player, optimizer) in zip(along, players, strict=True):
            move, opt_state = optimizer.update(gradient, player.opt_state, player.params)
            moved.append(Player(optax.apply_updates(player.params, move), opt_state))
        return _finished(state, moved[0], moved[1], ema_decay), metrics | _norms(v)

    return train_step


def _turns(
    objective: Objective,
    optimizer: optax.GradientTransformation,
    state: TrainState,
    discriminator: Player,
    batch: Batch,
    keys: Array,
) -> tuple[Player, Metrics]:
    """The discriminator's steps, one on each batch; metrics ``[discriminator_steps]`` each."""

    def turn(discriminator: Player, batch_and_key: tuple[Batch, PRNGKey]) -> tuple[Player, Metrics]:
        return update(
            objective.discriminator, optimizer, discriminator, state.generator, *batch_and_key
        )

    return jax.lax.scan(turn, discriminator, (batch, keys))


def _finished(
    state: TrainState, generator: Player, discriminator: Player, ema_decay: Decay
) -> TrainState:
    """The state after a step which moved the players there: the step counted, the moving average moved."""
    decay = ema_decay(state.step) if callable(ema_decay) else ema_decay
    average = optax.incremental_update(generator.params, state.generator_ema, 1.0 - decay)
    average = optax.tree.cast_like(
        average, state.generator_ema
    )  # a decay with a dtype of its own changes no other
    return TrainState(state.step + 1, generator, discriminator, average)


def _named(metrics: Metrics, side: str) -> Metrics:
    """The metrics of one player's update, with its gradient norm named as its own."""
    return {
        f"{side}/{name}" if name == "gradient_norm" else name: value
        for name, value in metrics.items()
    }


def fused(
    train_step: TrainStep, prepare: Callable[[Batch], Batch] = lambda batch: batch
) -> TrainStep:
    """Many steps in one call: scans ``train_step`` over batch leaves ``[steps, discriminator_steps, batch, ...]``.

    ``prepare`` turns each step's raw batch into the one that is played (uint8 to floats, say) inside the scan. Metrics are
    ``[steps]`` each. Chunking never changes the bits: use it for a single step too.
    """

    def train_steps(state: TrainState, batches: Batch, rng: PRNGKey) -> tuple[TrainState, Metrics]:
        return jax.lax.scan(
            lambda state, batch: train_step(state, prepare(batch), rng), state, batches
        )

    return train_steps
