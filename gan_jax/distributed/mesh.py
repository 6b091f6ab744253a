"""Functions of samples that do not look at each other, computed on all devices of all processes."""

import math
from collections.abc import Callable, Sequence
from typing import Any

import jax
import numpy as np
from jax.sharding import AxisType, Mesh, NamedSharding
from jax.sharding import PartitionSpec as P

Array = jax.Array
AXIS = "devices"


def device_mesh(devices: Sequence[jax.Device] | None = None) -> Mesh:
    """A mesh of all devices of all processes (or those given) along one axis, over which batches are split."""
    devices = jax.devices() if devices is None else devices
    return jax.make_mesh((len(devices),), (AXIS,), axis_types=(AxisType.Auto,), devices=devices)


def replicated_sharding(mesh: Mesh | None = None) -> NamedSharding:
    """The place of a state: a copy on each device."""
    return NamedSharding(mesh or device_mesh(), P())


def split_sharding(mesh: Mesh) -> NamedSharding:
    """The place of a population: equal numbers of its members on each device."""
    return NamedSharding(mesh, P(AXIS))


def compute_replicated(make: Callable[[], Any]) -> Any:
    """What ``make()`` returns, computed by all processes alike, with a copy on each device."""
    return jax.jit(make, out_shardings=replicated_sharding())()


BatchFunction = Callable[[Any, Any], Array]
"""``(shared, batch) -> result [b, ...]``: ``shared`` is the same for all samples; the batch's leaves are ``[b, ...]``."""


def batch_parallel(function: BatchFunction) -> BatchFunction:
    """Jits ``function`` with each batch split over all devices, and the result whole on each of them.

    b must divide by the number of devices: see `batch_size_for`. Where there are several processes, all of them call it
    with the same batch, as NumPy arrays, and each gets the whole result.
    """
    mesh = device_mesh()
    copies, split = NamedSharding(mesh, P()), NamedSharding(mesh, P(AXIS))
    program = jax.jit(function, in_shardings=(copies, split), out_shardings=copies)
    if jax.process_count() == 1:
        return program

    def rows(leaf: np.ndarray) -> Array:
        return jax.make_array_from_callback(leaf.shape, split, lambda index: leaf[index])

    return lambda shared, batch: program(shared, jax.tree.map(rows, batch))


def replicate(tree: Any) -> Any:
    """The leaves of a pytree with a copy on each device; arrays that are spread over processes already are left so."""
    place = NamedSharding(device_mesh(), P())

    def copies(leaf: Any) -> Array:
        if isinstance(leaf, jax.Array) and not leaf.is_fully_addressable:
            return leaf
        if jax.process_count() == 1:
            return jax.device_put(leaf, place)
        return jax.make_array_from_callback(
            np.shape(leaf), place, lambda index: np.asarray(leaf)[index]
        )

    return jax.tree.map(copies, tree)


def divisible_batch_size(wanted: int) -> int:
    """The batch size from ``wanted`` on that divides by the number of devices."""
    devices = jax.device_count()
    return -(-wanted // devices) * devices


def pad_batch(rows: np.ndarray, size: int) -> np.ndarray:
    """``rows`` with the last one repeated up to ``size``: batches of one shape are compiled once."""
    return (
        np.concatenate([rows, np.repeat(rows[-1:], size - len(rows), axis=0)])
        if len(rows) < size
        else rows
    )


def members_per_device(size: int, devices: int) -> tuple[int, int]:
    """How many of the devices a population takes, and its size when it is filled up to be spread evenly over them.

    As few members lie on a device as can be, ``ceil(size / devices)``, and as few devices are taken as that needs.
    """
    each = math.ceil(size / devices)
    taken = math.ceil(size / each)
    return taken, taken * each
