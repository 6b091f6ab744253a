"""Batches and populations divided over all devices of all processes."""

import functools
import math
from collections.abc import Callable, Sequence
from typing import Any, Protocol, TypeVar

import jax
import numpy as np
from jax import Array
from jax.sharding import AxisType, Mesh, NamedSharding
from jax.sharding import PartitionSpec as P
from jax.typing import ArrayLike

from gan_jax.distributed.cpu import warn_if_slow

AXIS = "devices"
"""The name of the mesh's only axis, and of the mapped axis under ``jax.pmap``."""

Tree = TypeVar("Tree")


class BatchFunction(Protocol):
    """A function of a batch that computes each sample without looking at the others."""

    def __call__(self, shared: Any, batch: Any, /) -> Any:
        """Computes the result of each sample.

        Args:
          shared: a pytree that is the same for all samples, such as parameters.
          batch: a pytree with leaves ``[b, ...]``.

        Returns:
          The results, an array or a pytree of arrays ``[b, ...]``.
        """
        ...


def device_mesh(devices: Sequence[jax.Device] | None = None) -> Mesh:
    """Returns a mesh with one axis, over which batches are divided.

    Args:
      devices: the devices of the mesh; None for all devices of all processes.
    """
    devices = jax.devices() if devices is None else devices
    return jax.make_mesh((len(devices),), (AXIS,), axis_types=(AxisType.Auto,), devices=devices)


def replicated_sharding(mesh: Mesh | None = None) -> NamedSharding:
    """Returns the sharding of a train state: a copy on each device.

    Args:
      mesh: None for all devices.
    """
    return NamedSharding(mesh or device_mesh(), P())


def split_sharding(mesh: Mesh) -> NamedSharding:
    """Returns the sharding of a batch or population: equal parts of axis 0 on each device."""
    return NamedSharding(mesh, P(AXIS))


def compute_replicated(make: Callable[[], Tree]) -> Tree:
    """Computes ``make()`` in all processes alike, with a copy of the result on each device."""
    result: Tree = jax.jit(make, out_shardings=replicated_sharding())()
    return result


def batch_parallel(function: BatchFunction) -> BatchFunction:
    """Compiles a function of batches so that each batch is divided over all devices.

    If there are several processes, all of them must call it with the same batch, as NumPy arrays.

    Args:
      function: see `BatchFunction`.

    Returns:
      The compiled function. Its batch size must be divisible by the number of devices, see
      `divisible_batch_size`. Each device, and so each process, gets the whole result.
    """
    warn_if_slow()
    mesh = device_mesh()
    copies, split = replicated_sharding(mesh), split_sharding(mesh)
    program = jax.jit(function, in_shardings=(copies, split), out_shardings=copies)
    if jax.process_count() == 1:
        return program

    def global_array(leaf: np.ndarray) -> Array:
        return jax.make_array_from_callback(leaf.shape, split, lambda index: leaf[index])

    def call(shared: Any, batch: Any, /) -> Any:
        return program(shared, jax.tree.map(global_array, batch))

    return call


def replicate(tree: Tree) -> Tree:
    """Copies the leaves of a pytree to each device.

    Arrays that are divided over the devices are gathered.

    Args:
      tree: a pytree of arrays, the same in all processes; of those that are distributed over
        processes each has a part.

    Returns:
      The pytree, its leaves JAX arrays with a copy on each device.
    """
    sharding = replicated_sharding()

    def copy(leaf: ArrayLike) -> Array:
        if isinstance(leaf, jax.Array) and not leaf.is_fully_addressable:
            return leaf if leaf.is_fully_replicated else _gather(leaf, sharding)
        if jax.process_count() == 1:
            placed: Array = jax.device_put(leaf, sharding)
            return placed
        return jax.make_array_from_callback(
            np.shape(leaf), sharding, lambda index: np.asarray(leaf)[index]
        )

    copies: Tree = jax.tree.map(copy, tree)
    return copies


@functools.partial(jax.jit, static_argnums=1)
def _gather(leaf: Array, sharding: NamedSharding) -> Array:
    whole: Array = jax.lax.with_sharding_constraint(leaf, sharding)
    return whole


def on_host(leaf: ArrayLike) -> np.ndarray:
    """Returns a leaf of a state as a NumPy array, gathered if it is divided over processes.

    Then all processes must call it, and each device holds the whole leaf for a moment.
    """
    if isinstance(leaf, jax.Array) and not leaf.is_fully_addressable:
        leaf = replicate(leaf).addressable_data(0)
    return np.asarray(leaf)


def divisible_batch_size(size: int) -> int:
    """Rounds a batch size up to a multiple of the number of devices."""
    devices = jax.device_count()
    return math.ceil(size / devices) * devices


def pad_batch(samples: np.ndarray, size: int) -> np.ndarray:
    """Pads a batch, so that all batches have one shape and are compiled once.

    Args:
      samples: ``[n, ...]``, n at least 1.
      size: the batch size.

    Returns:
      ``[max(n, size), ...]``, the last sample repeated.
    """
    missing = size - len(samples)
    if missing <= 0:
        return samples
    return np.concatenate([samples, np.repeat(samples[-1:], missing, axis=0)])
