"""An encoder of a trained generator: from samples back to latents, learned from pairs of both."""

import functools
from collections.abc import Callable
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
import optax

from gan_jax.errors import UserError
from gan_jax.game import Array, Networks, Params, PRNGKey, call, draw_latents
from gan_jax.training.sampling import Sampler

__all__ = ["Encoder", "fit_encoder", "recogniser"]

CHUNK = 1000
"""Samples that are encoded at once."""


class Encoder(NamedTuple):
    """What `fit_encoder` returns.

    Attributes:
      encode: samples ``[n, ...]`` -> latents ``[n, d]`` float32.
      errors: ``[steps]`` float32, the mean squared error of each step's latents, before its update.
        That of an encoder that has learned nothing is their variance.
    """

    encode: Callable[[np.ndarray], np.ndarray]
    errors: np.ndarray


def fit_encoder(
    sampler: Sampler,
    networks: Networks,
    rng: PRNGKey,
    *,
    steps: int = 2_000,
    batch_size: int = 64,
    optimizer: optax.GradientTransformation | None = None,
) -> Encoder:
    """Fits an encoder to a trained generator by regression.

    It minimises ``E |E(G(z)) - z|^2`` over draws of latents z, fresh ones at each step, so E(x) is
    the mean of the latents that make x. A GAN without an encoder of its own is so given one: its
    latents can then be compared with what is known of real samples. Where the generator makes the
    same of different latents, no encoder can tell them apart.

    It takes seconds to minutes, and the generator does not change. `invert` searches the latents of
    single samples, and takes longer for each.

    Args:
      sampler: of the generator, which takes latents ``[batch, d]``.
      networks: those whose ``classify``, with d classes, is the encoder, such as
        ``mlp(shape, classes=d, labels="auxiliary")``; their generator is not used.
      rng: of the encoder's first parameters and of the latents.
      steps: of the optimizer.
      batch_size: pairs of each step.
      optimizer: None: ``optax.adam(1e-3)``.

    Returns:
      `Encoder`.

    Raises:
      UserError: the generator takes no latents ``[batch, d]``, or the encoder does not return as
        many numbers.

    References:
      Donahue, Krähenbühl and Darrell, "Adversarial Feature Learning" (2017): its baseline called
      latent regressor.
    """
    if not sampler.takes_latents:
        raise UserError("this generator takes no latents, so there are none to be predicted")
    if networks.classify is None:
        raise UserError("fit_encoder needs networks that classify: labels='auxiliary'")
    for name, count in (("steps", steps), ("batch_size", batch_size)):
        if count < 1:
            raise UserError(f"{name} is at least 1, not {count}")
    init_rng, latents_rng = jax.random.split(rng)
    _, params = networks.init(init_rng)
    size = sampler.latents(rng, 1).shape[1:]
    samples = jax.ShapeDtypeStruct((1, *sampler.shape), jnp.float32)
    returned = jax.eval_shape(networks.classify, params, samples).shape[1:]
    if returned != size:
        raise UserError(
            f"the encoder returns {list(returned)} numbers per sample, and the latents are "
            f"{list(size)}: give its networks as many classes"
        )
    conditions = sampler.conditions(np.arange(batch_size))
    fit = _fitting_program(sampler.networks, networks, steps, batch_size, optimizer or _adam())
    params, errors = fit(params, sampler.params, latents_rng, conditions)
    return Encoder(recogniser(networks, params), np.asarray(errors))


def recogniser(networks: Networks, params: Params) -> Callable[[np.ndarray], np.ndarray]:
    """Returns ``classify`` as a function on the host, such as Q of an InfoGAN.

    Args:
      networks: networks with ``classify`` that draw nothing.
      params: the discriminator's parameters.

    Returns:
      Samples ``[n, ...]`` -> ``[n, d]`` float32, computed `CHUNK` at a time.

    Raises:
      UserError: the networks have no ``classify``.
    """
    if networks.classify is None:
        raise UserError("these networks have no classifier: labels='auxiliary'")
    program = _classifying_program(networks)

    def encode(samples: np.ndarray) -> np.ndarray:
        parts = [
            np.asarray(program(params, samples[start : start + CHUNK]), np.float32)
            for start in range(0, len(samples), CHUNK)
        ]
        return np.concatenate(parts)

    return encode


@functools.cache
def _adam() -> optax.GradientTransformation:
    return optax.adam(1e-3)


# Cached, so that a second call compiles nothing.
@functools.lru_cache(maxsize=8)
def _classifying_program(networks: Networks) -> Any:
    assert networks.classify is not None
    return jax.jit(networks.classify)


@functools.lru_cache(maxsize=8)
def _fitting_program(
    generator: Networks,
    encoder: Networks,
    steps: int,
    batch_size: int,
    optimizer: optax.GradientTransformation,
) -> Any:
    """The compiled fit: the encoder's parameters after all steps, and their errors."""
    index = np.arange(batch_size, dtype=np.int32)

    def error(params: Params, samples: Array, latents: Array) -> Array:
        assert encoder.classify is not None
        return jnp.mean(jnp.square(encoder.classify(params, samples) - latents))

    @jax.jit
    def fit(
        params: Params, of_generator: Params, rng: PRNGKey, conditions: dict[str, Array]
    ) -> tuple[Params, Array]:
        def step(carry: tuple[Params, Any], number: Array) -> tuple[tuple[Params, Any], Array]:
            params, state = carry
            key = jax.random.fold_in(rng, number)
            latents = draw_latents(generator, key, jnp.asarray(index))
            samples = call(
                generator,
                "generate",
                of_generator,
                latents,
                conditions,
                jnp.asarray(index),
                key,
                use=0,
            )
            value, slope = jax.value_and_grad(error)(params, samples, latents)
            updates, state = optimizer.update(slope, state, params)
            return (optax.apply_updates(params, updates), state), value

        start = (params, optimizer.init(params))
        (params, _), errors = jax.lax.scan(step, start, jnp.arange(steps))
        return params, errors

    return fit
