"""Arrays in files: images, tables, signals, or anything else ``[n, ...]``."""

import os
from collections import Counter
from pathlib import Path

import numpy as np

from gan_jax.buckets import local_copy
from gan_jax.data.contents import Contents
from gan_jax.data.dataset import Dataset
from gan_jax.data.held_out import check_split, split_indices
from gan_jax.errors import UserError, first_line
from gan_jax.metrics.npz_files import read_array_file, read_arrays


def npz(
    path: str | os.PathLike[str],
    labels: bool = False,
    conditions: tuple[str, ...] = (),
    split: str = "train",
    held_out: float | str = 0.0,
) -> Dataset:
    """The arrays of an ``.npz`` file.

    Args:
      path: the file. ``"real"`` holds the samples: uint8 images ``[n, height, width, channels]``,
        or finite floats ``[n, ...]``, which become float32 and are not scaled: a table ``[n, d]``,
        signals ``[n, t]`` or ``[n, t, c]``. ``"label"`` ``[n]``, optional, holds integers from 0.
      labels: whether batches carry labels.
      conditions: names of further arrays ``[n, ...]`` that batches carry, such as ``("input",)``:
        uint8 images, or finite floats, as the samples.
      split: ``"train"`` or ``"test"``, the held-out samples.
      held_out: which samples are held out: a fraction of them, picked at random, or the path of
        another such file.

    Returns:
      Samples of the shape in the file.

    Raises:
      UserError: the file cannot be read, or does not hold these arrays, or nothing is held out.
    """
    check_split(split)
    arrays = _read_npz(path, labels, conditions)
    classes = int(arrays["label"].max()) + 1 if labels else 0
    if isinstance(held_out, str):
        if split == "test":
            path, shape = held_out, arrays["real"].shape[1:]
            arrays = _read_npz(path, labels, conditions)
            _check_same_shape(path, arrays["real"], shape)
            if labels and arrays["label"].max() >= classes:
                raise UserError(f"{path} has labels above {classes - 1}, the training data's last")
    else:
        chosen = split_indices(len(arrays["real"]), split, held_out, str(path))
        arrays = {name: array[chosen] for name, array in arrays.items()}
    return Dataset.from_arrays(
        arrays["real"],
        arrays.get("label"),
        classes,
        conditions={name: arrays[name] for name in conditions},
        contents=_contents(path, split, arrays["real"], arrays.get("label")),
    )


def npy(path: str | os.PathLike[str], split: str = "train", held_out: float | str = 0.0) -> Dataset:
    """The array of an ``.npy`` file: a table ``[n, d]``, signals ``[n, t]``, images.

    Args:
      path: the file: uint8 images ``[n, height, width, channels]``, or finite floats ``[n, ...]``,
        which become float32 and are not scaled.
      split: see `npz`.
      held_out: see `npz`.

    Returns:
      Samples of the shape in the file.

    Raises:
      UserError: the file cannot be read, or holds something else, or nothing is held out.
    """
    check_split(split)
    real = _read_npy(path)
    if isinstance(held_out, str):
        if split == "test":
            path, shape = held_out, real.shape[1:]
            real = _read_npy(path)
            _check_same_shape(path, real, shape)
    else:
        real = real[split_indices(len(real), split, held_out, str(path))]
    return Dataset.from_arrays(real, contents=_contents(path, split, real, None))


def _read_npz(
    path: str | os.PathLike[str], labels: bool, conditions: tuple[str, ...]
) -> dict[str, np.ndarray]:
    """``"real"``, the conditions, and ``"label"`` if the file has it, checked."""
    try:
        arrays = read_arrays(_expanded(path), ("real", "label", *conditions))
    except (OSError, ValueError) as error:
        raise UserError(f"{path} cannot be read as an .npz file: {first_line(error)}") from error
    if "real" not in arrays:
        raise UserError(f"{path} needs an array 'real' of samples [n, ...], of uint8 or floats")
    for name in conditions:
        if name in ("real", "label") or name not in arrays:
            raise UserError(f"{path} has no array {name!r} to be a condition")
    checked = {name: _check_real(path, arrays[name], name) for name in ("real", *conditions)}
    if "label" in arrays:
        checked["label"] = _check_label(path, arrays["label"], len(checked["real"]))
    elif labels:
        raise UserError(f"{path} has no array 'label'")
    for name in conditions:
        if len(checked[name]) != len(checked["real"]):
            raise UserError(
                f"{path} has {len(checked['real'])} samples, and {len(checked[name])} of {name!r}"
            )
    return checked


def _read_npy(path: str | os.PathLike[str]) -> np.ndarray:
    try:
        array = read_array_file(_expanded(path))
    except (OSError, ValueError) as error:
        raise UserError(f"{path} cannot be read as an .npy file: {first_line(error)}") from error
    return _check_real(path, array, "the array")


def _expanded(path: str | os.PathLike[str]) -> Path:
    return local_copy(path).expanduser()


def _check_same_shape(
    path: str | os.PathLike[str], real: np.ndarray, shape: tuple[int, ...]
) -> None:
    if real.shape[1:] != shape:
        raise UserError(
            f"the held-out samples of {path} are {real.shape[1:]}, the training data's {shape}"
        )


def _contents(
    path: str | os.PathLike[str], split: str, real: np.ndarray, label: np.ndarray | None
) -> Contents:
    classes = Counter() if label is None else Counter(map(str, label.tolist()))
    remarks: tuple[str, ...] = ()
    if real.dtype != np.uint8:
        remarks = (f"values from {real.min():.4g} to {real.max():.4g}",)
    shape = real.shape[1:]
    kinds = {str(real.dtype): len(real)}
    return Contents(
        str(path), len(real), shape, split, kinds=kinds, classes=classes, remarks=remarks
    )


def _check_real(path: str | os.PathLike[str], real: np.ndarray, name: str) -> np.ndarray:
    """Returns the samples, or a condition, of a file as uint8 or float32."""
    is_float = np.issubdtype(real.dtype, np.floating)
    if real.ndim < 2 or not (is_float or real.dtype == np.uint8):
        raise UserError(
            f"{path} needs an array {name!r} of samples [n, ...], of uint8 or floats, "
            f"not {real.dtype} {list(real.shape)}"
        )
    if not real.size:
        raise UserError(f"{name!r} in {path} has no samples: its shape is {list(real.shape)}")
    if not is_float:
        return real
    with np.errstate(over="ignore"):  # an overflow becomes infinite, and is refused below
        real = real.astype(np.float32)
    finite = np.isfinite(real).reshape(len(real), -1).all(axis=1)
    if not finite.all():
        raise UserError(
            f"{name!r} in {path} holds NaN or values beyond float32, first in sample "
            f"{finite.argmin()}"
        )
    return real


def _check_label(path: str | os.PathLike[str], label: np.ndarray, n: int) -> np.ndarray:
    """Returns the labels of an ``.npz`` file as int32."""
    if (
        label.shape != (n,)
        or label.dtype.kind not in "iu"
        or label.min() < 0
        or label.max() >= 2**31 - 1
    ):
        raise UserError(
            f"'label' in {path} must hold an integer from 0 to 2^31 - 2 for each of the {n} samples"
        )
    return label.astype(np.int32)
