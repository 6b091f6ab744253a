"""Numbers that are not finite: updates that are skipped, and where such a number is."""

from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from gan_jax.distributed.collectives import mean_over_devices
from gan_jax.distributed.mesh import on_host
from gan_jax.game import Array, Batch, Metrics, PRNGKey
from gan_jax.training.steps import TrainState, TrainStep

SKIPPED_UPDATES = "skipped_updates"
"""The metric that is 1 at a step whose update was skipped, and 0 at all others."""


def skip_nonfinite(train_step: TrainStep) -> TrainStep:
    """Returns the step that keeps the state if its update is not finite.

    An update is skipped if a metric is not finite, or if a number of the state that was finite
    would no longer be. The step counts, so that the next one has other data and draws. Metrics are
    those of the step, finite or not, and `SKIPPED_UPDATES`.

    Args:
      train_step: a train step that is not fused.
    """

    def step(state: TrainState, batch: Batch, rng: PRNGKey) -> tuple[TrainState, Metrics]:
        """Updates both networks, or neither: see `TrainStep`."""
        after, metrics = train_step(state, batch, rng)
        is_bad = jnp.stack(
            [jnp.any(~jnp.isfinite(value)) for value in jax.tree.leaves(metrics)]
            + jax.tree.leaves(jax.tree.map(_went_bad, state, after))
        )
        # All devices decide alike, even if the numbers of only one have gone bad.
        skip = mean_over_devices(jnp.any(is_bad).astype(jnp.float32)) > 0
        kept = jax.tree.map(lambda old, new: jnp.where(skip, old, new), state, after)
        skipped = {SKIPPED_UPDATES: skip.astype(jnp.float32)}
        return kept._replace(step=after.step), {**metrics, **skipped}

    return step


def first_nonfinite_parameter(state: TrainState, player: str = "") -> str:
    """Returns the path of the first parameter that is not finite, such as ``discriminator/...``.

    Args:
      state: after a step; all processes of a job call this with it.
      player: ``"discriminator"`` or ``"generator"``, whose parameters are looked at first; the
        discriminator's by default.

    Returns:
      The path, with ``/`` between its parts; empty if all parameters are finite.
    """
    order = ["discriminator", "generator"]
    if player in order:
        order.sort(key=lambda name: name != player)
    parameters: dict[str, Any] = {f"{name}/params": getattr(state, name).params for name in order}
    parameters["generator_ema"] = state.generator_ema
    parameters["other_emas"] = state.other_emas
    for name, tree in parameters.items():
        for path, leaf in jax.tree_util.tree_leaves_with_path(tree):
            array = on_host(leaf)
            # NumPy does not know all of JAX's floats, such as bfloat16, as floats.
            if jnp.issubdtype(array.dtype, jnp.inexact) and not np.isfinite(array).all():
                return f"{name}/{jax.tree_util.keystr(path, simple=True, separator='/')}"
    return ""


def _went_bad(old: Array, new: Array) -> Array:
    """Whether a leaf has lost a finite number. Some are infinite from the start: best values."""
    if not jnp.issubdtype(new.dtype, jnp.inexact):
        return jnp.zeros((), bool)
    return jnp.any(jnp.isfinite(old) & ~jnp.isfinite(new))
