"""The kernel distance: squared maximum mean discrepancy under a cubic kernel; with Inception features, KID."""

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np

from gan_jax.metrics.checks import Array, ArrayLike, at_least, feature_pair
from gan_jax.metrics.kernel_sums import full_distance, subset_distances


class KernelDistance(NamedTuple):
    """Kernel distance over random subsets."""

    mean: float
    std: float  # over the subsets, population (divided by their number)
    values: Array  # [subsets] float64


def kernel_distance(
    real: ArrayLike,
    fake: ArrayLike,
    subsets: int | Sequence[ArrayLike] = 100,
    subset_size: int | None = None,
    rng: np.random.Generator | np.random.RandomState | int = 0,
) -> KernelDistance:
    """Unbiased squared MMD with the kernel ``(x.y / d + 1)^3``, over random subsets (KID, with Inception features).

    Each subset of m real and m generated features gives
    ``sum_{i != j} [k(x_i, x_j) + k(y_i, y_j)] / (m (m - 1)) - 2 sum_{ij} k(x_i, y_j) / m^2``.
    Unlike the Fréchet distance it has no bias from the number of samples, and may be negative. Sums are float64; products
    of float32 features are taken in float32 after centring, where there are enough of them for rounding to average out: to
    about 1e-8 of the distance, where it is not near 0, and 1e-12 of the kernel.

    Args:
      real: features ``[n, d]``, any real dtype, n >= 2.
      fake: features ``[m, d]``, m >= 2.
      subsets: how many subsets to draw; or the subsets themselves, a pair of integer arrays ``[subsets, size]`` of rows of
        ``real`` and of ``fake``.
      subset_size: samples a subset, drawn without replacement; by default 1000, or all of the smaller set.
      rng: NumPy generator or seed that draws the subsets: first rows of ``real``, then of ``fake``, subset by subset.

    Returns:
      `KernelDistance`. Published tables often list 1000 times the mean.

    Raises:
      ValueError: a wrong rank, fewer than two samples, different d, a value that is not finite, or subsets that do not fit.

    References:
      Binkowski et al. 2018, Demystifying MMD GANs, section 4.
    """
    real, fake = feature_pair(real, fake, minimum=2, as_given=True)
    if isinstance(subsets, int | float | np.number):
        rows, columns = _drawn_rows(
            at_least(subsets, 1, "subsets"), subset_size, rng, len(real), len(fake)
        )
    else:
        rows, columns = _checked_rows(subsets, len(real), len(fake))
    values = subset_distances(real, fake, rows, columns)
    return KernelDistance(float(values.mean()), float(values.std()), values)


def kernel_distance_full(real: ArrayLike, fake: ArrayLike) -> float:
    """The unbiased squared MMD of `kernel_distance`, over all samples at once; n and m may differ.

    Args:
      real: features ``[n, d]``, any real dtype, n >= 2; taken in blocks.
      fake: features ``[m, d]``, m >= 2.

    Returns:
      The estimate, which may be negative. It has less variance than the mean over subsets, and no spread to report.

    Raises:
      ValueError: as `kernel_distance`.

    References:
      Gretton et al. 2012, A kernel two-sample test, equation 3.
    """
    real, fake = feature_pair(real, fake, minimum=2, as_given=True)
    return full_distance(real, fake)


def _drawn_rows(subsets: int, size: int | None, rng, n: int, m: int) -> tuple[Array, Array]:
    size = min(1000, n, m) if size is None else at_least(size, 2, "subset_size")
    if size > min(n, m):
        raise ValueError(
            f"subset_size: found {size}, expected at most the {min(n, m)} samples of the smaller set"
        )
    if not isinstance(rng, np.random.RandomState):
        rng = np.random.default_rng(rng)
    pairs = [
        (rng.choice(n, size, replace=False), rng.choice(m, size, replace=False))
        for _ in range(subsets)
    ]
    rows, columns = zip(*pairs, strict=True)
    return np.stack(rows), np.stack(columns)


def _checked_rows(subsets: Sequence[ArrayLike], n: int, m: int) -> tuple[Array, Array]:
    if not isinstance(subsets, Sequence | np.ndarray) or len(subsets) != 2:
        raise ValueError(
            f"subsets: found {subsets!r:.60}, expected a number or a pair of arrays [subsets, size]"
        )
    rows, columns = (np.asarray(part) for part in subsets)
    if rows.ndim != 2 or rows.shape != columns.shape or rows.shape[1] < 2 or rows.shape[0] < 1:
        raise ValueError(
            f"subsets: found shapes {rows.shape} and {columns.shape}, expected [subsets, size >= 2] twice"
        )
    for part, count in ((rows, n), (columns, m)):
        if part.dtype.kind not in "iu" or part.min() < 0 or part.max() >= count:
            raise ValueError(
                f"subsets: found {part.dtype} in [{part.min()}, {part.max()}], expected rows in [0, {count - 1}]"
            )
    return rows, columns
