"""Sums of a cubic kernel over small subsets, one at a time: all its products in one symmetric call."""

import math
from concurrent.futures import ThreadPoolExecutor
from typing import Any, NamedTuple

import numpy as np
from scipy.linalg import get_blas_funcs

from gan_jax.metrics.checks import Array
from gan_jax.metrics.neighbours import slices

CACHED = 32  # rows of features or products that fit in a core's cache
SHORT = 64  # terms of a sum that float32 holds well


def singles(centred: Array, mean: Array) -> tuple[Array, Array]:
    """For each sample ``[n]`` float64: ``c . mean / d + (|mean|^2 / d + 1) / 2``, its offset, and ``|c|^2 / d``.

    c: the features less ``mean``. Two samples' offsets and the product of their centred features, over d, add up to the
    product of their features over d, plus 1. An error in an offset is one in all pairs of its sample, which does not
    average out: short sums in the features' precision are added up in float64.
    """
    d = len(mean)
    blocks = centred.reshape(len(centred), -1, math.gcd(d, SHORT))
    constant = (np.sum(mean.astype(np.float64) ** 2) / d + 1) / 2
    offset = np.einsum("nbw,bw->nb", blocks, mean.reshape(blocks.shape[1:])).sum(axis=1, dtype=np.float64)
    own = np.einsum("nbw,nbw->nb", blocks, blocks).sum(axis=1, dtype=np.float64)
    return offset / d + constant, own / d


class Half(NamedTuple):
    """The real or the generated samples of a subset: sums over them that sums over pairs are made of."""

    offset: Array  # [size] float64, and
    own: Array  # [size] float64, both as in `singles`
    moments: Array  # [3, d] float64: sums of offset^k times the centred features

    def linear_sum(self, other: "Half", d: int) -> float:
        """The sum over pairs of ``c^3 + 3 c^2 p``, p the product of centred features over d and c the sum of offsets."""
        a, b = ([float(np.sum(half.offset**k)) for k in range(4)] for half in (self, other))
        cubes = a[0] * b[3] + 3 * a[1] * b[2] + 3 * a[2] * b[1] + a[3] * b[0]
        squares = sum(weight * self.moments[k] @ other.moments[2 - k] for k, weight in enumerate((1, 2, 1)))
        return cubes + 3 * squares / d

    def diagonal(self) -> float:
        """What `linear_sum` of a half with itself counts of samples paired with themselves."""
        c = 2 * self.offset
        return float(np.sum(c**3 + 3 * c**2 * self.own))


class Worker:
    """The memory in which subsets are worked on, one after the other: fresh pages cost as much as arithmetic."""

    def __init__(self, real: Array, fake: Array, size: int, mean: Array, dtype: Any) -> None:
        self.sets, self.size, self.mean = (real, fake), size, mean
        self.stacked = np.empty((2 * size, len(mean)), dtype)
        self.products = np.zeros((2 * size, 2 * size), dtype, order="F")
        self.scratch = np.empty((2, CACHED, 2 * size), dtype)
        (self.syrk,) = get_blas_funcs(("syrk",), (self.stacked,))

    def distance(self, rows: Array, columns: Array) -> float:
        """The unbiased estimate from these rows of either set."""
        size, d = self.size, len(self.mean)
        x, y = (self._half(kind, index) for kind, index in enumerate((rows, columns)))
        real, fake, both = self._pair_sums(np.concatenate([x.offset, y.offset]))
        real += x.linear_sum(x, d) - x.diagonal()
        fake += y.linear_sum(y, d) - y.diagonal()
        both += x.linear_sum(y, d)
        return (real + fake) / (size * (size - 1)) - 2 * both / size**2

    def _half(self, kind: int, index: Array) -> Half:
        """Fills this half of ``stacked`` with centred features."""
        half, moments = self.stacked[kind * self.size : (kind + 1) * self.size], np.zeros((3, len(self.mean)))
        offset, own = np.empty((2, self.size))
        for rows in slices(self.size, CACHED):
            part = np.subtract(self.sets[kind][index[rows]], self.mean, out=half[rows])
            offset[rows], own[rows] = singles(part, self.mean)
            moments += (offset[rows] ** np.arange(3)[:, None]).astype(part.dtype) @ part
        return Half(offset, own, moments)

    def _pair_sums(self, offset: Array) -> Array:
        """The sums of ``p^2 (p + 3 c)``, the rest of ``(p + c)^3``, over different real, different generated, mixed pairs."""
        size, dtype = self.size, self.stacked.dtype
        # Each pair once, the other half of the matrix staying zero; transposed, as BLAS counts by columns.
        products = self.syrk(1 / len(self.mean), self.stacked.T, c=self.products, trans=1, overwrite_c=1).T
        np.fill_diagonal(products, 0)
        offset = (3 * offset).astype(dtype)
        sums = np.zeros(3)
        for start in (0, size):
            for part in slices(size, CACHED):
                block = slice(start + part.start, start + part.stop)
                p = products[block, : block.stop]
                terms, factors = self.scratch[:, : len(p), : block.stop]
                np.multiply(p, p, out=terms)
                np.add(p, offset[: block.stop], out=factors)
                factors += offset[block, None]
                terms *= factors
                sums[2 if start else 0] += terms[:, :size].sum(axis=1).sum(dtype=np.float64)
                if start:
                    sums[1] += terms[:, size:].sum(axis=1).sum(dtype=np.float64)
        return sums * (2, 2, 1)


def stacked_distances(real: Array, fake: Array, rows: Array, columns: Array, mean: Array, dtype: Any) -> Array:
    """The unbiased estimate for each pair of subsets, rows of either set ``[subsets, size]``: ``[subsets]`` float64."""

    def some(part: slice) -> list[float]:
        worker = Worker(real, fake, rows.shape[1], mean, dtype)
        return [worker.distance(i, j) for i, j in zip(rows[part], columns[part])]

    with ThreadPoolExecutor(2) as pool:  # the products of one subset, on all cores, beside the sums of another
        return np.concatenate(list(pool.map(some, slices(len(rows), -(-len(rows) // 2)))))
