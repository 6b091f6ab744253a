"""The f-divergences of f-GAN (Nowozin et al., 2016), and their bounds on raw scores.

``D_f(P || Q) = E_Q f(p / q) >= E_P T(x) - E_Q f*(T(x))`` for every T; f-GAN sets ``T = g_f(s)``
with an output activation g_f that keeps T within the domain of the conjugate f*. The bound is tight
at ``T = f'(p / q)``.
"""

import math
from collections.abc import Callable
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np

from gan_jax.game import Array

__all__ = ["DIVERGENCES", "Divergence"]

softplus = jax.nn.softplus


def _u_log_u(u: Any) -> Any:
    """``u log u``, 0 at 0."""
    # Imported late: it would be a third of the time that importing gan_jax takes.
    from scipy.special import xlogy

    return xlogy(u, u)


class Divergence(NamedTuple):
    """One row of the paper's tables 5 and 6.

    Attributes:
      f: the generator function of the ratio u = p / q >= 0, with f(1) = 0, on NumPy arrays.
      on_real: ``g_f(s)``.
      on_fake: ``f*(g_f(s))``, simplified so that nothing overflows before it must.
      optimal: the score at which the bound is tight, as a function of log(p / q), on NumPy arrays.
    """

    f: Callable[[Any], Any]
    on_real: Callable[[Array], Array]
    on_fake: Callable[[Array], Array]
    optimal: Callable[[Any], Any]


DIVERGENCES = {
    "kl": Divergence(
        f=lambda u: _u_log_u(u),
        on_real=lambda s: s,
        on_fake=lambda s: jnp.exp(s - 1),
        optimal=lambda logit: 1 + logit,
    ),
    "reverse_kl": Divergence(
        f=lambda u: -np.log(u),
        on_real=lambda s: -jnp.exp(-s),
        on_fake=lambda s: s - 1,
        optimal=lambda logit: logit,
    ),
    "pearson": Divergence(
        f=lambda u: np.square(u - 1),
        on_real=lambda s: s,
        on_fake=lambda s: jnp.square(s) / 4 + s,
        optimal=lambda logit: 2 * np.expm1(logit),
    ),
    "neyman": Divergence(
        f=lambda u: np.square(1 - u) / u,
        on_real=lambda s: -jnp.expm1(-s),
        on_fake=lambda s: -2 * jnp.expm1(-s / 2),
        optimal=lambda logit: 2 * logit,
    ),
    "squared_hellinger": Divergence(
        f=lambda u: np.square(np.sqrt(u) - 1),
        on_real=lambda s: -jnp.expm1(-s),
        on_fake=lambda s: jnp.expm1(s),
        optimal=lambda logit: logit / 2,
    ),
    "js": Divergence(
        f=lambda u: _u_log_u(u) - (u + 1) * np.log((u + 1) / 2),
        on_real=lambda s: math.log(2) - softplus(-s),
        on_fake=lambda s: softplus(s) - math.log(2),
        optimal=lambda logit: logit,
    ),
    "gan": Divergence(
        f=lambda u: _u_log_u(u) - (u + 1) * np.log(u + 1) + 2 * math.log(2),
        on_real=lambda s: -softplus(-s),
        on_fake=softplus,
        optimal=lambda logit: logit,
    ),
    "total_variation": Divergence(
        f=lambda u: np.abs(u - 1) / 2,
        on_real=lambda s: jnp.tanh(s) / 2,
        on_fake=lambda s: jnp.tanh(s) / 2,
        optimal=lambda logit: np.sign(logit) * np.inf,
    ),
}
"""The divergences by name.

"js" is ``KL(p || m) + KL(q || m)``, twice the usual Jensen-Shannon divergence, as table 1's f makes
it. "gan" is the same up to a constant: its bound is V(G, D), at most ``2 JS - log 4``; its f here
has ``2 log 2`` added, which makes f(1) = 0. At scores where f* grows exponentially ("kl",
"squared_hellinger" on fakes; "reverse_kl", "neyman" and "squared_hellinger" on real samples) the
value itself leaves float32's range at |s| = 88: such numbers are infinite, not wrong.
"""
