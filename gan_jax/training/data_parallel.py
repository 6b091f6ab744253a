"""Train steps on many devices and processes: the same pure step, mapped.

A state is replicated, never stacked, and a batch is split over all devices. In a job of several processes (`jax.distributed`)
each process gives its own rows of the batch (`processes.own_rows`) and all of them call the same things in the same order.
"""

from collections.abc import Callable
from typing import Any

import jax
import numpy as np
from jax.sharding import Mesh, NamedSharding
from jax.sharding import PartitionSpec as P

from gan_jax.distributed.collectives import batch_axis, mean_over_devices
from gan_jax.distributed.mesh import AXIS, device_mesh, split_sharding
from gan_jax.game import Batch, Metrics, PRNGKey
from gan_jax.training.steps import TrainState, TrainStep

BATCH_DIMENSION = 2
"""Of the leaves of fused batches, ``[steps, discriminator_steps, batch, ...]``."""


def sharded(train_step: TrainStep, mesh: Mesh | None = None) -> TrainStep:
    """Jits a fused step with the batch split over the mesh and the state replicated; the state given is donated.

    Batch leaves are ``[steps, discriminator_steps, batch, ...]``, in a job of several processes this process's rows of the batch; the
    global batch must divide by the number of devices. XLA sees the global batch, so whatever couples samples (BatchNorm,
    say) does too, and the numbers are those of one device, float32 rounding apart.
    """
    mesh = mesh or device_mesh()
    copies, split = (
        NamedSharding(mesh, P()),
        NamedSharding(mesh, P(*[None] * BATCH_DIMENSION, AXIS)),
    )
    program = jax.jit(
        train_step, in_shardings=(copies, split, copies), out_shardings=copies, donate_argnums=0
    )
    if jax.process_count() == 1:
        return program

    def run(state: TrainState, batch: Batch, rng: PRNGKey) -> tuple[TrainState, Metrics]:
        return program(state, jax.tree.map(lambda rows: _from_processes(rows, split), batch), rng)

    return run


def pmapped(train_step: TrainStep, mesh: Mesh | None = None, axis_name: str = AXIS) -> TrainStep:
    """Maps a fused step with ``jax.pmap``: each device works on its part of the batch; the state given is donated.

    Takes and returns what `sharded` does, to the same numbers. Gradients are averaged over the devices, and what couples
    samples looks over the mapped axis (`gan_jax.distributed.collectives`). The batch carries ``"sample_index"``, by which draws are keyed.
    JAX keeps pmap in maintenance and runs it as ``jit(shard_map)``: prefer `sharded`.
    """
    mesh = mesh or device_mesh()
    local = [device for device in mesh.devices.flat if device.process_index == jax.process_index()]
    local_mesh = device_mesh(local)

    def on_device(state: TrainState, batch: Batch, rng: PRNGKey) -> tuple[TrainState, Metrics]:
        with batch_axis(axis_name):
            state, metrics = train_step(state, batch, rng)
            return state, mean_over_devices(metrics)

    program = jax.pmap(
        on_device, axis_name, in_axes=(None, BATCH_DIMENSION, None), out_axes=None, donate_argnums=0,
        devices=list(mesh.devices.flat),
    )  # fmt: skip

    def run(state: TrainState, batch: Batch, rng: PRNGKey) -> tuple[TrainState, Metrics]:
        if "sample_index" not in batch:
            raise ValueError(
                "pmapped needs the batch's \"sample_index\", each sample's row in the global batch: draws are keyed by it"
            )
        parts = jax.tree.map(lambda leaf: _in_parts(leaf, len(local)), batch)
        if jax.process_count() == 1:
            return program(state, parts, rng)
        # pmap takes and returns arrays of this process's devices, all else is of all devices.
        own = jax.tree.map(lambda leaf: _placed(leaf, local_mesh), state)
        state, metrics = program(
            own, parts, rng if rng.is_fully_addressable else rng.addressable_data(0)
        )
        return jax.tree.map(lambda leaf: _placed(leaf, mesh), (state, metrics))

    return run


PARALLELISM: dict[str, Callable[..., TrainStep]] = {"sharded": sharded, "pmapped": pmapped}
"""What ``config.parallelism`` can name."""


def population_step(
    make_step: Callable[[Any], TrainStep], mesh: Mesh | None = None
) -> Callable[..., tuple[TrainState, Metrics]]:
    """Maps fused steps over the members of a population, in one program: ``(numbers, state, batch, rng) -> (state, metrics)``.

    All leaves have a leading axis of members, spread over the mesh; the states given are donated. ``make_step(numbers)``
    returns a member's step for its own numbers (learning rates, penalty weights, ...), which are traced scalars.
    A member is trained as it would be alone.
    """
    spread = split_sharding(mesh or device_mesh())

    def step(
        numbers: Any, state: TrainState, batch: Batch, rng: PRNGKey
    ) -> tuple[TrainState, Metrics]:
        return make_step(numbers)(state, batch, rng)

    return jax.jit(jax.vmap(step), in_shardings=spread, out_shardings=spread, donate_argnums=1)


def _in_parts(leaf: Any, devices: int) -> Any:
    """``[steps, discriminator_steps, batch, ...] -> [steps, discriminator_steps, devices, batch / devices, ...]``."""
    before, batch, after = (
        leaf.shape[:BATCH_DIMENSION],
        leaf.shape[BATCH_DIMENSION],
        leaf.shape[BATCH_DIMENSION + 1 :],
    )
    return leaf.reshape(*before, devices, batch // devices, *after)


def _from_processes(rows: Any, split: NamedSharding) -> jax.Array:
    """One global array of the rows that each process has."""
    return jax.make_array_from_process_local_data(split, np.asarray(rows))


def _placed(leaf: jax.Array, mesh: Mesh) -> jax.Array:
    """The copies of a leaf that are on this process's devices, as an array with a copy on each device of the mesh."""
    shards = [shard.data for shard in leaf.addressable_shards]
    return jax.make_array_from_single_device_arrays(leaf.shape, NamedSharding(mesh, P()), shards)
