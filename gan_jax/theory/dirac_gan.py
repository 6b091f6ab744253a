"""The Dirac-GAN: the simplest game in which training methods differ, with its field known exactly.

Real data is the point 0, generated data the point theta, and the discriminator has one parameter,
psi.
"""

from collections.abc import Callable
from typing import Literal

import numpy as np
from scipy.special import expit

from gan_jax.theory.games import Field

# E g(N(0, 1)) is sum(NOISE_WEIGHTS * g(NOISE)).
NOISE, NOISE_WEIGHTS = np.polynomial.hermite_e.hermegauss(60)
NOISE_WEIGHTS = NOISE_WEIGHTS / np.sqrt(2 * np.pi)
"""Weights of the quadrature over instance noise, which add up to 1."""


def dirac_field(
    objective: Literal[
        "minimax",
        "non_saturating",
        "wasserstein",
        "gradient_penalty",
        "consensus",
        "instance_noise",
    ],
    weight: float = 0.0,
    target: float = 1.0,
) -> Field:
    """Returns the Dirac-GAN's field ``(theta, psi) -> (d theta / dt, d psi / dt)``.

    Both players descend their losses. Real data is the point 0, generated data the point theta, and
    f(t) = -log(1 + exp(-t)). The score is ``-psi x`` (in the paper's convention D maximises
    f(psi theta) on *generated* samples).

    Args:
      objective: ``"minimax"``, ``"non_saturating"``, ``"wasserstein"`` (clip psi yourself),
        ``"gradient_penalty"`` (Wasserstein, with weight / 2 (|psi| - target)^2), ``"consensus"``
        (minimax, with weight / 2 |v|^2) or ``"instance_noise"`` (minimax, with noise
        N(0, weight^2) on real and generated samples, in expectation).
      weight: the weight of the regulariser. For ``"minimax"`` and ``"non_saturating"`` it is that
        of R1 or, which is the same here, R2: weight / 2 psi^2.
      target: the target of the gradient penalty.

    Returns:
      The field.

    Raises:
      ValueError: if the objective is another.

    References:
      Mescheder et al. 2018, Which training methods for GANs do actually converge?, section 2 and
      appendix.
    """
    fields: dict[str, Callable[[float, float], tuple[float, float]]] = {
        "minimax": lambda theta, psi: _minimax(theta, psi, weight),
        "non_saturating": lambda theta, psi: _non_saturating(theta, psi, weight),
        "wasserstein": lambda theta, psi: (-psi, theta),
        "gradient_penalty": lambda theta, psi: _gradient_penalty(theta, psi, weight, target),
        "consensus": lambda theta, psi: _consensus(theta, psi, weight),
        "instance_noise": lambda theta, psi: _instance_noise(theta, psi, weight),
    }
    if objective not in fields:
        raise ValueError(
            f"the Dirac-GAN has no objective {objective!r}, expected one of {', '.join(fields)}"
        )
    return fields[objective]


def dirac_eigenvalues(gamma: float = 0.0, slope: float = 0.5) -> tuple[complex, complex]:
    """Computes the eigenvalues of the Dirac-GAN's field at its equilibrium (0, 0).

    They are ``-gamma / 2 +- sqrt(gamma^2 / 4 - f'(0)^2)``. Without R1 they are imaginary and the
    continuous game circles. gamma = 2 f'(0) is critical. Instance noise of standard deviation s
    acts as gamma = -2 f''(0) s^2, which is s^2 / 2 for minimax.

    Args:
      gamma: the weight of R1.
      slope: f'(0): 1/2 for minimax and non-saturating, 1 for Wasserstein.

    Returns:
      Both eigenvalues.

    References:
      Mescheder et al. 2018, Which training methods for GANs do actually converge?, lemmas 2.3, 3.2
      and 4.1.
    """
    root = np.sqrt(complex(gamma**2 / 4 - slope**2))
    return -gamma / 2 + root, -gamma / 2 - root


def _minimax(theta: float, psi: float, weight: float) -> tuple[float, float]:
    f_prime = expit(-theta * psi)
    return -psi * f_prime, theta * f_prime - weight * psi


def _non_saturating(theta: float, psi: float, weight: float) -> tuple[float, float]:
    f_prime = expit(-theta * psi)
    return -psi * expit(theta * psi), theta * f_prime - weight * psi


def _gradient_penalty(
    theta: float, psi: float, weight: float, target: float
) -> tuple[float, float]:
    return -psi, theta - weight * (abs(psi) - target) * np.sign(psi)


def _consensus(theta: float, psi: float, weight: float) -> tuple[float, float]:
    product = theta * psi
    f_prime = expit(-product)
    # |v|^2 / 2 = (theta^2 + psi^2) f'^2 / 2, and f'' = -f' (1 - f').
    common = (theta**2 + psi**2) * f_prime * -f_prime * expit(product)
    return (
        -psi * f_prime - weight * (theta * f_prime**2 + common * psi),
        theta * f_prime - weight * (psi * f_prime**2 + common * theta),
    )


def _instance_noise(theta: float, psi: float, std: float) -> tuple[float, float]:
    fake, real = theta + std * NOISE, std * NOISE
    fake_probabilities = expit(-psi * fake)
    slopes = fake * fake_probabilities - real * expit(psi * real)
    return -psi * float(NOISE_WEIGHTS @ fake_probabilities), float(NOISE_WEIGHTS @ slopes)
