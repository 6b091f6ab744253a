"""Spectral normalisation: kernels divided by their largest singular value, as pure functions.

A kernel ``W``, seen as a matrix ``[everything else, out]``, is used as ``W / sigma``, with
``sigma = v^T W u`` and

    ``v = W u0 / |W u0|``,   ``u = W^T v / |W^T v|``,

one power iteration from the stored ``u0``. No gradient flows through ``u`` and ``v``. The stored
vectors are the collection "spectral" of the discriminator's variables, at the same paths as their
kernels; their gradient is zero. The optax transformation :func:`spectral_iteration` updates them
after each step, so that the next step's iteration starts from a good vector: one iteration per step
then follows the true value closely, as in the paper's algorithm 1. Since the transformation is part
of the optimizer, a look-ahead through unrolled steps updates them too.
"""

from collections.abc import Mapping
from typing import Any

import jax
import jax.numpy as jnp
import optax
from jax import lax

from gan_jax.game import Array, Params

INITIAL_ITERATIONS = 30
"""Power iterations at initialisation.

One iteration from a random vector underestimates ``sigma`` badly, and the first steps would be too
large.
"""


def _unit(x: Array) -> Array:
    """A vector scaled to length 1."""
    return x * lax.rsqrt(jnp.sum(jnp.square(x)) + 1e-12)


def power_iteration(kernel: Array, u: Array) -> tuple[Array, Array]:
    """Computes one power iteration.

    Args:
      kernel: ``[..., out]``.
      u: ``[out]``, an estimate of its right singular vector.

    Returns:
      The new ``u [out]``, and ``sigma``, the estimate of the largest singular value. ``sigma`` is
      differentiable in the kernel, with gradient ``v u^T``.
    """
    matrix = kernel.reshape(-1, kernel.shape[-1])
    v = lax.stop_gradient(_unit(matrix @ u))
    u = lax.stop_gradient(_unit(v @ matrix))
    return u, v @ matrix @ u


def normalise(kernel: Array, u: Array) -> Array:
    """Returns the kernel divided by its largest singular value, as estimated from ``u``."""
    return kernel / power_iteration(kernel, lax.stop_gradient(u))[1]


def iterate_vectors(variables: Params, iterations: int = 1) -> Params:
    """Returns the variables with every stored vector updated by power iterations of its kernel."""

    def updated(vectors: Any, params: Any) -> Any:
        if "u" not in vectors:
            return {name: updated(vectors[name], params[name]) for name in vectors}
        kernel = params["kernel"]

        def iteration(_: Array, u: Array) -> Array:
            return power_iteration(kernel, u)[0]

        return {"u": lax.fori_loop(0, iterations, iteration, vectors["u"])}

    return {**variables, "spectral": updated(variables["spectral"], variables["params"])}


def spectral_iteration() -> optax.GradientTransformation:
    """Updates the vectors of spectral normalisation by one power iteration after each step.

    It is the last transformation in the discriminator's chain. The update of a stored vector
    becomes ``new u - u``; all other updates stay as they are, and so do parameters without such
    vectors.

    References:
      Miyato et al., "Spectral Normalization for Generative Adversarial Networks" (2018), algorithm
      1.
    """

    def update(
        updates: optax.Updates, state: optax.OptState, params: optax.Params | None = None
    ) -> tuple[optax.Updates, optax.OptState]:
        if not (isinstance(updates, Mapping) and "spectral" in updates):
            return updates, state
        if params is None:
            raise ValueError(
                "spectral_iteration needs the parameters: call update(updates, state, params)"
            )
        assert isinstance(params, Mapping)
        moved = optax.apply_updates({"params": params["params"]}, {"params": updates["params"]})
        assert isinstance(moved, Mapping)
        vectors = iterate_vectors({**moved, "spectral": params["spectral"]})["spectral"]
        steps = jax.tree.map(jnp.subtract, vectors, params["spectral"])
        return {**updates, "spectral": steps}, state

    return optax.GradientTransformation(optax.init_empty_state, update)
