"""Folders of image files."""

import dataclasses
import math
import os
from collections import Counter
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from gan_jax.buckets import local_copy
from gan_jax.data.contents import Contents
from gan_jax.data.dataset import Dataset
from gan_jax.data.decoding import CHANNELS, MAX_PIXELS, decode_image, describe_image
from gan_jax.data.held_out import check_split, split_indices
from gan_jax.errors import UserError, first_line

SUFFIXES = (".png", ".jpg", ".jpeg")

MAX_SIDE = math.isqrt(MAX_PIXELS)
"""The largest side to which images are resized."""


def folder(
    path: str | os.PathLike[str],
    resolution: int,
    channels: int = 3,
    labels: bool = False,
    split: str = "train",
    held_out: float | str = 0.0,
) -> Dataset:
    """All PNG and JPEG files under a directory, cropped to their central square and resized.

    Files that cannot be read as images are left out; ``dataset.contents`` lists them with their
    reasons, and sizes and classes of the others. Images of 16 bits are read as 8 bits. Hidden files
    and folders are passed over.

    Args:
      path: the directory.
      resolution: side of the images after resizing, see `decoding.resize`.
      channels: 3 for colour, 1 for grey; 4 and 2 with alpha, which is dropped otherwise.
      labels: whether batches carry labels: the class of an image is its subdirectory of ``path``,
        numbered in alphabetical order.
      split: ``"train"`` or ``"test"``, the held-out images.
      held_out: which images are held out: a fraction of them, picked at random, or another
        directory.

    Returns:
      Samples ``[resolution, resolution, channels]`` uint8, held in memory, files in alphabetical
      order.

    Raises:
      UserError: there are no images, or none can be read, one has no class, or nothing is held out.
    """
    root = local_copy(path).expanduser()
    check_split(split)
    files = image_files(root)
    classes = class_names(root, files) if labels else []
    if isinstance(held_out, str):
        if split == "test":
            root = local_copy(held_out).expanduser()
            files = image_files(root)
    else:
        files = [files[i] for i in split_indices(len(files), split, held_out, str(root))]
    images, read, found = _read_folder(root, files, resolution, channels)
    contents = Contents(str(root), len(images), images.shape[1:], split, **found)
    if not labels:
        return Dataset.from_arrays(images, contents=contents)
    label = class_numbers(root, read, classes)
    counts = Counter(classes[number] for number in label)
    contents = dataclasses.replace(contents, classes=counts)
    return Dataset.from_arrays(images, label, len(classes), class_names=classes, contents=contents)


def image_files(root: Path) -> list[Path]:
    """Returns the PNG and JPEG files under a directory, in alphabetical order, but no hidden ones.

    Raises:
      UserError: there are none, or the directory does not exist or cannot be read.
    """
    try:
        if not root.exists():
            raise UserError(f"the folder {root} does not exist{_where(root)}")
        if not root.is_dir():
            raise UserError(f"{root} is a file, not a folder of images")
        files = sorted(
            file
            for file in root.rglob("*")
            if file.suffix.lower() in SUFFIXES and file.is_file() and not _is_hidden(root, file)
        )
    except UserError:
        raise
    except (OSError, ValueError) as error:  # a name that is too long, or has a NUL
        raise UserError(f"{root} cannot be read: {first_line(error)}") from error
    if not files:
        raise UserError(f"{root} has no images ({', '.join(SUFFIXES)})")
    return files


def read_images(root: Path, files: list[Path], resolution: int, channels: int) -> np.ndarray:
    """Reads image files, cropped to their central square and resized.

    Args:
      root: what the files are called in an error.
      files: PNG and JPEG files.
      resolution: side of the images after resizing, see `decoding.resize`.
      channels: 3 for colour, 1 for grey, 4 for colour with alpha.

    Returns:
      ``[n, resolution, resolution, channels]`` uint8.

    Raises:
      UserError: an image cannot be read, or one of the numbers is out of range.
    """
    images, _, found = _read_folder(root, files, resolution, channels)
    for file, reason in found["refused"].items():
        raise UserError(f"{root / file} cannot be read as an image: {reason}")
    return images


def _read_folder(
    root: Path, files: list[Path], resolution: int, channels: int
) -> tuple[np.ndarray, list[Path], dict[str, Any]]:
    """The images that can be read, their files, and what `Contents` says of all."""
    check_image_settings(resolution, channels)
    shape = (len(files), resolution, resolution, channels)
    try:
        real = np.empty(shape, np.uint8)
    except MemoryError as error:
        raise UserError(
            f"{len(files)} images of {root} take {math.prod(shape) / 1e9:.0f} GB at resolution "
            f"{resolution}, more than there is: choose a smaller one"
        ) from error
    read: list[Path] = []
    sizes: Counter[str] = Counter()
    kinds: Counter[str] = Counter()
    refused: dict[str, str] = {}
    for file in files:
        try:
            real[len(read)] = decode_image(file, channels, resolution, upright=True)
            size, kind = describe_image(file)
        except Exception as error:  # Pillow raises many kinds for damaged files
            # The disk's errors, which have a number, would leave out other files another time.
            if isinstance(error, OSError) and error.errno is not None:
                raise UserError(f"{file} cannot be read: {first_line(error)}") from error
            refused[str(file.relative_to(root))] = first_line(error)
            continue
        read.append(file)
        sizes[size] += 1
        kinds[kind] += 1
    if not read:
        name, reason = next(iter(refused.items()))
        raise UserError(f"{root / name} cannot be read as an image: {reason}")
    return real[: len(read)], read, {"sizes": sizes, "kinds": kinds, "refused": refused}


def check_image_settings(resolution: int, channels: int) -> None:
    """Raises UserError if images cannot have this resolution or these channels."""
    if channels not in CHANNELS:
        raise UserError(f"images have {', '.join(map(str, CHANNELS))} channels, not {channels}")
    if not 1 <= resolution <= MAX_SIDE:
        raise UserError(f"the resolution of images is from 1 to {MAX_SIDE}, not {resolution}")


def class_names(root: Path, files: Iterable[Path]) -> list[str]:
    """Returns the names of all classes, sorted: the subdirectories that files are in.

    Raises:
      UserError: a file is in none.
    """
    return sorted({_class_name(root, file) for file in files})


def class_numbers(root: Path, files: Iterable[Path], classes: Sequence[str]) -> np.ndarray:
    """Returns the numbers of the files' classes, ``[n]`` int32.

    Raises:
      UserError: a file is in no class, or in one that is not among ``classes``.
    """
    numbers = {name: index for index, name in enumerate(classes)}
    names = [_class_name(root, file) for file in files]
    unknown = sorted(set(names) - set(classes))
    if unknown:
        raise UserError(
            f"{root} has images of the class {unknown[0]!r}, of which the training data has none: "
            f"classes are subdirectories, {', '.join(classes[:40])}"
        )
    return np.array([numbers[name] for name in names], np.int32)


def _class_name(root: Path, file: Path) -> str:
    if file.parent == root:
        raise UserError(
            f"{file} has no class: with labels, each image is in a subdirectory of {root}"
        )
    return file.relative_to(root).parts[0]


def _is_hidden(root: Path, file: Path) -> bool:
    return any(part.startswith(".") for part in file.relative_to(root).parts)


def _where(path: Path) -> str:
    """Where a path was looked for, if that is not plain from it."""
    return "" if path.is_absolute() else f" in {Path.cwd()}"
