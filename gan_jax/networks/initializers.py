"""All random numbers of an initialisation in one draw.

A generator of its own for each kernel is what XLA spends most of its time on when it compiles a deep network's
initialisation: 40 s for a small pair of residual networks on two busy cores, against 4 s this way.
"""

import contextlib
import math
from collections import Counter
from collections.abc import Callable, Iterator
from contextvars import ContextVar
from typing import Any

import flax.linen as nn
import jax
import jax.numpy as jnp

from gan_jax.game import Array, PRNGKey

Initializer = Callable[..., Array]
KINDS: dict[str, Callable[..., Array]] = {
    "normal": jax.random.normal,
    "uniform": lambda key, shape, dtype: jax.random.uniform(key, shape, dtype, -1.0, 1.0),
}


class Stream:
    """Hands out consecutive pieces of one draw of each kind; without draws it only counts what is asked for."""

    def __init__(self, draws: dict[str, Array] | None = None) -> None:
        self.draws = draws
        self.used: Counter[str] = Counter()

    def take(self, kind: str, shape: tuple[int, ...]) -> Array:
        start, size = self.used[kind], math.prod(shape)
        self.used[kind] += size
        if self.draws is None:
            return jnp.zeros(shape, jnp.float32)
        return self.draws[kind][start : start + size].reshape(shape)


_stream: ContextVar[Stream | None] = ContextVar("stream", default=None)


@contextlib.contextmanager
def _drawn_from(stream: Stream) -> Iterator[None]:
    token = _stream.set(stream)
    try:
        yield
    finally:
        _stream.reset(token)


def in_one_draw(init: Callable[[PRNGKey], Any], rng: PRNGKey) -> Any:
    """``init(rng)`` with the numbers of all initialisers below taken from one draw of each kind."""
    count = Stream()
    with _drawn_from(count):
        jax.eval_shape(init, rng)
    keys = jax.random.split(rng, len(KINDS))
    sizes = count.used
    draws = {
        kind: KINDS[kind](key, (sizes[kind],), jnp.float32)
        for kind, key in zip(KINDS, keys, strict=True)
    }
    stream = Stream(draws)
    with _drawn_from(stream):
        variables = init(rng)
    assert stream.used == sizes, "an initialisation must ask for the same numbers each time"
    return variables


def _draw(kind: str, key: PRNGKey, shape: tuple[int, ...]) -> Array:
    stream = _stream.get()
    return stream.take(kind, shape) if stream else KINDS[kind](key, shape, jnp.float32)


def normal(deviation: float) -> Initializer:
    """N(0, deviation^2)."""
    return lambda key, shape, dtype=jnp.float32: (deviation * _draw("normal", key, shape)).astype(
        dtype
    )


def scaled(scale: float, mode: str, distribution: str) -> Initializer:
    """Of variance ``scale / fan``, the fan being "fan_in", or "fan_avg", the mean of those in and out; "normal" or "uniform".

    A kernel is ``[..., in, out]``; its fans count all its taps.
    """

    def init(key: PRNGKey, shape: tuple[int, ...], dtype: Any = jnp.float32) -> Array:
        inner, outer = math.prod(shape[:-1]), math.prod(shape[:-2]) * shape[-1]
        deviation = math.sqrt(scale / (inner if mode == "fan_in" else (inner + outer) / 2))
        width = deviation * (math.sqrt(3.0) if distribution == "uniform" else 1.0)
        return (width * _draw(distribution, key, shape)).astype(dtype)

    return init


def orthogonal(gain: float) -> Initializer:
    """``gain`` times a matrix ``[everything else, out]`` with orthonormal columns (rows where it is wide)."""

    def init(key: PRNGKey, shape: tuple[int, ...], dtype: Any = jnp.float32) -> Array:
        rows, columns = math.prod(shape[:-1]), shape[-1]
        q, r = jnp.linalg.qr(_draw("normal", key, (max(rows, columns), min(rows, columns))))
        q = q * jnp.sign(jnp.diagonal(r))[None]  # else not uniform over all such matrices
        return (gain * (q.T if rows < columns else q)).reshape(shape).astype(dtype)

    return init


zeros = nn.initializers.zeros
ones = nn.initializers.ones
