"""Initializers whose random numbers can all come from one draw.

When XLA compiles the initialisation of a deep network, it spends most of its time on the random
number
generators, of which there is one per kernel: 40 s for a small pair of residual networks on two busy
cores. `init_from_one_draw` replaces them by one generator per distribution, which takes 4 s.
"""

import contextlib
import math
from collections import Counter
from collections.abc import Callable, Iterator
from contextvars import ContextVar
from typing import Literal, Protocol, TypeVar

import jax
import jax.numpy as jnp
from jax.typing import DTypeLike

from gan_jax.game import Array, PRNGKey

T = TypeVar("T")
Distribution = Literal["normal", "uniform"]


class Initializer(Protocol):
    """A function that draws the initial value of a parameter: an array of that shape and dtype."""

    def __call__(
        self, key: PRNGKey, shape: tuple[int, ...], dtype: DTypeLike = jnp.float32
    ) -> Array: ...


def _standard_normal(key: PRNGKey, shape: tuple[int, ...]) -> Array:
    return jax.random.normal(key, shape, jnp.float32)


def _uniform_from_minus_one_to_one(key: PRNGKey, shape: tuple[int, ...]) -> Array:
    return jax.random.uniform(key, shape, jnp.float32, -1.0, 1.0)


DISTRIBUTIONS: dict[Distribution, Callable[[PRNGKey, tuple[int, ...]], Array]] = {
    "normal": _standard_normal,
    "uniform": _uniform_from_minus_one_to_one,
}


class DrawPool:
    """One long draw from each distribution, handed out in consecutive pieces.

    Without draws it hands out zeros and only counts how many numbers are asked for.
    """

    def __init__(self, draws: dict[Distribution, Array] | None = None) -> None:
        self.draws = draws
        self.used: Counter[Distribution] = Counter()

    def take(self, distribution: Distribution, shape: tuple[int, ...]) -> Array:
        """Returns the next numbers from a distribution, as an array of that shape."""
        start, size = self.used[distribution], math.prod(shape)
        self.used[distribution] += size
        if self.draws is None:
            return jnp.zeros(shape, jnp.float32)
        return self.draws[distribution][start : start + size].reshape(shape)


_pool: ContextVar[DrawPool | None] = ContextVar("pool", default=None)


@contextlib.contextmanager
def _drawing_from(pool: DrawPool) -> Iterator[None]:
    """Within this context the initializers below take their numbers from the pool."""
    token = _pool.set(pool)
    try:
        yield
    finally:
        _pool.reset(token)


def init_from_one_draw(init: Callable[[PRNGKey], T], rng: PRNGKey) -> T:
    """Returns ``init(rng)``, with all numbers of the initializers below from one draw each.

    ``init`` is traced once to count the numbers, then run on slices of one draw per distribution.
    It must ask for the same numbers each time.
    """
    counting = DrawPool()
    with _drawing_from(counting):
        jax.eval_shape(init, rng)
    sizes = counting.used
    keys = jax.random.split(rng, len(DISTRIBUTIONS))
    draws = {
        name: draw(key, (sizes[name],))
        for (name, draw), key in zip(DISTRIBUTIONS.items(), keys, strict=True)
    }
    pool = DrawPool(draws)
    with _drawing_from(pool):
        variables = init(rng)
    assert pool.used == sizes, "an initialisation must ask for the same numbers each time"
    return variables


def _draw(distribution: Distribution, key: PRNGKey, shape: tuple[int, ...]) -> Array:
    pool = _pool.get()
    return pool.take(distribution, shape) if pool else DISTRIBUTIONS[distribution](key, shape)


def normal(deviation: float) -> Initializer:
    """Returns an initializer that draws from N(0, deviation^2)."""

    def init(key: PRNGKey, shape: tuple[int, ...], dtype: DTypeLike = jnp.float32) -> Array:
        return (deviation * _draw("normal", key, shape)).astype(dtype)

    return init


def variance_scaling(
    scale: float, mode: Literal["fan_in", "fan_avg"], distribution: Distribution
) -> Initializer:
    """Returns an initializer of mean 0 and variance ``scale / fan``.

    A kernel is ``[..., in, out]``; its fans count all its taps.

    Args:
      scale: numerator of the variance.
      mode: the fan: "fan_in", or "fan_avg" for the mean of the fan in and the fan out.
      distribution: "normal" or "uniform".
    """

    def init(key: PRNGKey, shape: tuple[int, ...], dtype: DTypeLike = jnp.float32) -> Array:
        fan_in = math.prod(shape[:-1])
        fan_out = math.prod(shape[:-2]) * shape[-1]
        fan = fan_in if mode == "fan_in" else (fan_in + fan_out) / 2
        factor = math.sqrt(scale / fan)
        if distribution == "uniform":
            factor *= math.sqrt(3.0)  # U[-1, 1] has variance 1/3
        return (factor * _draw(distribution, key, shape)).astype(dtype)

    return init


def orthogonal(gain: float) -> Initializer:
    """Returns an initializer of ``gain`` times an orthogonal matrix.

    The matrix ``[everything else, out]`` has orthonormal columns, or rows if it is wider than high.
    """

    def init(key: PRNGKey, shape: tuple[int, ...], dtype: DTypeLike = jnp.float32) -> Array:
        rows, columns = math.prod(shape[:-1]), shape[-1]
        q, r = jnp.linalg.qr(_draw("normal", key, (max(rows, columns), min(rows, columns))))
        q = q * jnp.sign(jnp.diagonal(r))[None]  # otherwise not uniform over all such matrices
        return (gain * (q.T if rows < columns else q)).reshape(shape).astype(dtype)

    return init


def zeros(key: PRNGKey, shape: tuple[int, ...], dtype: DTypeLike = jnp.float32) -> Array:
    """Initializes with zeros."""
    return jnp.zeros(shape, dtype)


def ones(key: PRNGKey, shape: tuple[int, ...], dtype: DTypeLike = jnp.float32) -> Array:
    """Initializes with ones."""
    return jnp.ones(shape, dtype)
