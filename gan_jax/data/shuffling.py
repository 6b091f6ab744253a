"""Random orders of any number of samples in constant memory: keyed permutations of 0 ... n - 1."""

import functools
import math
from typing import Protocol

import numpy as np

from gan_jax.data.positions import IndexFunction, index_function
from gan_jax.errors import UserError

ROUNDS = 16
"""Of the Feistel network: an even number, so that both halves are changed equally often."""

MAX_SAMPLES = 2**62
"""The largest n, so that no sum of two 64-bit numbers overflows."""


class Permutation(Protocol):
    """A bijection of 0 ... n - 1."""

    def __call__(self, index: np.ndarray, /) -> np.ndarray:
        """Maps indices ``[...]`` from 0 to n - 1 to int64 ``[...]``."""
        ...


def keyed_permutation(n: int, *key: int) -> Permutation:
    """Returns a pseudorandom permutation of ``0 ... n - 1`` that is computed, not stored.

    A Feistel network on pairs ``(l, r)`` in ``Z_a x Z_b`` with ``a = ceil(sqrt n)``, ``b = ceil(n /
    a)``: rounds add hashes of one half to the other, ``l + H_i(r) mod a`` and ``r + H_i(l) mod b``
    in turn. Each is a bijection, so all are. The network permutes ``a b >= n`` numbers; one that
    lands on n or above goes through it again until it does not (cycle walking), which takes few
    turns as ``a b < n + a``. H_i is the finalizer of SplitMix64 on the half, offset by the key of
    the round.

    Args:
      n: the number of elements, from 1 to 2^62.
      *key: integers, 0 or more; each combination has its own permutation.

    Returns:
      The permutation, see `Permutation`.

    Raises:
      UserError: n is out of range.

    References:
      Black and Rogaway, "Ciphers with Arbitrary Finite Domains" (CT-RSA 2002), sections 3 and 4.
      Steele, Lea and Flood, "Fast Splittable Pseudorandom Number Generators" (OOPSLA 2014).
    """
    if not 1 <= n <= MAX_SAMPLES:
        raise UserError(f"a permutation is of 1 to 2^62 elements, not {n}")
    a = math.isqrt(n - 1) + 1
    b = -(-n // a)
    round_keys = np.random.SeedSequence(key).generate_state(ROUNDS, np.uint64)

    def encrypt(number: np.ndarray) -> np.ndarray:
        left, right = np.divmod(number, np.uint64(b))
        for i in range(0, ROUNDS, 2):
            left = (left + _hash(right + round_keys[i]) % np.uint64(a)) % np.uint64(a)
            right = (right + _hash(left + round_keys[i + 1]) % np.uint64(b)) % np.uint64(b)
        result: np.ndarray = left * np.uint64(b) + right
        return result

    def permutation(index: np.ndarray, /) -> np.ndarray:
        flat = np.ravel(np.asarray(index)).astype(np.uint64)
        result = encrypt(flat)
        outside = np.flatnonzero(result >= n)
        while len(outside):
            result[outside] = encrypt(result[outside])
            outside = outside[result[outside] >= n]
        return result.astype(np.int64).reshape(np.shape(index))

    return permutation


def epoch_shuffles(n: int) -> IndexFunction:
    """Returns the function that goes through ``n`` samples in a new order each epoch, unstored.

    With ``epoch, i = divmod(position, n)`` the index is ``keyed_permutation(n, seed, epoch,
    *stream)(i)``. As `positions.epoch_permutations`, which holds the permutation of an epoch in
    memory and has another order.

    Args:
      n: the number of samples.

    Returns:
      The function ``(seed, positions [...], *stream) -> indices [...]``, see `IndexFunction`.
    """
    return index_function(n, functools.partial(keyed_permutation, n))


def _hash(x: np.ndarray) -> np.ndarray:
    """The finalizer of SplitMix64, uint64 to uint64."""
    x = (x ^ (x >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
    x = (x ^ (x >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
    hashed: np.ndarray = x ^ (x >> np.uint64(31))
    return hashed
