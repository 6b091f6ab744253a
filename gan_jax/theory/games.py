"""Games of two numbers: gradient play along a field, its eigenvalues, and the rates that follow from them.

Float64 on the host. A field is ``(theta, psi) -> (d theta / dt, d psi / dt)``: both players descending their losses, as
`theory.dirac_field` gives it.
"""

from collections.abc import Callable

import numpy as np
from numpy.typing import ArrayLike

Array = np.ndarray
Field = Callable[[float, float], tuple[float, float]]


def descend(
    field: Field,
    start: tuple[float, float] = (1.0, 1.0),
    size: float = 0.2,
    steps: int = 500,
    discriminator_steps: int = 0,
    clip: float = np.inf,
) -> Array:
    """The path of gradient play with steps of length ``size``: ``[steps + 1, 2]``, the start first.

    Args: ``discriminator_steps``: 0 moves both at once; n > 0 moves theta, then n times psi. ``clip``: psi is kept in [-clip, clip].

    Source: Mescheder et al., "Which Training Methods for GANs do actually Converge?" (2018), section 2.2: simultaneous
    and alternating gradient descent, the generator first.
    """
    theta, psi = start[0], float(np.clip(start[1], -clip, clip))
    path = [(theta, psi)]
    for _ in range(steps):
        a, b = field(theta, psi)
        theta += size * a
        if not discriminator_steps:
            psi = float(np.clip(psi + size * b, -clip, clip))
        for _ in range(discriminator_steps):
            psi = float(np.clip(psi + size * field(theta, psi)[1], -clip, clip))
        path.append((theta, psi))
    return np.array(path)


def jacobian(field: Field, at: tuple[float, float] = (0.0, 0.0), step: float = 1e-6) -> Array:
    """The Jacobian of a field ``[2, 2]``, by central differences of ``step``: error O(step^2) and rounding / step."""
    columns = []
    for shift in np.eye(2) * step:
        ahead, behind = np.add(at, shift), np.subtract(at, shift)
        columns.append(
            np.subtract(field(*map(float, ahead)), field(*map(float, behind))) / (2 * step)
        )
    return np.stack(columns, axis=1)


def rate(slopes: ArrayLike, size: float = 0.2, discriminator_steps: int = 0) -> float:
    """What a step multiplies the distance to the equilibrium by, in the long run: the spectral radius of the step there.

    ``slopes``: the field's Jacobian at the equilibrium, ``[2, 2]``. The step is ``I + size J`` for simultaneous play
    (``discriminator_steps`` 0); alternating play is theta's half of it followed by psi's, ``discriminator_steps`` times.

    Source: Mescheder et al. (2018), section 3 and lemmas A.1, 2.4 and 2.5.
    """
    slopes = np.asarray(slopes, float)
    step = np.eye(2) + size * slopes
    if discriminator_steps:
        first, second = np.eye(2), np.eye(2)
        first[0], second[1] = step[0], step[1]
        step = np.linalg.matrix_power(second, discriminator_steps) @ first
    return float(np.abs(np.linalg.eigvals(step)).max())


def measured_rate(path: Array, last: int) -> float:
    """What a step multiplied the radius by, over the ``last`` steps of a path ``[steps + 1, 2]``: a fit of its logarithm.

    Of a path that circles the fit is over many periods only where ``last`` spans them. NaN where the radius reached 0.
    """
    radius = np.hypot(*np.asarray(path, float)[-last - 1 :].T)
    if not np.all(radius > 0):
        return float("nan")
    return float(np.exp(np.polyfit(np.arange(last + 1), np.log(radius), 1)[0]))
