"""Distributions that are known exactly: points in one or two dimensions, drawn on the device.

Every one takes ``scale``, a factor on all coordinates; ``finite``, how many fixed training samples there are, instead of
fresh ones at every step (0); and, where there are modes, ``labels``, whether the batch carries the mode's index.
"""

from collections.abc import Sequence

import jax
import jax.numpy as jnp
import numpy as np
from numpy.typing import ArrayLike

from gan_jax import random
from gan_jax.data.dataset import Dataset, drawn
from gan_jax.data.dataset import finite as finite_dataset
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
      stds: one for all modes, or one a mode; 0 makes point masses.
      weights: one a mode, normalised to sum 1; equal by default.

    Returns:
      Samples ``[d]`` float32; labels are the modes' indices. ``std`` is None where the modes' stds differ.
    """
    centres = np.asarray(means, np.float64)
    centres = centres[:, None] if centres.ndim == 1 else centres
    if centres.ndim != 2 or not centres.size:
        raise UserError(
            f"means of a mixture are [modes, d] or [modes], not of shape {np.shape(means)}"
        )
    modes, d = centres.shape
    spread = _one_a_mode("stds", stds, modes)
    portions = _one_a_mode("weights", 1.0 if weights is None else weights, modes)
    if spread.min() < 0 or portions.min() < 0 or not portions.sum() > 0:
        raise UserError(
            "stds and weights of a mixture are 0 or more, and some weight is more than 0"
        )
    centres, spread = (scale * centres).astype(np.float32), (abs(scale) * spread).astype(np.float32)
    edges = np.cumsum(portions / portions.sum())[:-1].astype(np.float32)

    def sample(key: PRNGKey) -> tuple[Array, Array]:
        which, where = jax.random.split(key)
        mode = jnp.sum(jax.random.uniform(which) >= edges, dtype=jnp.int32)
        return jnp.asarray(centres)[mode] + jnp.asarray(spread)[mode] * random.normal(
            where, (d,)
        ), mode

    std = float(spread[0]) if np.all(spread == spread[0]) else None
    return _maybe_fixed(
        drawn((d,), sample, modes if labels else 0, centres=centres, std=std), finite
    )


def _one_a_mode(name: str, values: ArrayLike, modes: int) -> np.ndarray:
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
    """Equal Gaussians on a circle, centres ``radius (cos theta_k, sin theta_k)`` with ``theta_k = 2 pi k / modes``.

    The defaults are those of Metz et al., "Unrolled Generative Adversarial Networks" (ICLR 2017, appendix A). Others in
    the literature: radius 1, std 0.01, 100,000 fixed samples (PacGAN); ``scale=1/1.414`` (WGAN-GP); radius 2.5,
    std 0.01 (BuresGAN). Results for one are not comparable with those for another.
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
    """The ring of a published bug: seven modes, one of them of double weight.

    The demonstration notebook of Metz et al. (poolio/unrolled_gan) places 8 Gaussians at ``linspace(0, 2 pi, 8)``, which
    holds both 0 and 2 pi: ``theta_k = 2 pi k / 7`` for k = 0 ... 6, with weights 2/8, 1/8, ..., 1/8. No generator covers
    "8 of 8" of it. For comparison with results on that notebook's data only; ``ring`` is the paper's.
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
    """Equal Gaussians on a square grid of ``side x side`` centres about the origin, ``spacing`` apart.

    Mode ``side * i + j`` is at ``spacing (i - (side - 1) / 2, j - (side - 1) / 2)``. The defaults, 25 modes on
    {-4, -2, 0, 2, 4}^2, are PacGAN's (Lin et al., NeurIPS 2018, with 100,000 fixed samples) and, with
    ``scale=1/2.828``, those of WGAN-GP (Gulrajani et al., NeurIPS 2017).
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
    """Overlapping Gaussian classes in two dimensions, means ``(k distance, 0)``, stds ``stds_k``, equal weights.

    On it AC-GAN shrinks and moves the classes away from their overlap: Gong et al., "Twin Auxiliary Classifiers GAN"
    (NeurIPS 2019), section 5.1.
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
    """One Gaussian ``N(mean 1, std^2 I)``; ``std=0`` is the point mass of the Dirac-GAN (Mescheder et al., ICML 2018)."""
    return mixture(
        [[mean] * _at_least_one("dimensions", dimensions)], std, scale=scale, finite=finite
    )


def parallel_lines(theta: float = 0.0, scale: float = 1.0, finite: int = 0) -> Dataset:
    """The law of ``(theta, Z)``, ``Z ~ U[0, 1]``: a vertical segment in the plane.

    Against the one at 0, for ``theta != 0``: ``W1 = |theta|``, ``JS = log 2``, both ``KL`` infinite, total variation 1.
    Arjovsky et al., "Wasserstein GAN" (ICML 2017), Example 1.
    """

    def sample(key: PRNGKey) -> tuple[Array, Array]:
        return scale * jnp.stack([jnp.float32(theta), jax.random.uniform(key)]), jnp.int32(0)

    return _maybe_fixed(drawn((2,), sample), finite)


def swiss_roll(noise: float = 0.25, scale: float = 1 / 7.5, finite: int = 0) -> Dataset:
    """A noisy spiral, ``scale ((t cos t, t sin t) + noise N(0, I))`` with ``t = 3 pi / 2 (1 + 2 U[0, 1])``.

    Coordinates 0 and 2 of scikit-learn's ``make_swiss_roll`` (Marsland, "Machine Learning: An Algorithmic Perspective"),
    noise and scale as in WGAN-GP (Gulrajani et al., NeurIPS 2017, figure 1).
    """

    def sample(key: PRNGKey) -> tuple[Array, Array]:
        along, off = jax.random.split(key)
        t = 1.5 * np.pi * (1 + 2 * jax.random.uniform(along))
        return scale * (
            t * jnp.stack([jnp.cos(t), jnp.sin(t)]) + noise * random.normal(off, (2,))
        ), jnp.int32(0)

    return _maybe_fixed(drawn((2,), sample), finite)


def fixed(dataset: Dataset, n: int = 100_000, seed: int = 0) -> Dataset:
    """A finite training set: ``n`` samples of a drawn dataset, the same ones in every run and epoch.

    PacGAN (Lin et al., NeurIPS 2018) trains on 100,000 of them. ``seed`` picks the samples; the seed of ``draw`` then
    only picks their order. ``arrays["real"]`` is ``[n, *shape]`` float32.
    """
    drawn_once = dataset.draw(seed, np.arange(_at_least_one("the number of fixed samples", n)))
    arrays = {name: np.asarray(value) for name, value in drawn_once.items()}
    return finite_dataset(
        **arrays, classes=dataset.classes, centres=dataset.centres, std=dataset.std
    )


def _maybe_fixed(dataset: Dataset, n: int) -> Dataset:
    return fixed(dataset, n) if n else dataset


def _at_least_one(name: str, value: int) -> int:
    if value < 1:
        raise UserError(f"{name} is at least 1, not {value}")
    return value
