"""A train state that is divided over the devices, leaf by leaf, by one rule (FSDP).

A leaf of at least ``smallest`` entries is divided along its largest axis that the number of devices
divides; the first of several equal ones. All other leaves have a copy on each device.
"""

import contextlib
import math
from collections.abc import Iterator
from contextvars import ContextVar
from typing import Any, TypeVar

import jax
from jax import Array
from jax.sharding import Mesh, NamedSharding
from jax.sharding import PartitionSpec as P

from gan_jax.distributed.mesh import AXIS, device_mesh, replicated_sharding

SMALLEST = 2**18
"""Leaves with fewer entries, 1 MB of float32, are not divided: sending them takes longer than they
are worth."""

Tree = TypeVar("Tree")

_rule: ContextVar[tuple[Mesh, int] | None] = ContextVar("rule", default=None)


def leaf_sharding(shape: tuple[int, ...], mesh: Mesh, smallest: int = SMALLEST) -> NamedSharding:
    """Returns the sharding of a leaf: its largest divisible axis over the devices, or copies.

    Args:
      shape: of the leaf.
      mesh: the devices.
      smallest: leaves with fewer entries are replicated.
    """
    divisible = [axis for axis, length in enumerate(shape) if length and length % mesh.size == 0]
    if math.prod(shape) < smallest or not divisible:
        return replicated_sharding(mesh)
    largest = max(divisible, key=lambda axis: shape[axis])
    return NamedSharding(mesh, P(*[None] * largest, AXIS))


def state_sharding(state: Any, mesh: Mesh | None = None, smallest: int = SMALLEST) -> Any:
    """Returns the sharding of each leaf of a train state, by the rule of this module.

    Args:
      state: a pytree of arrays, or of shapes as ``jax.eval_shape`` gives them.
      mesh: the devices; None: all of them.
      smallest: leaves with fewer entries are replicated.

    Returns:
      A pytree like ``state``.
    """
    devices = mesh or device_mesh()
    return jax.tree.map(lambda leaf: leaf_sharding(leaf.shape, devices, smallest), state)


@contextlib.contextmanager
def dividing(mesh: Mesh, smallest: int) -> Iterator[None]:
    """Declares that the state is divided, so that `whole_parameters` gathers it.

    Enter it inside the jitted function, while it is traced.

    Args:
      mesh: the devices.
      smallest: leaves with fewer entries are replicated.
    """
    token = _rule.set((mesh, smallest))
    try:
        yield
    finally:
        _rule.reset(token)


def divide(tree: Tree) -> Tree:
    """Divides the leaves of a pytree over the devices, where a state is divided."""
    rule = _rule.get()
    if rule is None:
        return tree
    divided: Tree = jax.lax.with_sharding_constraint(tree, state_sharding(tree, *rule))
    return divided


def whole_parameters(params: Tree) -> Tree:
    """Gathers parameters where they are used, if the state is divided; else returns them.

    Without it XLA is free to divide the networks' layers as the parameters are divided, and to send
    activations instead, which are larger. Gradients with respect to ``params`` are divided again,
    as soon as they are summed over the devices.

    Args:
      params: a pytree of arrays.
    """
    rule = _rule.get()
    if rule is None:
        return params
    replicated = replicated_sharding(rule[0])

    def gather(leaf: Array) -> Array:
        # The gradient passes through both: summed over the devices first, then divided.
        divided = jax.lax.with_sharding_constraint(leaf, leaf_sharding(leaf.shape, *rule))
        whole: Array = jax.lax.with_sharding_constraint(divided, replicated)
        return whole

    gathered: Tree = jax.tree.map(gather, params)
    return gathered
