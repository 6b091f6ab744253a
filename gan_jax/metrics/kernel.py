"""The kernel distance: squared maximum mean discrepancy (MMD); with Inception features, KID."""

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np

from gan_jax.metrics import cubic_kernel
from gan_jax.metrics.checks import Array, ArrayLike, at_least, feature_pair


class KernelDistance(NamedTuple):
    """Kernel distance over random subsets.

    Attributes:
      mean: over the subsets.
      std: over the subsets, population (divided by their number).
      values: ``[subsets]`` float64, the distance of each subset.
    """

    mean: float
    std: float
    values: Array


def kernel_distance(
    real: ArrayLike,
    fake: ArrayLike,
    subsets: int | Sequence[ArrayLike] = 100,
    subset_size: int | None = None,
    rng: np.random.Generator | np.random.RandomState | int = 0,
) -> KernelDistance:
    """Computes the unbiased squared MMD with the kernel ``(x.y / d + 1)^3`` over random subsets.

    With Inception features this is KID. Each subset of m real and m generated features gives
    ``sum_{i != j} [k(x_i, x_j) + k(y_i, y_j)] / (m (m - 1)) - 2 sum_{ij} k(x_i, y_j) / m^2``.
    Unlike the Fréchet distance it has no bias from the number of samples, and may be negative.

    Sums are float64. Inner products of float32 features are taken in float32 after centring if
    there are enough of them for rounding errors to average out: to about 1e-8 of the distance
    unless that is near 0, and to 1e-12 of the kernel.

    Example:

      >>> import numpy as np
      >>> from gan_jax import metrics
      >>> rng = np.random.default_rng(0)
      >>> real = rng.normal(size=(500, 8))
      >>> fake = rng.normal(size=(400, 8)) + 1  # another mean
      >>> distance = metrics.kernel_distance(real, fake, subsets=20, subset_size=100)
      >>> bool(distance.mean > 5)
      True
      >>> same = metrics.kernel_distance(real[:250], real[250:], subsets=20, subset_size=100)
      >>> bool(abs(same.mean) < 0.1)
      True

    Args:
      real: features ``[n, d]``, any real dtype, n >= 2.
      fake: features ``[m, d]``, m >= 2.
      subsets: the number of subsets to draw; or the subsets themselves, a pair of integer arrays
        ``[subsets, size]`` of indices into ``real`` and into ``fake``.
      subset_size: samples per subset, drawn without replacement; by default 1000, or all of the
        smaller set.
      rng: NumPy generator or seed that draws the subsets: subset by subset, first indices into
        ``real``, then into ``fake``.

    Returns:
      `KernelDistance`. Published tables often list 1000 times the mean.

    Raises:
      ValueError: if the features have a wrong rank, fewer than two samples, different d or a value
        that is not finite, or if the subsets do not fit.

    References:
      Binkowski et al. 2018, Demystifying MMD GANs, section 4.
    """
    real, fake = feature_pair(real, fake, minimum=2, copy=False)
    if isinstance(subsets, int | float | np.number):
        count = at_least(subsets, 1, "subsets")
        indices = _draw_subsets(count, subset_size, rng, len(real), len(fake))
    else:
        indices = _check_subsets(subsets, len(real), len(fake))
    values = cubic_kernel.subset_distances(real, fake, *indices)
    return KernelDistance(float(values.mean()), float(values.std()), values)


def kernel_distance_full(real: ArrayLike, fake: ArrayLike) -> float:
    """Computes the unbiased squared MMD of `kernel_distance` over all samples at once.

    Args:
      real: features ``[n, d]``, any real dtype, n >= 2; taken in blocks.
      fake: features ``[m, d]``, m >= 2; n and m may differ.

    Returns:
      The estimate, which may be negative. It has less variance than the mean over subsets, and no
      standard deviation to report.

    Raises:
      ValueError: as `kernel_distance`.

    References:
      Gretton et al. 2012, A kernel two-sample test, equation 3.
    """
    real, fake = feature_pair(real, fake, minimum=2, copy=False)
    return cubic_kernel.full_distance(real, fake)


def _draw_subsets(
    subsets: int,
    size: int | None,
    rng: np.random.Generator | np.random.RandomState | int,
    n: int,
    m: int,
) -> tuple[Array, Array]:
    size = min(1000, n, m) if size is None else at_least(size, 2, "subset_size")
    if size > min(n, m):
        raise ValueError(
            f"subset_size: found {size}, "
            f"expected at most the {min(n, m)} samples of the smaller set"
        )
    if not isinstance(rng, np.random.RandomState):
        rng = np.random.default_rng(rng)
    real_indices, fake_indices = [], []
    for _ in range(subsets):
        real_indices.append(rng.choice(n, size, replace=False))
        fake_indices.append(rng.choice(m, size, replace=False))
    return np.stack(real_indices), np.stack(fake_indices)


def _check_subsets(subsets: Sequence[ArrayLike], n: int, m: int) -> tuple[Array, Array]:
    if not isinstance(subsets, Sequence | np.ndarray) or len(subsets) != 2:
        raise ValueError(
            f"subsets: found {subsets!r:.60}, expected a number or a pair of arrays [subsets, size]"
        )
    real_indices, fake_indices = np.asarray(subsets[0]), np.asarray(subsets[1])
    shape = real_indices.shape
    if len(shape) != 2 or shape != fake_indices.shape or shape[1] < 2 or shape[0] < 1:
        raise ValueError(
            f"subsets: found shapes {shape} and {fake_indices.shape}, "
            "expected [subsets, size >= 2] twice"
        )
    for indices, count in ((real_indices, n), (fake_indices, m)):
        if indices.dtype.kind not in "iu":
            raise ValueError(f"subsets: found dtype {indices.dtype}, expected integers")
        if indices.min() < 0 or indices.max() >= count:
            raise ValueError(
                f"subsets: found values in [{indices.min()}, {indices.max()}], "
                f"expected indices in [0, {count - 1}]"
            )
    return real_indices, fake_indices
