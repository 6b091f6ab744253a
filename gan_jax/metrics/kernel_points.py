"""Features prepared for a cubic kernel: near a common mean, with the large part of their products kept apart."""

import math
from concurrent.futures import ThreadPoolExecutor
from typing import Any, NamedTuple

import numpy as np

from gan_jax.metrics.checks import Array
from gan_jax.metrics.neighbours import ROWS, rough_mean, slices

AVERAGED = 512  # samples from which on rounding errors of single products average out
SHORT = 512  # terms of a sum that float32 holds well, in the many lanes of a processor
THREADS = 2


class Points(NamedTuple):
    """Features prepared so that ``centred_i . centred_j + offset_i + offset_j = x_i . x_j / d + 1``.

    Products of centred features are small, so that float32 loses little in them: the large part is in the offsets.
    """

    centred: Array  # [n, d], less a common mean and divided by sqrt(d)
    offset: Array  # [n] float64
    own: Array  # [n] float64, squared norms of `centred`


def centred_points(
    real: Array,
    fake: Array,
    size: int,
    rows: tuple[Array | slice, Array | slice] = (slice(None), slice(None)),
) -> tuple[Points, Points]:
    """These rows of both sets near one mean, in the dtype that sums over subsets of ``size`` want."""
    narrow = real.dtype == fake.dtype == np.float32 and size >= AVERAGED
    dtype = np.float32 if narrow else np.float64
    mean = ((rough_mean(real) + rough_mean(fake)) / 2).astype(dtype)
    real_points, fake_points = (
        _points(part, some, mean, dtype) for part, some in zip((real, fake), rows, strict=True)
    )
    return real_points, fake_points


def _points(features: Array, chosen: Array | slice, mean: Array, dtype: Any) -> Points:
    chosen = np.arange(len(features))[chosen]
    centred, (offset, own) = np.empty((len(chosen), len(mean)), dtype), np.empty((2, len(chosen)))

    def fill(rows: slice) -> None:
        part = np.subtract(features[chosen[rows]], mean, out=centred[rows])
        offset[rows], own[rows] = _singles(part, mean)
        part *= dtype(1 / np.sqrt(len(mean)))

    with ThreadPoolExecutor(THREADS) as pool:
        list(pool.map(fill, slices(len(chosen), ROWS)))
    return Points(centred, offset, own)


def _singles(centred: Array, mean: Array) -> tuple[Array, Array]:
    """For each sample ``[n]`` float64: ``c . mean / d + (|mean|^2 / d + 1) / 2``, its offset, and ``|c|^2 / d``.

    c: the features less ``mean``. Two samples' offsets and the product of their centred features, over d, add up to the
    product of their features over d, plus 1. An error in an offset is one in all pairs of its sample, which does not
    average out: short sums in the features' precision are added up in float64. The squares are of single samples alone.
    """
    d = len(mean)
    short = (-1, math.gcd(d, SHORT))
    constant = (np.sum(mean.astype(np.float64) ** 2) / d + 1) / 2
    offset = np.vecdot(centred.reshape(len(centred), *short), mean.reshape(short)).sum(
        axis=1, dtype=np.float64
    )
    return offset / d + constant, np.vecdot(centred, centred).astype(np.float64) / d
