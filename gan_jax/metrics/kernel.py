"""The kernel distance: squared maximum mean discrepancy under a cubic kernel; with Inception features, KID."""

from typing import NamedTuple

import numpy as np

from gan_jax.metrics.checks import Array, ArrayLike, at_least, feature_pair
from gan_jax.metrics.neighbours import ROWS, rough_mean, slices

BLOCK = 1024  # rows of a kernel matrix held at once
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
    real, fake = feature_pair(real, fake, minimum=2, as_given=True)
    if isinstance(subsets, tuple):
        rows, columns = _checked_rows(subsets, len(real), len(fake))
    else:
        rows, columns = _drawn_rows(at_least(subsets, 1, "subsets"), subset_size, rng, len(real), len(fake))
    (count, size), n, m = rows.shape, len(real), len(fake)
    x, y = _points(real, fake, size)
    if 2 * count * size**2 > (n + m) ** 2 / 2:
        # Subsets that overlap so much: one pass over all pairs, counted for every subset, is less work.
        values = _distances(x, y, _counts(rows, n), _counts(columns, m), size, size)
    else:
        ones = np.ones((size, 1))
        values = np.concatenate([_distances(x.take(i), y.take(j), ones, ones, size, size) for i, j in zip(rows, columns)])
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
    n, m = len(real), len(fake)
    x, y = _points(real, fake, min(n, m))
    return float(_distances(x, y, np.ones((n, 1)), np.ones((m, 1)), n, m)[0])


class _Points(NamedTuple):
    """Features prepared so that ``centred_i . centred_j + offset_i + offset_j = x_i . x_j / d + 1``.

    Products of centred features are small, so that float32 loses little in them: the large part is in the offsets.
    """

    centred: Array  # [n, d], less a common mean and divided by sqrt(d)
    offset: Array  # [n] float64

    def take(self, rows: Array) -> "_Points":
        return _Points(self.centred[rows], self.offset[rows])


def _points(real: Array, fake: Array, size: int) -> tuple[_Points, _Points]:
    """Prepared features, for sums over subsets of ``size``."""
    narrow = real.dtype == fake.dtype == np.float32 and size >= AVERAGED
    dtype = np.float32 if narrow else np.float64
    mean = ((rough_mean(real) + rough_mean(fake)) / 2).astype(dtype)
    scale = dtype(1 / np.sqrt(real.shape[1]))
    scaled_mean = mean * scale
    constant = (np.sum(scaled_mean.astype(np.float64) ** 2) + 1) / 2

    def prepared(features: Array) -> _Points:
        centred, offset = np.empty(features.shape, dtype), np.empty(len(features))
        for rows in slices(len(features), ROWS):
            part = np.subtract(features[rows], mean, out=centred[rows])
            part *= scale
            offset[rows] = part @ scaled_mean + constant
        return _Points(centred, offset)

    return prepared(real), prepared(fake)


def _counts(rows: Array, n: int) -> Array:
    """How often each of n samples is in each subset: ``[n, subsets]``."""
    counts = np.zeros((n, len(rows)))
    for column, subset in zip(counts.T, rows):
        np.add.at(column, subset, 1.0)
    return counts


def _distances(x: _Points, y: _Points, in_x: Array, in_y: Array, n: int, m: int) -> Array:
    """The estimate for each subset, of n samples of x and m of y, counted in ``in_x`` and ``in_y``: ``[subsets]``."""
    within = _kernel_sums(x, x, in_x, in_x) / (n * (n - 1)) + _kernel_sums(y, y, in_y, in_y) / (m * (m - 1))
    return within - 2 * _kernel_sums(x, y, in_x, in_y) / (n * m)


def _kernel_sums(x: _Points, y: _Points, in_x: Array, in_y: Array) -> Array:
    """The sum of ``(p + a + b)^3`` over each subset's pairs, p the product of centred features and a, b the offsets.

    Where both sides are the same points, no sample is paired with itself. Of the terms ``(a + b)^3``, ``3 (a + b)^2 p``,
    ``3 (a + b) p^2`` and ``p^3`` the first two sum up without visiting pairs, so little is done per pair.
    """
    same, dtype = x is y, x.centred.dtype
    powers_x, powers_y = (
        [part * offset[:, None] ** k for k in range(4)] for part, offset in ((in_x, x.offset), (in_y, y.offset))
    )
    total = np.zeros(in_x.shape[1])
    for binomial, k in ((1, 0), (3, 1), (3, 2), (1, 3)):
        total += binomial * powers_x[k].sum(axis=0) * powers_y[3 - k].sum(axis=0)
    u = [_weighted(power.T.astype(dtype), x.centred) for power in powers_x[:3]]
    v = u if same else [_weighted(power.T.astype(dtype), y.centred) for power in powers_y[:3]]
    for binomial, k in ((1, 0), (2, 1), (1, 2)):
        total += 3 * binomial * np.einsum("sd,sd->s", u[k].astype(np.float64), v[2 - k].astype(np.float64))
    for rows in slices(len(in_x), BLOCK):
        # Pairs of one set: those beyond the block stand for their mirror images too.
        columns = slice(rows.start if same else 0, None)
        weights = np.concatenate([powers_y[0][columns], powers_y[1][columns]], axis=1).astype(dtype)
        if same:
            weights[rows.stop - rows.start :] *= 2
        products = x.centred[rows] @ y.centred[columns].T
        squares = products * products
        sums = (squares @ weights).astype(np.float64)
        once, by_offset = np.split(sums, 2, axis=1)
        total += 3 * np.sum(powers_x[1][rows] * once + powers_x[0][rows] * by_offset, axis=0)
        squares *= products
        total += np.sum(powers_x[0][rows] * (squares @ weights[:, : in_x.shape[1]]), axis=0)
    if same:
        own = np.einsum("nd,nd->n", x.centred, x.centred).astype(np.float64)
        total -= (own + 2 * x.offset) ** 3 @ in_x
    return total


def _weighted(weights: Array, points: Array) -> Array:
    """``weights @ points``; for one row of weights as a vector, which BLAS does faster."""
    return (weights[0] @ points)[None] if len(weights) == 1 else weights @ points


def _drawn_rows(subsets: int, size: int | None, rng, n: int, m: int) -> tuple[Array, Array]:
    size = min(1000, n, m) if size is None else at_least(size, 2, "subset_size")
    if size > min(n, m):
        raise ValueError(f"subset_size: found {size}, expected at most the {min(n, m)} samples of the smaller set")
    if not isinstance(rng, np.random.RandomState):
        rng = np.random.default_rng(rng)
    pairs = [(rng.choice(n, size, replace=False), rng.choice(m, size, replace=False)) for _ in range(subsets)]
    rows, columns = zip(*pairs, strict=True)
    return np.stack(rows), np.stack(columns)


def _checked_rows(subsets: tuple[ArrayLike, ArrayLike], n: int, m: int) -> tuple[Array, Array]:
    rows, columns = (np.asarray(part) for part in subsets)
    if rows.ndim != 2 or rows.shape != columns.shape or rows.shape[1] < 2 or rows.shape[0] < 1:
        raise ValueError(f"subsets: found shapes {rows.shape} and {columns.shape}, expected [subsets, size >= 2] twice")
    for part, count in ((rows, n), (columns, m)):
        if part.dtype.kind not in "iu" or part.min() < 0 or part.max() >= count:
            raise ValueError(f"subsets: found {part.dtype} in [{part.min()}, {part.max()}], expected rows in [0, {count - 1}]")
    return rows, columns
