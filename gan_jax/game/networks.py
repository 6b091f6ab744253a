"""What the game asks of networks: plain functions of parameters, from any library."""

from collections.abc import Mapping
from typing import Any, NamedTuple, Protocol

import jax

from gan_jax.game.batches import Array, Params, PRNGKey, per_sample

NETWORKS_KEY = 2**31 - 2
"""Folded into a loss's key for the networks' own draws. Terms fold in 0, 1, 2, ..."""


class InitFn(Protocol):
    """A function that draws the parameters of both networks."""

    def __call__(self, rng: PRNGKey, /) -> tuple[Params, Params]:
        """Returns the generator's and the discriminator's parameters, pytrees of float arrays."""
        ...


class LatentFn(Protocol):
    """A function that draws latents: the generator's input."""

    def __call__(self, rng: PRNGKey, batch_size: int, /) -> Array:
        """Returns ``[batch_size, ...]`` floats. The losses ask for one latent per key at a time."""
        ...


# `*args: Any, **conditions: Any` tells type checkers that a function may take any conditions it
# likes, or none. They are passed by keyword, never by position.


class GenerateFn(Protocol):
    """A function that generates samples: the generator."""

    def __call__(self, params: Params, latents: Any, /, *args: Any, **conditions: Any) -> Array:
        """Returns samples ``[batch, ...]``.

        Args:
          params: the generator's parameters.
          latents: ``[batch, ...]``; None if `Networks` have no ``latent``.
          *args: none.
          **conditions: ``[batch, ...]`` each, such as ``label`` (int32), ``fade`` (float32), an
            image or an embedding; and ``rng``, keys ``[batch]``, if the function draws.
        """
        ...


class ScoreFn(Protocol):
    """A function that scores samples: the discriminator."""

    def __call__(self, params: Params, samples: Array, /, *args: Any, **conditions: Any) -> Any:
        """Returns raw scores (logits, critic values), never probabilities.

        They are ``[batch]``, one score per sample; ``[batch, ...]``, a map of scores, as of a patch
        discriminator; or a dict of either, as of several discriminators.

        Args:
          params: the discriminator's parameters.
          samples: ``[batch, ...]``, real or generated.
          *args: none.
          **conditions: as in `GenerateFn`.
        """
        ...


class ClassifyFn(Protocol):
    """A function that classifies samples: a second head of the discriminator."""

    def __call__(self, params: Params, samples: Array, /, *args: Any, **conditions: Any) -> Array:
        """Returns label logits ``[batch, classes]``.

        Args:
          params: the discriminator's parameters.
          samples: ``[batch, ...]``, real or generated.
          *args: none.
          **conditions: those of ``score``, without the label.
        """
        ...


class StandingFn(Protocol):
    """A function that fixes the statistics of a generator which couples the samples of a batch."""

    def __call__(self, params: Params, latents: Any, /, *args: Any, **conditions: Any) -> Params:
        """Returns generator parameters with which a sample no longer depends on its batch.

        Args:
          params: the generator's parameters.
          latents: ``[batch, ...]``, over which the statistics are gathered.
          *args: none.
          **conditions: those of ``generate``.
        """
        ...


class FeaturesFn(Protocol):
    """A function that returns the discriminator's features of samples."""

    def __call__(self, params: Params, samples: Array, /, *args: Any, **conditions: Any) -> Any:
        """Returns features ``[batch, ...]``, or a dict of them by layer.

        Args:
          params: the discriminator's parameters.
          samples: ``[batch, ...]``, real or generated.
          *args: none.
          **conditions: those of ``score``.
        """
        ...


class StylesFn(Protocol):
    """A generator's mapping network: the first of its two halves."""

    def __call__(self, params: Params, latents: Any, /, *args: Any, **conditions: Any) -> Array:
        """Returns intermediate latents ``[batch, ...]``.

        ``generate(params, None, styles=...)`` makes samples of them.
        """
        ...


class OutputsFn(Protocol):
    """A generator that also returns what it computes on the way, such as a bottleneck's losses."""

    def __call__(
        self, params: Params, latents: Any, /, *args: Any, **conditions: Any
    ) -> tuple[Array, dict[str, Array]]:
        """Returns the samples of ``generate``, and arrays ``[batch, ...]`` by name.

        Args:
          params: the generator's parameters.
          latents: as in `GenerateFn`.
          *args: none.
          **conditions: as in `GenerateFn`.
        """
        ...


class Networks(NamedTuple):
    """A generator and a discriminator of any library, as plain functions of pytrees of arrays.

    All entries of a batch but ``"real"`` are conditions, passed by name to both networks; a network
    that has no use for one takes ``**_``.

    Attributes:
      init: key -> the generator's and the discriminator's parameters.
      latent: key, batch size -> latents ``[batch, ...]``; None for a generator of conditions alone,
        such as an image.
      generate: generator parameters, latents, conditions -> samples ``[batch, ...]``.
      score: discriminator parameters, samples, conditions -> raw scores ``[batch]``, or others that
        `ScoreFn` allows.
      classify: discriminator parameters, samples -> label logits ``[batch, classes]``.
      standing: generator parameters, latents, conditions -> parameters with which ``generate`` does
        not couple samples. Only needed if the generator does (BatchNorm).
      features: discriminator parameters, samples, conditions -> features ``[batch, ...]``.
      independent_scores: whether a sample's score depends on no other sample of its batch, so that
        one pass may score real and generated samples together.
      random: which of these functions draw (dropout, noise), such as ``("generate",)``. They are
        passed ``rng``, a key for each sample, ``[batch]``.
      styles: generator parameters, latents -> intermediate latents, as those of StyleGAN.
      outputs: generator parameters, latents, conditions -> samples as ``generate`` returns them,
        and what else the generator computes, ``[batch, ...]`` by name. Terms find it as
        ``round.outputs``.
      autoencoder: whether the generator, ``generate`` and ``outputs``, is also given the real
        samples, as the condition ``real``.
      bounds: the interval that the entries of generated samples lie in, such as (-1, 1) after a
        tanh; None if it is not known or they are unbounded. Runs refuse data outside of it.
    """

    init: InitFn
    latent: LatentFn | None
    generate: GenerateFn
    score: ScoreFn
    classify: ClassifyFn | None = None
    standing: StandingFn | None = None
    features: FeaturesFn | None = None
    independent_scores: bool = False
    random: tuple[str, ...] = ()
    styles: StylesFn | None = None
    outputs: OutputsFn | None = None
    autoencoder: bool = False
    bounds: tuple[float, float] | None = None


def draw_latents(networks: Networks, rng: PRNGKey, sample_index: Array) -> Array | None:
    """Draws latents ``[batch, ...]``, each from the key of its sample index: see `per_sample`.

    Returns None if the generator takes no latents.
    """
    latent = networks.latent
    if latent is None:
        return None
    latents: Array = per_sample(rng, sample_index, lambda key: latent(key, 1)[0])
    return latents


def call(
    networks: Networks,
    function: str,
    params: Params,
    inputs: Array | None,
    conditions: Mapping[str, Any],
    sample_index: Array,
    rng: PRNGKey,
    use: int,
) -> Any:
    """Calls one of the networks' functions, with keys if it is one of those that draw.

    Args:
      networks: the networks.
      function: its name, ``"generate"``.
      params: its parameters.
      inputs: latents or samples, ``[batch, ...]``.
      conditions: passed by name.
      sample_index: ``[batch]`` int32.
      rng: the key of the loss, from which each sample's key is derived.
      use: a number for each use of the function that draws anew.
    """
    if function in networks.random:
        rng = jax.random.fold_in(jax.random.fold_in(rng, NETWORKS_KEY), use)
        conditions = {**conditions, "rng": per_sample(rng, sample_index, lambda key: key)}
    return getattr(networks, function)(params, inputs, **conditions)
