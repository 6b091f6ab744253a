"""The Linen modules of this package as `gan_jax.Networks`.

`LinenPair` is what `mlp`, `dcgan` and the others end in. For modules of your own see `from_linen`.
"""

from dataclasses import dataclass
from typing import Any

import flax.linen as nn
import jax
import jax.numpy as jnp

from gan_jax.errors import UserError
from gan_jax.game import Array, Networks, Params, PRNGKey
from gan_jax.networks import spectral
from gan_jax.networks.initializers import init_from_one_draw
from gan_jax.networks.layers import BOUNDS
from gan_jax.networks.settings import CommonSettings

STANDING_BATCH = 64
"""Standing statistics are those of batches of this size, however many latents are given."""

TRAINED_COLLECTIONS = ("params", "spectral")
"""The collections of variables that a network's parameters consist of."""


def apply_module(
    module: nn.Module,
    params: Params,
    inputs: Array,
    conditions: dict[str, Any],
    mutable: str | bool = False,
) -> Any:
    """Returns a module's result; with a mutable collection, the result and that collection."""
    return module.apply(params, inputs, **conditions, mutable=mutable)


def init_module(
    module: nn.Module, rng: PRNGKey, inputs: jax.ShapeDtypeStruct, **conditions: Any
) -> Params:
    """Draws the parameters of a module: its variables of the `TRAINED_COLLECTIONS`.

    Args:
      module: called as ``module(inputs, **conditions)``.
      rng: the key.
      inputs: the shape and dtype of its input, ``[batch, ...]``.
      **conditions: likewise, of what it is given by name.
    """

    def init(rng: PRNGKey) -> Params:
        # Lazy: shapes are inferred without a forward pass.
        return module.lazy_init(rng, inputs, **conditions, mutable=TRAINED_COLLECTIONS)

    variables = init_from_one_draw(init, rng)
    if "spectral" in variables:
        return spectral.iterate_vectors(variables, spectral.INITIAL_ITERATIONS)
    return variables


@dataclass(frozen=True, eq=False)
class LinenPair:
    """A generator and a discriminator as Linen modules that follow this package's protocol.

    The generator maps ``(latents, label=, fade=)`` to samples. The discriminator maps
    ``(samples, label=, fade=)`` to the scores ``[batch]`` and the label logits ``[batch, classes]``
    or None, and ends in a `label_conditioning.Head`. Modules take ``label`` unless labels condition
    nothing, and ``fade`` if they grow. BatchNorm is `layers.BatchNorm`.

    Attributes:
      generator: the generator.
      discriminator: the discriminator.
      shape: shape of one sample.
      settings: the settings that all networks share.
      takes_fade: whether both modules take ``fade``.
      draws: whether the discriminator takes ``rng``, a key for each sample.
      output: the name of the generator's last activation, see `layers.ACTIVATIONS`.
    """

    generator: nn.Module
    discriminator: nn.Module
    shape: tuple[int, ...]
    settings: CommonSettings
    takes_fade: bool = False
    output: str = "linear"
    draws: bool = False

    def networks(self) -> Networks:
        """Returns the pair as plain functions."""
        return Networks(
            init=jax.jit(self.init),
            latent=self.settings.draw_latents,
            generate=self.generate,
            score=self.score,
            classify=self.classify if self.settings.conditioning == "auxiliary" else None,
            features=self.features,
            standing=self.with_standing_statistics if self.settings.norm == "batch" else None,
            independent_scores=self.settings.independent_scores,
            bounds=BOUNDS.get(self.output),
            random=("score",) if self.draws else (),
        )

    def init(self, rng: PRNGKey) -> tuple[Params, Params]:
        """Draws the parameters of both networks."""
        latents = jax.eval_shape(lambda key: self.settings.draw_latents(key, 2), rng)
        samples = jax.ShapeDtypeStruct((2, *self.shape), jnp.float32)
        conditions: dict[str, Any] = {}
        if self.settings.conditioning != "none":
            conditions["label"] = jax.ShapeDtypeStruct((2,), jnp.int32)
        generator_rng, discriminator_rng = jax.random.split(rng)
        return (
            init_module(self.generator, generator_rng, latents, **conditions),
            init_module(self.discriminator, discriminator_rng, samples, **conditions),
        )

    def generate(self, params: Params, latents: Array, **conditions: Array) -> Array:
        """Returns samples ``[batch, *shape]``, float32 or wider."""
        samples: Array = apply_module(self.generator, params, latents, self._checked(conditions))
        return samples.astype(jnp.promote_types(samples.dtype, jnp.float32))

    def score(self, params: Params, samples: Array, **conditions: Array) -> Array:
        """Returns scores ``[batch]``."""
        conditions = self._with_unused_label(samples, conditions)
        scores: Array
        scores, _ = apply_module(self.discriminator, params, samples, self._checked(conditions))
        return scores

    def classify(self, params: Params, samples: Array, **conditions: Array) -> Array:
        """Returns label logits ``[batch, classes]``."""
        logits: Array
        _, logits = apply_module(self.discriminator, params, samples, conditions)
        return logits

    def features(self, params: Params, samples: Array, **conditions: Array) -> Array:
        """Returns the input of the discriminator's head, ``[batch, features]``."""
        conditions = self._checked(self._with_unused_label(samples, conditions))
        _, variables = apply_module(
            self.discriminator, params, samples, conditions, mutable="features"
        )
        features: Array
        (features,) = variables["features"]["head"]["features"]
        return features.reshape(len(samples), -1)

    def with_standing_statistics(
        self, params: Params, latents: Array, **conditions: Array
    ) -> Params:
        """Returns the generator's parameters with BatchNorm statistics, the means over batches.

        The latents are used in batches of `STANDING_BATCH`, and those that do not fill one are
        dropped.
        """
        size = min(STANDING_BATCH, len(latents))
        count = len(latents) // size
        trained = {name: value for name, value in params.items() if name != "statistics"}

        def in_batches(x: Array) -> Array:
            return x[: count * size].reshape(count, size, *x.shape[1:])

        def statistics(batch: tuple[Array, dict[str, Array]]) -> Any:
            latents, conditions = batch
            _, variables = apply_module(
                self.generator, trained, latents, conditions, mutable="statistics"
            )
            return variables["statistics"]

        batches = jax.tree.map(in_batches, (latents, self._checked(conditions)))
        by_batch = jax.lax.map(statistics, batches)
        return trained | {"statistics": jax.tree.map(lambda leaf: jnp.mean(leaf, 0), by_batch)}

    def _checked(self, conditions: dict[str, Array]) -> dict[str, Array]:
        """The conditions without None; UserError if one is unknown or the label is missing."""
        labels = self.settings.conditioning
        known = []
        if labels != "none":
            known.append("label")
        if self.takes_fade:
            known.append("fade")
        if self.draws:
            known.append("rng")
        conditions = {name: value for name, value in conditions.items() if value is not None}
        unknown = [name for name in conditions if name not in known]
        if unknown:
            takes = f"takes only {' and '.join(known)}" if known else "is unconditional"
            raise UserError(f"this network {takes}: it cannot use {', '.join(unknown)}")
        if labels != "none" and "label" not in conditions:
            raise UserError(f"this network is conditional (labels={labels!r}): give label=[batch]")
        return conditions

    def _with_unused_label(self, samples: Array, conditions: dict[str, Array]) -> dict[str, Array]:
        """With some label for an auxiliary classifier's discriminator, whose score ignores it."""
        if self.settings.conditioning != "auxiliary":
            return conditions
        return {"label": jnp.zeros(len(samples), jnp.int32)} | conditions
