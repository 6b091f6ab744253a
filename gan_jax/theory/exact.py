"""What is known exactly: densities, the optimal discriminator, divergences by quadrature, the Dirac-GAN, parallel lines.

Float64 on the host. Densities are given by their logarithms, functions of points ``[n]``, so that tails do not underflow;
integrals are sums over a ``Grid`` of Gauss-Legendre nodes. Logs are natural, divergences in nats.
"""

from collections.abc import Callable, Sequence
from typing import NamedTuple

import numpy as np
from scipy.optimize import minimize
from scipy.special import expit, log_expit, logsumexp

from gan_jax.objectives.f_divergences import DIVERGENCES

Array = np.ndarray
LogDensity = Callable[[Array], Array]
"""Points ``[n]`` -> log density ``[n]``, float64."""


class Grid(NamedTuple):
    """Where to evaluate an integrand, and how much each value counts."""

    points: Array  # [n], ascending
    weights: Array  # [n], the integral of g is sum(weights * g(points))


def grid(low: float, high: float, panels: int = 200, order: int = 16) -> Grid:
    """Composite Gauss-Legendre quadrature on ``[low, high]``: ``panels`` equal pieces with ``order`` nodes each."""
    nodes, weights = np.polynomial.legendre.leggauss(order)
    edges = np.linspace(low, high, panels + 1)
    half = np.diff(edges)[:, None] / 2
    points = edges[:-1, None] + half * (nodes + 1)
    return Grid(points.ravel(), (half * weights).ravel())


# ------------------------------------------------------------------------------------------------------------ densities


def gaussian(mean: float = 0.0, std: float = 1.0) -> LogDensity:
    """``log N(x; mean, std^2)``."""
    return lambda x: -0.5 * np.square((x - mean) / std) - np.log(std) - 0.5 * np.log(2 * np.pi)


def mixture(means: Sequence[float], stds: Sequence[float], weights: Sequence[float]) -> LogDensity:
    """``log sum_k weights_k N(x; means_k, stds_k^2)``; weights are normalised to sum 1."""
    portions = np.asarray(weights, float) / np.sum(weights)
    parts = [gaussian(m, s) for m, s in zip(means, stds, strict=True)]
    return lambda x: logsumexp(
        [part(x) + np.log(w) for part, w in zip(parts, portions, strict=True)], axis=0
    )


# ---------------------------------------------------------------------------------------------- discriminator and value


def optimal_score(log_p: LogDensity, log_q: LogDensity) -> LogDensity:
    """The score (logit) of the discriminator that is best against q: ``log p(x) - log q(x)``.

    Source: Goodfellow et al., "Generative Adversarial Nets" (2014), proposition 1.
    """
    return lambda x: log_p(x) - log_q(x)


def optimal_discriminator(log_p: LogDensity, log_q: LogDensity) -> Callable[[Array], Array]:
    """``D*(x) = p(x) / (p(x) + q(x))``, a probability. Source: as `optimal_score`."""
    return lambda x: expit(log_p(x) - log_q(x))


def value_function(
    log_p: LogDensity, log_q: LogDensity, score: Callable[[Array], Array], on: Grid
) -> float:
    """``V(G, D) = E_p log D(x) + E_q log(1 - D(x))`` with D = sigmoid(score). Source: Goodfellow et al. (2014), eq. 1."""
    s = score(on.points)
    return _integral(
        on, np.exp(log_p(on.points)) * log_expit(s) + np.exp(log_q(on.points)) * log_expit(-s)
    )


def _integral(on: Grid, values: Array) -> float:
    return float(np.sum(on.weights * values))


# ---------------------------------------------------------------------------------------------------------- divergences


def kl(log_p: LogDensity, log_q: LogDensity, on: Grid) -> float:
    """``KL(p || q) = E_p (log p - log q)``. The reverse KL is ``kl(log_q, log_p, on)``."""
    a, b = log_p(on.points), log_q(on.points)
    p = np.exp(a)
    # Where p underflows to 0 its share is 0, however small q is.
    return _integral(on, np.where(p > 0, p * np.where(p > 0, a - b, 0.0), 0.0))


def js(log_p: LogDensity, log_q: LogDensity, on: Grid) -> float:
    """The Jensen-Shannon divergence ``KL(p || m) / 2 + KL(q || m) / 2`` with m = (p + q) / 2, at most log 2.

    At the optimal discriminator V = -log 4 + 2 JS. Source: Goodfellow et al. (2014), theorem 1.
    """
    middle = lambda x: np.logaddexp(log_p(x), log_q(x)) - np.log(2)
    return 0.5 * kl(log_p, middle, on) + 0.5 * kl(log_q, middle, on)


def total_variation(log_p: LogDensity, log_q: LogDensity, on: Grid) -> float:
    """``integral |p - q| / 2``, in [0, 1]."""
    return _integral(on, np.abs(np.exp(log_p(on.points)) - np.exp(log_q(on.points)))) / 2


def f_divergence(divergence: str, log_p: LogDensity, log_q: LogDensity, on: Grid) -> float:
    """``E_q f(p / q)`` with the f of that name in ``divergences.DIVERGENCES``: what `losses.f_gan` bounds from below.

    Source: Nowozin et al., "f-GAN" (2016), eq. 2 and table 5.
    """
    a, b = log_p(on.points), log_q(on.points)
    return _integral(on, np.exp(b) * DIVERGENCES[divergence].f(np.exp(a - b)))


def wasserstein_1(log_p: LogDensity, log_q: LogDensity, on: Grid) -> float:
    """The Wasserstein-1 distance in one dimension, ``integral |P(x) - Q(x)| dx`` of the distribution functions.

    The distribution functions are trapezoidal sums over the grid's points: error O(spacing^2).
    """
    x = on.points
    density = np.exp(log_p(x)) - np.exp(log_q(x))
    gap = np.concatenate([[0.0], np.cumsum((density[1:] + density[:-1]) / 2 * np.diff(x))])
    return _integral(on, np.abs(gap))


class Fit(NamedTuple):
    """A Gaussian and its divergence from the target."""

    mean: float
    std: float
    value: float


def fit_gaussian(divergence: str, log_p: LogDensity, on: Grid, mean: float, std: float) -> Fit:
    """The Gaussian q that locally minimises a divergence from p, from the start ``mean``, ``std``.

    Args: ``divergence``: "kl" is KL(p || q), "reverse_kl" KL(q || p), "js" the Jensen-Shannon divergence. Only the start
    decides between local minima: whether a fit covers modes or seeks one is for the caller to compare. Raises
    ValueError for another divergence.

    Source: Goodfellow, "NIPS 2016 Tutorial" (2016), figure 14.
    """
    measures = {"kl": kl, "reverse_kl": lambda p, q, on: kl(q, p, on), "js": js}
    if divergence not in measures:
        raise ValueError(
            f"no divergence is named {divergence!r}: choose one of {', '.join(measures)}"
        )
    measure = measures[divergence]
    found = minimize(
        lambda v: measure(log_p, gaussian(v[0], np.exp(v[1])), on),
        [mean, np.log(std)],
        method="Nelder-Mead",
        options={"xatol": 1e-7, "fatol": 1e-13, "maxiter": 2000},
    )
    return Fit(float(found.x[0]), float(np.exp(found.x[1])), float(found.fun))


def map_gaussian(samples: Array, mean: float = 0.0, std: float = 1.0, strength: float = 0.0) -> Fit:
    """The Gaussian of greatest posterior density given samples ``[n]``, by its mean and log std; maximum likelihood at 0.

    Maximises ``sum_i log N(x_i; m, s^2) + strength E_{N(mean, std^2)} log N(y; m, s^2)``: the conjugate prior, which says as
    much as ``strength`` samples of N(mean, std^2). Its ``value`` is the mean negative log likelihood of the samples. As n
    grows the fit goes to that of KL(p || q), whatever the prior. Raises ValueError where there is no sample and no prior.

    Source: Goodfellow, "NIPS 2016 Tutorial" (2016), section 2.1 (likelihood as KL); Diaconis and Ylvisaker, "Conjugate
    priors for exponential families" (1979).
    """
    x = np.asarray(samples, float).ravel()
    total = len(x) + strength
    if strength < 0 or not total > 0:
        raise ValueError(
            f"map_gaussian needs samples or a prior: found {len(x)} samples and strength {strength}"
        )
    centre = (x.sum() + strength * mean) / total
    variance = (np.square(x - centre).sum() + strength * (std**2 + (mean - centre) ** 2)) / total
    fit = gaussian(float(centre), float(np.sqrt(variance)))
    return Fit(
        float(centre), float(np.sqrt(variance)), float(-np.mean(fit(x))) if len(x) else float("nan")
    )


# ------------------------------------------------------------------------------------------------------------ Dirac-GAN


NOISE, NOISE_WEIGHTS = np.polynomial.hermite_e.hermegauss(
    60
)  # E g(N(0, 1)) is sum(NOISE_WEIGHTS * g(NOISE))
NOISE_WEIGHTS = NOISE_WEIGHTS / np.sqrt(2 * np.pi)


def dirac_field(
    name: str, weight: float = 0.0, target: float = 1.0
) -> Callable[[float, float], tuple[float, float]]:
    """The Dirac-GAN's field: ``(theta, psi) -> (d theta / dt, d psi / dt)``, both players descending their losses.

    Real data is the point 0, generated data the point theta, and f(t) = -log(1 + exp(-t)). The score is ``-psi x`` (in the
    paper's convention D maximises f(psi theta) on *generated* samples).

    Args: ``name``: "minimax", "non_saturating", "wasserstein" (clip psi yourself), "gradient_penalty" (Wasserstein, with
    weight / 2 (|psi| - target)^2), "consensus" (minimax, with weight / 2 |v|^2) or "instance_noise" (minimax, where real
    and generated samples are seen through noise N(0, weight^2), in expectation). ``weight``: to "minimax" and
    "non_saturating" it adds R1 or, which is the same here, R2: weight / 2 psi^2.

    Source: Mescheder et al., "Which Training Methods for GANs do actually Converge?" (2018), section 2 and appendix.
    """

    def field(theta: float, psi: float) -> tuple[float, float]:
        if name == "instance_noise":
            fake, real = theta + weight * NOISE, weight * NOISE
            answers = expit(-psi * fake)
            slopes = fake * answers - real * expit(psi * real)
            return -psi * float(NOISE_WEIGHTS @ answers), float(NOISE_WEIGHTS @ slopes)
        product = theta * psi
        slope = expit(-product)  # f'
        if name in ("wasserstein", "gradient_penalty"):
            pull = (
                weight * (abs(psi) - target) * np.sign(psi) if name == "gradient_penalty" else 0.0
            )
            return -psi, theta - pull
        if name == "non_saturating":
            return -psi * expit(product), theta * slope - weight * psi
        if name == "minimax":
            return -psi * slope, theta * slope - weight * psi
        if name == "consensus":
            # |v|^2 / 2 = (theta^2 + psi^2) f'^2 / 2, and f'' = -f' (1 - f').
            common = (theta**2 + psi**2) * slope * -slope * expit(product)
            return (
                -psi * slope - weight * (theta * slope**2 + common * psi),
                theta * slope - weight * (psi * slope**2 + common * theta),
            )
        raise ValueError(f"the Dirac-GAN knows no objective {name!r}")

    return field


def dirac_eigenvalues(gamma: float = 0.0, slope: float = 0.5) -> tuple[complex, complex]:
    """Eigenvalues of the Dirac-GAN's field at its equilibrium (0, 0): ``-gamma / 2 +- sqrt(gamma^2 / 4 - f'(0)^2)``.

    ``slope``: f'(0), 1/2 for minimax and non-saturating, 1 for Wasserstein; ``gamma``: the weight of R1. Without it they are
    imaginary and the continuous game circles. gamma = 2 f'(0) is critical. Instance noise of standard deviation s acts as
    gamma = -2 f''(0) s^2, which is s^2 / 2 for minimax.

    Source: Mescheder et al. (2018), lemmas 2.3, 3.2 and 4.1.
    """
    root = np.sqrt(complex(gamma**2 / 4 - slope**2))
    return -gamma / 2 + root, -gamma / 2 - root


# -------------------------------------------------------------------------------------------------------- parallel lines


def penalised_slope(distance: float, weight: float = 10.0) -> float:
    """The slope of the critic that is best under a gradient penalty, between two points ``distance`` apart: above 1.

    The penalty is taken at points spread evenly between them, so the slope g maximises ``g d - weight (g - 1)^2``, which
    ``1 + d / (2 weight)`` does: WGAN-GP's gap ``g d`` is more than W = d, by 5% for W = 1 and by 20% for W = 4 at weight 10.
    Parallel lines are the same; narrow Gaussians nearly so.

    Source: the maximum of `losses.wasserstein` with `penalties.gradient_penalty` (Gulrajani et al., 2017, eq. 3) over g.
    """
    return 1 + abs(distance) / (2 * weight)


class Divergences(NamedTuple):
    """What different notions of distance say about the same pair."""

    wasserstein: float
    js: float
    kl: float
    reverse_kl: float
    total_variation: float


def parallel_lines(theta: float) -> Divergences:
    """Distances between the laws of (0, Z) and (theta, Z), Z ~ U[0, 1]: only Wasserstein's has a slope in theta.

    Source: Arjovsky et al., "Wasserstein GAN" (2017), example 1.
    """
    if theta == 0:
        return Divergences(0.0, 0.0, 0.0, 0.0, 0.0)
    return Divergences(abs(theta), float(np.log(2)), float("inf"), float("inf"), 1.0)
