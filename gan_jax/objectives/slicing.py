"""SAN: a discriminator whose last layer is the direction that separates its features best."""

import dataclasses
from typing import Any

import jax
import jax.numpy as jnp

from gan_jax.errors import UserError
from gan_jax.game import Array, Params, Round, Term
from gan_jax.objectives.timing import Weight, weight_at

__all__ = ["san", "unit_directions"]

DIRECTION = "direction"
"""The entry of the discriminator's parameters that is its last layer, ``[classes, features]``."""


def unit_directions(params: Params, label: Array | None) -> Array:
    """Returns the last layer omega of a slicing discriminator, scaled to a length of 1.

    Args:
      params: of `gan_jax.networks.san`.
      label: ``[batch]`` int32, or None if there are no labels.

    Returns:
      ``[1, features]``, or with labels ``[batch, features]``.
    """
    directions: Array = params[DIRECTION]
    unit = directions / jnp.maximum(jnp.linalg.norm(directions, axis=-1, keepdims=True), 1e-12)
    return unit if label is None else unit[label]


def san(term: Term, weight: Weight = 1.0) -> Term:
    """Returns a loss whose discriminator is trained in two parts: its features and its direction.

    The score is ``s(x) = <omega, h(x)>`` with ``|omega| = 1``. The features h minimise the loss of
    ``term`` with omega fixed; omega minimises ``weight (E s(G(z)) - E s(x))`` with h fixed, so that
    it becomes the direction in which the features differ most. The generator's loss is that of
    ``term``. Penalties are terms of their own and act on both parts, as on any discriminator.

    The networks are `gan_jax.networks.san`.

    Args:
      term: a loss of scores, such as ``hinge()``, as in the authors' code.
      weight: of the loss of omega.

    Raises:
      UserError: ``term`` has no loss for the discriminator, or keeps a memory; in the loss, if the
        discriminator has no direction.

    References:
      Takida et al., "SAN: Inducing Metrizability of GAN with Discriminative Normalized Linear
      Layer" (2024), section 6 and algorithm 1, and the authors' code, ``compute_loss_san``.
    """
    loss = term.discriminator
    if loss is None or term.memory is not None:
        raise UserError(f"san takes a loss of scores, such as hinge(), not {term.name!r}")

    def discriminator(round: Round) -> Array:
        params = round.discriminator_params
        if round.features is None or not isinstance(params, dict) or DIRECTION not in params:
            raise UserError(
                "san needs networks whose discriminator ends in a direction: san(networks=...)"
            )
        omega = unit_directions(params, round.label)
        real, fake = round.features(round.real), round.features(round.fake)
        scored = round._replace(
            real_scores=_of_features(omega, real), fake_scores=_of_features(omega, fake)
        )
        value: Array = loss(scored)
        gap = jnp.mean(_of_direction(omega, fake)) - jnp.mean(_of_direction(omega, real))
        return value + weight_at(weight, round) * gap

    return dataclasses.replace(term, name="san", discriminator=discriminator)


# `stop_gradient` would also stop what `unrolled` differentiates: how one part's gradient depends on
# the other part. A derivative rule of our own leaves one part out of the gradient alone.


@jax.custom_vjp
def _of_features(omega: Array, features: Array) -> Array:
    """``<omega, h>``, ``[batch]``, with the gradient of h alone."""
    return jnp.sum(omega * features, -1)


@jax.custom_vjp
def _of_direction(omega: Array, features: Array) -> Array:
    """``<omega, h>``, ``[batch]``, with the gradient of omega alone."""
    return jnp.sum(omega * features, -1)


def _forward(omega: Array, features: Array) -> tuple[Array, Any]:
    return jnp.sum(omega * features, -1), (omega, features)


def _features_backward(parts: tuple[Array, Array], gradient: Array) -> tuple[Array, Array]:
    omega, _ = parts
    return jnp.zeros_like(omega), gradient[:, None] * omega


def _direction_backward(parts: tuple[Array, Array], gradient: Array) -> tuple[Array, Array]:
    omega, features = parts
    slopes = gradient[:, None] * features
    if len(omega) < len(slopes):  # one direction for all samples
        slopes = jnp.sum(slopes, 0, keepdims=True)
    return slopes, jnp.zeros_like(features)


_of_features.defvjp(_forward, _features_backward)
_of_direction.defvjp(_forward, _direction_backward)
