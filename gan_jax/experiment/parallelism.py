"""What ``config.parallelism`` says: how a step is mapped, and how the state is divided."""

from typing import Any

import jax
from jax.sharding import Mesh

from gan_jax.distributed.mesh import replicated_sharding
from gan_jax.distributed.state_sharding import SMALLEST, state_sharding
from gan_jax.experiment.part_building import build_part
from gan_jax.experiment.settings import Settings
from gan_jax.training.steps import TrainStep

FULLY_SHARDED, PMAPPED = "fully_sharded", "pmapped"


def mapped(settings: Settings, train_step: TrainStep, mesh: Mesh | None = None) -> TrainStep:
    """Maps a fused step over devices as settings say.

    Args:
      settings: of one run.
      train_step: its fused step.
      mesh: the devices; None: all of them.

    Raises:
      UserError: an unknown name or setting.
    """
    step: TrainStep = build_part(
        "parallelism", settings.parallelism, train_step=train_step, mesh=mesh
    )
    return step


def sharding_of_state(settings: Settings, state: Any, mesh: Mesh | None = None) -> Any:
    """Returns the sharding of each leaf of a run's state: replicated, unless it is fully sharded.

    Args:
      settings: of one run.
      state: a pytree of arrays or of their shapes.
      mesh: the devices; None: all of them.
    """
    if is_fully_sharded(settings):
        smallest = settings.parallelism.settings.get("smallest", SMALLEST)
        return state_sharding(state, mesh, smallest)
    copies = replicated_sharding(mesh)
    return jax.tree.map(lambda _: copies, state)


def shapes_with_sharding(settings: Settings, state: Any, mesh: Mesh | None = None) -> Any:
    """Returns the shapes, dtypes and shardings of a run's state: see `sharding_of_state`."""
    return jax.tree.map(
        lambda leaf, sharding: jax.ShapeDtypeStruct(leaf.shape, leaf.dtype, sharding=sharding),
        state,
        sharding_of_state(settings, state, mesh),
    )


def is_fully_sharded(settings: Settings) -> bool:
    """Returns whether the state of a run is divided over its devices."""
    return settings.parallelism.name == FULLY_SHARDED


def is_pmapped(settings: Settings) -> bool:
    """Returns whether a step sees only the part of a batch that a device has."""
    return settings.parallelism.name == PMAPPED
