"""Train steps that measure health: at some steps, in the program of the steps themselves."""

import math
from collections.abc import Callable

import jax
import jax.numpy as jnp
from jax import lax

from gan_jax.diagnosis.health import PREFIX, HealthFn
from gan_jax.distributed.collectives import gather_batch
from gan_jax.game import Array, Batch, Metrics, Params, PRNGKey
from gan_jax.training.steps import TrainState, TrainStep, fused, last_batch

SAMPLES = 128
"""About how many samples of a batch health is measured on."""

LARGEST_LEAVES = 8
"""Of how many of a player's leaves the movement is measured, the largest ones."""

COORDINATES = 64
"""At most how many numbers of each of them."""

PLAYERS = ("generator", "discriminator")


def monitored(
    train_step: TrainStep,
    prepare: Callable[[Batch], Batch],
    measure: HealthFn,
    is_due: Callable[[Array], Array],
    samples: int = SAMPLES,
    members: str | None = None,
) -> TrainStep:
    """Returns the `fused` step that measures health after the last of its steps, if it is due.

    The states and metrics are those of the fused step, to the bit: what is measured is computed
    from the state after the steps and from positions before each of them, in a branch of its own.
    Metrics of health are scalars, NaN if they are not due.

    Beside what ``measure`` returns they are, for both players over the steps of the call, and from
    a few hundred of their parameters: the mean cosine of successive updates, ``.._update_cosine``,
    near 1 on a smooth path and near 0 in noise; ``.._path_ratio``, the length of the path over
    that of a random walk of n steps to the same place, ``sqrt(n)`` times the distance: it is
    ``1 / sqrt(n)`` on a straight line, about 1 in noise, and more on a circle; and the generator's
    mean gradient norm over that of the discriminator, ``gradient_ratio``.

    Args:
      train_step: a train step that is not fused.
      prepare: as for `fused`.
      measure: of `gan_jax.diagnosis.health`.
      is_due: the step after the call, an int32 scalar -> whether health is measured.
      samples: about how many of the last batch are used, evenly chosen: the batch size over a power
        of two.
      members: the name of the axis over which the members of a population are mapped, if any: all
        are at the same step, so that nothing is computed for any of them when it is not due.
    """
    many = fused(_with_positions(train_step), prepare)

    def train_steps(state: TrainState, batches: Batch, rng: PRNGKey) -> tuple[TrainState, Metrics]:
        """Runs one step per entry of the first axis: see `fused`."""
        after, metrics = many(state, batches, rng)
        positions = {player: metrics.pop(_position_of(player)) for player in PLAYERS}

        def measured() -> Metrics:
            batch = {name: leaf[-1, -1:] for name, leaf in batches.items()}
            batch = last_batch(prepare(_thinned(batch, samples)))
            values = measure(after, batch, rng)
            for player in PLAYERS:
                end = _position(getattr(after, player).params)
                path = jnp.concatenate([positions[player], end[None]])
                for name, value in movement(path).items():
                    values[f"{PREFIX}{player}_{name}"] = value
            norms = [f"{player}/gradient_norm" for player in PLAYERS]
            if all(name in metrics for name in norms):
                means = [jnp.mean(metrics[name]) for name in norms]
                values[f"{PREFIX}gradient_ratio"] = means[0] / means[1]
            return {name: value.astype(jnp.float32) for name, value in values.items()}

        def unmeasured() -> Metrics:
            shapes = jax.eval_shape(measured)
            return {name: jnp.full(leaf.shape, jnp.nan) for name, leaf in shapes.items()}

        step = after.step if members is None else lax.pmax(after.step, members)
        health: Metrics = lax.cond(is_due(step), measured, unmeasured)
        return after, metrics | health

    return train_steps


def movement(path: Array) -> Metrics:
    """Computes how straight a path is.

    Args:
      path: positions ``[n + 1, d]`` before and after each of n updates.

    Returns:
      ``"update_cosine"``, the mean cosine of successive updates, NaN if there are fewer than two;
      and ``"path_ratio"``, the length of the path over ``sqrt(n)`` times the distance of its ends.
      Both are NaN if nothing moves.
    """
    updates = jnp.diff(path, axis=0)
    lengths = jnp.sqrt(jnp.sum(jnp.square(updates), 1))
    products = jnp.sum(updates[1:] * updates[:-1], 1)
    distance = jnp.sqrt(jnp.sum(jnp.square(path[-1] - path[0])))
    return {
        "update_cosine": jnp.mean(products / (lengths[1:] * lengths[:-1])),
        "path_ratio": jnp.sum(lengths) / (distance * math.sqrt(len(updates))),
    }


def _with_positions(train_step: TrainStep) -> TrainStep:
    """The step whose metrics have the position of both players before it.

    Not after it: a second use of what a step computes could change how the compiler rounds it.
    """

    def step(state: TrainState, batch: Batch, rng: PRNGKey) -> tuple[TrainState, Metrics]:
        after, metrics = train_step(state, batch, rng)
        positions = {
            _position_of(player): _position(getattr(state, player).params) for player in PLAYERS
        }
        return after, {**metrics, **positions}

    return step


def _position_of(player: str) -> str:
    return f"position/{player}"


def _position(params: Params) -> Array:
    """Some hundred numbers of the parameters, ``[d]`` float32: of the largest leaves, evenly."""
    leaves = [leaf for leaf in jax.tree.leaves(params) if jnp.issubdtype(leaf.dtype, jnp.floating)]
    largest = sorted(leaves, key=lambda leaf: -leaf.size)[:LARGEST_LEAVES]
    return jnp.concatenate(
        [jnp.ravel(leaf[_grid(leaf.shape)]).astype(jnp.float32) for leaf in largest]
    )


def _grid(shape: tuple[int, ...]) -> tuple[slice, ...]:
    """Slices that leave at most `COORDINATES` numbers, the longest axes being thinned most."""
    steps = [1] * len(shape)
    while math.prod(counts := [-(-n // s) for n, s in zip(shape, steps)]) > COORDINATES:
        steps[counts.index(max(counts))] *= 2
    return tuple(slice(None, None, step) for step in steps)


def _thinned(batch: Batch, samples: int) -> Batch:
    """Every k-th sample of a batch ``[1, batch, ...]``, the same for any number of devices.

    The stride k is the largest power of two that leaves ``samples`` and divides each device's part.
    """
    local = batch["real"].shape[1]
    whole = len(gather_batch(jnp.zeros(local)))
    stride = 1
    while whole // (2 * stride) >= samples and local % (2 * stride) == 0:
        stride *= 2
    return {name: leaf[:, ::stride] for name, leaf in batch.items()}
