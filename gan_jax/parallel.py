"""Train steps on many devices: the same pure step, mapped."""

from collections.abc import Sequence

import jax
from jax.sharding import AxisType, Mesh, NamedSharding
from jax.sharding import PartitionSpec as P

from gan_jax.training import TrainStep

AXIS = "devices"
BATCH_DIMENSION = 2
"""Of the leaves of fused batches, ``[steps, turns, batch, ...]``."""


def device_mesh(devices: Sequence[jax.Device] | None = None) -> Mesh:
    """A mesh of all devices (or those given) along one axis, over which batches are split."""
    devices = jax.devices() if devices is None else devices
    return jax.make_mesh((len(devices),), (AXIS,), axis_types=(AxisType.Auto,), devices=devices)


def replicated() -> NamedSharding:
    """The place of a state: a copy on each device."""
    return NamedSharding(device_mesh(), P())


def sharded(train_step: TrainStep, mesh: Mesh | None = None) -> TrainStep:
    """Jits a fused step with the batch split over the mesh and the state replicated; the state given is donated.

    Batch leaves are ``[steps, turns, batch, ...]``; ``batch`` must divide by the number of devices. XLA sees the global
    batch, so whatever couples samples (BatchNorm, say) does too, and the numbers are those of one device, float32
    rounding apart.
    """
    mesh = mesh or device_mesh()
    everywhere, split = NamedSharding(mesh, P()), NamedSharding(mesh, P(*[None] * BATCH_DIMENSION, AXIS))
    return jax.jit(train_step, in_shardings=(everywhere, split, everywhere), out_shardings=everywhere, donate_argnums=0)
