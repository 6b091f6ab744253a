"""Bottlenecks between an encoder and a decoder: vector quantisation, FSQ, a diagonal Gaussian.

They are pure functions of arrays whose last axis holds the channels. What rounds is differentiated
by the straight-through estimator: the derivative of the rounding is taken to be the identity.
"""

import math
from typing import NamedTuple

import jax
import jax.numpy as jnp

from gan_jax.errors import UserError
from gan_jax.game import Array, PRNGKey
from gan_jax.networks.layers import along_channels


class Quantised(NamedTuple):
    """Quantised vectors, and which of the codes they are.

    Attributes:
      values: ``[batch, ..., channels]``, what the decoder is given.
      codes: ``[batch, ...]`` int32, the index of each code.
    """

    values: Array
    codes: Array


def straight_through(x: Array, rounded: Array) -> Array:
    """Returns ``rounded`` with the derivative of ``x``: both ``[...]``, of one shape.

    References:
      Bengio et al., "Estimating or Propagating Gradients Through Stochastic Neurons" (2013).
    """
    # Written so that the value is exactly `rounded`: x + (rounded - x) may differ in the last bits.
    return jax.lax.stop_gradient(rounded) + (x - jax.lax.stop_gradient(x))


def vector_quantise(x: Array, codebook: Array) -> Quantised:
    """Returns the entry of a codebook that is nearest to each vector, in Euclidean distance.

    The values have no gradient with respect to ``x``, and that of the entries with respect to the
    codebook. The decoder is given ``straight_through(x, values)``.

    Args:
      x: ``[batch, ..., channels]``.
      codebook: ``[codes, channels]``.

    References:
      van den Oord et al., "Neural Discrete Representation Learning" (2017), eqs. 1 and 2.
    """
    vectors = jax.lax.stop_gradient(x)
    entries = jax.lax.stop_gradient(codebook)
    # |x - e|^2 without |x|^2, which is the same for all entries.
    products = jnp.matmul(vectors, entries.T, precision="highest")
    distances = along_channels(jnp.sum(jnp.square(entries), -1), products) - 2 * products
    codes = jnp.argmin(distances, -1).astype(jnp.int32)
    return Quantised(codebook[codes], codes)


def codebook_loss(x: Array, values: Array) -> Array:
    """Computes ``|sg(x) - values|^2`` of each sample, which moves the codebook alone.

    Means are over all entries of a sample, as in the authors' code; eq. 3 sums.

    Args:
      x: ``[batch, ..., channels]``, the encoder's output.
      values: of `vector_quantise`.

    Returns:
      ``[batch]``.

    References:
      van den Oord et al., "Neural Discrete Representation Learning" (2017), eq. 3, second term.
    """
    return _mean_square(jax.lax.stop_gradient(x) - values)


def commitment_loss(x: Array, values: Array) -> Array:
    """Computes ``|x - sg(values)|^2`` of each sample, which moves the encoder alone.

    Its usual weight is beta = 0.25. (The code of VQGAN has beta on the codebook's loss instead
    unless it is told ``legacy=False``.)

    Args:
      x: ``[batch, ..., channels]``, the encoder's output.
      values: of `vector_quantise`.

    Returns:
      ``[batch]``.

    References:
      van den Oord et al., "Neural Discrete Representation Learning" (2017), eq. 3, third term.
    """
    return _mean_square(x - jax.lax.stop_gradient(values))


def _mean_square(x: Array) -> Array:
    return jnp.mean(jnp.square(x), tuple(range(1, x.ndim)))


FSQ_MARGIN = 1e-3
"""Bounds reach this fraction beyond the outermost levels, so that these can be reached."""


def finite_scalar_quantise(x: Array, levels: tuple[int, ...]) -> Quantised:
    """Returns each channel bounded and rounded to one of a few levels (FSQ), with no codebook.

    ``round(h tanh(x + s) - o)`` with ``h = (L - 1) (1 + 0.001) / 2``, o = 1/2 for an even number of
    levels L and 0 otherwise, and s such that 0 is mapped to 0; divided by ``floor(L / 2)``, so that
    values are in [-1, 1]. The gradient is that of the bounded value, straight through the rounding.

    This is the form of lucidrains' code. The authors' own has ``1 - 0.001`` and ``tan`` in place of
    ``artanh`` in s, by which a few codes differ.

    Args:
      x: ``[batch, ..., channels]``.
      levels: of each channel, at least 2.

    Returns:
      Values ``[batch, ..., channels]``; codes in ``[0, prod(levels))``, the first channel varying
      fastest.

    Raises:
      UserError: levels below 2, or not as many as channels.

    References:
      Mentzer et al., "Finite Scalar Quantization: VQ-VAE Made Simple" (2023), section 3.1 and
      appendix A.
    """
    check_levels(levels)
    if x.shape[-1] != len(levels):
        raise UserError(
            f"fsq has a number of levels for each channel: {x.shape[-1]} of them, not {len(levels)}"
        )
    counts = along_channels(jnp.asarray(levels, x.dtype), x)
    half = (counts - 1) * (1 + FSQ_MARGIN) / 2
    offset = jnp.where(counts % 2 == 0, 0.5, 0.0).astype(x.dtype)
    bounded = jnp.tanh(x + jnp.arctanh(offset / half)) * half - offset
    rounded = jnp.round(bounded)
    half_width = along_channels(jnp.asarray([level // 2 for level in levels], x.dtype), x)
    digits = jax.lax.stop_gradient(rounded + half_width).astype(jnp.int32)
    places = [math.prod(levels[:channel]) for channel in range(len(levels))]
    codes = jnp.sum(digits * along_channels(jnp.asarray(places, jnp.int32), digits), -1)
    return Quantised(straight_through(bounded, rounded) / half_width, codes)


def check_levels(levels: tuple[int, ...]) -> None:
    """Raises UserError unless there are levels, whole numbers of at least 2."""
    if not levels or not all(isinstance(level, int) and level >= 2 for level in levels):
        raise UserError(f"levels are whole numbers of at least 2, as in (8, 5, 5), not {levels!r}")


class Gaussian(NamedTuple):
    """A normal distribution of independent entries.

    Attributes:
      mean: ``[batch, ...]``.
      log_variance: likewise.
    """

    mean: Array
    log_variance: Array


LOG_VARIANCES = (-30.0, 20.0)
"""Log variances are clipped to this range, as in the code of latent diffusion."""


def diagonal_gaussian(moments: Array) -> Gaussian:
    """Returns the normal distribution of an encoder's output.

    Args:
      moments: ``[batch, ..., 2 channels]``, means and then log variances.

    References:
      Rombach et al., "High-Resolution Image Synthesis with Latent Diffusion Models" (2022), code:
      ``DiagonalGaussianDistribution``.
    """
    mean, log_variance = jnp.split(moments, 2, -1)
    return Gaussian(mean, jnp.clip(log_variance, *LOG_VARIANCES))


def draw_gaussian(gaussian: Gaussian, keys: PRNGKey) -> Array:
    """Draws each sample by a key of its own.

    Args:
      gaussian: of samples ``[batch, ...]``.
      keys: ``[batch]``.

    Returns:
      ``mean + exp(log variance / 2) e``, e ~ N(0, 1), ``[batch, ...]``: differentiable in both.
    """
    mean, log_variance = gaussian
    noise = jax.vmap(lambda key: jax.random.normal(key, mean.shape[1:], mean.dtype))(keys)
    return mean + jnp.exp(log_variance / 2) * noise


def kl_divergence(gaussian: Gaussian) -> Array:
    """Computes the KL divergence from N(0, 1) to a Gaussian, summed over each sample's entries.

    ``sum (mean^2 + variance - 1 - log variance) / 2``, in nats.

    Args:
      gaussian: of samples ``[batch, ...]``.

    Returns:
      ``[batch]``.

    References:
      Kingma & Welling, "Auto-Encoding Variational Bayes" (2014), appendix B.
      Rombach et al. (2022), code: a weight of 1e-6.
    """
    mean, log_variance = gaussian
    terms = jnp.square(mean) + jnp.exp(log_variance) - 1 - log_variance
    return jnp.sum(terms, tuple(range(1, mean.ndim))) / 2
