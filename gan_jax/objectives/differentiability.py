"""Finds out whether a look-ahead can be differentiated through an optimizer."""

import contextlib
import functools

import jax
import jax.numpy as jnp
import numpy as np
import optax
from jax.extend.core import jaxpr_as_fun

from gan_jax.distributed.collectives import batch_axis
from gan_jax.errors import UserError
from gan_jax.game import Array, Params

SCALES = (1.0, 1e-3, 1e-6)
"""The sizes of the gradients that are tried.

A large step may take every weight to a bound (`clip_weights`), where derivatives are zero. Those of
sign-based rules are zero at any size.
"""


def check_differentiable(optimizer: optax.GradientTransformation, params: Params) -> None:
    """Checks that an optimizer's updates can be differentiated with respect to the gradients.

    Two updates from the optimizer's initial state are computed and differentiated, once, on zeros
    of the structure of ``params`` with at most two entries along each axis. Every second entry of
    the gradients is zero, as in dead units. Adam divides by ``sqrt(v)``, whose derivative is
    infinite at v = 0, which gives NaN; the updates of sign-based rules have derivatives of zero.

    Nothing is added to a program that is being traced. Nothing is found out, and nothing raised, if
    a hyperparameter is traced (as in a population) or part of the optimizer's state
    (``optax.inject_hyperparams``), if the optimizer communicates over a mapped axis, or if it only
    works with parameters of their full size.

    Args:
      optimizer: any optax transformation.
      params: the parameters that it updates, which may be traced.

    Raises:
      UserError: the derivatives are NaN, or all of them are zero.
    """
    zeros = jax.tree.map(_stand_in, params)
    try:
        with batch_axis(None):
            state = jax.eval_shape(optimizer.init, zeros)
            if optax.tree.get_all_with_path(state, "hyperparams"):
                return
            probe = jax.make_jaxpr(functools.partial(_respond, optimizer))(zeros, 1.0)
    except (TypeError, ValueError):
        return
    if probe.effects or any(isinstance(const, jax.core.Tracer) for const in probe.consts):
        return
    respond = jaxpr_as_fun(probe)
    with jax.ensure_compile_time_eval(), _on_cpu():
        for scale in SCALES:
            slope, step = respond(*jax.tree.leaves(zeros), scale)
            if not np.isfinite(slope):
                raise UserError(
                    "unrolled differentiates through the discriminator's optimizer, whose "
                    "derivative is infinite at a gradient of zero: Adam needs eps_root, as in "
                    "adam(learning_rate=1e-4, eps_root=1e-14)"
                )
            if slope or not step:
                return
    raise UserError(
        "unrolled cannot learn through the discriminator's optimizer, which is not differentiable: "
        "its updates have a derivative of zero, as those of all sign-based rules; use sgd, or adam "
        "with eps_root"
    )


def _on_cpu() -> contextlib.AbstractContextManager[object]:
    """Small programs compile faster on a CPU, if JAX has one."""
    try:
        cpu = jax.local_devices(backend="cpu")[0]
    except RuntimeError:
        return contextlib.nullcontext()
    context: contextlib.AbstractContextManager[object] = jax.default_device(cpu)
    return context


def _stand_in(leaf: Array) -> np.ndarray:
    """Zeros with at most two entries along each axis."""
    return np.zeros([min(size, 2) for size in leaf.shape], leaf.dtype)


def _respond(
    optimizer: optax.GradientTransformation, params: Params, scale: Array
) -> tuple[Array, Array]:
    """Returns the l1 norms of the derivatives of two updates, and of the updates themselves."""

    def gradient_of(leaf: Array, factor: float) -> Array:
        entries = jnp.arange(leaf.size)
        values = jnp.where(entries % 2, 0.0, factor * scale * (1 + entries))
        return values.reshape(leaf.shape).astype(leaf.dtype)

    def weighted_sum(leaf: Array) -> Array:
        # Uneven weights: a sum would hide updates that are centred.
        return jnp.vdot(jnp.cos(jnp.arange(leaf.size)), leaf.ravel().astype(jnp.float32))

    def two_updates(gradients: list[Params]) -> tuple[Array, Array]:
        moved, state = params, optimizer.init(params)
        total = size = jnp.zeros(())
        for gradient in gradients:
            step, state = optimizer.update(gradient, state, moved)
            moved = optax.apply_updates(moved, step)
            total += sum(weighted_sum(leaf) for leaf in jax.tree.leaves(step))
            size += _l1_norm(step)
        return total, size

    gradients = [
        jax.tree.map(functools.partial(gradient_of, factor=factor), params) for factor in (1.0, 0.7)
    ]
    derivatives, size = jax.grad(two_updates, has_aux=True)(gradients)
    return _l1_norm(derivatives), size


def _l1_norm(tree: Params) -> Array:
    total: Array = sum(jnp.sum(jnp.abs(leaf)) for leaf in jax.tree.leaves(tree))  # type: ignore[assignment]
    return total
