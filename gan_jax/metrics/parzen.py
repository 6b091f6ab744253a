"""Log-likelihood of test data under a Parzen window (Gaussian kernel density) fitted to generated samples."""

import numpy as np

from gan_jax.metrics.checks import Array, ArrayLike, feature_pair, positive

BLOCK = 2**24  # distances held at once


def parzen_log_likelihood(samples: ArrayLike, test: ArrayLike, sigma: float) -> float:
    """Mean log-likelihood of test points under Gaussian windows around generated samples.

    ``mean over t of log (1/n) sum_i N(t; x_i, sigma^2 I)``. In many dimensions it says little about sample quality (Theis et
    al. 2016); it is here because early papers report it.

    Args:
      samples: generated samples ``[n, d]``, any real dtype; computed in float64.
      test: held-out data ``[m, d]``.
      sigma: the windows' standard deviation, in units of the samples; see `parzen_sigma`.

    Returns:
      The mean log-likelihood in nats.

    Raises:
      ValueError: a wrong rank, different d, a value that is not finite, or sigma that is not above 0.

    References:
      Goodfellow et al. 2014, Generative adversarial nets, section 5; Breuleux et al. 2011.
    """
    return float(parzen_log_likelihoods(samples, test, sigma).mean())


def parzen_log_likelihoods(samples: ArrayLike, test: ArrayLike, sigma: float) -> Array:
    """The log-likelihood of each test point, ``[m]`` float64 in nats; arguments as `parzen_log_likelihood`.

    The papers' "±" is the standard error of the mean over test points: ``values.std(ddof=1) / sqrt(m)``.
    """
    from scipy.special import logsumexp

    samples, test = feature_pair(samples, test, ("samples", "test"))
    sigma = positive(sigma, "sigma")
    norm = np.log(len(samples)) + samples.shape[1] * np.log(sigma * np.sqrt(2 * np.pi))
    return (
        np.concatenate(
            [logsumexp(-d2 / (2 * sigma**2), axis=1) for d2 in _squared_distances(test, samples)]
        )
        - norm
    )


def parzen_sigma(
    samples: ArrayLike, validation: ArrayLike, sigmas: ArrayLike | None = None
) -> float:
    """The window width with the highest mean log-likelihood on validation data.

    Args:
      samples: generated samples ``[n, d]``.
      validation: held-out data ``[m, d]``, other than the test data.
      sigmas: candidate widths ``[s]``; by default ten from 0.1 to 1, evenly spaced in their logarithm, as in the code of the
        first GAN paper for pixels in [0, 1]. For other units pass your own.

    Returns:
      The best candidate.

    Raises:
      ValueError: as `parzen_log_likelihood`, or no candidate.

    References:
      As `parzen_log_likelihood`.
    """
    sigmas = np.logspace(-1, 0, 10) if sigmas is None else np.asarray(sigmas, np.float64)
    if sigmas.ndim != 1 or sigmas.size == 0:
        raise ValueError(f"sigmas: found shape {sigmas.shape}, expected [s] with s >= 1")
    scores = [parzen_log_likelihood(samples, validation, sigma) for sigma in sigmas]
    return float(sigmas[int(np.argmax(scores))])


def _squared_distances(test: Array, samples: Array):
    from scipy.spatial.distance import cdist

    step = max(1, BLOCK // len(samples))
    return (cdist(test[i : i + step], samples, "sqeuclidean") for i in range(0, len(test), step))
