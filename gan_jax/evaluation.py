"""How a generator is scored: protocols over its samples and real data, both streamed, and the rows that record the scores.

The protocols themselves are the public functions of `gan_jax.protocols`.
"""

import functools
import hashlib
import inspect
import json
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import jax
import numpy as np

from gan_jax import data, parts, statistics_cache
from gan_jax.config import near
from gan_jax.data import Dataset
from gan_jax.errors import UserError
from gan_jax.metrics.features import Extractor
from gan_jax.metrics.statistics import FeatureStatistics, feature_statistics, merge_statistics
from gan_jax.sampling import Sampler

Array = np.ndarray

BATCH = 2**20
"""Keeps the keys of evaluation samples apart from those of training: see `evaluation_key`."""

CHUNK = 1000  # samples held at once
ENDLESS = 50_000  # real samples taken where a dataset has no end


def evaluation_key(seed: int) -> jax.Array:
    """The key of all samples drawn to look at or to score, the same at each step of a run."""
    return jax.random.fold_in(jax.random.key(seed), BATCH)


class Reals:
    """The real data of a run: its splits, streamed, and what extractors make of them, computed once.

    ``"train"`` is what the run trains on, whatever part of the dataset its config names; other splits are built from the
    config by name.
    """

    def __init__(self, config: Mapping[str, Any], dataset: Dataset) -> None:
        ((self.name, self._settings),) = config["dataset"].items()
        self.train = dataset
        self._splits = {"train": dataset}
        self._kept: dict[tuple, Any] = {}

    def dataset(self, split: str) -> Dataset:
        """The dataset of a split. Raises UserError where the dataset has no splits, or not this one."""
        if split not in self._splits:
            if "split" not in inspect.signature(getattr(data, self.name)).parameters:
                raise UserError(f"the dataset {self.name} has no split {split!r}: choose split='train', what the run trains on")
            settings = self._settings | {"split": split}
            self._splits[split] = parts.named("dataset", (data,), Dataset, self.name, settings)
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
            settings = {key: value for key, value in self._settings.items() if key != "labels"} | {"split": split}
            return hashlib.sha256(f"{self.name} {sorted(settings.items())} {ENDLESS}".encode()).hexdigest()
        real = arrays["real"]
        digest = hashlib.sha256(f"{real.dtype.str} {real.shape}".encode())
        for start in range(0, len(real), CHUNK):
            digest.update(np.ascontiguousarray(real[start : start + CHUNK]).tobytes())
        return digest.hexdigest()

    def rows(self, split: str, n: int) -> Array:
        """Which real samples stand for a split: all of them in order, or ``n`` picked at random, always the same."""
        size = self.size(split)
        return np.arange(size) if n >= size else np.random.default_rng(0).permutation(size)[:n]

    def samples(self, split: str, n: int) -> Iterator[tuple[Array, Array | None]]:
        """Chunks of real samples, float32, images in [-1, 1]; and their labels ``[chunk]`` where known."""
        dataset, rows = self.dataset(split), self.rows(split, n)
        for start in range(0, len(rows), CHUNK):
            piece = rows[start : start + CHUNK]
            batch = dataset.draw(0, piece) if dataset.arrays is None else {k: v[piece] for k, v in dataset.arrays.items()}
            real = np.asarray(batch["real"])
            real = real.astype(np.float32) / np.float32(127.5) - 1 if real.dtype == np.uint8 else real.astype(np.float32)
            yield real, batch.get("label")

    def features(self, split: str, extractor: Extractor, n: int) -> Array:
        """Features ``[min(n, size), d]`` float32 of a split, from the cache."""
        n = min(n, self.size(split))

        def compute() -> dict[str, Array]:
            return {"features": np.concatenate([extractor(real) for real, _ in self.samples(split, n)])}

        return self._cached("features", split, extractor, n, compute)["features"]

    def statistics(self, split: str, extractor: Extractor) -> FeatureStatistics:
        """Mean and scatter of the features of a whole split, from the cache."""
        n = self.size(split)

        def compute() -> dict[str, Array]:
            found = _merged(extractor(real) for real, _ in self.samples(split, n))
            return {"n": np.array(found.n), "mean": found.mean, "scatter": found.scatter}

        arrays = self._cached("statistics", split, extractor, n, compute)
        return FeatureStatistics(int(arrays["n"]), arrays["mean"], arrays["scatter"])

    def proportions(self) -> Array | None:
        """The share of each class among what the run trains on; None where it is not known."""
        arrays = self.train.arrays
        if not self.train.classes or arrays is None or "label" not in arrays:
            return None
        return np.bincount(arrays["label"], minlength=self.train.classes) / len(arrays["label"])

    def _cached(self, kind: str, split: str, extractor: Extractor, n: int, compute: Callable[[], dict[str, Array]]) -> Any:
        key: dict[str, str | int] = {
            "kind": kind, "data": self.fingerprint(split), "extractor": extractor.name, "hash": extractor.hash, "n": n,
        }  # fmt: skip
        name = f"{self.name}-{split}-{'x'.join(map(str, self.train.shape))}-{extractor.name}-{kind}"
        return self._once(tuple(key.values()), lambda: statistics_cache.cached(name, key, compute))

    def _once(self, key: tuple, compute: Callable[[], Any]) -> Any:
        if key not in self._kept:
            self._kept[key] = compute()
        return self._kept[key]


class Subject:
    """A generator that is scored, beside its real data. Sample i depends on ``(seed, i)`` alone.

    Where samples have classes, those are drawn in the proportions of the training data (in turn where these are not known).
    """

    def __init__(self, draw: Sampler, reals: Reals, seed: int) -> None:
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
        return np.minimum(np.searchsorted(np.cumsum(proportions), uniform, side="right"), classes - 1)

    def samples(self, n: int, first: int = 0, labels: Array | None = None) -> Iterator[tuple[Array, Array | None]]:
        """Samples ``first`` to ``first + n`` in chunks, with their labels; images are clipped to [-1, 1].

        Those of a network that is still growing are enlarged to the data's resolution, each pixel a square.
        """
        labels = self.labels(n) if labels is None else labels
        for start in range(0, n, CHUNK):
            count = min(CHUNK, n - start)
            label = None if labels is None else labels[start : start + count]
            samples = self._draw(evaluation_key(self.seed), count, label, first + start)
            if not np.isfinite(samples).all():
                raise _NotFinite
            yield (_image(samples, self.reals.train.shape) if samples.ndim == 4 else samples), label

    def features(self, extractor: Extractor, n: int) -> Array:
        """Features ``[n, d]`` float32 of the first ``n`` samples; held, for other protocols to use."""
        held = self._features.get(extractor.hash)
        if held is None or len(held) < n:
            held = np.concatenate([extractor(samples) for samples, _ in self.samples(n)])
            self._features[extractor.hash] = held
        return held[:n]

    def statistics(self, extractor: Extractor, n: int) -> FeatureStatistics:
        """Mean and scatter of the features of the first ``n`` samples, chunk by chunk."""
        held = self._features.get(extractor.hash)
        if held is not None and len(held) >= n:
            return _merged(held[start : min(start + CHUNK, n)] for start in range(0, n, CHUNK))
        return _merged(extractor(samples) for samples, _ in self.samples(n))


class _NotFinite(Exception):
    """A sample has a NaN or an infinity: it has no score."""


def _merged(chunks: Iterator[Array]) -> FeatureStatistics:
    return functools.reduce(merge_statistics, map(feature_statistics, chunks))


def _image(samples: Array, shape: tuple[int, ...]) -> Array:
    factor = shape[0] // samples.shape[1]
    if factor > 1:
        samples = samples.repeat(factor, axis=1).repeat(factor, axis=2)
    return np.clip(samples, -1, 1)


@dataclass(frozen=True)
class Protocol:
    """A named way to score a generator: what is measured, on how many samples, against which real ones, by which features."""

    name: str  # of the protocol with its settings: "fid50k", "fd_lenet_10k"
    metric: str  # the kind of score: "frechet"
    values: tuple[str, ...]  # what it gives; "" is the score itself, others are called name/value
    samples: int  # generated
    score: Callable[[Subject], dict[str, float]]
    extractor: Extractor | None = None
    split: str | None = None  # of the real data; None where none is looked at
    whole: bool = False  # all of the split, not as many as are generated
    holds: bool = False  # whether all features are held at once
    settings: str = ""  # further ones that change the score
    suits: Callable[[Reals], None] | None = None  # raises UserError for data that it cannot score

    def __post_init__(self) -> None:
        if self.samples < 2:
            raise UserError(f"the metric {self.metric} needs at least 2 samples, not {self.samples}")

    def names(self) -> list[str]:
        """What its values are called in `metrics.jsonl` and in ``config.best_metric``."""
        return [f"{self.name}/{value}" if value else self.name for value in self.values]

    def reals(self, reals: Reals) -> int:
        """How many real samples it looks at."""
        if self.split is None:
            return 0
        return reals.size(self.split) if self.whole else min(self.samples, reals.size(self.split))

    def note(self, reals: Reals) -> str:
        """What to know about the score before trusting it; mostly nothing."""
        if self.metric != "frechet" or self.extractor is None:
            return ""
        n, d = min(self.samples, self.reals(reals)), self.extractor.dimension
        return f"too few samples: n = {n} <= d = {d}, the covariance is singular and the score biased" if n <= d else ""

    def facts(self, reals: Reals, seed: int) -> dict[str, Any]:
        """What the score depends on beside the generator: the columns of its row in `metrics.jsonl`."""
        extractor = self.extractor
        return {
            "protocol": self.name,
            "metric": self.metric,
            "n": self.samples,
            "seed": seed,
            "split": self.split,
            "reals": self.reals(reals),
            "data": reals.fingerprint(self.split) if self.split else None,
            "extractor": extractor.name if extractor else None,
            "extractor_hash": extractor.hash if extractor else None,
            "resize": RESIZES.get(extractor.name, "none") if extractor else None,
            "settings": self.settings,
        }


RESIZES = {
    "inception": "TensorFlow 1 bilinear to 299",
    "efficientnet_lite0": "antialiased bilinear to 224",
}
"""How extractors bring images to their size; others take them as they are."""

BY_STEP = ("generator/", "discriminator/", "scores/", "augmentation/")
"""How the names of what each train step measures start."""

COMPARED = ("n", "split", "reals", "data", "extractor", "extractor_hash", "resize", "settings")
"""The facts in which two scores of one metric must agree to be compared."""


def check(protocols: Sequence[Protocol], reals: Reals, best_metric: str = "") -> None:
    """Refuses, before anything is computed, protocols that do not suit the data and a best metric that nothing gives.

    Raises UserError.
    """
    names: dict[str, Protocol] = {}
    for protocol in protocols:
        if protocol.name in names:
            raise UserError(f"two metrics are both called {protocol.name}: change one's samples or split")
        names[protocol.name] = protocol
        if protocol.split is not None:
            reals.dataset(protocol.split)
        if protocol.suits is not None:
            protocol.suits(reals)
        if protocol.extractor is not None:
            _check_fits(protocol, reals.train.shape)
    given = [name for protocol in protocols for name in protocol.names()]
    if best_metric and best_metric not in given and not best_metric.startswith(BY_STEP):
        known = near(best_metric, given) if given else "config.metrics is empty"
        raise UserError(f"config.best_metric is {best_metric!r}, which no metric of this config gives: {known}")


def _check_fits(protocol: Protocol, shape: tuple[int, ...]) -> None:
    extractor = protocol.extractor
    assert extractor is not None
    if len(shape) != 3:
        raise UserError(
            f"the metric {protocol.name} needs images [height, width, channels]; the samples of this run are {shape}"
        )
    channels = 1 if protocol.metric == "stacked_modes" else shape[2]
    if channels not in (1, extractor.channels):
        raise UserError(
            f"the metric {protocol.name} has an extractor for images of 1 or {extractor.channels} channels; "
            f"those of this run are {shape}: choose another extractor"
        )
    images = jax.ShapeDtypeStruct((2, *shape[:2], extractor.channels), np.float32)
    try:
        jax.eval_shape(extractor.apply, extractor.variables, images)
    except (ValueError, TypeError) as error:
        reason = str(error).strip().splitlines()[0]
        raise UserError(
            f"the metric {protocol.name} does not suit images of {shape}: {reason}; choose another extractor"
        ) from error


def ordered(protocols: Sequence[Protocol]) -> list[Protocol]:
    """Those first whose features are held, largest first, so that the others need no samples of their own."""
    return sorted(protocols, key=lambda protocol: (not protocol.holds, -protocol.samples))


def scores(protocol: Protocol, subject: Subject) -> dict[str, float]:
    """The protocol's values by their full names; all NaN where a sample is not finite. Raises UserError."""
    try:
        values = protocol.score(subject)
    except _NotFinite:
        values = dict.fromkeys(protocol.values, float("nan"))
    except UserError:
        raise
    except ValueError as error:
        raise UserError(f"{protocol.name}: {str(error).strip().splitlines()[0]}") from error
    return {f"{protocol.name}/{name}" if name else protocol.name: float(value) for name, value in values.items()}


def recorded(path: str | Path) -> list[dict[str, Any]]:
    """The rows of scores in a `metrics.jsonl`, in the order written; a line that a crash cut short is skipped."""
    rows = []
    for line in Path(path).read_text(encoding="utf-8").splitlines() if Path(path).exists() else ():
        try:
            row = json.loads(line)
        except ValueError:
            continue
        if isinstance(row, dict) and isinstance(row.get("protocol"), str) and isinstance(row.get("step"), int):
            rows.append(row)
    return rows


def value_names(row: Mapping[str, Any]) -> list[str]:
    """The names of the scores in a row."""
    return [name for name in row if name == row["protocol"] or name.startswith(row["protocol"] + "/")]


def comparable(first: Sequence[Mapping[str, Any]], second: Sequence[Mapping[str, Any]]) -> list[tuple[Mapping, Mapping]]:
    """Pairs of rows of one metric that were measured alike; the newest of each.

    Raises UserError: no metric in common, or one whose scores were measured differently (another number of samples,
    extractor, split, ...), so that comparing them would mislead.
    """
    pairs: dict[tuple, tuple[Mapping, Mapping]] = {}
    latest = {_alike(row): row for row in second}
    for row in first:
        if _alike(row) in latest:
            pairs[_alike(row)] = (row, latest[_alike(row)])
    matched = {row["metric"] for row, _ in pairs.values()}
    for row in first:
        for other in second:
            if row.get("metric") == other.get("metric") and row["metric"] not in matched:
                fact = next(fact for fact in COMPARED if row.get(fact) != other.get(fact))
                raise UserError(
                    f"{row['protocol']} and {other['protocol']} do not compare: "
                    f"{fact} is {_brief(row.get(fact))} in one and {_brief(other.get(fact))} in the other"
                )
    if not pairs:
        names = [sorted({row["protocol"] for row in rows}) for rows in (first, second)]
        raise UserError(
            f"no metric in common: {', '.join(names[0]) or 'none'} in one and {', '.join(names[1]) or 'none'} in the other"
        )
    return list(pairs.values())


def _alike(row: Mapping[str, Any]) -> tuple:
    return (row.get("metric"), *(row.get(fact) for fact in COMPARED))


def _brief(value: Any) -> str:
    return f"{value[:12]}..." if isinstance(value, str) and len(value) == 64 else repr(value)
