"""The mapped axis over which a batch is spread, for whatever couples the samples of a batch.

Under ``jax.jit`` with shardings an array is the whole batch and nothing here does anything. Under ``jax.pmap`` each device
holds a part; what couples samples then looks over the whole axis. Where parts come one after the other, in gradient
accumulation, nothing can look over all of them, and what would is refused.
"""

import contextlib
from collections.abc import Iterator
from contextvars import ContextVar
from typing import Any

import jax
import jax.numpy as jnp
from jax import Array, lax

from gan_jax.errors import UserError

_batch_axis: ContextVar[str | None] = ContextVar("batch_axis", default=None)
_one_part: ContextVar[int] = ContextVar("one_part", default=0)


@contextlib.contextmanager
def batch_axis(name: str | None) -> Iterator[None]:
    """Within it the batch is spread over the mapped axis ``name`` (that of ``jax.pmap``), one equal part a device.

    Enter it inside the mapped function, while it is traced.
    """
    token = _batch_axis.set(name)
    try:
        yield
    finally:
        _batch_axis.reset(token)


@contextlib.contextmanager
def accumulating(parts: int) -> Iterator[None]:
    """Within it there is one part of a batch of so many: whatever asks for more than that raises UserError."""
    token = _one_part.set(parts)
    try:
        yield
    finally:
        _one_part.reset(token)


def _axis() -> str | None:
    if parts := _one_part.get():
        raise UserError(
            f"gradients cannot be accumulated over {parts} parts of a batch here: a layer or a term (BatchNorm, minibatch "
            "statistics, a mean over the batch) looks at the whole batch at once"
        )
    return _batch_axis.get()


def batch_mean(x: Array, axes: tuple[int, ...]) -> Array:
    """The mean over ``axes`` (the batch's among them) and over all devices, with the reduced axes kept as size 1."""
    return mean_over_devices(jnp.mean(x, axes, keepdims=True))


def mean_over_devices(tree: Any) -> Any:
    """The mean of each leaf over all devices: what was computed from a part of the batch, as from the whole."""
    axis = _axis()
    return tree if axis is None else jax.tree.map(lambda leaf: lax.pmean(leaf, axis), tree)


def gather_batch(x: Array) -> Array:
    """The samples of all devices in their global order: ``[batch, ...] -> [devices * batch, ...]``."""
    axis = _axis()
    return x if axis is None else lax.all_gather(x, axis, tiled=True)


def local_slice(x: Array, batch: int) -> Array:
    """This device's ``batch`` rows of something computed for the whole batch; the inverse of `whole_batch`."""
    axis = _axis()
    return x if axis is None else lax.dynamic_slice_in_dim(x, lax.axis_index(axis) * batch, batch)
