"""Collectives over a batch that is divided over devices, for what couples the samples of a batch.

Under ``jax.jit`` with shardings an array is the whole batch, and the functions here change nothing.
Under ``jax.pmap`` each device holds a part, and they look over the whole mapped axis. In gradient
accumulation the parts come one after the other: nothing can look over all of them, so they raise
`UserError`.
"""

import contextlib
from collections.abc import Iterator
from contextvars import ContextVar
from typing import TypeVar

import jax
import jax.numpy as jnp
from jax import Array, lax

from gan_jax.errors import UserError

Tree = TypeVar("Tree")

_batch_axis: ContextVar[str | None] = ContextVar("batch_axis", default=None)
_accumulated_parts: ContextVar[int] = ContextVar("accumulated_parts", default=0)


@contextlib.contextmanager
def batch_axis(name: str | None) -> Iterator[None]:
    """Declares that the batch is divided over a mapped axis, one equal part per device.

    Enter it inside the mapped function, while it is traced.

    Args:
      name: of the axis of ``jax.pmap``; None if the batch is whole.
    """
    token = _batch_axis.set(name)
    try:
        yield
    finally:
        _batch_axis.reset(token)


@contextlib.contextmanager
def accumulating(parts: int) -> Iterator[None]:
    """Declares that the batch is one of several parts: within it, all collectives raise UserError.

    Args:
      parts: how many there are.
    """
    token = _accumulated_parts.set(parts)
    try:
        yield
    finally:
        _accumulated_parts.reset(token)


def _axis() -> str | None:
    """Returns the axis over which the batch is divided. Raises UserError in accumulation."""
    parts = _accumulated_parts.get()
    if parts:
        raise UserError(
            f"gradients cannot be accumulated over {parts} parts of a batch here: a layer or a "
            "term (BatchNorm, minibatch statistics, a mean over the batch) needs the whole batch "
            "at once"
        )
    return _batch_axis.get()


def batch_mean(x: Array, axes: tuple[int, ...]) -> Array:
    """Computes the mean over some axes, one of them the batch's, and over all devices.

    Args:
      x: an array.
      axes: the axes to reduce.

    Returns:
      The mean, with the reduced axes kept as size 1.
    """
    return mean_over_devices(jnp.mean(x, axes, keepdims=True))


def mean_over_devices(tree: Tree) -> Tree:
    """Computes the mean of each leaf over all devices.

    It turns what was computed from a part of the batch into what the whole batch gives, if that is
    a mean over samples.

    Args:
      tree: a pytree of arrays.

    Returns:
      A pytree of the same shapes.
    """
    axis = _axis()
    if axis is None:
        return tree

    def mean(leaf: Array) -> Array:
        result: Array = lax.pmean(leaf, axis)
        return result

    means: Tree = jax.tree.map(mean, tree)
    return means


def gather_batch(x: Array) -> Array:
    """Gathers the samples of all devices in their global order.

    Args:
      x: this device's samples ``[batch, ...]``.

    Returns:
      All samples ``[devices * batch, ...]``.
    """
    axis = _axis()
    if axis is None:
        return x
    gathered: Array = lax.all_gather(x, axis, tiled=True)
    return gathered


def local_slice(x: Array, batch_size: int) -> Array:
    """Returns this device's part of an array over the whole batch; the inverse of `gather_batch`.

    Args:
      x: ``[devices * batch_size, ...]``.
      batch_size: of this device.

    Returns:
      ``[batch_size, ...]``.
    """
    axis = _axis()
    if axis is None:
        return x
    return lax.dynamic_slice_in_dim(x, lax.axis_index(axis) * batch_size, batch_size)
