"""Functions of samples that do not look at each other, computed on all devices of all processes."""

from collections.abc import Callable
from typing import Any

import jax
import numpy as np
from jax.sharding import NamedSharding
from jax.sharding import PartitionSpec as P

from gan_jax.game import Array
from gan_jax.parallel import AXIS, device_mesh

Spread = Callable[[Any, Any], Array]
"""``(shared, batch) -> result [b, ...]``: ``shared`` is the same for all samples; the batch's leaves are ``[b, ...]``."""


def spread(function: Spread) -> Spread:
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


def shared(tree: Any) -> Any:
    """The leaves of a pytree with a copy on each device; arrays that are spread over processes already are left so."""
    place = NamedSharding(device_mesh(), P())

    def copies(leaf: Any) -> Array:
        if isinstance(leaf, jax.Array) and not leaf.is_fully_addressable:
            return leaf
        if jax.process_count() == 1:
            return jax.device_put(leaf, place)
        return jax.make_array_from_callback(np.shape(leaf), place, lambda index: np.asarray(leaf)[index])

    return jax.tree.map(copies, tree)


def batch_size_for(wanted: int) -> int:
    """The batch size from ``wanted`` on that divides by the number of devices."""
    devices = jax.device_count()
    return -(-wanted // devices) * devices


def filled(rows: np.ndarray, size: int) -> np.ndarray:
    """``rows`` with the last one repeated up to ``size``: batches of one shape are compiled once."""
    return np.concatenate([rows, np.repeat(rows[-1:], size - len(rows), axis=0)]) if len(rows) < size else rows
