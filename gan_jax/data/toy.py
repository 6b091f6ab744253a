"""Distributions that are known exactly: points in one or two dimensions, drawn on the device.

All of them take ``scale``, a factor on all coordinates, and ``finite``: the number of fixed
training samples (see `fixed`), or 0 for fresh samples at every step. Distributions with modes take
``labels``: whether batches carry the index of the mode that a sample comes from.
"""

from collections.abc import Sequence

import jax
import jax.numpy as jnp
import numpy as np
from numpy.typing import ArrayLike

from gan_jax import random
from gan_jax.data.dataset import Dataset
from gan_jax.errors import UserError
from gan_jax.game import Array, PRNGKey


def mixture(
    means: ArrayLike,
    stds: ArrayLike,
    weights: ArrayLike | None = None,
    labels: bool = False,
    scale: float = 1.0,
    finite: int = 0,
) -> Dataset:
    """Mixture of isotropic Gaussians, ``p(x) = sum_k weights_k N(x; means_k, stds_k^2 I)``.

    Args:
      means: ``[modes, d]``, or ``[modes]`` for one dimension.
      stds: one for all modes, or one per mode; 0 makes point masses.
      weights: one per mode, normalised to sum 1; equal by default.
      labels: see the module.
      scale: see the module.
      finite: see the module.

    Returns:
      Samples ``[d]`` float32; labels are the indices of the modes. The dataset's ``std`` is None if
      the modes differ in theirs.

    Raises:
      UserError: an argument has another shape, or is out of range.
    """
    centres = np.asarray(means, np.float64)
    if centres.ndim == 1:
        centres = centres[:, None]
    if centres.ndim != 2 or not centres.size:
        raise UserError(
            f"means of a mixture are [modes, d] or [modes], not of shape {np.shape(means)}"
        )
    modes, d = centres.shape
    mode_stds = _per_mode("stds", stds, modes)
    mode_weights = _per_mode("weights", 1.0 if weights is None else weights, modes)
    if mode_stds.min() < 0 or mode_weights.min() < 0 or not mode_weights.sum() > 0:
        raise UserError(
            "stds and weights of a mixture are 0 or more, and some weight is more than 0"
        )
    centres = (scale * centres).astype(np.float32)
    mode_stds = (abs(scale) * mode_stds).astype(np.float32)
    cumulative = np.cumsum(mode_weights / mode_weights.sum())[:-1].astype(np.float32)

    def sample(key: PRNGKey) -> tuple[Array, Array]:
        mode_key, point_key = jax.random.split(key)
        mode = jnp.sum(jax.random.uniform(mode_key) >= cumulative, dtype=jnp.int32)
        noise = random.normal(point_key, (d,))
        return jnp.asarray(centres)[mode] + jnp.asarray(mode_stds)[mode] * noise, mode

    std = float(mode_stds[0]) if np.all(mode_stds == mode_stds[0]) else None
    dataset = Dataset.from_distribution(
        (d,), sample, modes if labels else 0, centres=centres, std=std
    )
    return _fixed_if(dataset, finite)


def _per_mode(name: str, values: ArrayLike, modes: int) -> np.ndarray:
    """Broadcasts one number, or one per mode, to ``[modes]``."""
    array = np.asarray(values, np.float64)
    if array.shape not in ((), (modes,)) or not np.all(np.isfinite(array)):
        raise UserError(
            f"{name} of a mixture of {modes} modes: one finite number, or {modes} of them"
        )
    return np.broadcast_to(array, (modes,))


def ring(
    modes: int = 8,
    radius: float = 2.0,
    std: float = 0.02,
    labels: bool = False,
    scale: float = 1.0,
    finite: int = 0,
) -> Dataset:
    """Gaussians of equal weight on a circle.

    The centres are ``radius (cos theta_k, sin theta_k)`` with ``theta_k = 2 pi k / modes``. Other
    settings in the literature: radius 1, std 0.01, 100,000 fixed samples (PacGAN);
    ``scale=1/1.414`` (WGAN-GP); radius 2.5, std 0.01 (BuresGAN). Results for one are not comparable
    with those for another.

    Args:
      modes: the number of Gaussians.
      radius: of the circle.
      std: the standard deviation of each Gaussian.
      labels: see the module.
      scale: see the module.
      finite: see the module.

    Returns:
      Samples ``[2]`` float32.

    References:
      Metz et al., "Unrolled Generative Adversarial Networks" (ICLR 2017), appendix A: the defaults.
    """
    theta = 2 * np.pi * np.arange(_at_least_one("modes", modes)) / modes
    centres = radius * np.stack([np.cos(theta), np.sin(theta)], axis=1)
    return mixture(centres, std, labels=labels, scale=scale, finite=finite)


def ring_of_seven(
    radius: float = 1.0,
    std: float = 0.01,
    labels: bool = False,
    scale: float = 1.0,
    finite: int = 0,
) -> Dataset:
    """The ring of a published bug: seven modes, one of them with double weight.

    The demonstration notebook of Metz et al. (poolio/unrolled_gan) places 8 Gaussians at
    ``linspace(0, 2 pi, 8)``, which holds both 0 and 2 pi: ``theta_k = 2 pi k / 7`` for
    k = 0 ... 6, with weights 2/8, 1/8, ..., 1/8. No generator covers "8 of 8" of it. For comparison
    with results on that notebook's data only; `ring` is the paper's.

    Args:
      radius: of the circle.
      std: the standard deviation of each Gaussian.
      labels: see the module.
      scale: see the module.
      finite: see the module.

    Returns:
      Samples ``[2]`` float32.
    """
    theta = 2 * np.pi * np.arange(7) / 7
    centres = radius * np.stack([np.cos(theta), np.sin(theta)], axis=1)
    return mixture(centres, std, [2, 1, 1, 1, 1, 1, 1], labels=labels, scale=scale, finite=finite)


def grid(
    side: int = 5,
    spacing: float = 2.0,
    std: float = 0.05,
    labels: bool = False,
    scale: float = 1.0,
    finite: int = 0,
) -> Dataset:
    """Gaussians of equal weight on a square grid around the origin.

    Mode ``side * i + j`` is at ``spacing (i - (side - 1) / 2, j - (side - 1) / 2)``. The defaults
    are 25 modes on {-4, -2, 0, 2, 4}^2.

    Args:
      side: the number of Gaussians in each direction.
      spacing: the distance between neighbouring centres.
      std: the standard deviation of each Gaussian.
      labels: see the module.
      scale: see the module.
      finite: see the module.

    Returns:
      Samples ``[2]`` float32.

    References:
      Lin et al., "PacGAN" (NeurIPS 2018): the defaults, with 100,000 fixed samples.
      Gulrajani et al., "Improved Training of Wasserstein GANs" (NeurIPS 2017): the defaults with
      ``scale=1/2.828``.
    """
    ticks = spacing * (np.arange(_at_least_one("side", side)) - (side - 1) / 2)
    centres = np.stack(np.meshgrid(ticks, ticks, indexing="ij"), axis=-1).reshape(-1, 2)
    return mixture(centres, std, labels=labels, scale=scale, finite=finite)


def three_classes(
    distance: float = 3.5,
    stds: Sequence[float] = (1.0, 2.0, 3.0),
    labels: bool = True,
    scale: float = 1.0,
    finite: int = 0,
) -> Dataset:
    """Overlapping Gaussian classes of equal weight in two dimensions.

    Class k has the mean ``(k distance, 0)`` and the standard deviation ``stds_k``. AC-GAN shrinks
    these classes and moves them away from their overlap.

    Args:
      distance: between neighbouring means.
      stds: the standard deviation of each class; their number is the number of classes.
      labels: see the module.
      scale: see the module.
      finite: see the module.

    Returns:
      Samples ``[2]`` float32.

    References:
      Gong et al., "Twin Auxiliary Classifiers GAN" (NeurIPS 2019), section 5.1.
    """
    return mixture(
        [[k * distance, 0.0] for k in range(len(stds))],
        stds,
        labels=labels,
        scale=scale,
        finite=finite,
    )


def gaussian(
    mean: float = 0.0, std: float = 1.0, dimensions: int = 1, scale: float = 1.0, finite: int = 0
) -> Dataset:
    """One Gaussian ``N(mean 1, std^2 I)``; ``std=0`` is the point mass of the Dirac-GAN.

    Args:
      mean: of every coordinate.
      std: of every coordinate.
      dimensions: the number of coordinates.
      scale: see the module.
      finite: see the module.

    Returns:
      Samples ``[dimensions]`` float32.

    References:
      Mescheder, Geiger and Nowozin, "Which Training Methods for GANs do actually Converge?" (ICML
      2018): the Dirac-GAN.
    """
    return mixture(
        [[mean] * _at_least_one("dimensions", dimensions)], std, scale=scale, finite=finite
    )


def parallel_lines(theta: float = 0.0, scale: float = 1.0, finite: int = 0) -> Dataset:
    """The distribution of ``(theta, Z)``, ``Z ~ U[0, 1]``: a vertical segment in the plane.

    Compared with the segment at 0, for ``theta != 0``: ``W1 = |theta|``, ``JS = log 2``, both
    ``KL`` infinite, total variation 1.

    Args:
      theta: the first coordinate of all points.
      scale: see the module.
      finite: see the module.

    Returns:
      Samples ``[2]`` float32.

    References:
      Arjovsky et al., "Wasserstein GAN" (ICML 2017), Example 1.
    """

    def sample(key: PRNGKey) -> tuple[Array, Array]:
        point = jnp.stack([jnp.float32(theta), jax.random.uniform(key)])
        return scale * point, jnp.int32(0)

    return _fixed_if(Dataset.from_distribution((2,), sample), finite)


def swiss_roll(noise: float = 0.25, scale: float = 1 / 7.5, finite: int = 0) -> Dataset:
    """A noisy spiral, the coordinates 0 and 2 of scikit-learn's ``make_swiss_roll``.

    Points are ``scale ((t cos t, t sin t) + noise N(0, I))`` with ``t = 3 pi / 2 (1 + 2 U[0, 1])``.

    Args:
      noise: the standard deviation of the noise.
      scale: see the module.
      finite: see the module.

    Returns:
      Samples ``[2]`` float32.

    References:
      Marsland, "Machine Learning: An Algorithmic Perspective" (2009): the spiral.
      Gulrajani et al., "Improved Training of Wasserstein GANs" (NeurIPS 2017), figure 1: noise and
      scale.
    """

    def sample(key: PRNGKey) -> tuple[Array, Array]:
        spiral_key, noise_key = jax.random.split(key)
        t = 1.5 * np.pi * (1 + 2 * jax.random.uniform(spiral_key))
        spiral = t * jnp.stack([jnp.cos(t), jnp.sin(t)])
        return scale * (spiral + noise * random.normal(noise_key, (2,))), jnp.int32(0)

    return _fixed_if(Dataset.from_distribution((2,), sample), finite)


def fixed(dataset: Dataset, n: int = 100_000, seed: int = 0) -> Dataset:
    """A finite training set: ``n`` samples of a distribution, the same in every run and epoch.

    PacGAN (Lin et al., NeurIPS 2018) trains on 100,000 of them.

    Args:
      dataset: the distribution.
      n: the number of samples.
      seed: chooses the samples; the seed of ``draw`` then only chooses their order.

    Returns:
      The dataset; its ``arrays["real"]`` is ``[n, *shape]`` float32.

    Raises:
      UserError: ``n`` is below 1.
    """
    samples = dataset.draw(seed, np.arange(_at_least_one("the number of fixed samples", n)))
    arrays = {name: np.asarray(value) for name, value in samples.items()}
    return Dataset.from_arrays(
        arrays["real"],
        arrays.get("label"),
        dataset.classes,
        centres=dataset.centres,
        std=dataset.std,
    )


def _fixed_if(dataset: Dataset, n: int) -> Dataset:
    """Returns ``n`` fixed samples of the dataset, or the dataset itself if ``n`` is 0."""
    return fixed(dataset, n) if n else dataset


def _at_least_one(name: str, value: int) -> int:
    if value < 1:
        raise UserError(f"{name} is at least 1, not {value}")
    return value
