"""The samples of the generator that is scored."""

from collections.abc import Iterator, Mapping

import jax
import numpy as np

from gan_jax.errors import UserError
from gan_jax.evaluation.real_samples import Array, RealSamples, chunks, merged_statistics
from gan_jax.evaluation.sample_sources import SampleSource, has_latents, takes_labels
from gan_jax.metrics.features import Extractor
from gan_jax.metrics.statistics import FeatureStatistics

EVALUATION_STREAM = 2**20
"""Folded into the key of a run's seed, to keep evaluation samples apart from those of training."""


def evaluation_key(seed: int) -> jax.Array:
    """Returns the key of all samples that are shown or scored, the same at each step of a run."""
    return jax.random.fold_in(jax.random.key(seed), EVALUATION_STREAM)


class SampleNotFinite(Exception):
    """A sample has a NaN or an infinity, and so has no score."""


class GeneratedSamples:
    """The samples of a generator that is scored, next to its real data.

    Sample i depends on ``(seed, i)`` and its label alone. If samples have classes, these are drawn
    in the proportions of the training data, or taken in turn if the proportions are not known.

    Args:
      source: what samples are drawn from.
      real: the real data.
      seed: of the samples.
    """

    def __init__(self, source: SampleSource, real: RealSamples, seed: int = 0) -> None:
        self.source, self.real, self.seed = source, real, seed
        self._features: dict[str, Array] = {}

    @property
    def has_labels(self) -> bool:
        """Whether samples are of classes that are known."""
        return bool(self.real.train.classes) and takes_labels(self.source)

    @property
    def has_latents(self) -> bool:
        """Whether samples can be generated from latents of one's choice."""
        return has_latents(self.source)

    def labels(self, n: int) -> Array | None:
        """Returns the classes ``[n]`` int of the first n samples, or None if there are none."""
        if not self.has_labels:
            return None
        classes = self.real.train.classes
        proportions = self.real.class_proportions()
        if proportions is None:
            return np.arange(n) % classes
        # The first of many uniform numbers are those of few: the classes do not depend on n.
        uniform = np.random.default_rng((self.seed, EVALUATION_STREAM)).random(n)
        labels = np.searchsorted(np.cumsum(proportions), uniform, side="right")
        return np.minimum(labels, classes - 1)

    def samples(
        self, n: int, first: int = 0, labels: Array | None = None
    ) -> Iterator[tuple[Array, Array | None]]:
        """Yields samples ``first`` to ``first + n`` in chunks.

        Images are clipped to [-1, 1]. Those of a network that is still growing are enlarged to the
        data's resolution, each pixel to a square.

        Args:
          n: how many.
          first: the index of the first sample.
          labels: their classes ``[n]``, in place of ``self.labels(n)``.

        Yields:
          Samples ``[chunk, ...]`` and their labels ``[chunk]``, or None if there are none.

        Raises:
          SampleNotFinite: a sample has a NaN or an infinity.
        """
        labels = self.labels(n) if labels is None else labels
        for chunk in chunks(n):
            label = None if labels is None else labels[chunk]
            samples = self.source(
                evaluation_key(self.seed), chunk.stop - chunk.start, label, first + chunk.start
            )
            yield self._as_shown(samples), label

    def from_conditions(self, conditions: Mapping[str, Array]) -> Array:
        """Returns what the generator makes of conditions ``[n, ...]``, such as images.

        Raises:
          UserError: the source takes no conditions.
          SampleNotFinite: a sample has a NaN or an infinity.
        """
        if not getattr(self.source, "takes_conditions", False):
            raise UserError(
                "these samples are not made from conditions: pass sampler(..., conditions=...)"
            )
        n = len(next(iter(conditions.values())))
        samples: Array = self.source(  # type: ignore[call-arg]
            evaluation_key(self.seed), n, conditions=dict(conditions)
        )
        return self._as_shown(samples)

    def latents(self, n: int, first: int = 0) -> Array:
        """Returns the latents ``[n, ...]`` of samples ``first`` to ``first + n``.

        Raises:
          UserError: the source has no latents.
        """
        self._check_latents()
        latents: Array = self.source.latents(evaluation_key(self.seed), n, first)  # type: ignore[attr-defined]
        return latents

    def generate(self, latents: Array, labels: Array | None = None) -> Array:
        """Returns what the generator makes of latents, in the form in which `samples` gives it.

        Raises:
          UserError: the source has no latents.
          SampleNotFinite: a sample has a NaN or an infinity.
        """
        self._check_latents()
        samples: Array = self.source.generate(latents, labels)  # type: ignore[attr-defined]
        return self._as_shown(samples)

    @property
    def has_reconstructions(self) -> bool:
        """Whether samples are reconstructions of real ones."""
        return bool(getattr(self.source, "reconstructs", False))

    def reconstructions(self, n: int) -> Iterator[dict[str, Array]]:
        """Yields n reconstructions in chunks, by name: ``"real"``, ``"fake"`` and other outputs.

        Reconstructed images are clipped to [-1, 1].

        Raises:
          SampleNotFinite: a reconstruction has a NaN or an infinity.
        """
        for chunk in chunks(n):
            made = self.source.reconstruct(  # type: ignore[attr-defined]
                evaluation_key(self.seed), chunk.stop - chunk.start, chunk.start
            )
            yield made | {"fake": self._as_shown(made["fake"])}

    def features(self, extractor: Extractor, n: int) -> Array:
        """Returns features ``[n, d]`` float32 of the first n samples, and holds them for reuse."""
        held = self._features.get(extractor.hash)
        if held is None or len(held) < n:
            held = np.concatenate([extractor(samples) for samples, _ in self.samples(n)])
            self._features[extractor.hash] = held
        return held[:n]

    def real_and_generated_features(
        self, extractor: Extractor, n: int, split: str
    ) -> tuple[Array, Array]:
        """Returns features of n real samples (all, if there are fewer) and of n generated ones."""
        return self.real.features(split, extractor, n), self.features(extractor, n)

    def statistics(self, extractor: Extractor, n: int) -> FeatureStatistics:
        """Returns mean and scatter of the features of the first n samples, chunk by chunk."""
        held = self._features.get(extractor.hash)
        if held is not None and len(held) >= n:
            return merged_statistics(held[chunk] for chunk in chunks(n))
        return merged_statistics(extractor(samples) for samples, _ in self.samples(n))

    def _check_latents(self) -> None:
        if not self.has_latents:
            raise UserError("these samples have no latents: pass a gan_jax.sampler(...)")

    def _as_shown(self, samples: Array) -> Array:
        if not np.isfinite(samples).all():
            raise SampleNotFinite
        if samples.ndim != 4:
            return samples
        factor = self.real.train.shape[0] // samples.shape[1]
        if factor > 1:
            samples = samples.repeat(factor, axis=1).repeat(factor, axis=2)
        clipped: Array = np.clip(samples, -1, 1)
        return clipped
