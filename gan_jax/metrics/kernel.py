"""The kernel distance: squared maximum mean discrepancy under a cubic kernel; with Inception features, KID."""

from typing import NamedTuple

import numpy as np

from gan_jax.metrics.checks import Array, ArrayLike, at_least, feature_pair

BLOCK = 512  # rows of a kernel matrix held at once
AVERAGED = 512  # samples from which on rounding errors of single products average out


class KernelDistance(NamedTuple):
    """Kernel distance over random subsets."""

    mean: float
    std: float  # over the subsets, population (divided by their number)
    values: Array  # [subsets] float64


def kernel_distance(
    real: ArrayLike,
    fake: ArrayLike,
    subsets: int | tuple[ArrayLike, ArrayLike] = 100,
    subset_size: int | None = None,
    rng: np.random.Generator | np.random.RandomState | int = 0,
) -> KernelDistance:
    """Unbiased squared MMD with the kernel ``(x.y / d + 1)^3``, over random subsets (KID, with Inception features).

    Each subset of m real and m generated features gives
    ``sum_{i != j} [k(x_i, x_j) + k(y_i, y_j)] / (m (m - 1)) - 2 sum_{ij} k(x_i, y_j) / m^2``.
    Unlike the Fréchet distance it has no bias from the number of samples, and may be negative. Sums are float64; products
    of float32 features are taken in float32 after centring, where there are enough of them for rounding to average out.

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
    x, y = _points(real, fake)
    if isinstance(subsets, tuple):
        pairs = _checked_rows(subsets, len(x.centred), len(y.centred))
    else:
        pairs = _drawn_rows(at_least(subsets, 1, "subsets"), subset_size, rng, len(x.centred), len(y.centred))
    values = np.array([_distance(x.take(rows), y.take(columns)) for rows, columns in pairs])
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
    return _distance(*_points(real, fake))


class _Points(NamedTuple):
    """Features prepared so that ``centred_i . centred_j + offset_i + offset_j = x_i . x_j / d + 1``.

    Products of centred features are small, so that float32 loses little in them: the large part is in the offsets.
    """

    centred: Array  # [n, d], less the mean of all and divided by sqrt(d)
    offset: Array  # [n] float64

    def take(self, rows: Array | slice) -> "_Points":
        return _Points(self.centred[rows], self.offset[rows])


def _points(real: ArrayLike, fake: ArrayLike) -> tuple[_Points, _Points]:
    dtypes = [np.asarray(part).dtype for part in (real, fake)]
    real, fake = feature_pair(real, fake, minimum=2)
    narrow = all(dtype.itemsize <= 4 and dtype.kind not in "iu" for dtype in dtypes) and min(len(real), len(fake)) >= AVERAGED
    mean = (real.mean(axis=0) + fake.mean(axis=0)) / 2 / np.sqrt(real.shape[1])

    def prepared(features: Array) -> _Points:
        features /= np.sqrt(features.shape[1])  # the checks made a copy of the caller's array
        features -= mean
        offset = features @ mean + (mean @ mean + 1) / 2
        return _Points(features.astype(np.float32) if narrow else features, offset)

    return prepared(real), prepared(fake)


def _distance(x: _Points, y: _Points) -> float:
    n, m = len(x.offset), len(y.offset)
    cross = sum(_kernel(block, y).sum() for block in _blocks(x))
    return float(_within(x) / (n * (n - 1)) + _within(y) / (m * (m - 1)) - 2 * cross / (n * m))


def _within(x: _Points) -> float:
    """The kernel summed over all pairs of different samples; each block of pairs above the diagonal counts twice."""
    total = 0.0
    for i, block in enumerate(_blocks(x)):
        own = _kernel(block, block)
        rest = x.take(slice((i + 1) * BLOCK, None))
        total += own.sum() - own.trace() + 2 * _kernel(block, rest).sum()
    return total


def _blocks(x: _Points):
    return (x.take(slice(i, i + BLOCK)) for i in range(0, len(x.offset), BLOCK))


def _kernel(x: _Points, y: _Points) -> Array:
    products = (x.centred @ y.centred.T).astype(np.float64, copy=False)
    products += x.offset[:, None]
    products += y.offset
    square = products * products
    products *= square  # by multiplication: a general power is 10 times slower
    return products


def _drawn_rows(subsets: int, size: int | None, rng, n: int, m: int):
    size = min(1000, n, m) if size is None else at_least(size, 2, "subset_size")
    if size > min(n, m):
        raise ValueError(f"subset_size: found {size}, expected at most the {min(n, m)} samples of the smaller set")
    if not isinstance(rng, np.random.RandomState):
        rng = np.random.default_rng(rng)
    for _ in range(subsets):
        yield rng.choice(n, size, replace=False), rng.choice(m, size, replace=False)


def _checked_rows(subsets: tuple[ArrayLike, ArrayLike], n: int, m: int):
    rows, columns = (np.asarray(part) for part in subsets)
    if rows.ndim != 2 or rows.shape != columns.shape or rows.shape[1] < 2 or rows.shape[0] < 1:
        raise ValueError(f"subsets: found shapes {rows.shape} and {columns.shape}, expected [subsets, size >= 2] twice")
    for part, count in ((rows, n), (columns, m)):
        if part.dtype.kind not in "iu" or part.min() < 0 or part.max() >= count:
            raise ValueError(f"subsets: found {part.dtype} in [{part.min()}, {part.max()}], expected rows in [0, {count - 1}]")
    return zip(rows, columns, strict=True)
