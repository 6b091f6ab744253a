"""Datasets that stay on the disk: larger than memory, and the same pure functions of seed and step.

An epoch's order is a keyed permutation, see `shuffling`. Samples are read by the thread that
prefetches, and images decoded by more; labels alone, four bytes a sample, are held in memory.
"""

import io
import os
import threading
from collections import Counter
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from gan_jax.buckets import local_copy
from gan_jax.data.contents import Contents
from gan_jax.data.dataset import Dataset
from gan_jax.data.decoding import decode_image, describe_image
from gan_jax.data.folders import check_image_settings, class_names, class_numbers, image_files
from gan_jax.data.held_out import check_split, split_function
from gan_jax.data.shard_reading import find_shards, open_shards, saved_class_names
from gan_jax.data.shuffling import epoch_shuffles
from gan_jax.data.stored_arrays import StoredArray, decoded_array
from gan_jax.data.tensorflow_datasets import find_prepared, image_classes, open_source
from gan_jax.errors import UserError, first_line

CHUNK = 4096
"""Labels that are read at once."""


def streamed(
    path: str | os.PathLike[str],
    resolution: int | None = None,
    channels: int = 3,
    labels: bool = False,
    conditions: tuple[str, ...] = (),
    split: str = "train",
    held_out: float | str = 0.0,
) -> Dataset:
    """Samples of a folder or a file that are read when a step needs them.

    Of shards, ``.npz`` or ``.npy`` files as `numpy.savez` and `numpy.save` write them and as
    ``python -m gan_jax.data.prepare FOLDER --out=SHARDS`` makes them of images, the bytes are read;
    of image files each is decoded anew every time.

    Args:
      path: a folder of shards, which follow each other in alphabetical order; one such file; or a
        folder of PNG and JPEG files.
      resolution: side of images from image files, see `decoding.resize`; shards have their own.
      channels: of images from image files: 1 for grey, 2 with alpha; 3 for colour, 4 with alpha.
      labels: whether batches carry labels, of shards the arrays ``"label"``, of image files their
        subdirectories.
      conditions: names of further arrays of ``.npz`` shards that batches carry.
      split: ``"train"`` or ``"test"``, the held-out samples.
      held_out: which samples are held out: a fraction of them, picked at random, or another path.

    Returns:
      Samples of the shape in the shards: uint8 or uint16 images, or floats, which become float32;
      of image files ``[resolution, resolution, channels]`` uint8.

    Raises:
      UserError: there is nothing of this form, shards differ in shape or are compressed, or nothing
        is held out.
    """
    check_split(split)
    root, other = local_copy(path).expanduser(), None
    if isinstance(held_out, str):
        other, held_out = local_copy(held_out).expanduser(), 0.0
    source = other if other is not None and split == "test" else root
    shards = find_shards(source)
    if shards:
        if resolution is not None:
            raise UserError(f"{source} holds arrays, which keep their size: leave resolution out")
        arrays = open_shards(shards, labels, conditions)
        names = saved_class_names(root)
        classes = _count_classes(root, source, arrays, names) if labels else 0
        remark = f"{arrays['real'].dtype} in {len(shards)} files, read as needed"
        found: dict[str, Any] = {"remarks": (remark,)}
    elif conditions:
        raise UserError(f"{source} has image files, which have no conditions: leave them out")
    else:
        arrays, names, found = _open_images(root, source, resolution, channels, labels)
        classes = len(names)
    if other is None:
        arrays = _part(arrays, split, held_out, str(root))
    return _dataset(arrays, classes, names, str(source), split, found)


def streamed_tfds(
    name: str,
    split: str = "train",
    labels: bool = False,
    resolution: int | None = None,
    data_dir: str | os.PathLike[str] | None = None,
) -> Dataset:
    """Images of a prepared dataset of tensorflow-datasets, as `tfds`, decoded when they are needed.

    Its ArrayRecord files are read by index. With labels, all of them are read once at the start.

    Args:
      name: see `tfds`.
      split: see `tfds`.
      labels: see `tfds`.
      resolution: see `tfds`.
      data_dir: see `tfds`.

    Returns:
      Samples ``[height, width, channels]`` uint8.

    Raises:
      UserError: as `tfds`.
    """
    builder = find_prepared(name, data_dir)
    classes, names = image_classes(name, builder, labels)
    source, channels = open_source(name, builder, split)
    lock = threading.Lock()  # what reads ArrayRecord files is shared by the threads

    def decode(i: int) -> np.ndarray:
        with lock:
            (example,) = source.__getitems__([i])
        try:
            return decode_image(io.BytesIO(example["image"]), channels, resolution)
        except Exception as error:  # Pillow raises many kinds for damaged files
            raise UserError(f"image {i} of {name} cannot be used: {first_line(error)}") from error

    shape = decode(0).shape

    def decode_alike(i: int) -> np.ndarray:
        image = decode(i)
        if image.shape != shape:
            raise UserError(f"{name} has images of {image.shape} and of {shape}: pass a resolution")
        return image

    arrays: dict[str, Any] = {"real": decoded_array(len(source), shape, decode_alike)}
    if labels:
        arrays["label"] = np.empty(len(source), np.int32)
        for start in range(0, len(source), CHUNK):
            examples = source.__getitems__(range(start, min(start + CHUNK, len(source))))
            arrays["label"][start : start + CHUNK] = [example["label"] for example in examples]
    remarks = {"remarks": ("decoded as needed",)}
    return _dataset(arrays, classes if labels else 0, names, name, split, remarks)


def _open_images(
    root: Path, source: Path, resolution: int | None, channels: int, labels: bool
) -> tuple[dict[str, Any], list[str], dict[str, Any]]:
    """The images of a folder, the names of their classes, and what `Contents` says of them."""
    if resolution is None:
        raise UserError(f"{source} has image files: set their resolution, such as resolution=64")
    check_image_settings(resolution, channels)
    names = class_names(root, image_files(root)) if labels else []
    sizes: Counter[str] = Counter()
    kinds: Counter[str] = Counter()
    refused: dict[str, str] = {}
    kept: list[str] = []  # names, as paths of a million files are large
    for file in image_files(source):
        try:
            size, kind = describe_image(file)
        except Exception as error:  # Pillow raises many kinds for damaged files
            # The disk's errors, which have a number, would leave out other files another time.
            if isinstance(error, OSError) and error.errno is not None:
                raise UserError(f"{file} cannot be read: {first_line(error)}") from error
            refused[str(file.relative_to(source))] = first_line(error)
            continue
        sizes[size] += 1
        kinds[kind] += 1
        kept.append(str(file.relative_to(source)))
    if not kept:
        name, reason = next(iter(refused.items()))
        raise UserError(f"{source / name} cannot be read as an image: {reason}")
    shape = (resolution, resolution, channels)

    def decode(i: int) -> np.ndarray:
        try:
            return decode_image(source / kept[i], channels, resolution, upright=True)
        except Exception as error:  # a file that has changed, or is damaged beyond its header
            raise UserError(
                f"{source / kept[i]} cannot be read as an image: {first_line(error)}; remove it, "
                "or make shards of the folder by python -m gan_jax.data.prepare, which leaves such "
                "files out"
            ) from error

    arrays: dict[str, Any] = {"real": decoded_array(len(kept), shape, decode)}
    if labels:
        arrays["label"] = class_numbers(source, (source / name for name in kept), names)
    remark = f"decoded as needed; sizes and forms are those of all {len(kept):,} images"
    found = {"sizes": sizes, "kinds": kinds, "refused": refused}
    return arrays, names, found | {"remarks": (remark,)}


def _count_classes(
    root: Path, source: Path, arrays: Mapping[str, Any], names: Sequence[str]
) -> int:
    """How many classes the training data in ``root`` has: those with names, or its labels'."""
    classes = len(names)
    if not classes:
        training = arrays if source == root else open_shards(find_shards(root), labels=True)
        classes = int(training["label"].max()) + 1
    if arrays["label"].max() >= classes:
        raise UserError(f"{source} has labels above {classes - 1}, the training data's last")
    return classes


def _part(arrays: dict[str, Any], split: str, fraction: float, what: str) -> dict[str, Any]:
    """The samples of a split."""
    count, index = split_function(len(arrays["real"]), split, fraction, what)
    return {
        name: array.taken(count, index)
        if isinstance(array, StoredArray)
        else array[index(np.arange(count))]
        for name, array in arrays.items()
    }


def _dataset(
    arrays: dict[str, Any],
    classes: int,
    names: Sequence[str],
    source: str,
    split: str,
    found: Mapping[str, Any],
) -> Dataset:
    real, label = arrays.pop("real"), arrays.pop("label", None)
    counts: Counter[str] = Counter()
    if label is not None:
        for number, count in zip(*np.unique(label, return_counts=True)):
            counts[names[number] if names else str(number)] = int(count)
    return Dataset.from_arrays(
        real,
        label,
        classes,
        conditions=arrays,
        class_names=names,
        contents=Contents(source, len(real), real.shape[1:], split, classes=counts, **found),
        orders=epoch_shuffles,
    )
