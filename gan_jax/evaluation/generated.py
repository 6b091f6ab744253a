"""The generator that is scored."""

from collections.abc import Iterator

import jax
import numpy as np

from gan_jax.evaluation.real_data import Array, RealSamples, chunks, merged
from gan_jax.metrics.features import Extractor
from gan_jax.metrics.statistics import FeatureStatistics
from gan_jax.training.sampling import Sampler

BATCH = 2**20
"""Keeps the keys of evaluation samples apart from those of training: see `evaluation_key`."""


def evaluation_key(seed: int) -> jax.Array:
    """The key of all samples drawn to look at or to score, the same at each step of a run."""
    return jax.random.fold_in(jax.random.key(seed), BATCH)


class NotFinite(Exception):
    """A sample has a NaN or an infinity: it has no score."""


class GeneratedSamples:
    """A generator that is scored, beside its real data. Sample i depends on ``(seed, i)`` alone.

    Where samples have classes, those are drawn in the proportions of the training data (in turn where these are not known).
    """

    def __init__(self, draw: Sampler, reals: RealSamples, seed: int) -> None:
        self.reals, self.seed = reals, seed
        self._draw = draw
        self._features: dict[str, Array] = {}

    def labels(self, n: int) -> Array | None:
        """The classes ``[n]`` of the samples; None where the generator takes none."""
        classes = self.reals.train.classes
        if not classes:
            return None
        proportions = self.reals.proportions()
        if proportions is None:
            return np.arange(n) % classes
        # The first of many uniform numbers are those of few: the classes do not depend on n.
        uniform = np.random.default_rng((self.seed, BATCH)).random(n)
        return np.minimum(
            np.searchsorted(np.cumsum(proportions), uniform, side="right"), classes - 1
        )

    def samples(
        self, n: int, first: int = 0, labels: Array | None = None
    ) -> Iterator[tuple[Array, Array | None]]:
        """Samples ``first`` to ``first + n`` in chunks, with their labels; images are clipped to [-1, 1].

        Those of a network that is still growing are enlarged to the data's resolution, each pixel a square.
        """
        labels = self.labels(n) if labels is None else labels
        for chunk in chunks(n):
            label = None if labels is None else labels[chunk]
            samples = self._draw(
                evaluation_key(self.seed), chunk.stop - chunk.start, label, first + chunk.start
            )
            yield self._shown(samples), label

    def latents(self, n: int, first: int = 0) -> Array:
        """The latents ``[n, ...]`` of samples ``first`` to ``first + n``."""
        return self._draw.latents(evaluation_key(self.seed), n, first)

    def generated(self, latents: Array, labels: Array | None = None) -> Array:
        """What the generator makes of latents, as `samples` gives it."""
        return self._shown(self._draw.generate(latents, labels))

    def features(self, extractor: Extractor, n: int) -> Array:
        """Features ``[n, d]`` float32 of the first ``n`` samples; held, for other protocols to use."""
        held = self._features.get(extractor.hash)
        if held is None or len(held) < n:
            held = np.concatenate([extractor(samples) for samples, _ in self.samples(n)])
            self._features[extractor.hash] = held
        return held[:n]

    def beside_real(self, extractor: Extractor, n: int, split: str) -> tuple[Array, Array]:
        """Features of ``n`` real samples of a split (all where there are fewer), and those of the first ``n`` samples."""
        return self.reals.features(split, extractor, n), self.features(extractor, n)

    def statistics(self, extractor: Extractor, n: int) -> FeatureStatistics:
        """Mean and scatter of the features of the first ``n`` samples, chunk by chunk."""
        held = self._features.get(extractor.hash)
        if held is not None and len(held) >= n:
            return merged(held[chunk] for chunk in chunks(n))
        return merged(extractor(samples) for samples, _ in self.samples(n))

    def _shown(self, samples: Array) -> Array:
        if not np.isfinite(samples).all():
            raise NotFinite
        if samples.ndim != 4:
            return samples
        factor = self.reals.train.shape[0] // samples.shape[1]
        if factor > 1:
            samples = samples.repeat(factor, axis=1).repeat(factor, axis=2)
        return np.clip(samples, -1, 1)
