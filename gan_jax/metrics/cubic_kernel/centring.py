"""Features centred for a cubic kernel, with the large part of their inner products kept apart."""

import math
from concurrent.futures import ThreadPoolExecutor
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from gan_jax.metrics.checks import Array
from gan_jax.metrics.neighbours import BLOCK_ROWS, approximate_mean, split

MIN_FLOAT32_SIZE = 512  # samples from which on the rounding errors of products average out
MAX_FLOAT32_TERMS = 512  # terms of a sum that float32 holds well, in a processor's many lanes
THREADS = 2


class CentredFeatures(NamedTuple):
    """Features with ``x_i . x_j / d + 1 = values_i . values_j + offsets_i + offsets_j``.

    Inner products of centred features are small, so that float32 loses little in them: the large
    part is in the offsets.

    Attributes:
      values: ``[n, d]``, the features less a common mean, divided by sqrt(d).
      offsets: ``[n]`` float64.
      squared_norms: ``[n]`` float64, those of ``values``.
    """

    values: Array
    offsets: Array
    squared_norms: Array


def centre_together(
    real: Array,
    fake: Array,
    subset_size: int,
    chosen: tuple[Array | slice, Array | slice] = (slice(None), slice(None)),
) -> tuple[CentredFeatures, CentredFeatures]:
    """Centres two sets of features near one mean.

    Args:
      real: ``[n, d]``.
      fake: ``[m, d]``.
      subset_size: samples per subset over which kernels will be summed. It decides the dtype:
        float32 if both sets are float32 and subsets are large, float64 otherwise.
      chosen: the samples of ``real`` and of ``fake`` to centre, in this order.

    Returns:
      The chosen samples of both sets.
    """
    narrow = real.dtype == fake.dtype == np.float32 and subset_size >= MIN_FLOAT32_SIZE
    dtype = np.dtype(np.float32 if narrow else np.float64)
    mean = ((approximate_mean(real) + approximate_mean(fake)) / 2).astype(dtype)
    return _centre(real, chosen[0], mean), _centre(fake, chosen[1], mean)


def _centre(features: Array, chosen: Array | slice, mean: Array) -> CentredFeatures:
    indices = np.arange(len(features))[chosen]
    values = np.empty((len(indices), len(mean)), mean.dtype)
    offsets, squared_norms = np.empty(len(indices)), np.empty(len(indices))

    def fill(block: slice) -> None:
        centred = np.subtract(features[indices[block]], mean, out=values[block])
        offsets[block], squared_norms[block] = _offsets_and_squared_norms(centred, mean)
        centred *= mean.dtype.type(1 / np.sqrt(len(mean)))

    with ThreadPoolExecutor(THREADS) as pool:
        list(pool.map(fill, split(len(indices), BLOCK_ROWS)))
    return CentredFeatures(values, offsets, squared_norms)


def _offsets_and_squared_norms(
    centred: Array, mean: Array
) -> tuple[npt.NDArray[np.float64], npt.NDArray[np.float64]]:
    """Computes ``c . mean / d + (|mean|^2 / d + 1) / 2`` and ``|c|^2 / d``, each ``[n]`` float64.

    Here c are the features less ``mean``. The first is a sample's offset: the offsets of two
    samples and the product of their centred features, over d, add up to the product of their
    features over d, plus 1. An error in an offset is an error in all pairs of its sample, which
    does not average out, so short sums in the features' precision are added up in float64. The
    squared norms are used for single samples only.
    """
    d = len(mean)
    short = (-1, math.gcd(d, MAX_FLOAT32_TERMS))
    constant = (np.sum(mean.astype(np.float64) ** 2) / d + 1) / 2
    products = np.vecdot(centred.reshape(len(centred), *short), mean.reshape(short)).sum(
        axis=1, dtype=np.float64
    )
    return products / d + constant, np.vecdot(centred, centred).astype(np.float64) / d
