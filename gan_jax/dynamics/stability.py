"""Whether a game converges near a point, from the leading eigenvalues there."""

from typing import Any, Literal, NamedTuple

import numpy as np
import numpy.typing as npt

from gan_jax.dynamics.eigenvalues import (
    ComplexArray,
    Map,
    Spectrum,
    default_tolerance,
    leading_eigenvalues,
)

Verdict = Literal["stable", "marginal", "unstable"]


class Stability(NamedTuple):
    """Whether small deviations from a point die out.

    Attributes:
      verdict: ``"stable"`` if they do, ``"unstable"`` if some grow, and ``"marginal"`` if the
        number is too close to its limit to tell, as when deviations circle.
      value: the number that was judged.
      tolerance: how far it has to be from its limit.
      spectrum: the leading eigenvalues, the first of which gave the number.
    """

    verdict: Verdict
    value: float
    tolerance: float
    spectrum: Spectrum


def flow_stability(
    field: Map, at: Any, tolerance: float | None = None, count: int = 6, **arnoldi: Any
) -> Stability:
    """Judges gradient flow ``d theta / dt = -v(theta)`` near a stationary point.

    It is stable if all eigenvalues of the Jacobian of v have positive real parts. The number is the
    smallest real part. Directions along which nothing changes (dead units, symmetries) have
    eigenvalue 0: the verdict is then marginal at best, and the spectrum shows the others.

    Args:
      field: the vector field: see `vector_field`.
      at: the point. Elsewhere than at a stationary point the verdict is about the difference
        between neighbouring paths.
      tolerance: relative to the greatest magnitude found; by default the square root of the
        precision's, 3e-4 in float32 and 1e-8 in float64.
      count: how many eigenvalues are computed.
      **arnoldi: further arguments of `leading_eigenvalues`.

    References:
      Mescheder et al., "The Numerics of GANs" (2017), section 3.
      Nagarajan, Kolter, "Gradient Descent GAN Optimization is Locally Stable" (2017), section 2.
    """
    size = np.abs(leading_eigenvalues(field, at, 1, **arnoldi).eigenvalues[0])
    spectrum = leading_eigenvalues(field, at, count, "SR", **arnoldi)
    tolerance = default_tolerance(at) if tolerance is None else tolerance
    value = float(spectrum.eigenvalues[0].real)
    return Stability(_verdict(value, tolerance * float(size)), value, tolerance, spectrum)


def step_stability(
    step: Map, at: Any, tolerance: float | None = None, count: int = 6, **arnoldi: Any
) -> Stability:
    """Judges repeated steps near a fixed point.

    They are stable if the spectral radius of the step's Jacobian, which is the number, is less than
    1. With plain gradients of step size h that are taken simultaneously, this means that every
    eigenvalue lambda of the vector field's Jacobian is in the disc ``|1 - h lambda| < 1``.

    Args:
      step: the step: see `step_map`.
      at: the point.
      tolerance: by default the square root of the precision, 3e-4 in float32 and 1e-8 in float64.
        The deviations of small steps of float32 are smaller than that: use float64 for them.
      count: how many eigenvalues are computed.
      **arnoldi: further arguments of `leading_eigenvalues`.

    References:
      Mescheder et al., "The Numerics of GANs" (2017), proposition 3 and lemma 4.
    """
    spectrum = leading_eigenvalues(step, at, count, "LM", **arnoldi)
    tolerance = default_tolerance(at) if tolerance is None else tolerance
    value = float(np.abs(spectrum.eigenvalues[0]))
    return Stability(_verdict(1 - value, tolerance), value, tolerance, spectrum)


def greatest_stable_step_size(eigenvalues: npt.ArrayLike) -> float:
    """Computes the step size from which on simultaneous gradient steps diverge.

    ``min 2 Re(lambda) / |lambda|^2``, and 0 if a real part is not positive. All that is circling
    (a large imaginary part, a small real one) demands small steps.

    Args:
      eigenvalues: ``[count]``, of the Jacobian of the vector field, all that matter: those of
        smallest real part and of greatest magnitude.

    References:
      Mescheder et al., "The Numerics of GANs" (2017), lemma 4.
    """
    values = np.asarray(eigenvalues, np.complex128)
    if np.any(values.real <= 0):
        return 0.0
    return float(np.min(2 * values.real / np.abs(values) ** 2))


def stability_disc(step_size: float, points: int = 361) -> ComplexArray:
    """Returns the boundary of the disc ``|1 - step_size lambda| < 1``, to be drawn.

    Its centre and its radius are ``1 / step_size``: it touches the imaginary axis at 0.

    Args:
      step_size: of simultaneous gradient steps.
      points: how many points, the first again as the last.

    Returns:
      ``[points]`` complex128.
    """
    angles = np.linspace(0, 2 * np.pi, points)
    return np.asarray((1 - np.exp(1j * angles)) / step_size, np.complex128)


def _verdict(margin: float, tolerance: float) -> Verdict:
    if abs(margin) <= tolerance:
        return "marginal"
    return "stable" if margin > 0 else "unstable"
