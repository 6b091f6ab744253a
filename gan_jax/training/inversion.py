"""Latents of images: what a generator makes the most alike to an image is found by optimisation."""

import functools
from collections.abc import Callable
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
import optax

from gan_jax.distributed.mesh import pad_batch
from gan_jax.errors import UserError
from gan_jax.game import Array, Networks, Params, PRNGKey, call, draw_latents
from gan_jax.training.sampling import Sampler

__all__ = ["Inversion", "invert", "mean_squared_errors"]


DistanceFn = Callable[[Array, Array], Array]
"""``(samples [n, ...], targets [n, ...]) -> distances [n]``; pure, traceable, differentiable."""


class Inversion(NamedTuple):
    """What `invert` finds.

    Attributes:
      latents: ``[n, ...]`` float32, the best of all restarts.
      samples: ``[n, ...]`` float32, what the generator makes of them.
      distances: ``[n]`` float32, of these samples from the targets.
      all_distances: ``[n, restarts]`` float32, where each restart has ended.
    """

    latents: np.ndarray
    samples: np.ndarray
    distances: np.ndarray
    all_distances: np.ndarray


def mean_squared_errors(samples: Array, targets: Array) -> Array:
    """Computes the mean squared error ``[n]`` of each of samples ``[n, ...]``."""
    errors: Array = jnp.mean(jnp.square(samples - targets).reshape(len(samples), -1), axis=1)
    return errors


def invert(
    sampler: Sampler,
    targets: np.ndarray,
    rng: PRNGKey,
    label: np.ndarray | None = None,
    *,
    restarts: int = 3,
    steps: int = 100,
    optimizer: optax.GradientTransformation | None = None,
    distance: DistanceFn = mean_squared_errors,
    prior_weight: float = 0.0,
    batch_size: int = 16,
) -> Inversion:
    """Computes latents from which a generator makes given samples as well as it can.

    ``z = argmin d(G(z), x) + prior_weight mean(z^2)``, from several random starts each, of which
    that with the smallest value is taken. A generator that has seen an image gets closer to it than
    one that has not: the distances also say what a generator leaves out.

    Starts are draws of the generator's own latents. What is found for target i depends on the key,
    on i and on the target alone, and the generator has its standing statistics.

    Args:
      sampler: of the generator, which takes latents.
      targets: ``[n, ...]`` of the shape of a sample, images in [-1, 1].
      rng: of the starts.
      label: ``[n]`` int, if the generator takes labels; None: i modulo the number of classes.
      restarts: random starts for each target.
      steps: of the optimizer.
      optimizer: of latents; None: L-BFGS with a line search, ``optax.lbfgs()``. Such as
        ``optax.adam(0.05)``.
      distance: from samples to targets, such as
        ``functools.partial(metrics.perceptual_distances, network)``.
      prior_weight: of the latents' mean square, which keeps them where a normal prior has its mass.
      batch_size: targets at once, each with all its restarts.

    Returns:
      `Inversion`.

    Raises:
      UserError: the generator takes no latents, or targets of another shape.

    References:
      Metz et al., "Unrolled generative adversarial networks" (ICLR 2017), section 3.4 (L-BFGS, the
      best of 3 random starts); Bora et al., "Compressed sensing using generative models" (ICML
      2017), for ``prior_weight``, which is there that of the sum of squares.
    """
    if not sampler.takes_latents:
        raise UserError("this generator takes no latents, so there are none to be found")
    targets = np.asarray(targets, np.float32)
    if targets.shape[1:] != sampler.shape or not len(targets):
        raise UserError(
            f"the targets are {targets.shape}, and the samples of this generator {sampler.shape}: "
            f"pass [n, {', '.join(map(str, sampler.shape))}]"
        )
    for name, count in (("restarts", restarts), ("steps", steps), ("batch_size", batch_size)):
        if count < 1:
            raise UserError(f"{name} is at least 1, not {count}")
    minimise = _minimiser(
        sampler.networks, steps, optimizer or _lbfgs(), distance, prior_weight, restarts
    )
    size, n = min(batch_size, len(targets)), len(targets)
    index = np.arange(n, dtype=np.int32)
    batch = {"target": targets, "sample_index": index, **sampler.conditions(index, label)}
    results = []
    for start in range(0, n, size):
        part = {name: pad_batch(leaf[start : start + size], size) for name, leaf in batch.items()}
        results.append(jax.tree.map(np.asarray, minimise(sampler.params, rng, part)))
    return Inversion(*(np.concatenate(leaves)[:n] for leaves in zip(*results, strict=True)))


@functools.cache
def _lbfgs() -> optax.GradientTransformation:
    return optax.lbfgs()


# Cached, so that a second call compiles nothing.
@functools.lru_cache(maxsize=8)
def _minimiser(
    networks: Networks,
    steps: int,
    optimizer: optax.GradientTransformation,
    distance: DistanceFn,
    prior_weight: float,
    restarts: int,
) -> Any:
    """The compiled search for a batch: best latents, their samples, and distances by restart."""
    transformation = optax.with_extra_args_support(optimizer)

    @jax.jit
    def minimise(
        params: Params, rng: PRNGKey, batch: dict[str, Array]
    ) -> tuple[Array, Array, Array, Array]:
        def of_one(one: dict[str, Array]) -> tuple[Array, Array, Array, Array]:
            conditions = {name: leaf[None] for name, leaf in one.items()}
            target, index = conditions.pop("target"), conditions.pop("sample_index")

            def generate(latents: Array) -> Array:
                key = jax.random.key(0)  # the noise of a generator that draws stays the same
                samples: Array = call(
                    networks, "generate", params, latents[None], conditions, index, key, use=0
                )
                return samples.astype(jnp.float32)

            def loss(latents: Array) -> Array:
                from_target = distance(generate(latents), target)[0]
                return from_target + prior_weight * jnp.mean(jnp.square(latents))

            def search(restart: Array) -> tuple[Array, Array]:
                drawn = draw_latents(networks, jax.random.fold_in(rng, restart), index)
                assert drawn is not None

                def step(carry: tuple[Array, Any], _: None) -> tuple[tuple[Array, Any], None]:
                    latents, state = carry
                    value, slope = jax.value_and_grad(loss)(latents)
                    updates, state = transformation.update(
                        slope, state, latents, value=value, grad=slope, value_fn=loss
                    )
                    return (optax.apply_updates(latents, updates), state), None

                start = drawn[0].astype(jnp.float32)
                (latents, _), _ = jax.lax.scan(
                    step, (start, transformation.init(start)), None, length=steps
                )
                return latents, loss(latents)

            latents, losses = jax.vmap(search)(jnp.arange(restarts))
            distances = jax.vmap(lambda z: distance(generate(z), target)[0])(latents)
            best = jnp.argmin(jnp.where(jnp.isfinite(losses), losses, jnp.inf))
            return latents[best], generate(latents[best])[0], distances[best], distances

        return jax.vmap(of_one)(batch)

    return minimise
