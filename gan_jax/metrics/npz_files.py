"""Reads arrays of ``.npz`` and ``.npy`` files, and believes nothing that a file says of itself.

``numpy.load`` takes memory for whatever a header claims, and raises a dozen kinds of errors.
"""

import math
import os
import zipfile
from collections.abc import Collection
from typing import IO

import numpy as np

from gan_jax.metrics.checks import Array

SUFFIX = ".npy"
READ_HEADER = {
    (1, 0): np.lib.format.read_array_header_1_0,
    (2, 0): np.lib.format.read_array_header_2_0,
}
"""By the version of the format. Later versions are for names of fields, which are not read."""


def read_arrays(
    path: str | os.PathLike[str] | IO[bytes], names: Collection[str] | None = None
) -> dict[str, Array]:
    """Reads named arrays. Pickled objects are never loaded.

    Args:
      path: the file, or the file opened to read, which is closed.
      names: of the arrays to read; those that the file does not hold are left out. None: all.

    Returns:
      The arrays by name.

    Raises:
      OSError: the file is missing or cannot be opened.
      ValueError: it is damaged, or no ``.npz`` file of plain arrays; the message says in one line
        what is wrong, but not with which file.
    """
    with open(path, "rb") if isinstance(path, str | os.PathLike) else path as file:
        try:
            return _read_members(zipfile.ZipFile(file), names)
        except Exception as error:  # zipfile, the decompressors and NumPy raise many kinds
            raise ValueError(_in_one_line(error)) from error


def read_array_file(path: str | os.PathLike[str]) -> Array:
    """Reads the array of an ``.npy`` file. A pickle is never loaded.

    Args:
      path: the file.

    Raises:
      OSError: the file is missing or cannot be opened.
      ValueError: it is damaged, or no ``.npy`` file of a plain array; the message says in one line
        what is wrong, but not with which file.
    """
    with open(path, "rb") as file:
        try:
            size = os.fstat(file.fileno()).st_size
            _check_header(file, size, "the file")
            file.seek(0)
            array: Array = np.lib.format.read_array(file, allow_pickle=False)
            return array
        except Exception as error:  # NumPy raises many kinds
            raise ValueError(_in_one_line(error)) from error


def _read_members(archive: zipfile.ZipFile, names: Collection[str] | None) -> dict[str, Array]:
    members = {
        info.filename.removesuffix(SUFFIX): info
        for info in archive.infolist()
        if info.filename.endswith(SUFFIX)
    }
    chosen = members if names is None else [name for name in names if name in members]
    return {name: _read_array(archive, members[name]) for name in chosen}


def _read_array(archive: zipfile.ZipFile, info: zipfile.ZipInfo) -> Array:
    with archive.open(info) as member:
        _check_header(member, info.file_size, repr(info.filename))
    with archive.open(info) as member:
        array: Array = np.lib.format.read_array(member, allow_pickle=False)
    return array


def _check_header(file: IO[bytes], size: int, name: str) -> None:
    """Raises ValueError if an array file of ``size`` bytes is not what its header says."""
    version = np.lib.format.read_magic(file)
    if version not in READ_HEADER:
        raise ValueError(f"{name} has the unknown version {version}")
    shape, _, dtype = READ_HEADER[version](file)
    if dtype.hasobject:
        raise ValueError(f"{name} is a pickle of objects, which is not loaded")
    claimed, held = math.prod(shape) * dtype.itemsize, size - file.tell()
    if claimed != held or min(shape, default=0) < 0:
        raise ValueError(
            f"{name} should hold {dtype} of shape {shape}, {claimed} bytes, "
            f"but it holds {held} bytes"
        )


def _in_one_line(error: Exception) -> str:
    text = " ".join(str(error).split())
    return text if text and text.isprintable() else repr(error)
