"""Shards: ``.npz`` and ``.npy`` files that follow each other and are read by index."""

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from gan_jax.data.stored_arrays import Shard, shards_array
from gan_jax.errors import UserError, first_line
from gan_jax.metrics.npz_files import ArrayPlace, find_arrays

CLASSES = "classes.json"
"""The file with the names of the classes, beside shards that `shard_writing` has made."""


def find_shards(path: Path) -> list[Path]:
    """Returns the ``.npz`` or ``.npy`` files that a path names, in order; none if it has none.

    Raises:
      UserError: the path does not exist or cannot be read, or has files of both kinds.
    """
    try:
        if not path.exists():
            raise UserError(f"{path} does not exist")
        files = sorted(path.iterdir()) if path.is_dir() else [path]
    except OSError as error:
        raise UserError(f"{path} cannot be read: {first_line(error)}") from error
    shards = [
        file for file in files if file.suffix in (".npz", ".npy") and not file.name.startswith(".")
    ]
    if len({file.suffix for file in shards}) > 1:
        raise UserError(f"{path} has .npz and .npy files: shards are of one kind")
    if not shards and not path.is_dir():
        raise UserError(f"{path} is neither a folder nor an .npz or .npy file")
    return shards


def open_shards(
    files: Sequence[Path], labels: bool, conditions: tuple[str, ...] = ()
) -> dict[str, Any]:
    """Opens shards, of which headers and labels are read.

    Args:
      files: ``.npz`` or ``.npy`` files.
      labels: whether there must be labels; they are read if they are there.
      conditions: names of further arrays.

    Returns:
      ``"real"`` and the conditions, `StoredArray`; and ``"label"`` ``[n]`` int32, if asked for.

    Raises:
      UserError: a file lacks an array or differs from the first one, or cannot be read.
    """
    names = ("real", *conditions, *(("label",) if labels else ()))
    shards: dict[str, list[Shard]] = {name: [] for name in names}
    first: dict[str, ArrayPlace] = {}
    for file in files:
        places = _places(file, names)
        for name in names:
            place = places[name]
            like = first.setdefault(name, place)
            if (place.shape[1:], place.dtype) != (like.shape[1:], like.dtype):
                raise UserError(
                    f"{name!r} in {file} is {place.dtype} {list(place.shape[1:])}, and "
                    f"{like.dtype} {list(like.shape[1:])} in the files before it"
                )
            if place.shape[0] != places["real"].shape[0]:
                raise UserError(
                    f"{file} has {places['real'].shape[0]} samples, and {place.shape[0]} of "
                    f"{name!r}"
                )
            if place.shape[0]:
                shards[name].append(Shard(file, place.offset, place.shape[0]))
    if not shards["real"]:
        raise UserError(f"{files[0]} has no samples")
    arrays: dict[str, Any] = {
        name: shards_array(shards[name], first[name].shape[1:], first[name].dtype) for name in names
    }
    if labels:
        label = arrays["label"][:]
        if label.min() < 0 or label.max() >= 2**31 - 1:
            raise UserError(f"'label' in {files[0]} and others must be from 0 to 2^31 - 2")
        arrays["label"] = label.astype(np.int32)
    return arrays


def _places(file: Path, names: tuple[str, ...]) -> Mapping[str, ArrayPlace]:
    """Where the arrays lie in one shard, checked to be samples and labels."""
    try:
        places = find_arrays(file)
    except (OSError, ValueError) as error:
        raise UserError(f"{file} cannot be read as a shard: {first_line(error)}") from error
    if "" in places:  # an .npy file
        places = {"real": places[""]}
    for name in names:
        if name not in places:
            raise UserError(f"{file} has no array {name!r}")
        place, is_label = places[name], name == "label"
        is_float = place.dtype.kind == "f" and not is_label
        known = is_float or place.dtype in ((np.uint8, np.uint16) if not is_label else ())
        known |= is_label and place.dtype.kind in "iu"
        if not known or (len(place.shape) != 1 if is_label else len(place.shape) < 2):
            what = "labels [n], integers" if is_label else "samples [n, ...], of uint8, uint16 or"
            raise UserError(
                f"{name!r} in {file} is {place.dtype} {list(place.shape)}: it should be {what}"
                f"{'' if is_label else ' floats'}"
            )
    return places


def saved_class_names(path: Path) -> list[str]:
    """Returns the names of the classes beside shards; none if there is no such file.

    Raises:
      UserError: the file is damaged.
    """
    file = (path if path.is_dir() else path.parent) / CLASSES
    try:
        names = json.loads(file.read_text(encoding="utf-8"))
    except FileNotFoundError:
        return []
    except (OSError, ValueError, RecursionError) as error:
        raise UserError(f"{file} cannot be read: {first_line(error)}") from error
    if not isinstance(names, list) or not all(isinstance(name, str) for name in names):
        raise UserError(f"{file} should hold a list of the names of the classes")
    return names
