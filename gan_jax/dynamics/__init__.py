"""The dynamics of a game: its vector field, eigenvalues, local stability and best responses.

Of any objective and networks, at any state of training, by Jacobian-vector products alone.
"""

from gan_jax.dynamics.best_responses import BestResponseGaps, best_response_gaps
from gan_jax.dynamics.eigenvalues import (
    Map,
    Spectrum,
    Which,
    jacobian,
    jacobian_product,
    leading_eigenvalues,
    transposed_jacobian_product,
)
from gan_jax.dynamics.maps import step_map, vector_field
from gan_jax.dynamics.paths import PathStatistics, path_statistics
from gan_jax.dynamics.stability import (
    Stability,
    flow_stability,
    greatest_stable_step_size,
    stability_disc,
    step_stability,
)

__all__ = [
    "BestResponseGaps",
    "Map",
    "PathStatistics",
    "Spectrum",
    "Stability",
    "Which",
    "best_response_gaps",
    "flow_stability",
    "greatest_stable_step_size",
    "jacobian",
    "jacobian_product",
    "leading_eigenvalues",
    "path_statistics",
    "stability_disc",
    "step_map",
    "step_stability",
    "transposed_jacobian_product",
    "vector_field",
]
