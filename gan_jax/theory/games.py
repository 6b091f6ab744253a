"""Games of two numbers: gradient play along a field, its eigenvalues and its rates of convergence.

Float64 on the host.
"""

from typing import Any, Protocol

import numpy as np
import numpy.typing as npt

Array = npt.NDArray[Any]


class Field(Protocol):
    """The velocity of gradient play, such as `theory.dirac_field` gives it."""

    def __call__(self, theta: float, psi: float, /) -> tuple[float, float]:
        """Returns ``(d theta / dt, d psi / dt)`` if both players descend their losses."""
        ...


def descend(
    field: Field,
    start: tuple[float, float] = (1.0, 1.0),
    step_size: float = 0.2,
    steps: int = 500,
    discriminator_steps: int = 0,
    clip: float = np.inf,
) -> Array:
    """Computes the path of gradient play.

    Args:
      field: the game.
      start: theta and psi before the first step.
      step_size: the length of a step, in units of the field's time.
      steps: the number of steps.
      discriminator_steps: 0 moves both players at once; n > 0 moves theta, then n times psi.
      clip: psi is kept in [-clip, clip].

    Returns:
      ``[steps + 1, 2]`` float64, the start first.

    References:
      Mescheder et al. 2018, Which training methods for GANs do actually converge?, section 2.2:
      simultaneous and alternating gradient descent, the generator first.
    """
    theta, psi = start[0], float(np.clip(start[1], -clip, clip))
    path = [(theta, psi)]
    for _ in range(steps):
        theta_velocity, psi_velocity = field(theta, psi)
        theta += step_size * theta_velocity
        if discriminator_steps == 0:
            psi = float(np.clip(psi + step_size * psi_velocity, -clip, clip))
        for _ in range(discriminator_steps):
            psi = float(np.clip(psi + step_size * field(theta, psi)[1], -clip, clip))
        path.append((theta, psi))
    return np.array(path)


def jacobian(field: Field, at: tuple[float, float] = (0.0, 0.0), spacing: float = 1e-6) -> Array:
    """Computes the Jacobian of a field by central differences.

    Args:
      field: the game.
      at: the point (theta, psi).
      spacing: of the differences: the error is O(spacing^2), plus rounding / spacing.

    Returns:
      ``[2, 2]`` float64.
    """
    columns = []
    for shift in np.eye(2) * spacing:
        ahead, behind = np.add(at, shift), np.subtract(at, shift)
        difference = np.subtract(
            field(float(ahead[0]), float(ahead[1])), field(float(behind[0]), float(behind[1]))
        )
        columns.append(difference / (2 * spacing))
    return np.stack(columns, axis=1)


def rate(slopes: npt.ArrayLike, step_size: float = 0.2, discriminator_steps: int = 0) -> float:
    """Computes the factor by which a step multiplies the distance to the equilibrium.

    In the long run this is the spectral radius of the step's Jacobian there. A step is ``I + h J``
    for simultaneous play with step size h; a step of alternating play is theta's half of it,
    followed by psi's, ``discriminator_steps`` times.

    Args:
      slopes: ``[2, 2]``, the field's Jacobian J at the equilibrium.
      step_size: the length of a step.
      discriminator_steps: 0 for simultaneous play.

    Returns:
      The factor; below 1 the game converges.

    References:
      Mescheder et al. 2018, Which training methods for GANs do actually converge?, section 3 and
      lemmas A.1, 2.4 and 2.5.
    """
    slopes = np.asarray(slopes, float)
    step = np.eye(2) + step_size * slopes
    if discriminator_steps:
        generator_step, discriminator_step = np.eye(2), np.eye(2)
        generator_step[0], discriminator_step[1] = step[0], step[1]
        step = np.linalg.matrix_power(discriminator_step, discriminator_steps) @ generator_step
    return float(np.abs(np.linalg.eigvals(step)).max())


def measured_rate(path: npt.ArrayLike, last: int) -> float:
    """Fits the factor by which a step multiplied the radius, over the last steps of a path.

    The logarithm of the radius is fitted by a straight line. If the path circles, choose ``last``
    so that it spans many periods.

    Args:
      path: ``[steps + 1, 2]``.
      last: the number of steps to fit.

    Returns:
      The factor; NaN if the radius reached 0.
    """
    radius = np.hypot(*np.asarray(path, float)[-last - 1 :].T)
    if not np.all(radius > 0):
        return float("nan")
    return float(np.exp(np.polyfit(np.arange(last + 1), np.log(radius), 1)[0]))
