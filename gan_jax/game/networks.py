"""What the game asks of networks: plain functions of parameters, from any library."""

from typing import Any, NamedTuple, Protocol

from gan_jax.game.batches import Array, Params, PRNGKey, per_sample


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

    def __call__(self, params: Params, latents: Array, /, *args: Any, **conditions: Any) -> Array:
        """Returns samples ``[batch, ...]``.

        Args:
          params: the generator's parameters.
          latents: ``[batch, ...]``.
          *args: none.
          **conditions: ``[batch]`` each, such as ``label`` (int32) or ``fade`` (float32).
        """
        ...


class ScoreFn(Protocol):
    """A function that scores samples: the discriminator."""

    def __call__(self, params: Params, samples: Array, /, *args: Any, **conditions: Any) -> Array:
        """Returns raw scores ``[batch]`` (logits, critic values), never probabilities.

        Args:
          params: the discriminator's parameters.
          samples: ``[batch, ...]``, real or generated.
          *args: none.
          **conditions: ``[batch]`` each, such as ``label`` (int32) or ``fade`` (float32).
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

    def __call__(self, params: Params, latents: Array, /, *args: Any, **conditions: Any) -> Params:
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

    def __call__(self, params: Params, samples: Array, /, *args: Any, **conditions: Any) -> Array:
        """Returns features ``[batch, ...]``.

        Args:
          params: the discriminator's parameters.
          samples: ``[batch, ...]``, real or generated.
          *args: none.
          **conditions: those of ``score``.
        """
        ...


class Networks(NamedTuple):
    """A generator and a discriminator of any library, as plain functions of pytrees of arrays.

    Attributes:
      init: key -> the generator's and the discriminator's parameters.
      latent: key, batch size -> latents ``[batch, ...]``.
      generate: generator parameters, latents, conditions -> samples ``[batch, ...]``.
      score: discriminator parameters, samples, conditions -> raw scores ``[batch]``.
      classify: discriminator parameters, samples -> label logits ``[batch, classes]``.
      standing: generator parameters, latents, conditions -> parameters with which ``generate`` does
        not couple samples. Only needed if the generator does (BatchNorm).
      features: discriminator parameters, samples, conditions -> features ``[batch, ...]``.
      independent_scores: whether a sample's score depends on no other sample of its batch, so that
        one pass may score real and generated samples together.
    """

    init: InitFn
    latent: LatentFn
    generate: GenerateFn
    score: ScoreFn
    classify: ClassifyFn | None = None
    standing: StandingFn | None = None
    features: FeaturesFn | None = None
    independent_scores: bool = False


def draw_latents(networks: Networks, rng: PRNGKey, sample_index: Array) -> Array:
    """Draws latents ``[batch, ...]``, each from the key of its sample index: see `per_sample`."""
    latents: Array = per_sample(rng, sample_index, lambda key: networks.latent(key, 1)[0])
    return latents
