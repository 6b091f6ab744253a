"""Sums of a cubic kernel over small subsets, one at a time: all its products in one symmetric call."""

from concurrent.futures import ThreadPoolExecutor

import numpy as np

from gan_jax.metrics.checks import Array
from gan_jax.metrics.kernel_points import THREADS, Points
from gan_jax.metrics.neighbours import slices

CACHED = 32  # rows of products that fit in a core's cache


def stacked_sums(real: Points, fake: Points, rows: Array, columns: Array) -> Array:
    """For each pair of subsets the sums of ``p^2 (p + 3 c)`` over different real, different generated, and mixed pairs.

    ``p`` is the product of a pair's centred features and ``c`` the sum of its offsets, see `Points`. Subsets are rows of
    either set, ``[subsets, size]``; the sums are ``[3, subsets]`` float64.
    """
    with ThreadPoolExecutor(THREADS) as pool:
        worker = Worker(real, fake, rows.shape[1], pool)
        return np.stack([worker.sums(i, j) for i, j in zip(rows, columns)], axis=1)


class Worker:
    """The memory in which subsets are worked on, one after the other: fresh pages cost as much as arithmetic."""

    def __init__(self, real: Points, fake: Points, size: int, pool: ThreadPoolExecutor) -> None:
        from scipy.linalg import get_blas_funcs

        self.sets, self.size, self.pool = (real, fake), size, pool
        d, dtype = real.centred.shape[1], real.centred.dtype
        self.stacked = np.empty((2 * size, d), dtype)
        self.products = np.zeros((2 * size, 2 * size), dtype, order="F")
        self.scratch = np.empty((THREADS, CACHED, 2 * size), dtype)
        (self.syrk,) = get_blas_funcs(("syrk",), (self.stacked,))

    def sums(self, rows: Array, columns: Array) -> Array:
        """What `stacked_sums` says, of one pair of subsets: ``[3]``."""
        list(self.pool.map(self._fill, (0, 1), (rows, columns)))
        # Each pair once, the other half of the matrix staying zero; transposed, as BLAS counts by columns.
        products = self.syrk(1.0, self.stacked.T, c=self.products, trans=1, overwrite_c=1).T
        np.fill_diagonal(products, 0)
        offset = np.concatenate(
            [points.offset[index] for points, index in zip(self.sets, (rows, columns), strict=True)]
        )
        offset = (3 * offset).astype(products.dtype)
        shares = self.pool.map(lambda turn: self._share(turn, products, offset), range(THREADS))
        return np.sum(list(shares), axis=0) * (2, 2, 1)

    def _fill(self, kind: int, index: Array) -> None:
        half = self.stacked[kind * self.size : (kind + 1) * self.size]
        np.take(self.sets[kind].centred, index, axis=0, out=half, mode="clip")

    def _share(self, turn: int, products: Array, offset: Array) -> Array:
        """The sums over every so many rows."""
        size, sums = self.size, np.zeros(3)
        blocks = [(start, part) for start in (0, size) for part in slices(size, CACHED)]
        for start, part in blocks[turn::THREADS]:
            block = slice(start + part.start, start + part.stop)
            p = products[block, : block.stop]
            terms = self.scratch[turn, : len(p), : block.stop]
            np.add(p, offset[: block.stop], out=terms)
            terms += offset[block, None]
            terms *= p
            sums[2 if start else 0] += np.vecdot(p[:, :size], terms[:, :size]).sum(dtype=np.float64)
            if start:
                sums[1] += np.vecdot(p[:, size:], terms[:, size:]).sum(dtype=np.float64)
        return sums
