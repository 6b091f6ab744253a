"""Reads arrays of ``.npz`` and ``.npy`` files, and believes nothing that a file says of itself.

``numpy.load`` takes memory for whatever a header claims, and raises a dozen kinds of errors.
"""

import math
import os
import zipfile
from collections.abc import Collection
from typing import IO, Any, NamedTuple

import numpy as np

from gan_jax.metrics.checks import Array

SUFFIX = ".npy"
LOCAL_HEADER = 30  # bytes before the name of a member of a zip file
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
            _read_header(file, size, "the file")
            file.seek(0)
            array: Array = np.lib.format.read_array(file, allow_pickle=False)
            return array
        except Exception as error:  # NumPy raises many kinds
            raise ValueError(_in_one_line(error)) from error


class ArrayPlace(NamedTuple):
    """Where the elements of an array lie in a file, row by row and uncompressed."""

    offset: int
    shape: tuple[int, ...]
    dtype: np.dtype[Any]


def find_arrays(path: str | os.PathLike[str]) -> dict[str, ArrayPlace]:
    """Finds the arrays of an ``.npz`` or ``.npy`` file, to read parts of them; reads headers alone.

    Args:
      path: the file, by its suffix.

    Returns:
      Where each array lies, by name; that of an ``.npy`` file has an empty name.

    Raises:
      OSError: the file is missing or cannot be opened.
      ValueError: it is damaged, compressed, in Fortran order, or no file of plain arrays.
    """
    with open(path, "rb") as file:
        try:
            size = os.fstat(file.fileno()).st_size
            if os.fspath(path).endswith(SUFFIX):
                return {"": _place(file, 0, size, "the file")}
            members = [m for m in zipfile.ZipFile(file).infolist() if m.filename.endswith(SUFFIX)]
            return {m.filename.removesuffix(SUFFIX): _member_place(file, m, size) for m in members}
        except Exception as error:  # zipfile and NumPy raise many kinds
            raise ValueError(_in_one_line(error)) from error


def _member_place(file: IO[bytes], info: zipfile.ZipInfo, size: int) -> ArrayPlace:
    if info.compress_type != zipfile.ZIP_STORED:
        raise ValueError(f"{info.filename!r} is compressed: save it by numpy.savez")
    file.seek(info.header_offset)
    header = file.read(LOCAL_HEADER)
    if header[:4] != b"PK\x03\x04" or len(header) < LOCAL_HEADER:
        raise ValueError(f"{info.filename!r} has no local header")
    names = int.from_bytes(header[26:28], "little") + int.from_bytes(header[28:30], "little")
    start = info.header_offset + LOCAL_HEADER + names
    if start + info.file_size > size:
        raise ValueError(f"{info.filename!r} is cut")
    return _place(file, start, info.file_size, repr(info.filename))


def _place(file: IO[bytes], start: int, size: int, name: str) -> ArrayPlace:
    file.seek(start)
    shape, is_fortran, dtype = _read_header(file, start + size, name)
    if is_fortran and len(shape) > 1:
        raise ValueError(f"{name} is in Fortran order: save numpy.ascontiguousarray of it")
    return ArrayPlace(file.tell(), shape, dtype)


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
        _read_header(member, info.file_size, repr(info.filename))
    with archive.open(info) as member:
        array: Array = np.lib.format.read_array(member, allow_pickle=False)
    return array


def _read_header(
    file: IO[bytes], end: int, name: str
) -> tuple[tuple[int, ...], bool, np.dtype[Any]]:
    """Returns shape, order and dtype of an array that ends at a byte.

    Raises ValueError if it is not what its header says.
    """
    version = np.lib.format.read_magic(file)
    if version not in READ_HEADER:
        raise ValueError(f"{name} has the unknown version {version}")
    shape, is_fortran, dtype = READ_HEADER[version](file)
    if dtype.hasobject:
        raise ValueError(f"{name} is a pickle of objects, which is not loaded")
    claimed, held = math.prod(shape) * dtype.itemsize, end - file.tell()
    if claimed != held or min(shape, default=0) < 0:
        raise ValueError(
            f"{name} should hold {dtype} of shape {shape}, {claimed} bytes, "
            f"but it holds {held} bytes"
        )
    return shape, is_fortran, dtype


def _in_one_line(error: Exception) -> str:
    text = " ".join(str(error).split())
    return text if text and text.isprintable() else repr(error)
