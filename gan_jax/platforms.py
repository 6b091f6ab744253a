"""The platform that programs are made for: that of this process, or of a machine elsewhere."""

import contextlib
from collections.abc import Iterator
from contextvars import ContextVar

LONGEST_WRITTEN_OUT = 16
"""Iterations of the longest loop that is written out on GPUs."""

_target: ContextVar[str | None] = ContextVar("target", default=None)


def platform() -> str:
    """Returns the platform that programs are traced for: "cpu", "gpu" or "tpu"."""
    target = _target.get()
    if target is not None:
        return target
    import jax

    return jax.default_backend()


def scan_unroll(steps: int) -> int:
    """Returns how many iterations of a short `jax.lax.scan` to write out: its ``unroll``.

    On a GPU a loop starts a kernel for each array that an iteration hands on, to the backward pass
    or as a result. So loops of up to `LONGEST_WRITTEN_OUT` steps are written out there, which more
    than halves the kernels of a look-ahead by 10 steps. Elsewhere it would only lengthen programs.
    """
    return steps if platform() == "gpu" and steps <= LONGEST_WRITTEN_OUT else 1


@contextlib.contextmanager
def programs_for(target: str) -> Iterator[None]:
    """Traces for another platform inside the ``with`` block, whatever this process computes on.

    Functions that choose among equal forms by platform then choose those of ``target``. JAX keeps
    what it has traced, so build anew inside what is to be compiled inside.
    """
    token = _target.set(target)
    try:
        yield
    finally:
        _target.reset(token)
