"""Sums of a cubic kernel over small subsets, one subset at a time.

All inner products of a subset come from one symmetric matrix product.
"""

from concurrent.futures import ThreadPoolExecutor

import numpy as np

from gan_jax.metrics.checks import Array
from gan_jax.metrics.cubic_kernel.centring import THREADS, CentredFeatures
from gan_jax.metrics.neighbours import split

CACHED_ROWS = 32  # rows of inner products that fit in a core's cache


def sums_per_subset(
    real: CentredFeatures, fake: CentredFeatures, real_indices: Array, fake_indices: Array
) -> Array:
    """Sums ``p^2 (p + 3 c)`` over the pairs of each subset.

    Here p is the inner product of a pair's centred features and c the sum of its offsets, see
    `CentredFeatures`.

    Args:
      real: real samples.
      fake: generated samples.
      real_indices: ``[subsets, size]`` int, the real samples of each subset.
      fake_indices: ``[subsets, size]`` int, the generated samples of each subset.

    Returns:
      ``[3, subsets]`` float64: the sums over pairs of different real samples, of different
      generated samples, and of a real and a generated sample.
    """
    with ThreadPoolExecutor(THREADS) as pool:
        workspace = _Workspace(real, fake, real_indices.shape[1], pool)
        sums = [workspace.sums(i, j) for i, j in zip(real_indices, fake_indices)]
    return np.stack(sums, axis=1)


class _Workspace:
    """Memory that all subsets share: new pages cost as much time as the arithmetic."""

    def __init__(
        self, real: CentredFeatures, fake: CentredFeatures, size: int, pool: ThreadPoolExecutor
    ) -> None:
        from scipy.linalg import get_blas_funcs

        self._real, self._fake, self._size, self._pool = real, fake, size, pool
        d, dtype = real.values.shape[1], real.values.dtype
        self._stacked = np.empty((2 * size, d), dtype)
        self._products = np.zeros((2 * size, 2 * size), dtype, order="F")
        self._scratch = np.empty((THREADS, CACHED_ROWS, 2 * size), dtype)
        (self._syrk,) = get_blas_funcs(("syrk",), (self._stacked,))

    def sums(self, real_indices: Array, fake_indices: Array) -> Array:
        """Returns the sums ``[3]`` of `sums_per_subset` for one subset."""
        halves = (self._stacked[: self._size], self._stacked[self._size :])
        values = (self._real.values, self._fake.values)
        list(self._pool.map(_take, values, (real_indices, fake_indices), halves))
        # Each pair is computed once, the other half of the matrix stays zero; transposed, because
        # BLAS stores matrices by columns.
        products = self._syrk(1.0, self._stacked.T, c=self._products, trans=1, overwrite_c=1).T
        np.fill_diagonal(products, 0)
        offsets = np.concatenate(
            [self._real.offsets[real_indices], self._fake.offsets[fake_indices]]
        )
        offsets = (3 * offsets).astype(products.dtype)
        shares = self._pool.map(
            lambda thread: self._share(thread, products, offsets), range(THREADS)
        )
        # Pairs within a set count in both orders.
        total: Array = np.sum(list(shares), axis=0) * (2, 2, 1)
        return total

    def _share(self, thread: int, products: Array, offsets: Array) -> Array:
        """Sums over the blocks of rows that fall to one thread."""
        size, sums = self._size, np.zeros(3)
        blocks = [(start, part) for start in (0, size) for part in split(size, CACHED_ROWS)]
        for start, part in blocks[thread::THREADS]:
            block = slice(start + part.start, start + part.stop)
            p = products[block, : block.stop]
            terms = self._scratch[thread, : len(p), : block.stop]
            np.add(p, offsets[: block.stop], out=terms)
            terms += offsets[block, None]
            terms *= p
            with_real = np.vecdot(p[:, :size], terms[:, :size]).sum(dtype=np.float64)
            if start == 0:
                sums[0] += with_real
            else:
                sums[2] += with_real
                sums[1] += np.vecdot(p[:, size:], terms[:, size:]).sum(dtype=np.float64)
        return sums


def _take(values: Array, indices: Array, out: Array) -> None:
    np.take(values, indices, axis=0, out=out, mode="clip")
