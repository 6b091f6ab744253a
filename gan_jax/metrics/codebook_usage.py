"""How much of a codebook is used: the codes that occur, and their perplexity."""

from typing import NamedTuple

import numpy as np

from gan_jax.metrics.checks import ArrayLike, at_least


class CodebookUsage(NamedTuple):
    """Usage of a codebook.

    Attributes:
      used: the fraction of the codes that occur.
      perplexity: ``exp(-sum p log p)``, p the frequencies of the codes: from 1, if a single one
        occurs, to their number, if all are equally frequent.
    """

    used: float
    perplexity: float


def codebook_usage(codes: ArrayLike, size: int) -> CodebookUsage:
    """Computes how much of a codebook is used.

    Args:
      codes: ``[...]`` int, indices of codes in ``[0, size)``.
      size: the number of codes in the codebook.

    Returns:
      The fraction of codes that occur, and their perplexity.

    Raises:
      ValueError: no codes, codes that are not whole numbers, or are out of range.

    References:
      van den Oord et al., "Neural Discrete Representation Learning" (2017); perplexity as in the
      code of Sonnet's ``VectorQuantizer``.

    Example:
      >>> codebook_usage([0, 0, 1, 1], size=4)
      CodebookUsage(used=0.5, perplexity=2.0)
    """
    size = at_least(size, 1, "size")
    codes = np.asarray(codes)
    if codes.size == 0 or codes.dtype.kind not in "iu":
        raise ValueError(
            f"codes: found {codes.dtype} of shape {codes.shape}, expected at least one integer"
        )
    if codes.min() < 0 or codes.max() >= size:
        raise ValueError(f"codes: found {codes.min()} to {codes.max()}, expected 0 to {size - 1}")
    counts = np.bincount(codes.ravel(), minlength=size)
    frequencies = counts[counts > 0] / codes.size
    entropy = -float(np.sum(frequencies * np.log(frequencies)))
    return CodebookUsage(len(frequencies) / size, float(np.exp(entropy)))
