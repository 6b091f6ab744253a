"""The Fréchet distance between Gaussians fitted to two sets of features: with Inception, FID.

Everything is float64 on the host. The trace of the matrix square root is taken by a symmetric
route, never by a general ``sqrtm``: it is the sum of the singular values of ``F1 F2^T`` for any
factors with ``S = F^T F``.
"""

import numpy as np

from gan_jax.metrics.checks import Array, ArrayLike, at_least, feature_pair, finite
from gan_jax.metrics.statistics import centred, moments


def frechet_distance(real: ArrayLike, fake: ArrayLike) -> float:
    """Computes the squared Fréchet distance between Gaussians fitted to two sets of features.

    With Inception features this is FID:
    ``|m1 - m2|^2 + Tr(S1) + Tr(S2) - 2 Tr((S1 S2)^(1/2))``, with unbiased covariances (``n - 1``).
    It is correct for n < d too. It falls with the number of samples even for one distribution, so
    compare only scores of the same n and m.

    Example:

      >>> import numpy as np
      >>> from gan_jax import metrics
      >>> real = np.random.default_rng(0).normal(size=(500, 8))
      >>> fake = real + 2  # the same covariance, and a mean that differs by 2 in 8 dimensions
      >>> print(f"{metrics.frechet_distance(real, fake):.6f}")
      32.000000

    Args:
      real: features ``[n, d]``, any real dtype, n >= 2.
      fake: features ``[m, d]``, m >= 2.

    Returns:
      The distance, at least 0, in squared units of the features.

    Raises:
      ValueError: if the features have a wrong rank, fewer than two samples, different d or a value
        that is not finite.

    References:
      Heusel et al. 2017, GANs trained by a two time-scale update rule, equation 6; Dowson and
      Landau 1982.
    """
    real, fake = feature_pair(real, fake, minimum=2, copy=False)
    if min(len(real), len(fake)) > real.shape[1]:
        (mean1, scatter1), (mean2, scatter2) = moments(real), moments(fake)
        scatter1 /= len(real) - 1
        scatter2 /= len(fake) - 1
        overlap = _trace_of_root(scatter1, scatter2)
        if overlap is not None:
            trace1, trace2 = float(np.trace(scatter1)), float(np.trace(scatter2))
            return _distance(mean1, trace1, mean2, trace2, overlap)
    (x, mean1), (y, mean2) = centred(real), centred(fake)
    x /= np.sqrt(len(x) - 1)
    y /= np.sqrt(len(y) - 1)
    overlap = _nuclear_norm(_square_factor(x), _square_factor(y))
    return _distance(mean1, float(np.vdot(x, x)), mean2, float(np.vdot(y, y)), overlap)


def frechet_distance_from_statistics(
    mean1: ArrayLike, cov1: ArrayLike, mean2: ArrayLike, cov2: ArrayLike
) -> float:
    """Computes the squared Fréchet distance between two Gaussians, from means and covariances.

    Args:
      mean1: ``[d]``.
      cov1: ``[d, d]``, symmetric and positive semidefinite; it may be singular.
      mean2: ``[d]``.
      cov2: ``[d, d]``, as ``cov1``.

    Returns:
      The distance, at least 0, in squared units of the features.

    Raises:
      ValueError: if shapes disagree, a value is not finite, or a covariance is not symmetric and
        positive semidefinite.

    References:
      As `frechet_distance`.
    """
    mean1, mean2 = finite(mean1, "mean1"), finite(mean2, "mean2")
    if mean1.ndim != 1 or mean1.size == 0 or mean2.shape != mean1.shape:
        raise ValueError(f"means: found shapes {mean1.shape} and {mean2.shape}, expected [d] twice")
    cov1, cov2 = _covariance(cov1, "cov1", mean1.size), _covariance(cov2, "cov2", mean1.size)
    overlap = _trace_of_root(cov1, cov2)
    if overlap is None:
        overlap = _nuclear_norm(_symmetric_root(cov1, "cov1"), _symmetric_root(cov2, "cov2"))
    return _distance(mean1, float(np.trace(cov1)), mean2, float(np.trace(cov2)), overlap)


def frechet_distance_infinity(
    real: ArrayLike,
    fake: ArrayLike,
    *,
    points: int = 15,
    smallest: int | None = None,
    rng: np.random.Generator | int = 0,
) -> float:
    """Computes the Fréchet distance extrapolated to infinitely many generated samples.

    The distance from n samples is biased by about ``c / n``. It is computed for ``points`` random
    subsets of ``fake`` of evenly spaced sizes and fitted by a straight line in ``1 / n``; the
    intercept is returned.

    Args:
      real: features ``[n, d]``, n >= 2, all used each time.
      fake: features ``[m, d]``.
      points: the number of subset sizes, at least 2.
      smallest: the smallest size; by default 5000, or a tenth of m if that is less.
      rng: NumPy generator or seed that draws the subsets.

    Returns:
      The extrapolated distance, which may fall below zero by the fit's error.

    Raises:
      ValueError: as `frechet_distance`, or if the range of sizes is empty.

    References:
      Chong and Forsyth 2020, Effectively unbiased FID and Inception Score and where to find them,
      section 4.
    """
    sizes, distances = frechet_distance_by_size(
        real, fake, points=points, smallest=smallest, rng=rng
    )
    return float(np.polynomial.polynomial.polyfit(1 / sizes, distances, 1)[0])


def frechet_distance_by_size(
    real: ArrayLike,
    fake: ArrayLike,
    *,
    points: int = 15,
    smallest: int | None = None,
    rng: np.random.Generator | int = 0,
) -> tuple[Array, Array]:
    """Computes the points that `frechet_distance_infinity` fits, from the same arguments.

    Returns:
      The subset sizes ``[points]`` int64 and the distances ``[points]`` float64.
    """
    real, fake = feature_pair(real, fake, minimum=2)
    points = at_least(points, 2, "points")
    if smallest is None:
        smallest = min(5000, max(2, len(fake) // 10))
    else:
        smallest = at_least(smallest, 2, "smallest")
    if smallest >= len(fake):
        raise ValueError(
            f"fake: found {len(fake)} samples, expected more than smallest = {smallest}"
        )
    rng = np.random.default_rng(rng)
    sizes = np.linspace(smallest, len(fake), points).astype(int)
    subsets = [fake[rng.choice(len(fake), size, replace=False)] for size in sizes]
    return sizes, np.array([frechet_distance(real, subset) for subset in subsets])


def _square_factor(x: Array) -> Array:
    """Returns a factor F of ``x^T x = F^T F`` with at most d rows."""
    return x if len(x) <= x.shape[1] else np.asarray(np.linalg.qr(x, mode="r"))


def _nuclear_norm(factor1: Array, factor2: Array) -> float:
    return float(np.linalg.svd(factor1 @ factor2.T, compute_uv=False).sum())


def _distance(mean1: Array, trace1: float, mean2: Array, trace2: float, overlap: float) -> float:
    return max(float(np.sum((mean1 - mean2) ** 2)) + trace1 + trace2 - 2 * overlap, 0.0)


def _trace_of_root(cov1: Array, cov2: Array) -> float | None:
    """Computes ``Tr((S1 S2)^(1/2))`` of well-conditioned covariances; None if one is singular.

    Only lower triangles are read. The fastest way takes the roots of the eigenvalues of
    ``L1^T S2 L1``. An eigenvalue is known to about ``eps |S1| |S2|``, so its root to
    ``error / (2 root)``; if these errors could add up, the singular values of ``L1^T L2`` are
    taken.
    """
    from scipy.linalg import eigh, lapack

    lower1 = _cholesky(cov1)
    if lower1 is None:
        return None
    product, _ = lapack.dsygst(cov2, lower1, itype=2, lower=1)
    eigenvalues = eigh(
        product, lower=True, eigvals_only=True, overwrite_a=True, check_finite=False, driver="evd"
    )
    if eigenvalues[0] > 0:
        roots = np.sqrt(eigenvalues)
        error = 4 * np.finfo(np.float64).eps * np.linalg.norm(cov1) * np.linalg.norm(cov2)
        # A bound: measured errors are some 1000 times smaller.
        if np.sum(error / (2 * roots)) < 1e-7 * roots.sum():
            return float(roots.sum())
    lower2 = _cholesky(cov2)
    return None if lower2 is None else _nuclear_norm(lower1.T, lower2.T)


def _cholesky(covariance: Array) -> Array | None:
    """Returns the lower factor L of ``S = L L^T``, or None if its small end is rounding error."""
    from scipy.linalg import lapack

    lower: Array
    lower, failed = lapack.dpotrf(covariance, lower=1)
    if failed or lower.diagonal().min() < 1e-6 * lower.diagonal().max():  # squared, this nears eps
        return None
    return lower


def _symmetric_root(covariance: Array, name: str) -> Array:
    """Returns a factor F of ``S = F^T F`` from the eigenvalues of S."""
    values, vectors = np.linalg.eigh(covariance)
    if values[0] < -1e-6 * max(values[-1], 0.0) or values[-1] < 0:
        raise ValueError(
            f"{name}: found an eigenvalue of {values[0]:g}, expected a positive semidefinite matrix"
        )
    # Rounding leaves a singular covariance with eigenvalues of either sign, about eps times the
    # largest.
    floor = len(values) * np.finfo(np.float64).eps * values[-1]
    root: Array = np.sqrt(np.where(values > floor, values, 0.0))[:, None] * vectors.T
    return root


def _covariance(covariance: ArrayLike, name: str, d: int) -> Array:
    covariance = finite(covariance, name)
    if covariance.shape != (d, d):
        raise ValueError(f"{name}: found shape {covariance.shape}, expected {(d, d)}")
    asymmetry, scale = np.abs(covariance - covariance.T).max(), np.abs(covariance).max()
    if asymmetry > 1e-5 * scale:
        raise ValueError(
            f"{name}: found |S - S^T| up to {asymmetry:g}, expected a symmetric matrix"
        )
    symmetric: Array = (covariance + covariance.T) / 2
    return symmetric
