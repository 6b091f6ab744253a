"""Moving averages of the generator's parameters, and new ones made of them after the training.

The functions that return a decay go into ``config.ema``, or as ``ema_decay`` into a train step.
"""

from collections.abc import Callable, Sequence
from typing import NamedTuple

import jax
import jax.numpy as jnp
import numpy as np

from gan_jax.errors import UserError
from gan_jax.game import Array, Params

__all__ = [
    "Combination",
    "combination",
    "combine",
    "ema",
    "ema_half_life",
    "power_ema",
    "power_exponent",
]

WIDEST = 12**-0.5
"""The relative width of the mean over all steps, whose exponent is 0."""


def ema(decay: float) -> Callable[[Array], Array]:
    """Returns the decay of an exponential moving average, the same at each step.

    Args:
      decay: b of ``a <- b a + (1 - b) theta``.

    Raises:
      UserError: a decay outside [0, 1).
    """
    if not 0 <= decay < 1:
        raise UserError(f"ema takes a decay in [0, 1), not {decay}")
    return lambda step: jnp.float32(decay)


def ema_half_life(half_life: float | Callable[[Array], Array]) -> Callable[[Array], Array]:
    """Returns the decay of an average whose half-life is a number of steps, or a schedule of it.

    ``b = 0.5 ** (1 / half_life)``; a half-life of 0 keeps the newest parameters. Papers give
    half-lives in images: divide them by the batch size.

    Args:
      half_life: steps, or a function from the step (int32 scalar) to them.

    References:
      Huang et al., "The GAN is dead; long live the GAN! A Modern Baseline GAN" (2024), the authors'
      code, where it grows from 0 by half a period of a cosine.
    """

    def decay(step: Array) -> Array:
        steps = half_life(step) if callable(half_life) else half_life
        return 0.5 ** (1.0 / jnp.maximum(jnp.float32(steps), 1e-8))

    return decay


def power_ema(std: float) -> Callable[[Array], Array]:
    """Returns the decay of an average whose weights grow as a power of the step.

    After t updates the parameters after update s have the weight
    ``(s^(gamma + 1) - (s - 1)^(gamma + 1)) / t^(gamma + 1)``, by the decay
    ``(1 - 1 / t)^(gamma + 1)``. The average grows wider as training goes on, and the parameters
    at the start have no weight.

    Args:
      std: the standard deviation of the weights over steps, as a share of the steps so far: 0.05
        and 0.1 in the paper. See `power_exponent`.

    Raises:
      UserError: as `power_exponent`.

    References:
      Karras et al., "Analyzing and Improving the Training Dynamics of Diffusion Models" (2024),
      section 3.1 and eq. 127 of appendix C.
    """
    exponent = power_exponent(std)

    def decay(step: Array) -> Array:
        t = jnp.asarray(step, jnp.float32) + 1.0
        return jnp.where(t > 1, jnp.exp((exponent + 1) * jnp.log1p(-1 / jnp.maximum(t, 2))), 0.0)

    return decay


def power_exponent(std: float) -> float:
    """Returns the exponent gamma of the weights ``t^gamma`` of a relative width.

    It solves ``std^2 = (gamma + 1) / ((gamma + 2)^2 (gamma + 3))``, a cubic equation.

    Args:
      std: the relative width.

    Raises:
      UserError: a width outside (0, 0.2887); 0.2887 is that of the mean over all steps.

    References:
      Karras et al. (2024), appendix C, algorithm 2.
    """
    if not 0 < std < WIDEST:
        raise UserError(f"power_ema takes a std between 0 and {WIDEST:.4f}, not {std}")
    t = std**-2
    roots = np.roots([1.0, 7.0, 16.0 - t, 12.0 - t])
    return float(np.max(roots[np.isreal(roots)].real))


class Combination(NamedTuple):
    """How one moving average is made of others.

    Attributes:
      weights: of each snapshot, ``[snapshots]`` float64.
      error: the distance of its weights over steps from those that are wanted, relative to their
        norm.
    """

    weights: np.ndarray
    error: float


def combination(
    stds: Sequence[float], steps: Sequence[int], std: float, step: int | None = None
) -> Combination:
    """Computes the weights with which snapshots of `power_ema` add up to another one.

    They minimise the distance of the two profiles over training time,
    ``|sum_i w_i p_i - p|`` with ``p_i(s) = (gamma_i + 1) s^gamma_i / t_i^(gamma_i + 1)`` on
    ``[0, t_i]``.

    Args:
      stds: the relative width of each snapshot.
      steps: the step of each snapshot, positive; repeated if an average of each width was saved.
      std: the relative width that is wanted.
      step: at which step; None: at that of the last snapshot.

    Raises:
      ValueError: no snapshot, another number of steps than of widths, or a step below 1.
      UserError: as `power_exponent`.

    References:
      Karras et al. (2024), section 3.2 and appendix C, algorithm 3.
    """
    if not stds or len(stds) != len(steps):
        raise ValueError(f"combination takes a step for each width: {len(stds)} and {len(steps)}")
    step = max(steps) if step is None else step
    if min(*steps, step) < 1:
        raise ValueError("combination takes snapshots of steps from 1 on")
    times = np.asarray(steps, np.float64)
    exponents = np.array([power_exponent(width) for width in stds])
    exponent = np.array([power_exponent(std)])
    products = _inner_product(times[:, None], exponents[:, None], times, exponents)
    wanted = _inner_product(times, exponents, np.float64(step), exponent)
    weights = np.linalg.lstsq(products, wanted, rcond=None)[0]
    norm = _inner_product(np.float64(step), exponent, np.float64(step), exponent)[0]
    square = weights @ products @ weights - 2 * weights @ wanted + norm
    return Combination(weights, float(np.sqrt(max(square, 0.0) / norm)))


def _inner_product(
    a: np.ndarray | np.float64, gamma: np.ndarray, b: np.ndarray | np.float64, delta: np.ndarray
) -> np.ndarray:
    """The integral of the product of two profiles, at steps a and b with exponents gamma, delta."""
    # The ratio of the steps, at most 1, to the power of the later one's exponent: no overflow.
    ratio = np.where(a < b, a / b, b / a) ** np.where(a < b, delta, gamma)
    factor = (gamma + 1) * (delta + 1) / (gamma + delta + 1)
    return np.asarray(factor * ratio / np.maximum(a, b))


def combine(snapshots: Sequence[Params], weights: Sequence[float] | np.ndarray) -> Params:
    """Returns ``sum_i w_i a_i``, computed in float64, in the dtypes of the snapshots.

    Args:
      snapshots: pytrees of arrays of the same shapes.
      weights: one for each, such as `combination` computes.
    """

    def leaf(*leaves: Array) -> np.ndarray:
        sums = [
            weight * np.asarray(leaf, np.float64)
            for weight, leaf in zip(weights, leaves, strict=True)
        ]
        return np.asarray(np.sum(sums, axis=0), leaves[0].dtype)

    return jax.tree.map(leaf, *snapshots)
