"""Spectral normalisation: kernels divided by their largest singular value, as pure functions.

A kernel ``W``, seen as a matrix ``[everything else, out]``, is used as ``W / sigma`` with ``sigma = v^T W u`` and

    ``v = W u0 / |W u0|``,   ``u = W^T v / |W^T v|``,

one power iteration from the stored ``u0``. No gradient flows through ``u`` and ``v``. The stored vectors are the collection
"spectral" among the discriminator's own variables, at the same paths as their kernels; their gradient is zero. The optax
stage :func:`spectral_iteration` moves them along after each step, so that the next step's iteration starts warm: one
iteration a step then follows the true value closely, as in the paper's algorithm 1. Since the stage is a part of the
optimizer, a look-ahead through unrolled steps moves them too.
"""

from collections.abc import Mapping
from typing import Any

import jax
import jax.numpy as jnp
import optax
from jax import lax

from gan_jax.game import Array, Params

INITIAL_ITERATIONS = 30
"""At the start: from a random vector one iteration underestimates ``sigma`` badly, and too large a step would follow."""


def _unit(x: Array) -> Array:
    return x * lax.rsqrt(jnp.sum(jnp.square(x)) + 1e-12)


def power_iteration(kernel: Array, u: Array) -> tuple[Array, Array]:
    """One iteration: kernel ``[..., out]``, ``u [out]`` -> the new ``u [out]`` and ``sigma``, the estimated singular value.

    ``sigma`` is differentiable in the kernel: its gradient is ``v u^T``.
    """
    matrix = kernel.reshape(-1, kernel.shape[-1])
    v = lax.stop_gradient(_unit(matrix @ u))
    u = lax.stop_gradient(_unit(v @ matrix))
    return u, v @ matrix @ u


def normalised(kernel: Array, u: Array) -> Array:
    """The kernel divided by its largest singular value, as estimated from ``u``."""
    return kernel / power_iteration(kernel, lax.stop_gradient(u))[1]


def iterate(variables: Params, iterations: int = 1) -> Params:
    """The variables with every stored vector moved along by so many power iterations of its kernel."""

    def moved(state: Any, params: Any) -> Any:
        if "u" in state:
            kernel = params["kernel"]
            return {
                "u": lax.fori_loop(
                    0, iterations, lambda _, u: power_iteration(kernel, u)[0], state["u"]
                )
            }
        return {name: moved(state[name], params[name]) for name in state}

    return {**variables, "spectral": moved(variables["spectral"], variables["params"])}


def spectral_iteration() -> optax.GradientTransformation:
    """Moves the vectors of spectral normalisation along with their kernels: one power iteration after each step.

    The last stage of a discriminator's chain. The update of a stored vector becomes ``new u - u``, that of everything
    else stays; parameters without such vectors are left alone.
    Source: Miyato et al., "Spectral Normalization for Generative Adversarial Networks" (2018), algorithm 1.
    """

    def update(updates, state, params=None):
        if not (isinstance(updates, Mapping) and "spectral" in updates):
            return updates, state
        if params is None:
            raise ValueError(
                "spectral_iteration needs the parameters: call update(updates, state, params)"
            )
        moved = optax.apply_updates({"params": params["params"]}, {"params": updates["params"]})
        new = iterate({**moved, "spectral": params["spectral"]})["spectral"]
        return {**updates, "spectral": jax.tree.map(jnp.subtract, new, params["spectral"])}, state

    return optax.GradientTransformation(optax.init_empty_state, update)
