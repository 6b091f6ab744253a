"""JAX's own random numbers, drawn faster on a CPU.

There, drawing latents takes much of a toy GAN's step: JAX runs the rounds of Threefry in a loop
over arrays in memory, to compile quickly. Written out, they fuse into one pass over registers,
about 3 times as fast. Keys made by `key` work with all of ``jax.random`` and draw the same bits as
``jax.random.key(seed)``, because they run the same integer arithmetic on the same counters.
`normal` turns these bits into the numbers of ``jax.random.normal`` in about half the time.
"""

import math

import jax
import jax.numpy as jnp
import numpy as np
from jax import Array
from jax.extend import random as extend_random
from jax.typing import ArrayLike

from gan_jax.platforms import platform

__all__ = ["key", "normal", "quantile"]

ROTATIONS = ((13, 15, 26, 6), (17, 29, 16, 24))
PARITY = 0x1BD11BDA


def _threefry(key: Array, high: Array, low: Array) -> tuple[Array, Array]:
    """Computes Threefry-2x32 with 20 rounds.

    Args:
      key: uint32 ``[2]``.
      high: the high words of the counters, uint32.
      low: the low words of the counters, uint32.

    Returns:
      The two words of each block, uint32.

    References:
      Salmon et al., "Parallel Random Numbers: As Easy as 1, 2, 3" (SC 2011), section 3.3.
    """
    words = (key[0], key[1], key[0] ^ key[1] ^ jnp.uint32(PARITY))
    x, y = high + words[0], low + words[1]
    for group in range(5):
        for rotation in ROTATIONS[group % 2]:
            x = x + y
            y = x ^ ((y << rotation) | (y >> (32 - rotation)))
        x = x + words[(group + 1) % 3]
        y = y + words[(group + 2) % 3] + jnp.uint32(group + 1)
    return x, y


def _counters(shape: tuple[int, ...]) -> tuple[Array, Array]:
    """Returns the counters 0, 1, 2, ... as high and low words."""
    count = math.prod(shape)
    if count >= 2**32:
        raise ValueError(f"one draw holds fewer than 2^32 numbers, not {count}")
    low = jax.lax.iota(jnp.uint32, count).reshape(shape)
    return jnp.zeros_like(low), low


def _split(key: Array, shape: tuple[int, ...]) -> Array:
    return jnp.stack(_threefry(key, *_counters(shape)), -1)


def _fold_in(key: Array, data: Array) -> Array:
    return jnp.stack(_threefry(key, jnp.uint32(0), jnp.asarray(data, jnp.uint32)))


def _random_bits(key: Array, bit_width: int, shape: tuple[int, ...]) -> Array:
    x, y = _threefry(key, *_counters(shape))
    if bit_width == 64:
        return (x.astype(jnp.uint64) << 32) | y.astype(jnp.uint64)
    return (x ^ y).astype({8: jnp.uint8, 16: jnp.uint16, 32: jnp.uint32}[bit_width])


def _seed(seed: Array) -> Array:
    return jax.random.key_data(jax.random.key(seed, impl="threefry2x32"))


_WRITTEN_OUT = extend_random.define_prng_impl(
    key_shape=(2,),
    seed=_seed,
    split=_split,
    random_bits=_random_bits,
    fold_in=_fold_in,  # type: ignore[arg-type]
    name="threefry_written_out",
    tag="fry",
)


def key(seed: ArrayLike) -> Array:
    """Returns the key of a seed, as ``jax.random.key(seed)`` does; on a CPU its draws are faster.

    Draws of integers and bits equal those of ``jax.random.key(seed, impl="threefry2x32")`` exactly:
    the key runs the same integer arithmetic. Floats made of these bits are the same up to how XLA
    rounds them. The generator is named, so the numbers do not change with JAX's default generator.
    It is Threefry, so under ``vmap`` the draw of a sample depends on its own key alone, which
    JAX does not promise for ``rbg``.

    Args:
      seed: an integer, or a traced integer scalar.

    Returns:
      A typed PRNG key, a scalar array.
    """
    if platform() != "cpu":
        return jax.random.key(seed, impl="threefry2x32")
    return jax.random.key(seed, impl=_WRITTEN_OUT)


def normal(key: Array, shape: tuple[int, ...]) -> Array:
    """Draws standard normal numbers, ``sqrt(2) erfinv(u)`` with u uniform in (-1, 1).

    They are those of ``jax.random.normal(key, shape)``, made of the same bits, to 1e-5 relative.
    Most of the difference is the rounding of XLA's ``erfinv``. On other backends than a CPU, and
    with 64-bit floats, the result is that of ``jax.random.normal`` itself.

    Args:
      key: a PRNG key.
      shape: the shape of the result.

    Returns:
      Numbers of this shape, float32 (float64 if JAX's 64-bit types are enabled).
    """
    if platform() != "cpu" or jax.dtypes.canonicalize_dtype(float) != jnp.float32:
        return jax.random.normal(key, shape)
    above_minus_one = np.nextafter(np.float32(-1), np.float32(0))
    return quantile(jax.random.uniform(key, shape, jnp.float32, above_minus_one, 1.0))


# Rational and polynomial fits of least relative error, by weighted least squares. The tests compare
# them with scipy's quantiles.
NUMERATOR = (
    1.2533143882,
    -0.8061264004,
    0.6327768458,
    -0.2352728308,
    0.0954015611,
    -0.0180480981,
    0.0038852193,
)
DENOMINATOR = (1.0, -0.643181107, 0.2429003892, -0.0184329118, -0.0028128981, 0.0022845973)
LOGARITHM = (
    1.0,
    -0.4999993211,
    0.3333303879,
    -0.2500802784,
    0.2001779022,
    -0.1641278009,
    0.1390347478,
    -0.1540325747,
    0.1443489154,
)


def quantile(u: Array) -> Array:
    """Computes the quantiles of the normal distribution, ``sqrt(2) erfinv(u)``, to 3e-6 relative.

    With ``w = -log(1 - u^2)`` and ``s = sqrt(w)``, ``erfinv(u) / u`` is smooth in s over all of
    (0, 4), where a quotient of polynomials of degrees 6 and 5 approximates it to 2e-7. One formula
    serves for all u, so no branch is computed in vain.

    Args:
      u: float32 in (-1, 1), any shape.

    Returns:
      The quantile at ``(1 + u) / 2``, float32, of the shape of ``u``.

    References:
      Giles, "Approximating the erfinv function" (GPU Computing Gems, 2011), for ``erfinv`` as a
      function of w; the polynomials there are in two ranges.
    """
    t = (1 - u) * (1 + u)
    bits = jax.lax.bitcast_convert_type(t, jnp.int32)
    exponent = (bits - 0x3F2AAAAB) >> 23  # such that the mantissa is in [2/3, 4/3)
    f = jax.lax.bitcast_convert_type(bits - (exponent << 23), jnp.float32) - 1
    w = -(exponent.astype(jnp.float32) * np.float32(math.log(2)) + f * _polynomial(LOGARITHM, f))
    s = jnp.sqrt(jnp.maximum(w, 0))
    return u * (_polynomial(NUMERATOR, s) / _polynomial(DENOMINATOR, s))


def _polynomial(coefficients: tuple[float, ...], x: Array) -> Array:
    """Evaluates a polynomial, its coefficients in ascending order, by Horner's rule."""
    y = jnp.full_like(x, coefficients[-1])
    for coefficient in coefficients[-2::-1]:
        y = y * x + np.float32(coefficient)
    return y
