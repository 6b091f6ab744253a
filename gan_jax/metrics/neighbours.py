"""Nearest neighbours among features: exact answers, block by block, at the speed of float32 products.

Squared distances from float32 products of centred features are known to within a bound; a comparison that this bound
leaves open is decided by float64 differences. So ties and near ties come out right, however many digits they share.
"""

from collections.abc import Iterator
from typing import NamedTuple

import numpy as np

from gan_jax.metrics.checks import Array

BLOCK = 2**26  # products held at once: 256 MiB of float32
PAIRS = 2**22  # values gathered at once for exact distances
ROWS = 256  # rows converted at once, while they are in the cache


class Points(NamedTuple):
    """Features prepared for fast comparisons."""

    exact: Array  # [n, d] float32 or float64, as given
    narrow: Array  # [n, d] float32, centred and scaled into [-1, 1]
    norms: Array  # [n] float64, squared norms of `narrow`

    @property
    def slack(self) -> float:
        """Relative error of ``norms_i + norms_j - 2 products_ij``.

        Rounding errors of a product of d terms grow like sqrt(d) (Higham and Mary 2019), and slower in blocked sums.
        """
        return float(np.finfo(np.float32).eps) * max(8.0, np.sqrt(self.narrow.shape[1]))


class Balls(NamedTuple):
    """Around each point a ball that reaches its k-th nearest other point."""

    points: Points
    k: int
    low: Array  # [n] float64, bounds of the squared radius, in the units of `narrow`
    high: Array


def prepared(real: Array, fake: Array) -> tuple[Points, Points]:
    """Two sets of features ``[n, d]``, ``[m, d]``, float32 or float64, centred and scaled together."""
    centre = rough_mean(real)
    # No more than is needed to keep squares within float32's range.
    scale = np.abs(centre).max() + max(
        abs(float(extreme)) for part in (real, fake) for extreme in (part.min(), part.max())
    )

    def points(features: Array) -> Points:
        narrow, norms = np.empty(features.shape, np.float32), np.empty(len(features))
        for rows in slices(len(features), ROWS):
            part = features[rows] - centre
            part /= scale or 1.0
            narrow[rows] = part
            norms[rows] = np.einsum("ij,ij->i", part, part)
        return Points(features, narrow, norms)

    return points(real), points(fake)


def rough_mean(features: Array) -> Array:
    """The float64 mean of some 500 rows: near enough for centring."""
    return features[:: max(1, len(features) // 500)].mean(axis=0, dtype=np.float64)


def slices(n: int, step: int) -> Iterator[slice]:
    """n rows in slices of at most ``step``."""
    return (slice(i, min(i + step, n)) for i in range(0, n, step))


def blocks(n: int, m: int) -> Iterator[slice]:
    """Slices of n rows whose products with m columns fit in a block."""
    return slices(n, max(1, BLOCK // m))


def products(points: Points, rows: slice | Array, others: Points) -> Array:
    """Inner products ``[rows, m]`` float32."""
    return points.narrow[rows] @ others.narrow.T


def balls(points: Points, k: int, name: str) -> Balls:
    """The balls around each point; ValueError where there is no k-th other point."""
    n = len(points.exact)
    if n <= k:
        raise ValueError(f"{name}: found {n} samples, expected more than k = {k}")
    high = np.empty(n)
    for rows in blocks(n, n):
        close = products(points, rows, points)
        close -= ((1 + points.slack) / 2 * points.norms).astype(np.float32)
        close[
            np.arange(rows.stop - rows.start), np.arange(rows.start, rows.stop)
        ] = -np.inf  # not its own neighbour
        close.partition(n - k, axis=1)
        high[rows] = (1 + points.slack) * points.norms[rows] - 2 * close[:, n - k]
    low = high - 2 * points.slack * (points.norms + points.norms.max())
    return Balls(points, k, low, high)


def inside(
    balls: Balls, rows: slice, points: Points, columns: slice, products: Array, closed: bool
) -> Array:
    """Which balls (of the given rows) hold which points (of the given columns): bool ``[rows, columns]``.

    A point on the surface is held only by ``closed`` balls.
    """
    norms, others, slack = balls.points.norms[rows], points.norms[columns], points.slack
    # distance^2 < radius^2, that is norm_i + norm_j - 2 product < radius^2, surely and possibly
    sure = _exceeds(products, (1 + slack) / 2 * others, ((1 + slack) * norms - balls.low[rows]) / 2)
    open_ = _exceeds(
        products, (1 - slack) / 2 * others, ((1 - slack) * norms - balls.high[rows]) / 2
    )
    open_ ^= sure
    i, j = np.nonzero(open_)
    if len(i):
        centres, which = np.unique(i + (rows.start or 0), return_inverse=True)
        radii = _exact_radii(balls, centres)[which]
        distances = exact_distances(
            balls.points.exact, centres[which], points.exact, j + (columns.start or 0)
        )
        sure[i, j] = distances <= radii if closed else distances < radii
    return sure


def exact_distances(x: Array, i: Array, y: Array, j: Array) -> Array:
    """Squared distances ``|x_i - y_j|^2`` of pairs, from differences: zero for equal points, the same bits for equal pairs."""
    step = max(1, PAIRS // x.shape[1])
    out = np.empty(len(i))
    for start in range(0, len(i), step):
        part = slice(start, start + step)
        difference = x[i[part]].astype(np.float64) - y[j[part]]
        out[part] = np.einsum("ij,ij->i", difference, difference)
    return out


def nearest(x: Array, y: Array, exclude_self: bool = False) -> tuple[Array, Array]:
    """For each row of x ``[n, d]`` the index ``[n]`` of the nearest row of y ``[m, d]``, and the distance ``[n]``, float64.

    With ``exclude_self`` row i of y is not a neighbour of row i of x.
    """
    centre = y.mean(axis=0)
    centred = y - centre
    half = np.einsum("ij,ij->i", centred, centred) / 2
    index = np.empty(len(x), np.int64)
    for rows in blocks(len(x), len(y)):
        close = (x[rows] - centre) @ centred.T
        close -= half
        if exclude_self:
            close[np.arange(rows.stop - rows.start), np.arange(rows.start, rows.stop)] = -np.inf
        index[rows] = close.argmax(axis=1)
    return index, np.sqrt(exact_distances(x, np.arange(len(x)), y, index))


def _exceeds(products: Array, column: Array, row: Array) -> Array:
    return (products - column.astype(np.float32)) > row.astype(np.float32)[:, None]


def _exact_radii(balls: Balls, centres: Array) -> Array:
    """Squared radii, float64 and unscaled, of the balls around these centres."""
    points, k = balls.points, balls.k
    out = np.empty(len(centres))
    for part in blocks(len(centres), len(points.exact)):
        chosen = centres[part]
        reach = (points.norms[chosen] * (1 - points.slack) - balls.high[chosen]) / 2
        close = products(points, chosen, points) - ((1 - points.slack) / 2 * points.norms).astype(
            np.float32
        )
        for row, centre in enumerate(chosen):
            candidates = np.flatnonzero(close[row] >= reach[row].astype(np.float32))
            candidates = candidates[candidates != centre]
            distances = exact_distances(
                points.exact, np.full(len(candidates), centre), points.exact, candidates
            )
            out[part.start + row] = np.partition(distances, k - 1)[k - 1]
    return out
