"""Adapters: user-defined modules of Linen, NNX and Equinox as `gan_jax.Networks`.

Each library is imported only when its adapter is called.
"""

from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any, cast

import jax
import jax.numpy as jnp

from gan_jax.game import Array, LatentFn, Networks, Params, PRNGKey

if TYPE_CHECKING:
    import equinox as eqx
    import flax.linen as nn
    from flax import nnx


def from_linen(
    generator: "nn.Module",
    discriminator: "nn.Module",
    *,
    latent: LatentFn,
    conditions: Mapping[str, Array] | None = None,
    independent_scores: bool = False,
) -> Networks:
    """Returns the networks of two Flax Linen modules.

    Args:
      generator: called as ``generator(latents, **conditions)``; returns samples ``[batch, ...]``.
      discriminator: called as ``discriminator(samples, **conditions)``; returns scores ``[batch]``,
        so a last layer of one unit is followed by ``[:, 0]``, a map of them or a dict.
      latent: draws latents, ``(rng, batch size) -> [batch, ...]``, such as
        ``latent_distribution("normal", 64)``.
      conditions: an example of each condition, such as ``{"label": jnp.zeros(1, jnp.int32)}``, with
        a batch axis of size 1. Only the shapes and dtypes matter, to initialise the modules.
      independent_scores: whether a sample's score depends on no other sample of its batch: real and
        generated samples are then scored in one pass.

    Returns:
      The networks. The shape of the samples is that of the generator's result. ``init`` raises
      ValueError if a module has variables other than parameters, such as the ``batch_stats`` of
      ``nn.BatchNorm``; ``score`` raises it if the scores are not ``[batch]``.

    Raises:
      TypeError: a module is something else, such as its class.
    """
    import flax.linen as nn

    for name, module in (("generator", generator), ("discriminator", discriminator)):
        if not isinstance(module, nn.Module):
            raise TypeError(f"from_linen takes the {name} as a module, such as Generator(width=64)")
    examples: dict[str, Any] = dict(conditions or {})

    def init_module(module: "nn.Module", name: str, rng: PRNGKey, inputs: Array) -> Params:
        variables = module.init(rng, inputs, **examples)
        others = sorted(set(variables) - {"params"})
        if others:
            raise ValueError(
                f"from_linen: the {name} has variables that are not trained, {', '.join(others)}: "
                "use layers whose only variables are parameters"
            )
        return variables

    def init(rng: PRNGKey) -> tuple[Params, Params]:
        latent_rng, generator_rng, discriminator_rng = jax.random.split(rng, 3)
        latents = latent(latent_rng, 1)
        generator_params = init_module(generator, "generator", generator_rng, latents)
        samples = generate(generator_params, latents, **examples)
        return generator_params, init_module(
            discriminator, "discriminator", discriminator_rng, samples
        )

    def generate(params: Params, latents: Array, **conditions: Any) -> Array:
        return cast(Array, generator.apply(params, latents, **conditions))

    def score(params: Params, samples: Array, **conditions: Any) -> Any:
        scores = discriminator.apply(params, samples, **conditions)
        return _checked_scores(scores, samples)

    return Networks(
        init=jax.jit(init),
        latent=latent,
        generate=generate,
        score=score,
        independent_scores=independent_scores,
    )


def from_nnx(
    generator: "Callable[[nnx.Rngs], nnx.Module]",
    discriminator: "Callable[[nnx.Rngs], nnx.Module]",
    *,
    latent: LatentFn,
    independent_scores: bool = False,
) -> Networks:
    """Returns the networks of two Flax NNX modules.

    Args:
      generator: makes the generator from ``nnx.Rngs``: its class, or a function. The module is
        called as ``module(latents, **conditions)`` and returns samples ``[batch, ...]``.
      discriminator: makes the discriminator. The module is called as
        ``module(samples, **conditions)`` and returns scores ``[batch]``, so a last layer of one
        unit is followed by ``[:, 0]``.
      latent: draws latents, ``(rng, batch size) -> [batch, ...]``, such as
        ``latent_distribution("normal", 64)``.
      independent_scores: whether a sample's score depends on no other sample of its batch: real and
        generated samples are then scored in one pass.

    Returns:
      The networks. Parameters are the modules' ``nnx.Param`` states, as nested dicts. ``score``
      raises ValueError if the scores are not ``[batch]``.

    Raises:
      TypeError: a module is given instead of a function that makes it.
      ValueError: a module holds other state (running statistics, random keys, integers), which
        would be neither trained nor updated.
    """
    from flax import nnx

    make_generator, call_generator = _split_nnx(nnx, generator, "generator")
    make_discriminator, call_discriminator = _split_nnx(nnx, discriminator, "discriminator")

    def init(rng: PRNGKey) -> tuple[Params, Params]:
        generator_rng, discriminator_rng = jax.random.split(rng)
        return make_generator(generator_rng), make_discriminator(discriminator_rng)

    def score(params: Params, samples: Array, **conditions: Array) -> Any:
        scores = call_discriminator(params, samples, **conditions)
        return _checked_scores(scores, samples)

    return Networks(
        init=jax.jit(init),
        latent=latent,
        generate=call_generator,
        score=score,
        independent_scores=independent_scores,
    )


def _split_nnx(
    nnx: Any, make: "Callable[[nnx.Rngs], nnx.Module]", name: str
) -> tuple[Callable[[PRNGKey], Params], Callable[..., Array]]:
    """A function that draws a module's parameters, and one that calls the module with them."""
    if isinstance(make, nnx.Module):
        raise TypeError(
            f"from_nnx takes the {name} as a function of nnx.Rngs that makes it, not as a module"
        )
    graph, abstract_params, others = nnx.split(
        nnx.eval_shape(lambda: make(nnx.Rngs(0))), nnx.Param, ...
    )
    untrained = list(nnx.to_flat_state(others)) + [
        (path, leaf)
        for path, leaf in nnx.to_flat_state(abstract_params)
        if not jnp.issubdtype(leaf.dtype, jnp.inexact)
    ]
    if untrained:
        paths = ", ".join(".".join(map(str, path)) for path, _ in untrained)
        raise ValueError(
            f"from_nnx: the {name} holds state that is not trained, {paths}: use layers whose only "
            "state is nnx.Param of floats (no running statistics, and no Rngs kept in the module; "
            "for dropout see gan_jax.networks.dropout)"
        )

    def init(rng: PRNGKey) -> Params:
        return nnx.to_pure_dict(nnx.state(make(nnx.Rngs(rng)), nnx.Param))

    def call(params: Params, inputs: Array, **conditions: Array) -> Array:
        state = jax.tree.map(lambda leaf: leaf, abstract_params)  # a copy to write to
        nnx.replace_by_pure_dict(state, params)
        return cast(Array, nnx.merge(graph, state)(inputs, **conditions))

    return init, call


def from_equinox(
    generator: "Callable[[PRNGKey], eqx.Module]",
    discriminator: "Callable[[PRNGKey], eqx.Module]",
    *,
    latent: LatentFn,
) -> Networks:
    """Returns the networks of two Equinox modules.

    As usual in Equinox, modules see one sample, without a batch axis: the batch is mapped over by
    ``jax.vmap``. No sample's score depends on the others.

    Args:
      generator: makes the generator from a key, such as
        ``lambda key: eqx.nn.MLP(64, 2, 128, 2, key=key)``. The module is called as
        ``module(latent, **conditions)`` and returns one sample.
      discriminator: makes the discriminator, such as
        ``lambda key: eqx.nn.MLP(2, "scalar", 128, 2, key=key)``. The module is called as
        ``module(sample, **conditions)`` and returns one score, a scalar.
      latent: draws latents, ``(rng, batch size) -> [batch, ...]``, such as
        ``latent_distribution("normal", 64)``.

    Returns:
      The networks. Parameters are the modules' arrays of floats (``eqx.is_inexact_array``);
      everything else, such as activations and integers, is static. ``score`` raises ValueError if
      the scores are not ``[batch]``.

    Raises:
      TypeError: a module is given instead of a function that makes it.
      ValueError: a module is stateful, such as one with ``eqx.nn.BatchNorm``.
    """
    import equinox as eqx

    static_generator = _static_equinox(eqx, generator, "generator")
    static_discriminator = _static_equinox(eqx, discriminator, "discriminator")

    def init(rng: PRNGKey) -> tuple[Params, Params]:
        generator_rng, discriminator_rng = jax.random.split(rng)
        return (
            eqx.filter(generator(generator_rng), eqx.is_inexact_array),
            eqx.filter(discriminator(discriminator_rng), eqx.is_inexact_array),
        )

    def call(params: Params, static: Any, inputs: Array, conditions: dict[str, Array]) -> Array:
        module = eqx.combine(params, static)

        def call_sample(x: Array, conditions: dict[str, Array]) -> Array:
            return cast(Array, module(x, **conditions))

        return jax.vmap(call_sample)(inputs, conditions)

    def generate(params: Params, latents: Array, **conditions: Array) -> Array:
        return call(params, static_generator, latents, conditions)

    def score(params: Params, samples: Array, **conditions: Array) -> Any:
        scores = call(params, static_discriminator, samples, conditions)
        return _checked_scores(scores, samples)

    return Networks(
        init=jax.jit(init), latent=latent, generate=generate, score=score, independent_scores=True
    )


def _static_equinox(eqx: Any, make: "Callable[[PRNGKey], eqx.Module]", name: str) -> Any:
    """A module without its arrays of floats."""
    if isinstance(make, eqx.Module):
        raise TypeError(
            f"from_equinox takes the {name} as a function of a key that makes it, not as a module"
        )
    module = make(jax.random.key(0))

    def is_state(leaf: Any) -> bool:
        return isinstance(leaf, eqx.nn.StateIndex)

    if any(is_state(leaf) for leaf in jax.tree.leaves(module, is_leaf=is_state)):
        raise ValueError(
            f"from_equinox: the {name} is stateful: use layers without state (no eqx.nn.BatchNorm)"
        )
    return eqx.partition(module, eqx.is_inexact_array)[1]


def _checked_scores(scores: Any, samples: Array) -> Any:
    """The scores, if there is one per sample or a map of them, or a dict of either."""
    expected = samples.shape[:1]
    for leaf in jax.tree.leaves(scores):
        is_column = leaf.shape == (*expected, 1)
        if leaf.shape[:1] != expected or is_column:
            remedy = ": drop its last axis, of size 1" if is_column else ""
            raise ValueError(
                f"the discriminator must return scores of shape {list(expected)}, one per sample, "
                f"not {list(leaf.shape)}{remedy}"
            )
    return scores
