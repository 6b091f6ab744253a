"""Log-likelihood of test data under a Parzen window (Gaussian kernel density) of fakes."""

from collections.abc import Iterator

import numpy as np

from gan_jax.metrics.checks import Array, ArrayLike, feature_pair, finite, positive

BLOCK = 2**24  # distances held at once


def parzen_log_likelihood(samples: ArrayLike, test: ArrayLike, sigma: float) -> float:
    """Computes the mean log-likelihood of test data under Gaussian windows around samples.

    ``mean over t of log (1/n) sum_i N(t; x_i, sigma^2 I)``. In many dimensions it says little about
    sample quality (Theis et al. 2016); it is here because early papers report it.

    Args:
      samples: generated samples ``[n, d]``, any real dtype; computed in float64.
      test: held-out data ``[m, d]``.
      sigma: the windows' standard deviation, in units of the samples; see `parzen_sigma`.

    Returns:
      The mean log-likelihood in nats.

    Raises:
      ValueError: if the samples have a wrong rank, different d or a value that is not finite, or
        sigma is not above 0.

    References:
      Goodfellow et al. 2014, Generative adversarial nets, section 5; Breuleux et al. 2011.
    """
    return float(parzen_log_likelihoods(samples, test, sigma).mean())


def parzen_log_likelihoods(samples: ArrayLike, test: ArrayLike, sigma: float) -> Array:
    """Computes the log-likelihood of each test sample; arguments as `parzen_log_likelihood`.

    The papers' "±" is the standard error of the mean over test samples:
    ``values.std(ddof=1) / sqrt(m)``.

    Returns:
      ``[m]`` float64 in nats.
    """
    from scipy.special import logsumexp

    samples, test = feature_pair(samples, test, ("samples", "test"))
    sigma = positive(sigma, "sigma")
    log_norm = np.log(len(samples)) + samples.shape[1] * np.log(sigma * np.sqrt(2 * np.pi))
    log_sums = [
        logsumexp(-squared / (2 * np.square(sigma)), axis=1)
        for squared in _squared_distances(test, samples)
    ]
    log_likelihoods: Array = np.concatenate(log_sums) - log_norm
    return log_likelihoods


def parzen_sigma(
    samples: ArrayLike, validation: ArrayLike, sigmas: ArrayLike | None = None
) -> float:
    """Finds the window width with the highest mean log-likelihood of validation data.

    Args:
      samples: generated samples ``[n, d]``.
      validation: held-out data ``[m, d]``, other than the test data.
      sigmas: candidate widths ``[s]``; by default ten from 0.1 to 1, evenly spaced in their
        logarithm, as in the code of the first GAN paper for pixels in [0, 1]. For other units pass
        your own.

    Returns:
      The best candidate.

    Raises:
      ValueError: as `parzen_log_likelihood`, or if there is no candidate.

    References:
      As `parzen_log_likelihood`.
    """
    sigmas = np.logspace(-1, 0, 10) if sigmas is None else finite(sigmas, "sigmas")
    if sigmas.ndim != 1 or sigmas.size == 0:
        raise ValueError(f"sigmas: found shape {sigmas.shape}, expected [s] with s >= 1")
    scores = [parzen_log_likelihood(samples, validation, sigma) for sigma in sigmas]
    return float(sigmas[int(np.argmax(scores))])


def _squared_distances(test: Array, samples: Array) -> Iterator[Array]:
    """Yields squared distances ``[block, n]`` of blocks of test samples to all samples."""
    from scipy.spatial.distance import cdist

    step = max(1, BLOCK // len(samples))
    for start in range(0, len(test), step):
        yield cdist(test[start : start + step], samples, "sqeuclidean")
