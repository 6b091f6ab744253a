"""Fast keys draw what JAX's own draw."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from scipy import special, stats

from gan_jax import random

DRAWS = {
    "bits": lambda key: jax.random.bits(key, (3, 5)),
    "bits 8": lambda key: jax.random.bits(key, (7,), jnp.uint8),
    "bits 16": lambda key: jax.random.bits(key, (7,), jnp.uint16),
    "normal": lambda key: jax.random.normal(key, (4, 3)),
    "scalar": lambda key: jax.random.uniform(key),
    "bfloat16": lambda key: jax.random.normal(key, (9,), jnp.bfloat16),
    "randint": lambda key: jax.random.randint(key, (20,), -5, 1000),
    "permutation": lambda key: jax.random.permutation(key, 50),
    "split": lambda key: jax.random.key_data(jax.random.split(key, (2, 3))),
    "fold_in": lambda key: jax.random.key_data(jax.random.fold_in(key, 2**32 - 1)),
    "per sample": lambda key: jax.vmap(
        lambda index: jax.random.normal(jax.random.fold_in(key, index), (6,))
    )(jnp.arange(8)),
}


@pytest.mark.parametrize("name", DRAWS)
@pytest.mark.parametrize("seed", [0, 1, 2**31 - 1])
def test_the_numbers_are_those_of_jax(name, seed):
    draw = DRAWS[name]
    key, reference = random.key(seed), jax.random.key(seed, impl="threefry2x32")
    folded = jax.random.fold_in(key, 7), jax.random.fold_in(reference, 7)
    for a, b in ((key, reference), folded):
        drawn, expected = np.asarray(jax.jit(draw)(a)), np.asarray(draw(b))
        if expected.dtype.kind in "iu":
            np.testing.assert_array_equal(drawn, expected)
        else:  # the same bits, but compiled programs round what they compute from them
            np.testing.assert_allclose(
                drawn.astype(np.float32), expected.astype(np.float32), rtol=1e-6, atol=1e-7
            )


def test_64_bit_numbers_are_those_of_jax(float64):
    key, reference = random.key(3), jax.random.key(3, impl="threefry2x32")
    np.testing.assert_array_equal(
        jax.random.bits(key, (5,), jnp.uint64), jax.random.bits(reference, (5,), jnp.uint64)
    )
    np.testing.assert_allclose(
        jax.random.normal(key, (5,)), jax.random.normal(reference, (5,)), rtol=1e-14
    )


def test_a_seed_may_be_traced():
    draw = jax.jit(jax.vmap(lambda seed: jax.random.normal(random.key(seed), (3,))))
    expected = jax.random.normal(jax.random.key(2, impl="threefry2x32"), (3,))
    np.testing.assert_allclose(draw(jnp.arange(4))[2], expected, rtol=1e-6)


def test_quantiles_are_those_of_scipy():
    """For all that a draw can pass: multiples of 2^-22, and the least float32 above -1."""
    least = np.nextafter(np.float32(-1), np.float32(0))
    tails = np.float32(1) - np.float32(2**-22) * np.arange(1, 20_000, dtype=np.float32)
    middle = np.float32(2**-22) * np.arange(-(2**22) + 1, 2**22, 37, dtype=np.float32)
    u = np.concatenate([[least], -tails, tails, middle[middle != 0]])
    expected = np.sqrt(2) * special.erfinv(u.astype(np.float64))
    np.testing.assert_allclose(jax.jit(random.quantile)(u), expected, rtol=3e-6)
    assert random.quantile(jnp.zeros((1,)))[0] == 0


@pytest.mark.parametrize("seed", [0, 5])
def test_normal_numbers_are_those_of_jax(seed):
    drawn = np.asarray(jax.jit(random.normal, static_argnums=1)(random.key(seed), (300, 1000)))
    expected = jax.random.normal(jax.random.key(seed, impl="threefry2x32"), (300, 1000))
    np.testing.assert_allclose(drawn, expected, rtol=1e-5, atol=1e-7)
    assert stats.kstest(drawn.ravel(), "norm").pvalue > 1e-4


def test_normal_numbers_of_64_bits_are_those_of_jax(float64):
    key = random.key(1)
    assert jnp.array_equal(random.normal(key, (3, 4)), jax.random.normal(key, (3, 4)))
