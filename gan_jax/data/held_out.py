"""Samples that are held out of training, to be scored against."""

import numpy as np

from gan_jax.data.shuffling import Permutation, keyed_permutation
from gan_jax.errors import UserError

SPLITS = ("train", "test")
HELD_OUT_SEED = 0x4E1D  # any number: which samples are held out depends on how many there are alone


def check_split(split: str) -> None:
    """Raises UserError if there is no such split."""
    if split not in SPLITS:
        raise UserError(f"the splits are {' and '.join(SPLITS)}, not {split!r}")


def no_held_out(what: str) -> UserError:
    """Returns the error for a split "test" of data of which nothing is held out."""
    return UserError(
        f"nothing of {what} is held out: set held_out=0.1, or choose split='train', the data that "
        "the run trains on"
    )


def split_indices(n: int, split: str, fraction: float, what: str) -> np.ndarray:
    """Returns which of n samples are in a split: random ones, the same for the same n.

    Args:
      n: the number of all samples.
      split: ``"train"`` or ``"test"``, the held-out ones.
      fraction: of the samples that are held out, at least one of them; 0 for none.
      what: the samples are, for the error.

    Returns:
      Indices in increasing order, int64.

    Raises:
      UserError: another split, a fraction that is not in [0, 1), or too few samples.
    """
    count = _count(n, split, fraction, what)
    if count is None:
        return np.arange(n)
    order = np.random.default_rng((HELD_OUT_SEED, n)).permutation(n)
    return np.sort(order[:count] if split == "test" else order[count:])


def split_function(n: int, split: str, fraction: float, what: str) -> tuple[int, Permutation]:
    """Returns which of n samples are in a split, as `split_indices`, in constant memory.

    The samples are others than those of `split_indices`, in a random order.

    Args:
      n: see `split_indices`.
      split: see `split_indices`.
      fraction: see `split_indices`.
      what: see `split_indices`.

    Returns:
      How many there are, and the function from 0, 1, ... to their indices.

    Raises:
      UserError: as `split_indices`.
    """
    count = _count(n, split, fraction, what)
    if count is None:
        return n, lambda index: index
    order = keyed_permutation(n, HELD_OUT_SEED)
    if split == "test":
        return count, order
    return n - count, lambda index: order(index + count)


def _count(n: int, split: str, fraction: float, what: str) -> int | None:
    """How many of n samples are held out; None if none are. Raises as `split_indices`."""
    check_split(split)
    if not 0 <= fraction < 1:
        raise UserError(f"held_out is a fraction in [0, 1), or a path, not {fraction}")
    if not fraction:
        if split == "test":
            raise no_held_out(what)
        return None
    if n < 2:
        raise UserError(f"{what} has {n} sample, of which none can be held out")
    return min(max(round(fraction * n), 1), n - 1)
