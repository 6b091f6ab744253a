"""Which moving average of a run is sampled: one that it keeps, or one made of those afterwards."""

from collections.abc import Callable, Sequence

import jax
import numpy as np

from gan_jax.errors import UserError, first_line
from gan_jax.experiment.part_text import Part, parse_parts, parts_text
from gan_jax.game import Params
from gan_jax.training.moving_averages import combination, power_exponent
from gan_jax.training.steps import TrainState

FARTHEST = 0.1
"""Averages whose weights differ by more from those that are asked for are refused."""


def choose_ema(
    text: str,
    kept: tuple[Part, ...],
    state: TrainState,
    steps: Sequence[int],
    read: Callable[[int], TrainState],
) -> Params:
    """Returns the generator's parameters averaged as a text says.

    A `power_ema` that the run does not keep is made of those that it does, in all its checkpoints:
    see `gan_jax.training.moving_averages.combination`. A line says how well they fit.

    Args:
      text: a part of ``config.ema``, ``"power_ema(std=0.05)"``.
      kept: the averages that the run keeps, ``config.ema``.
      state: that is sampled.
      steps: of the checkpoints up to that state, ascending, the last of which is its own.
      read: reads the checkpoint of a step.

    Raises:
      UserError: no such average, or none that can be made of the checkpoints.
    """
    wanted = _parse(text)
    averages = (state.generator_ema, *state.other_emas)
    for part, average in zip(kept, averages, strict=False):
        if part == wanted:
            return average
    if wanted.name != "power_ema" or not any(part.name == "power_ema" for part in kept):
        known = parts_text(kept) or "one only, which is sampled by default"
        raise UserError(
            f"--ema={wanted} is no moving average of this run, which keeps {known} (config.ema)"
        )
    if set(wanted.settings) != {"std"} or not isinstance(wanted.settings["std"], int | float):
        raise UserError(f"--ema takes power_ema(std=0.05), not {wanted}")
    std = float(wanted.settings["std"])
    power_exponent(std)  # refuses an impossible width before anything is read
    sources = [(i, part.settings["std"]) for i, part in enumerate(kept) if part.name == "power_ema"]
    snapshots = [(step, i, width) for step in steps for i, width in sources]
    weights, error = combination(
        [width for _, _, width in snapshots], [step for step, _, _ in snapshots], std
    )
    found = f"{len(snapshots)} averages in {len(steps)} checkpoints"
    if error > FARTHEST:
        raise UserError(
            f"{found} cannot be combined to {wanted}: its weights over steps are missed by "
            f"{error:.0%}. More checkpoints (config.keep_checkpoints) and more averages make a "
            "larger range possible"
        )
    print(f"{wanted} of {found}: its weights over steps are met to {error:.2%}", flush=True)
    total = jax.tree.map(lambda leaf: np.zeros(leaf.shape, np.float64), state.generator_ema)
    for step in steps:
        of_step = state if step == steps[-1] else read(step)
        averages = (of_step.generator_ema, *of_step.other_emas)
        for weight, (at, i, _) in zip(weights, snapshots, strict=True):
            if at == step:
                total = jax.tree.map(
                    lambda a, b, w=weight: a + w * np.asarray(b, np.float64), total, averages[i]
                )
    return jax.tree.map(lambda a, b: a.astype(b.dtype), total, state.generator_ema)


def _parse(text: str) -> Part:
    try:
        (part,) = parse_parts(text)
    except ValueError as error:
        raise UserError(
            f"--ema takes one moving average, as in power_ema(std=0.05), not {text!r}: "
            f"{first_line(error)}"
        ) from error
    return part
