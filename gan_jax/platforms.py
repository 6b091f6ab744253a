"""The platform that programs are made for: that of this process, or of a machine elsewhere."""

import contextlib
from collections.abc import Iterator
from contextvars import ContextVar

_target: ContextVar[str | None] = ContextVar("target", default=None)


def platform() -> str:
    """Returns the platform that programs are traced for: "cpu", "gpu" or "tpu"."""
    target = _target.get()
    if target is not None:
        return target
    import jax

    return jax.default_backend()


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
