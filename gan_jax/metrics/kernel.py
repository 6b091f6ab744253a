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
        values = _distances(_subsets(x, _counts(rows, n), size), _subsets(y, _counts(columns, m), size))
    else:
        whole = np.ones((size, 1))
        pairs = ((_subsets(x.take(i), whole, size), _subsets(y.take(j), whole, size)) for i, j in zip(rows, columns))
        values = np.concatenate([_distances(*pair) for pair in pairs])
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
    return float(_distances(_subsets(x, np.ones((n, 1)), n), _subsets(y, np.ones((m, 1)), m))[0])


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
            offset[rows] = np.einsum("nd,d->n", part, scaled_mean) + constant
        return _Points(centred, offset)

    return prepared(real), prepared(fake)


def _counts(rows: Array, n: int) -> Array:
    """How often each of n samples is in each subset: ``[n, subsets]``."""
    counts = np.zeros((n, len(rows)))
    for column, subset in zip(counts.T, rows):
        np.add.at(column, subset, 1.0)
    return counts


class _Subsets(NamedTuple):
    """Subsets of some points, and their sums over single points that sums over pairs are made of."""

    points: _Points
    size: int
    counts: Array  # [n, subsets] float64
    offsets: list[Array]  # counts^T offset^k for k = 0 to 3, [subsets] float64
    moments: list[Array]  # counts^T (offset^k centred) for k = 0 to 2, [subsets, d] float64


def _subsets(points: _Points, counts: Array, size: int) -> _Subsets:
    powers = [counts * points.offset[:, None] ** k for k in range(4)]
    moments = []
    for power in powers[:3]:
        weights = power.T.astype(points.centred.dtype)
        # One row of weights as a vector, which BLAS does faster.
        moment = (weights[0] @ points.centred)[None] if len(weights) == 1 else weights @ points.centred
        moments.append(moment.astype(np.float64))
    return _Subsets(points, size, counts, [power.sum(axis=0) for power in powers], moments)


def _distances(x: _Subsets, y: _Subsets) -> Array:
    """The estimate for each pair of subsets: ``[subsets]``."""
    within = [_kernel_sums(side, side) / (side.size * (side.size - 1)) for side in (x, y)]
    return within[0] + within[1] - 2 * _kernel_sums(x, y) / (x.size * y.size)


def _kernel_sums(x: _Subsets, y: _Subsets) -> Array:
    """The sum of ``(p + a + b)^3`` over each subset's pairs, p the product of centred features and a, b the offsets.

    Where both sides are the same, no sample is paired with itself. With ``c = a + b`` this is
    ``c^3 + 3 c^2 p + p^2 (p + 3 c)``, of which the first two terms sum up without visiting pairs.
    """
    total = sum(binomial * x.offsets[k] * y.offsets[3 - k] for k, binomial in enumerate((1, 3, 3, 1)))
    for k, binomial in enumerate((1, 2, 1)):
        total = total + 3 * binomial * np.einsum("sd,sd->s", x.moments[k], y.moments[2 - k])
    (a, b), dtype = (x.points.offset, y.points.offset), x.points.centred.dtype
    for rows in slices(len(a), BLOCK):
        # Pairs of one set: those beyond the block stand for their mirror images too.
        columns = slice(rows.start if x is y else 0, None)
        weights = y.counts[columns].astype(dtype)
        if x is y:
            weights[rows.stop - rows.start :] *= 2
        products = x.points.centred[rows] @ y.points.centred[columns].T
        terms = products * products
        products += (3 * a[rows, None]).astype(dtype)
        products += (3 * b[columns]).astype(dtype)
        terms *= products
        total = total + np.sum(x.counts[rows] * (terms @ weights), axis=0)
    if x is y:
        own = np.einsum("nd,nd->n", x.points.centred, x.points.centred).astype(np.float64)
        total = total - (own + 2 * a) ** 3 @ x.counts
    return np.asarray(total)


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
