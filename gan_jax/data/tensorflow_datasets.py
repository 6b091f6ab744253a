"""Images of tensorflow-datasets, read without TensorFlow and held in memory."""

import io
import os
import shlex
import urllib.parse
import warnings
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import numpy as np

from gan_jax import files
from gan_jax.data.dataset import Dataset
from gan_jax.data.decoding import decode_image
from gan_jax.errors import UserError
from gan_jax.metrics.npz_files import read_arrays

CHUNK_SIZE = 1000  # examples read at a time


def tfds(
    name: str,
    split: str = "train",
    labels: bool = False,
    resolution: int | None = None,
    data_dir: str | os.PathLike[str] | None = None,
) -> Dataset:
    """Images of any prepared dataset of tensorflow-datasets that has the feature ``"image"``.

    The first start decodes the whole split into memory and caches it, as it will be used, next to
    the prepared data. Later starts load the cache file, which is made again if it is damaged.

    Args:
      name: ``"cifar10"``, ``"celeb_a"``, ``"emnist/letters"``; ``"name:1.2.3"`` for a version.
      split: ``"train"``, ``"test"``, ``"train[:10%]"``, ``"train+test"``, ... in the notation of
        tensorflow-datasets.
      labels: whether batches carry the feature ``"label"``.
      resolution: side of square images, see `decoding.resize`; None leaves images as they are, all
        of one size.
      data_dir: where prepared datasets are; the default of tensorflow-datasets
        (``TFDS_DATA_DIR``) if None.

    Returns:
      Samples ``[height, width, channels]`` uint8; ``arrays`` holds the labels if the dataset has
      them.

    Raises:
      UserError: the dataset is unknown, not prepared (the message says how to prepare it), damaged,
        or does not have the images or labels asked for.
    """
    builder = find_prepared(name, data_dir)
    classes, names = image_classes(name, builder, labels)
    variant = urllib.parse.quote(f"{split}-{resolution or 'native'}", safe="")
    cache = Path(builder.data_dir) / f"gan_jax-{variant}.npz"
    arrays = _load_cache(cache, labelled=bool(classes))
    if arrays is None:
        try:
            arrays = _decode_split(name, builder, split, bool(classes), resolution)
        except UserError:
            raise
        except (OSError, RuntimeError, ValueError) as error:
            reason = " ".join(str(error).split())
            raise UserError(
                f"{builder.data_dir} is damaged, remove it and prepare {name} again: {reason}"
            ) from error
        _save_cache(cache, arrays)
    return Dataset.from_arrays(
        arrays["real"], arrays.get("label"), classes if labels else 0, class_names=names
    )


def find_builder(name: str, data_dir: str | os.PathLike[str] | None = None) -> Any:
    """Returns tensorflow-datasets' builder of a dataset, prepared or not.

    Args:
      name: see `tfds`.
      data_dir: see `tfds`.

    Returns:
      A ``tensorflow_datasets.core.DatasetBuilder``.

    Raises:
      UserError: the dataset is unknown, or what is prepared of it cannot be read.
    """
    files.check_local(data_dir or "")
    import tensorflow_datasets

    try:
        return tensorflow_datasets.builder(name, data_dir=data_dir, file_format="array_record")
    except tensorflow_datasets.core.registered.DatasetNotFoundError as error:
        raise UserError(f"tensorflow-datasets has no dataset {name!r}") from error
    except Exception as error:  # a damaged dataset_info.json, an unknown version: all differ
        reason = " ".join(str(error).split())
        if "File format is already set" in reason:
            directory = tensorflow_datasets.builder(name, data_dir=data_dir).data_dir
            raise UserError(
                f"{directory} is not in array_record format: remove it and prepare {name} again"
            ) from error
        raise UserError(f"tensorflow-datasets cannot build {name!r}: {reason[:400]}") from error


def find_prepared(name: str, data_dir: str | os.PathLike[str] | None = None) -> Any:
    """Returns the builder of a dataset that is prepared. Raises UserError as `tfds`."""
    builder = find_builder(name, data_dir)
    if not is_prepared(builder):
        option = "" if data_dir is None else f" --data_dir {shlex.quote(os.fspath(data_dir))}"
        command = f"python -m gan_jax.data.prepare {shlex.quote(name)}{option}"
        raise UserError(f"{name} is not prepared in {builder.data_dir}: run {command}")
    return builder


def image_classes(name: str, builder: Any, labels: bool) -> tuple[int, tuple[str, ...]]:
    """Returns how many classes a dataset of images has, and their names if labels are asked for.

    Raises:
      UserError: it has no images, or no labels if they are asked for.
    """
    import tensorflow_datasets

    features = dict(builder.info.features)
    if not isinstance(features.get("image"), tensorflow_datasets.features.Image):
        raise UserError(
            f"{name} has no images under 'image', only the features {', '.join(features)}"
        )
    classes = getattr(features.get("label"), "num_classes", 0) or 0
    if labels and not classes:
        raise UserError(f"{name} has no class labels, only the features {', '.join(features)}")
    return classes, tuple(getattr(features.get("label"), "names", ()) if labels else ())


def open_source(name: str, builder: Any, split: str) -> tuple[Any, int]:
    """Opens the ArrayRecord files of a split, to be read by index, images not decoded.

    Returns:
      The source, and the number of channels of its images.

    Raises:
      UserError: there is no such split.
    """
    import tensorflow_datasets

    try:
        source = builder.as_data_source(
            split=split, decoders={"image": tensorflow_datasets.decode.SkipDecoding()}
        )
    except (ValueError, KeyError) as error:
        raise UserError(
            f"{name} has no split {split!r}, only {', '.join(sorted(builder.info.splits))}"
        ) from error
    return source, 1 if builder.info.features["image"].shape[-1] == 1 else 3


def is_prepared(builder: Any) -> bool:
    """Returns whether all of a dataset is prepared in the directory of its builder."""
    return os.path.isdir(builder.data_dir) and bool(builder.is_prepared())


def _decode_split(
    name: str, builder: Any, split: str, labelled: bool, resolution: int | None
) -> dict[str, np.ndarray]:
    """Decodes all images of a split, on all cores."""
    source, channels = open_source(name, builder, split)

    def decode(example: dict[str, Any]) -> np.ndarray:
        return decode_image(io.BytesIO(example["image"]), channels, resolution)

    real = np.empty((0,), np.uint8)
    label = np.empty(len(source), np.int32)
    with ThreadPoolExecutor() as pool:
        for index, (example, image) in enumerate(_decoded_examples(name, source, decode, pool)):
            if not index:
                real = np.empty((len(source), *image.shape), np.uint8)
            if image.shape != real.shape[1:]:
                raise UserError(
                    f"{name} has images of {image.shape} and of {real.shape[1:]}: pass a resolution"
                )
            real[index] = image
            if labelled:
                label[index] = example["label"]
    return {"real": real, "label": label} if labelled else {"real": real}


def _decoded_examples(
    name: str,
    source: Any,
    decode: Callable[[dict[str, Any]], np.ndarray],
    pool: ThreadPoolExecutor,
) -> Iterator[tuple[dict[str, Any], np.ndarray]]:
    """Yields each example with its decoded image, in order."""
    for start in range(0, len(source), CHUNK_SIZE):
        examples = source.__getitems__(range(start, min(start + CHUNK_SIZE, len(source))))
        images = pool.map(decode, examples)
        for index, example in enumerate(examples, start):
            try:
                image = next(images)
            except UserError as error:
                raise UserError(f"image {index} of {name} cannot be used: {error}") from error
            yield example, image


def _load_cache(cache: Path, labelled: bool) -> dict[str, np.ndarray] | None:
    """Returns the arrays in a cache file, or None if it is missing or damaged.

    Damage is noticed, as a zip file holds a CRC of its contents.
    """
    try:
        arrays = read_arrays(cache)
    except FileNotFoundError:
        return None
    except (OSError, ValueError) as error:
        warnings.warn(f"{cache} is damaged and is made again: {error}", stacklevel=3)
        return None
    real, label = arrays.get("real"), arrays.get("label")
    if real is None or real.dtype != np.uint8 or real.ndim != 4 or not real.size:
        warnings.warn(f"{cache} holds no images and is made again", stacklevel=3)
        return None
    has_labels = label is not None and label.dtype == np.int32 and label.shape == real.shape[:1]
    if labelled and not has_labels:
        warnings.warn(f"{cache} holds no label for each image and is made again", stacklevel=3)
        return None
    return arrays


def _save_cache(cache: Path, arrays: dict[str, np.ndarray]) -> None:
    """Writes a cache file. If that fails, the next start only takes as long as this one."""
    try:
        with files.replacing(cache) as file:
            np.savez(file, allow_pickle=False, **arrays)
    except OSError as error:
        warnings.warn(
            f"{cache} could not be written, so the next start decodes again: {error}", stacklevel=3
        )
