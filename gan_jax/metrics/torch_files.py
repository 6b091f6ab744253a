"""Reads the tensors of a PyTorch file without PyTorch, and without running code from the file.

Only the format from before PyTorch 1.6 (no zip archive) and only plain tensors. A pickle is a
programme: here every global that it may name is resolved from a table of harmless stand-ins, and
all others are refused.
"""

import io
import math
import pickle
import struct
import sys
from collections import OrderedDict
from typing import IO, Any, NamedTuple

import numpy as np

from gan_jax.metrics.checks import Array

MAGIC = 0x1950A86A20F9469CFC6C
DTYPES: dict[str, type[np.number[Any]]] = {
    "FloatStorage": np.float32,
    "DoubleStorage": np.float64,
    "HalfStorage": np.float16,
    "LongStorage": np.int64,
    "IntStorage": np.int32,
}


def read_state_dict(path: str) -> dict[str, Array]:
    """Reads the named tensors of a state dict.

    Args:
      path: the ``.pth`` file.

    Returns:
      NumPy arrays of the same dtypes and shapes.

    Raises:
      ValueError: if the file has another format, or holds more than tensors.
    """
    with open(path, "rb") as opened:
        file = io.BytesIO(opened.read())
    try:
        if _Reader(file).load() != MAGIC:
            raise ValueError("its first number is another")
        _Reader(file).load()  # the protocol's version
        _Reader(file).load()  # the system that wrote the file
        tensors, keys = _Reader(file).load(), _Reader(file).load()
        dtypes = {tensor.storage.key: tensor.storage.dtype for tensor in tensors.values()}
        storages = {key: _read_storage(file, dtypes[key]) for key in keys}
        return {
            str(name): _tensor(storages[layout.storage.key], layout)
            for name, layout in tensors.items()
        }
    except Exception as error:  # a damaged pickle can end in any
        reason = f"{type(error).__name__}: {' '.join(str(error).split())}"
        raise ValueError(
            f"{path}: found something else than named tensors of the older PyTorch format "
            f"({reason if reason.isprintable() else ascii(reason)})"
        ) from error


class _Storage(NamedTuple):
    key: str
    dtype: type[np.number[Any]]


class _Layout(NamedTuple):
    """Where a tensor lies in its storage, in values."""

    storage: _Storage
    offset: int
    shape: tuple[int, ...]
    strides: tuple[int, ...]


class _Reader(pickle._Unpickler):
    """Unpickles state dicts; refuses all else.

    It is Python's unpickler in Python: the one in C takes memory for whatever index a file gives to
    an object.
    """

    def find_class(self, module: str, name: str) -> Any:
        if (module, name) == ("collections", "OrderedDict"):
            return OrderedDict
        if (module, name) == ("torch._utils", "_rebuild_tensor_v2"):
            return _layout
        if module == "torch" and name in DTYPES:
            return DTYPES[name]
        raise pickle.UnpicklingError(f"it names {module}.{name}")

    def persistent_load(self, pid: Any) -> _Storage:
        kind, dtype, key, _location, _size, view = pid
        if kind != "storage" or view is not None:
            raise pickle.UnpicklingError("it holds a view or an unknown object")
        return _Storage(key, dtype)


def _layout(
    storage: _Storage, offset: int, shape: tuple[int, ...], strides: tuple[int, ...], *_: Any
) -> _Layout:
    return _Layout(storage, offset, shape, strides)


def _read_storage(file: IO[bytes], dtype: type[np.number[Any]]) -> Array:
    (size,) = struct.unpack("<Q", file.read(8))
    data = file.read(min(size * np.dtype(dtype).itemsize, sys.maxsize))
    array = np.frombuffer(data, dtype)
    if array.size != size:
        raise ValueError(f"found {array.size} values of a storage, expected {size}")
    return array


def _tensor(storage: Array, layout: _Layout) -> Array:
    offset, shape, strides = layout.offset, layout.shape, layout.strides
    last = offset + sum((side - 1) * stride for side, stride in zip(shape, strides, strict=True))
    outside = min((offset, *shape, *strides)) < 0 or last >= storage.size
    if outside or math.prod(shape) > storage.size:  # one value for all would fill memory
        raise ValueError(
            f"found a tensor of shape {shape} and strides {strides} in {storage.size} values"
        )
    steps = [stride * storage.itemsize for stride in strides]
    view = np.lib.stride_tricks.as_strided(storage[offset:], shape, steps)
    return np.ascontiguousarray(view).reshape(shape)
