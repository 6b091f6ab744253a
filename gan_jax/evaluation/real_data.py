"""The real data that a generator is scored against."""

import functools
import hashlib
from collections.abc import Callable, Iterable, Iterator, Mapping
from typing import Any

import numpy as np

from gan_jax import data
from gan_jax.data import Dataset
from gan_jax.errors import UserError
from gan_jax.evaluation import statistics_cache
from gan_jax.metrics.features import Extractor
from gan_jax.metrics.statistics import FeatureStatistics, feature_statistics, merge_statistics

Array = np.ndarray

CHUNK = 1000  # samples held at once
ENDLESS = 50_000  # real samples taken where a dataset has no end


def chunks(n: int) -> Iterator[slice]:
    """n samples, in the pieces that are held at once."""
    return (slice(start, min(start + CHUNK, n)) for start in range(0, n, CHUNK))


def merged(batches: Iterable[Array]) -> FeatureStatistics:
    """Statistics of features that come batch by batch."""
    return functools.reduce(merge_statistics, map(feature_statistics, batches))


class RealSamples:
    """The real data of a run: its splits, streamed, and what extractors make of them, computed once.

    ``"train"`` is what the run trains on, whatever part of the dataset its config names; other splits are built from the
    config by name.
    """

    def __init__(
        self,
        train: Dataset,
        load_split: Callable[[str], Dataset] | None = None,
        *,
        name: str = "",
        settings: Mapping[str, Any] = {},
    ) -> None:
        self.train, self.name, self._load_split, self._settings = train, name, load_split, settings
        self._splits = {"train": train}
        self._kept: dict[tuple, Any] = {}

    def dataset(self, split: str) -> Dataset:
        """The dataset of a split. Raises UserError where the dataset has no splits, or not this one."""
        if split not in self._splits:
            if self._load_split is None:
                raise UserError(f"there is no split {split!r}: choose split='train'")
            self._splits[split] = self._load_split(split)
        return self._splits[split]

    def size(self, split: str) -> int:
        """How many real samples there are; 50,000 of those without end."""
        arrays = self.dataset(split).arrays
        return ENDLESS if arrays is None else len(arrays["real"])

    def fingerprint(self, split: str) -> str:
        """A hash of the real samples themselves: of values, resolution and number; of the config where they have no end."""
        return self._once(("fingerprint", split), lambda: self._fingerprint(split))

    def _fingerprint(self, split: str) -> str:
        arrays = self.dataset(split).arrays
        if arrays is None:
            settings = {key: value for key, value in self._settings.items() if key != "labels"}
            settings["split"] = split
            text = f"{self.name} {sorted(settings.items())} {ENDLESS}"
            return hashlib.sha256(text.encode()).hexdigest()
        real = arrays["real"]
        digest = hashlib.sha256(f"{real.dtype.str} {real.shape}".encode())
        for rows in chunks(len(real)):
            digest.update(np.ascontiguousarray(real[rows]).tobytes())
        return digest.hexdigest()

    def rows(self, split: str, n: int) -> Array:
        """Which real samples stand for a split: all of them in order, or ``n`` picked at random, always the same."""
        size = self.size(split)
        return np.arange(size) if n >= size else np.random.default_rng(0).permutation(size)[:n]

    def samples(self, split: str, n: int) -> Iterator[tuple[Array, Array | None]]:
        """Chunks of real samples, float32, images in [-1, 1]; and their labels ``[chunk]`` where known."""
        dataset, rows = self.dataset(split), self.rows(split, n)
        for chunk in chunks(len(rows)):
            piece = rows[chunk]
            batch = (
                dataset.draw(0, piece)
                if dataset.arrays is None
                else {k: v[piece] for k, v in dataset.arrays.items()}
            )
            yield np.asarray(data.decode(batch)["real"], np.float32), batch.get("label")

    def labels(self, split: str, n: int) -> Array:
        """The labels ``[min(n, size)]`` of the samples that `samples` and `features` give. Raises UserError without any."""
        found = []
        for _, label in self.samples(split, n):
            if label is None:
                raise UserError(f"the dataset {self.name} has no labels in its split {split!r}")
            found.append(label)
        return np.concatenate(found)

    def features(self, split: str, extractor: Extractor, n: int) -> Array:
        """Features ``[min(n, size), d]`` float32 of a split, from the cache."""
        n = min(n, self.size(split))

        def compute() -> dict[str, Array]:
            return {
                "features": np.concatenate([extractor(real) for real, _ in self.samples(split, n)])
            }

        return self._cached("features", split, extractor, n, compute)["features"]

    def statistics(self, split: str, extractor: Extractor) -> FeatureStatistics:
        """Mean and scatter of the features of a whole split, from the cache."""
        n = self.size(split)

        def compute() -> dict[str, Array]:
            found = merged(extractor(real) for real, _ in self.samples(split, n))
            return {"n": np.array(found.n), "mean": found.mean, "scatter": found.scatter}

        arrays = self._cached("statistics", split, extractor, n, compute)
        return FeatureStatistics(int(arrays["n"]), arrays["mean"], arrays["scatter"])

    def proportions(self) -> Array | None:
        """The share of each class among what the run trains on; None where it is not known."""
        arrays = self.train.arrays
        if not self.train.classes or arrays is None or "label" not in arrays:
            return None
        return np.bincount(arrays["label"], minlength=self.train.classes) / len(arrays["label"])

    def _cached(
        self,
        kind: str,
        split: str,
        extractor: Extractor,
        n: int,
        compute: Callable[[], dict[str, Array]],
    ) -> Any:
        key: dict[str, str | int] = {
            "kind": kind, "data": self.fingerprint(split), "extractor": extractor.name, "hash": extractor.hash, "n": n,
        }  # fmt: skip
        name = f"{self.name}-{split}-{'x'.join(map(str, self.train.shape))}-{extractor.name}-{kind}"
        return self._once(tuple(key.values()), lambda: statistics_cache.cached(name, key, compute))

    def _once(self, key: tuple, compute: Callable[[], Any]) -> Any:
        if key not in self._kept:
            self._kept[key] = compute()
        return self._kept[key]
