"""From positions in an endless stream of samples to indices of a finite dataset."""

import functools
import operator
from collections.abc import Callable
from typing import Any, Protocol, TypeVar

import numpy as np

from gan_jax.errors import UserError
from gan_jax.game import Array

Seed = int | np.integer[Any] | Array
"""An integer from 0 to 2^31 - 1; some functions accept a traced one."""

CACHED_PERMUTATIONS = 16  # per dataset: 16 members of a population, or a few epochs of one run
MAX_SEED = 2**31 - 1


class IndexFunction(Protocol):
    """Maps positions in a stream to indices of a finite dataset."""

    def __call__(self, seed: Seed, positions: np.ndarray, *stream: int) -> np.ndarray:
        """Computes the indices of the samples at some positions.

        Args:
          seed: the seed of the stream, a concrete integer from 0 to 2^31 - 1.
          positions: int64 ``[...]``.
          *stream: further integers; each combination of them has its own permutations.

        Returns:
          Indices ``[...]``, int64.
        """
        ...


def epoch_permutations(n: int) -> IndexFunction:
    """Returns the function that goes through ``n`` samples in a new random order each epoch.

    With ``epoch, i = divmod(position, n)`` the index is ``permutation(seed, epoch, *stream)[i]``.

    Args:
      n: the number of samples.

    Returns:
      The function ``(seed, positions [...], *stream) -> indices [...]``, see `IndexFunction`.
    """

    def permutation(*entropy: int) -> Callable[[np.ndarray], np.ndarray]:
        order = np.random.default_rng(entropy).permutation(n)
        return order.astype(np.int32 if n < 2**31 else np.int64).__getitem__

    return index_function(n, permutation)


def index_function(
    n: int, permutation: Callable[..., Callable[[np.ndarray], np.ndarray]]
) -> IndexFunction:
    """Returns the function that goes through ``n`` samples in the orders of some permutations.

    Args:
      n: the number of samples.
      permutation: the function ``(seed, epoch, *stream) -> (offsets [k] -> indices [k])``. The
        last 16 of its results are kept.

    Returns:
      The function ``(seed, positions [...], *stream) -> indices [...]``, see `IndexFunction`.
    """
    cached = functools.lru_cache(CACHED_PERMUTATIONS)(permutation)

    def indices(seed: Seed, positions: np.ndarray, *stream: int) -> np.ndarray:
        seed = check_seed(operator.index(seed))
        epochs, offsets = np.divmod(np.asarray(positions, np.int64), n)
        result = np.empty(offsets.shape, np.int64)
        for epoch in np.unique(epochs).tolist():
            in_epoch = epochs == epoch
            result[in_epoch] = cached(seed, epoch, *stream)(offsets[in_epoch])
        return result

    return indices


SeedType = TypeVar("SeedType", bound=Seed)


def check_seed(seed: SeedType) -> SeedType:
    """Returns the seed. Traced seeds pass.

    Raises:
      UserError: the seed is a number outside ``0 ... 2^31 - 1``.
    """
    if isinstance(seed, int | np.integer) and not 0 <= seed <= MAX_SEED:
        raise UserError(f"a seed is an integer from 0 to {MAX_SEED}, not {seed}")
    return seed
