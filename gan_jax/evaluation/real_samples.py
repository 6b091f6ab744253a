"""The real data that a generator is scored against."""

import functools
import hashlib
from collections.abc import Callable, Hashable, Iterable, Iterator, Mapping
from types import MappingProxyType
from typing import Any, TypeVar, cast

import numpy as np
from numpy.typing import ArrayLike

from gan_jax.data import Dataset, decode
from gan_jax.errors import UserError
from gan_jax.evaluation import statistics_cache
from gan_jax.metrics.features import Extractor
from gan_jax.metrics.statistics import FeatureStatistics, feature_statistics, merge_statistics

Array = np.ndarray
T = TypeVar("T")

CHUNK = 1000
"""Samples that are streamed at once."""

ENDLESS = 50_000
"""Real samples that are taken of a dataset without end."""


ARRAYS = {"features": ("features",), "statistics": ("n", "mean", "scatter")}
"""The arrays that the cache holds of each kind."""

ROUNDING = 2e-3
"""How far pixels may lie outside [-1, 1]."""


def chunks(n: int) -> Iterator[slice]:
    """Yields the slices in which n samples are streamed."""
    for start in range(0, n, CHUNK):
        yield slice(start, min(start + CHUNK, n))


def merged_statistics(batches: Iterable[Array]) -> FeatureStatistics:
    """Computes the statistics of features ``[b, d]`` that come batch by batch."""
    return functools.reduce(merge_statistics, map(feature_statistics, batches))


class RealSamples:
    """Real data by split: streamed, and what extractors make of it computed once.

    Features and statistics of each split are held, and stored in the cache of
    `gan_jax.evaluation.statistics_cache`.

    Args:
      train: the dataset of the split ``"train"``: what the generator was trained on, even if that
        is another part of a dataset.
      load_split: returns the dataset of any other split by name, and raises UserError if there is
        no such split. None: there are no others.
      name: of the dataset, for messages and the names of cache files.
      settings: of the dataset; together with the name they identify samples that have no end.
      before_chunk: called before each chunk of samples is read; it may raise to end an evaluation.
    """

    def __init__(
        self,
        train: Dataset,
        load_split: Callable[[str], Dataset] | None = None,
        *,
        name: str = "",
        settings: Mapping[str, Any] = MappingProxyType({}),
        before_chunk: Callable[[], None] | None = None,
    ) -> None:
        self.train = train
        self.name = name
        self._load_split = load_split
        self._settings = settings
        self._before_chunk = before_chunk
        self._splits = {"train": train}
        self._computed: dict[Hashable, Any] = {}

    @classmethod
    def of(cls, real: "RealData") -> "RealSamples":
        """Returns real samples that are given in any of the forms which `evaluate` takes.

        Args:
          real: `RealSamples`, a `Dataset`, an array ``[n, ...]``, a labelled set
            ``{"real": array, "label": array}``, or a mapping of splits to any of the latter three,
            with a split ``"train"``.

        Raises:
          TypeError: it has another form.
          UserError: an array that is no data.
        """
        if isinstance(real, RealSamples):
            return real
        if not isinstance(real, Mapping) or "real" in real:
            return cls(_dataset_of(real, "real"))
        if "train" not in real:
            raise TypeError(
                "real has no split 'train': pass {'train': ..., 'test': ...} with what the "
                f"generator was trained on, not {sorted(map(str, real))}"
            )
        datasets = {name: _dataset_of(split, f"real[{name!r}]") for name, split in real.items()}
        for name, dataset in datasets.items():
            if dataset.shape != datasets["train"].shape:
                raise UserError(
                    f"real[{name!r}] has samples of shape {dataset.shape}, "
                    f"real['train'] of {datasets['train'].shape}: splits have one shape"
                )

        def load_split(name: str) -> Dataset:
            if name not in datasets:
                raise UserError(
                    f"the real samples have no split {name!r}: there are {', '.join(datasets)}"
                )
            return datasets[name]

        return cls(datasets["train"], load_split)

    def dataset(self, split: str) -> Dataset:
        """Returns the dataset of a split.

        Raises:
          UserError: there is no such split.
        """
        if split not in self._splits:
            if self._load_split is None:
                raise UserError(
                    f"the real samples have no split {split!r}: choose split='train', or pass "
                    f"{{'train': ..., {split!r}: ...}}"
                )
            self._splits[split] = self._load_split(split)
        return self._splits[split]

    def size(self, split: str) -> int:
        """Returns how many real samples a split has; 50,000 if they have no end."""
        arrays = self.dataset(split).arrays
        return ENDLESS if arrays is None else len(arrays["real"])

    def fingerprint(self, split: str) -> str:
        """Returns a sha256 of the real samples of a split: of their values, resolution and number.

        Samples without end are identified by the dataset's name and settings.
        """
        return self._compute_once(("fingerprint", split), lambda: self._hash(split))

    def _hash(self, split: str) -> str:
        arrays = self.dataset(split).arrays
        if arrays is None:
            settings = {key: value for key, value in self._settings.items() if key != "labels"}
            settings["split"] = split
            text = f"{self.name} {sorted(settings.items())} {ENDLESS}"
            return hashlib.sha256(text.encode()).hexdigest()
        real = arrays["real"]
        digest = hashlib.sha256(f"{real.dtype.str} {real.shape}".encode())
        for chunk in chunks(len(real)):
            digest.update(np.ascontiguousarray(real[chunk]).tobytes())
        return digest.hexdigest()

    def indices(self, split: str, n: int) -> Array:
        """Returns which real samples stand for a split: all in order, or n picked at random.

        The same n always picks the same samples.
        """
        size = self.size(split)
        if n >= size:
            return np.arange(size)
        return np.random.default_rng(0).permutation(size)[:n]

    def samples(self, split: str, n: int) -> Iterator[tuple[Array, Array | None]]:
        """Yields real samples in chunks.

        Args:
          split: of the real data.
          n: how many; all if there are fewer.

        Yields:
          Samples ``[chunk, ...]`` float32, images in [-1, 1], and their labels ``[chunk]`` int, or
          None if they are not known.
        """
        dataset, indices = self.dataset(split), self.indices(split, n)
        for chunk in chunks(len(indices)):
            if self._before_chunk is not None:
                self._before_chunk()
            batch: Any
            if dataset.arrays is None:
                batch = dataset.draw(0, indices[chunk])
            else:
                batch = {name: leaf[indices[chunk]] for name, leaf in dataset.arrays.items()}
            label = batch.get("label")
            yield (
                np.asarray(decode(batch)["real"], np.float32),
                None if label is None else np.asarray(label),
            )

    def labels(self, split: str, n: int) -> Array:
        """Returns the labels ``[min(n, size)]`` of the samples that `samples` and `features` give.

        Raises:
          UserError: the samples have no labels.
        """
        labels = []
        for _, label in self.samples(split, n):
            if label is None:
                dataset = f"dataset {self.name} has" if self.name else "real samples have"
                raise UserError(f"the {dataset} no labels in the split {split!r}")
            labels.append(label)
        return np.concatenate(labels)

    def features(self, split: str, extractor: Extractor, n: int) -> Array:
        """Returns features ``[min(n, size), d]`` float32 of samples of a split."""
        n = min(n, self.size(split))

        def compute() -> dict[str, Array]:
            batches = [extractor(real) for real, _ in self.samples(split, n)]
            return {"features": np.concatenate(batches)}

        return self._cached("features", split, extractor, n, compute)["features"]

    def statistics(self, split: str, extractor: Extractor) -> FeatureStatistics:
        """Returns mean and scatter of the features of a whole split."""
        n = self.size(split)

        def compute() -> dict[str, Array]:
            statistics = merged_statistics(extractor(real) for real, _ in self.samples(split, n))
            return {
                "n": np.array(statistics.n),
                "mean": statistics.mean,
                "scatter": statistics.scatter,
            }

        arrays = self._cached("statistics", split, extractor, n, compute)
        return FeatureStatistics(int(arrays["n"]), arrays["mean"], arrays["scatter"])

    def class_proportions(self) -> Array | None:
        """Returns the share of each class in the split ``"train"``, or None if it is not known."""
        arrays = self.train.arrays
        if not self.train.classes or arrays is None or "label" not in arrays:
            return None
        return np.bincount(arrays["label"][:], minlength=self.train.classes) / len(arrays["label"])

    def _cached(
        self,
        kind: str,
        split: str,
        extractor: Extractor,
        n: int,
        compute: Callable[[], dict[str, Array]],
    ) -> dict[str, Array]:
        key: dict[str, str | int] = {
            "kind": kind,
            "data": self.fingerprint(split),
            "extractor": extractor.name,
            "hash": extractor.hash,
            "n": n,
        }
        shape = "x".join(map(str, self.train.shape))
        name = f"{self.name or 'samples'}-{split}-{shape}-{extractor.name}-{kind}"
        return self._compute_once(
            tuple(key.values()), lambda: statistics_cache.cached(name, key, ARRAYS[kind], compute)
        )

    def _compute_once(self, key: Hashable, compute: Callable[[], T]) -> T:
        if key not in self._computed:
            self._computed[key] = compute()
        return cast(T, self._computed[key])


RealData = ArrayLike | Dataset | RealSamples | Mapping[str, Any]
"""The forms in which real data is passed to `evaluate`: see `RealSamples.of`."""


def _dataset_of(real: Any, name: str) -> Dataset:
    """The dataset of an array, or of a labelled set ``{"real": array, "label": array}``."""
    if isinstance(real, Dataset):
        return real
    if isinstance(real, Mapping):
        if not set(real) <= {"real", "label"} or "real" not in real:
            raise TypeError(
                f"{name} is a mapping of {sorted(map(str, real))}: a labelled set is "
                "{'real': [n, ...], 'label': [n]}"
            )
        samples = checked_samples(real["real"], name)
        if "label" not in real:
            return Dataset.from_arrays(samples)
        label = np.asarray(real["label"])
        is_classes = label.shape == (len(samples),) and label.dtype.kind in "iu"
        if not is_classes or label.min() < 0 or label.max() >= 2**31 - 1:
            raise UserError(
                f"the labels of {name} are {label.dtype} of shape {label.shape}: pass classes from "
                f"0 on, integers of shape {(len(samples),)}"
            )
        return Dataset.from_arrays(samples, label.astype(np.int32), int(label.max()) + 1)
    if not hasattr(real, "__array__"):
        raise TypeError(
            f"{name} is {type(real).__name__}: pass an array [n, ...], a gan_jax.data.Dataset, "
            "{'real': ..., 'label': ...} or {'train': ..., 'test': ...}"
        )
    return Dataset.from_arrays(checked_samples(real, name))


def checked_samples(real: Any, name: str) -> Array:
    """Returns samples ``[n, ...]`` as uint8 images or float32; ``name`` is for the UserError."""
    samples = np.asarray(real)
    if samples.ndim < 2 or len(samples) < 2 or not samples.size:
        raise UserError(f"{name} has shape {samples.shape}: pass 2 samples or more, [n, ...]")
    if samples.dtype != np.uint8 and samples.dtype.kind != "f":
        raise UserError(f"{name} has dtype {samples.dtype}: pass uint8 images, or floats")
    if samples.dtype == np.uint8:
        return samples
    with np.errstate(over="ignore"):  # an overflow becomes infinite, and is refused below
        samples = samples.astype(np.float32, copy=False)
    low, high = samples.min(), samples.max()
    if not (np.isfinite(low) and np.isfinite(high)):
        raise UserError(f"{name} has values that are not finite in float32")
    outside = low < -1 - ROUNDING or high > 1 + ROUNDING
    if samples.ndim == 4 and (outside or low >= 0):
        raise UserError(
            f"{name} has pixels in [{low:g}, {high:g}]: pass floats in [-1, 1], or uint8 images"
        )
    return samples
