"""Train steps on many devices and processes: the same pure step, mapped.

A state is replicated or divided leaf by leaf, never stacked, and a batch is split over all devices.
In a job of several processes (`jax.distributed`) each process passes its own samples of the batch
(`gan_jax.distributed.multihost.process_slice`), and all of them make the same calls in the same
order.
"""

from collections.abc import Callable
from typing import Any, Protocol

import jax
import numpy as np
from jax.sharding import Mesh, NamedSharding
from jax.sharding import PartitionSpec as P

from gan_jax.distributed.collectives import batch_axis, mean_over_devices
from gan_jax.distributed.mesh import AXIS, device_mesh, split_sharding
from gan_jax.distributed.state_sharding import SMALLEST, divide, dividing
from gan_jax.game import Array, Batch, Metrics, PRNGKey
from gan_jax.training.steps import TrainState, TrainStep

__all__ = [
    "MEMBERS",
    "PopulationStep",
    "fully_sharded",
    "pmapped",
    "population_step",
    "sharded",
]

MEMBERS = "members"
"""The name of the axis over which `population_step` maps."""

BATCH_DIMENSION = 2
"""Of the leaves of fused batches, ``[steps, discriminator_steps, batch, ...]``."""


def sharded(train_step: TrainStep, mesh: Mesh | None = None) -> TrainStep:
    """Jits a fused step with the batch split over the mesh and the state replicated.

    XLA sees the global batch, and so does everything that couples samples (BatchNorm, say): the
    numbers are those of one device, float32 rounding apart. The state that is passed in is donated.

    Batch leaves are ``[steps, discriminator_steps, batch, ...]``; in a job of several processes
    they are this process's samples of the batch. The global batch must divide by the number of
    devices.

    Args:
      train_step: a fused step.
      mesh: the devices; None: all of them.
    """
    mesh = mesh or device_mesh()
    return _jitted(train_step, mesh, NamedSharding(mesh, P()))


def fully_sharded(
    train_step: TrainStep, mesh: Mesh | None = None, smallest: int = SMALLEST
) -> TrainStep:
    """Jits a fused step with the batch split over the mesh, and the state divided over it, too.

    Each device keeps a part of the parameters, optimizer states and moving averages: of each leaf
    of at least ``smallest`` entries a part of its largest axis that the number of devices divides.
    A loss gathers the parameters when it uses them (`adversarial` does), and gradients are summed
    and divided again. Takes and returns what `sharded` does, with the same numbers; a state that is
    replicated is divided by the first call, at the price of compiling for both.

    Args:
      train_step: a fused step.
      mesh: the devices; None: all of them.
      smallest: leaves with fewer entries are replicated.

    Raises:
      ValueError: ``smallest`` is negative.

    References:
      Rajbhandari et al., "ZeRO: Memory Optimizations Toward Training Trillion Parameter Models"
      (2020), stage 3; the rule is that of big_vision's ``fsdp``.
    """
    if smallest < 0:
        raise ValueError(f"fully_sharded takes smallest >= 0, not {smallest}")
    devices = mesh or device_mesh()

    def step(state: TrainState, batch: Batch, rng: PRNGKey) -> tuple[TrainState, Metrics]:
        with dividing(devices, smallest):
            state, metrics = train_step(divide(state), batch, rng)
            return divide(state), metrics

    return _jitted(step, devices, None)


def _jitted(train_step: TrainStep, mesh: Mesh, state: NamedSharding | None) -> TrainStep:
    """The jitted step; ``state``: how the state is placed, None if the step says so itself."""
    replicated = NamedSharding(mesh, P())
    split = NamedSharding(mesh, P(*[None] * BATCH_DIMENSION, AXIS))
    program: TrainStep = jax.jit(
        train_step,
        in_shardings=(state, split, replicated),
        out_shardings=(state, replicated),
        donate_argnums=0,
    )
    if jax.process_count() == 1:
        return program

    def run(state: TrainState, batch: Batch, rng: PRNGKey) -> tuple[TrainState, Metrics]:
        """Runs the fused step over all devices: see `TrainStep`. The state is donated."""
        batch = {name: _join_processes(leaf, split) for name, leaf in batch.items()}
        return program(state, batch, rng)

    return run


def pmapped(train_step: TrainStep, mesh: Mesh | None = None, axis_name: str = AXIS) -> TrainStep:
    """Maps a fused step with ``jax.pmap``: each device works on its part of the batch.

    Takes and returns what `sharded` does, with the same numbers. Gradients are averaged over the
    devices, and anything that couples samples looks over the mapped axis
    (`gan_jax.distributed.collectives`). The batch must have ``"sample_index"``, by which draws are
    keyed. JAX keeps pmap in maintenance and runs it as ``jit(shard_map)``: prefer `sharded`.

    Args:
      train_step: a fused step.
      mesh: the devices; None: all of them.
      axis_name: the name of the mapped axis.

    Returns:
      The mapped step, which raises ValueError for a batch without ``"sample_index"``.
    """
    mesh = mesh or device_mesh()
    local = [device for device in mesh.devices.flat if device.process_index == jax.process_index()]
    local_mesh = device_mesh(local)

    def on_device(state: TrainState, batch: Batch, rng: PRNGKey) -> tuple[TrainState, Metrics]:
        with batch_axis(axis_name):
            state, metrics = train_step(state, batch, rng)
            return state, mean_over_devices(metrics)

    program: TrainStep = jax.pmap(
        on_device,
        axis_name,
        in_axes=(None, BATCH_DIMENSION, None),
        out_axes=None,
        donate_argnums=0,
        devices=list(mesh.devices.flat),
    )

    def run(state: TrainState, batch: Batch, rng: PRNGKey) -> tuple[TrainState, Metrics]:
        """Runs the fused step over all devices: see `TrainStep`. The state is donated."""
        if "sample_index" not in batch:
            raise ValueError(
                "pmapped needs the batch's \"sample_index\", each sample's position in the global "
                "batch: draws are keyed by it"
            )
        parts = {name: _split_over_devices(leaf, len(local)) for name, leaf in batch.items()}
        if jax.process_count() == 1:
            return program(state, parts, rng)
        # pmap takes and returns arrays of this process's devices, all else is of all devices.
        local_state = jax.tree.map(lambda leaf: _copies_on(leaf, local_mesh), state)
        local_rng = rng if rng.is_fully_addressable else rng.addressable_data(0)
        state, metrics = program(local_state, parts, local_rng)
        state = jax.tree.map(lambda leaf: _copies_on(leaf, mesh), state)
        return state, {name: _copies_on(leaf, mesh) for name, leaf in metrics.items()}

    return run


class PopulationStep(Protocol):
    """A function that trains all members of a population by one fused step each."""

    def __call__(
        self, numbers: Any, state: TrainState, batch: Batch, rng: PRNGKey, /
    ) -> tuple[TrainState, Metrics]:
        """Computes the members' next states.

        Args:
          numbers: hyperparameters, a pytree of arrays ``[members]``.
          state: the members' states, all leaves ``[members, ...]``.
          batch: ``[members, steps, discriminator_steps, batch, ...]``.
          rng: keys ``[members]``.

        Returns:
          The states after the steps, and metrics ``[members, steps]``.
        """
        ...


def population_step(
    make_step: Callable[[Any], TrainStep], mesh: Mesh | None = None
) -> PopulationStep:
    """Maps fused steps over the members of a population, in one program.

    The members are split over the mesh, and each is trained as it would be alone. The states that
    are passed in are donated.

    Args:
      make_step: returns a member's fused step for its own numbers (learning rates, penalty weights,
        ...), which are traced scalars.
      mesh: the devices; None: all of them.
    """
    by_member = split_sharding(mesh or device_mesh())

    def step(
        numbers: Any, state: TrainState, batch: Batch, rng: PRNGKey
    ) -> tuple[TrainState, Metrics]:
        return make_step(numbers)(state, batch, rng)

    program: PopulationStep = jax.jit(
        jax.vmap(step, axis_name=MEMBERS),
        in_shardings=by_member,
        out_shardings=by_member,
        donate_argnums=1,
    )
    return program


def _split_over_devices(leaf: Array, devices: int) -> Array:
    """``[steps, discriminator_steps, batch, ...]``, batch -> ``devices, batch / devices``."""
    before, after = leaf.shape[:BATCH_DIMENSION], leaf.shape[BATCH_DIMENSION + 1 :]
    batch = leaf.shape[BATCH_DIMENSION]
    return leaf.reshape(*before, devices, batch // devices, *after)


def _join_processes(samples: Array, split: NamedSharding) -> Array:
    """One global array of the samples that each process has."""
    joined: Array = jax.make_array_from_process_local_data(split, np.asarray(samples))
    return joined


def _copies_on(leaf: Array, mesh: Mesh) -> Array:
    """The copies of a leaf on this process's devices, as an array replicated on the mesh."""
    shards = [shard.data for shard in leaf.addressable_shards]
    replicated = NamedSharding(mesh, P())
    return jax.make_array_from_single_device_arrays(leaf.shape, replicated, shards)
