"""Weights that an objective finds by itself, from the gradients of its terms."""

from typing import Any

import jax
import jax.numpy as jnp
import optax

from gan_jax.distributed.collectives import mean_over_devices
from gan_jax.errors import UserError, did_you_mean
from gan_jax.game import (
    Array,
    Batch,
    Context,
    Memory,
    Metrics,
    Objective,
    Params,
    Player,
    PRNGKey,
    as_context,
    check_objective,
    without_fakes,
)
from gan_jax.objectives.timing import Weight, weight_at

__all__ = ["adaptive_weight"]

EPSILON = 1e-4
"""Added to the norm that is divided by."""


def adaptive_weight(
    objective: Objective,
    terms: str,
    against: str,
    layer: str,
    scale: Weight = 1.0,
    largest: float = 1e4,
) -> Objective:
    """Returns the objective whose generator weights its adversarial terms as VQGAN does.

    ``weight = scale |grad_layer L_against| / (|grad_layer L_terms| + 1e-4)``, clipped to
    ``[0, largest]`` before the scale: at a layer of the generator, usually its last, both losses
    push equally hard. No gradient passes through the weight. The discriminator's loss is unchanged.

    Norms are those of the gradients of the whole batch. So ``adaptive_weight(accumulated(...))`` is
    exact, and the other order raises UserError. Terms that do not act yet (`after`) have a gradient
    of 0: their weight is then large and has no effect.

    Metrics: ``"generator/adaptive_weight"``; the terms' own values are those before the weight.

    Args:
      objective: any objective.
      terms: names of the generator's terms that are weighted, as its metrics call them, separated
        by commas: ``"hinge"``.
      against: names of the terms that they are weighted against: ``"reconstruction,perceptual"``.
      layer: the path of the layer in the generator's parameters:
        ``"params/decoder/output/kernel"``.
      scale: multiplies the weight, a number or a schedule of the step: 0.8 for VQGAN on ImageNet,
        0.75 on faces. With a schedule that begins at 0 the discriminator learns before it is felt.
      largest: the largest weight before the scale.

    Raises:
      TypeError: ``objective`` is not an `Objective`.
      UserError: in the generator's loss, if there is no such term or layer.

    References:
      Esser et al., "Taming Transformers for High-Resolution Image Synthesis" (VQGAN, 2021), eq. 7
      (there 1e-6), and the authors' code, ``calculate_adaptive_weight`` (1e-4 and the clipping).
    """
    check_objective(objective, "adaptive_weight")
    weighted, compared = _names(terms), _names(against)

    def generator_loss(
        own: Params, discriminator: Player, batch: Batch, context: Context | PRNGKey
    ) -> tuple[Array, tuple[Metrics, Memory]]:
        context = as_context(context)
        loss, (metrics, memory) = objective.generator(own, discriminator, batch, context)
        # Samples that came with the batch have no gradient: those are generated again, from the
        # same key, which the compiler sees.
        fixed, opponent, seen = jax.lax.stop_gradient((own, discriminator, without_fakes(batch)))

        def sums(values: Array) -> tuple[Array, Array]:
            moved = _replaced(fixed, layer, values)
            _, (metrics, _) = objective.generator(moved, opponent, seen, context)
            return _sum(metrics, weighted), _sum(metrics, compared)

        one, pull_back = jax.vjp(sums, _find(fixed, layer))
        unit, zero = jnp.ones_like(one[0]), jnp.zeros_like(one[0])
        gradients = mean_over_devices((pull_back((unit, zero))[0], pull_back((zero, unit))[0]))
        adversarial, other = map(optax.global_norm, gradients)
        ratio = jnp.clip(other / (adversarial + EPSILON), 0.0, largest)
        weight = jax.lax.stop_gradient(weight_at(scale, context) * ratio)
        loss = loss + (weight - 1) * _sum(metrics, weighted)
        measured = {"generator/adaptive_weight": weight, "generator/loss": loss}
        return loss, (metrics | measured, memory)

    return objective._replace(generator=generator_loss)


def _names(text: str) -> tuple[str, ...]:
    return tuple(name.strip() for name in text.split(",") if name.strip())


def _sum(metrics: Metrics, names: tuple[str, ...]) -> Array:
    """The sum of the generator's terms of these names."""
    known = [name.removeprefix("generator/") for name in metrics if name.startswith("generator/")]
    for name in names:
        if name not in known or name == "loss":
            raise UserError(
                f"adaptive_weight names the term {name!r} of the generator: "
                f"{did_you_mean(name, set(known) - {'loss'})}"
            )
    if not names:
        raise UserError("adaptive_weight needs at least one term on each side: terms, against")
    total: Array = sum(metrics[f"generator/{name}"] for name in names)  # type: ignore[assignment]
    return total


def _find(params: Params, layer: str) -> Any:
    """The subtree of that path."""
    for name in layer.split("/"):
        if not isinstance(params, dict) or name not in params:
            known = ", ".join(map(str, params)) if isinstance(params, dict) else "arrays alone"
            raise UserError(
                f"adaptive_weight names the layer {layer!r} of the generator: instead of {name!r} "
                f"there is {known}"
            )
        params = params[name]
    return params


def _replaced(params: Params, layer: str, value: Any) -> Params:
    """The parameters with another subtree at that path."""
    first, _, rest = layer.partition("/")
    return params | {first: _replaced(params[first], rest, value) if rest else value}
