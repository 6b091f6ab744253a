"""Optax stages: what happens to a gradient or an update before it is applied.

As stages of a player's optimizer they hold in the train step and in the look-ahead of `unrolled`
alike.
"""

import fnmatch
from collections.abc import Callable
from typing import Any

import jax
import jax.numpy as jnp
import optax

from gan_jax.errors import UserError
from gan_jax.game import Array

__all__ = [
    "average_over",
    "clip_weights",
    "freeze",
    "lazy_adam",
    "multiply_rate",
    "orthogonal_regularization",
]


def clip_weights(bound: float) -> optax.GradientTransformation:
    """Returns the stage that keeps every parameter within ``[-bound, bound]`` after the update.

    ``u <- clip(p + u, -bound, bound) - p``. It is the last stage of a chain.

    Args:
      bound: 0.01 in the paper.

    Raises:
      ValueError: in ``update``, if it is called without the parameters.

    References:
      Arjovsky et al., "Wasserstein GAN" (2017), algorithm 1, line 7.
    """

    def clip(step: Array, parameter: Array) -> Array:
        return jnp.clip(parameter + step, -bound, bound) - parameter

    def update(
        updates: optax.Updates, state: optax.OptState, params: optax.Params | None = None
    ) -> tuple[optax.Updates, optax.OptState]:
        if params is None:
            raise ValueError(
                "clip_weights needs the parameters: call update(updates, state, params)"
            )
        return jax.tree.map(clip, updates, params), state

    return optax.GradientTransformation(optax.init_empty_state, update)


def freeze(paths: str | tuple[str, ...]) -> optax.GradientTransformation:
    """Returns the stage that leaves some parameters as they are.

    It is the last stage of a chain, for fine-tuning: ``adam(learning_rate=2e-4) +
    freeze(paths='params/down_0')``.

    Args:
      paths: of the parameters: ``"params/head/score/kernel"``. A path stands for all below it too,
        and ``*`` for any text: ``("params/down_0", "*/bias")``.

    Raises:
      UserError: in ``init``, if no parameter has one of the paths.

    References:
      Mo et al., "Freeze the Discriminator: a Simple Baseline for Fine-Tuning GANs" (2020).
    """
    return _at("freeze", paths, jnp.zeros_like)


def multiply_rate(paths: str | tuple[str, ...], factor: float) -> optax.GradientTransformation:
    """Returns the stage that gives some parameters a multiple of the learning rate.

    It is the last stage of a chain: ``adam(learning_rate=5e-4) +
    multiply_rate(paths='params/bottleneck/codebook', factor=50.0)``.

    Args:
      paths: of the parameters, as in `freeze`.
      factor: by which their updates are multiplied.

    Raises:
      UserError: in ``init``, if no parameter has one of the paths.
    """
    return _at("multiply_rate", paths, lambda update: factor * update)


def _at(
    stage: str, paths: str | tuple[str, ...], change: Callable[[Array], Array]
) -> optax.GradientTransformation:
    """The stage that changes the updates of parameters with these paths."""
    patterns = (paths,) if isinstance(paths, str) else paths

    def matches(name: str, pattern: str) -> bool:
        return fnmatch.fnmatchcase(name, pattern) or fnmatch.fnmatchcase(name, f"{pattern}/*")

    def is_chosen(path: tuple[Any, ...]) -> bool:
        name = jax.tree_util.keystr(path, simple=True, separator="/")
        return any(matches(name, pattern) for pattern in patterns)

    def init(params: optax.Params) -> optax.EmptyState:
        leaves = jax.tree_util.tree_leaves_with_path(params)
        names = [jax.tree_util.keystr(path, simple=True, separator="/") for path, _ in leaves]
        for pattern in patterns:
            if not any(matches(name, pattern) for name in names):
                raise UserError(
                    f"{stage}: no parameter has the path {pattern!r}; there are {', '.join(names)}"
                )
        return optax.EmptyState()

    def update(
        updates: optax.Updates, state: optax.OptState, params: optax.Params | None = None
    ) -> tuple[optax.Updates, optax.OptState]:
        changed: optax.Updates = jax.tree_util.tree_map_with_path(
            lambda path, leaf: change(leaf) if is_chosen(path) else leaf, updates
        )
        return changed, state

    return optax.GradientTransformation(init, update)


def lazy_adam(
    learning_rate: float, every: int, b1: float = 0.0, b2: float = 0.99, eps: float = 1e-8
) -> optax.GradientTransformation:
    """Returns Adam for a loss one of whose terms acts at every n-th step.

    ``adam(c learning_rate, b1^c, b2^c)`` with ``c = n / (n + 1)``, by which StyleGAN2 makes up for
    the steps that a lazy penalty adds.

    Args:
      learning_rate: that of Adam without the lazy term, 0.002 in the paper.
      every: n, as in `gan_jax.objectives.timing.every`: 16 for R1, 4 for the path length.
      b1: decay of the mean gradient.
      b2: decay of the mean squared gradient.
      eps: added to the root.

    References:
      Karras et al., "Analyzing and Improving the Image Quality of StyleGAN" (2020), appendix B.
    """
    share = every / (every + 1)
    return optax.adam(share * learning_rate, b1=b1**share, b2=b2**share, eps=eps)


def average_over(axis_name: str) -> optax.GradientTransformation:
    """Returns the stage that averages gradients over the devices of a mapped axis.

    It is the first stage of a chain under ``jax.pmap``, or ``jax.shard_map(..., check_vma=False)``,
    with that axis name. (With ``check_vma=True`` gradients of replicated parameters are summed
    already, and averaging them changes nothing.)

    Args:
      axis_name: the name of the mapped axis.

    Raises:
      NameError: in ``update``, outside of such a map.
    """

    def update(
        updates: optax.Updates, state: optax.OptState, params: optax.Params | None = None
    ) -> tuple[optax.Updates, optax.OptState]:
        averaged: optax.Updates = jax.lax.pmean(updates, axis_name)
        return averaged, state

    return optax.GradientTransformation(optax.init_empty_state, update)


def orthogonal_regularization(
    weight: float = 1e-4, unit_norm: bool = False
) -> optax.GradientTransformation:
    """Returns the stage that adds the gradient of ``weight sum_W |W^T W (1 - I)|_F^2``.

    Filters may have any length, but should be orthogonal. W are the kernels, leaves of two axes or
    more, as ``[inputs, filters]``; other leaves are left alone. It is the first stage of a chain,
    before Adam, like weight decay in its older form. The gradient, ``4 weight W (W^T W (1 - I))``,
    is exact; BigGAN's code adds half of it.

    Args:
      weight: 1e-4 in the paper, on the generator.
      unit_norm: whether filters should also have a length of 1: ``weight sum_W |W^T W - I|_F^2``,
        the older form, with the gradient ``4 weight W (W^T W - I)``.

    Raises:
      ValueError: in ``update``, if it is called without the parameters.

    References:
      Brock et al., "Large Scale GAN Training" (2019), eqs. 2 (unit_norm) and 3.
    """

    def add_gradient(gradient: Array, kernel: Array) -> Array:
        if kernel.ndim < 2:
            return gradient
        filters = kernel.reshape(-1, kernel.shape[-1])
        gram = filters.T @ filters
        wanted = jnp.eye(len(gram)) if unit_norm else jnp.diag(jnp.diag(gram))
        return gradient + 4 * weight * (filters @ (gram - wanted)).reshape(kernel.shape)

    def update(
        updates: optax.Updates, state: optax.OptState, params: optax.Params | None = None
    ) -> tuple[optax.Updates, optax.OptState]:
        if params is None:
            raise ValueError(
                "orthogonal_regularization needs the parameters: "
                "call update(updates, state, params)"
            )
        return jax.tree.map(add_gradient, updates, params), state

    return optax.GradientTransformation(optax.init_empty_state, update)
