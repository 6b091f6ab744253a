"""Reads the tensors of a PyTorch file without PyTorch, and without running anything that the file says.

Only the format from before PyTorch 1.6 (no zip archive) and only plain tensors. A pickle is a programme: here every global that
it may name is resolved from a table of harmless stand-ins, and all others are refused.
"""

import pickle
import struct
from collections import OrderedDict
from typing import IO

import numpy as np

MAGIC = 0x1950A86A20F9469CFC6C
DTYPES = {
    "FloatStorage": np.float32,
    "DoubleStorage": np.float64,
    "HalfStorage": np.float16,
    "LongStorage": np.int64,
    "IntStorage": np.int32,
}


def read_state_dict(path: str) -> dict[str, np.ndarray]:
    """The named tensors of a state dict, as NumPy arrays of the same dtypes and shapes.

    Raises:
      ValueError: the file is of another format, or holds more than tensors.
    """
    with open(path, "rb") as file:
        try:
            if _Reader(file).load() != MAGIC:
                raise ValueError(
                    f"{path}: found another format, expected a PyTorch file of the older kind"
                )
            for _ in ("protocol", "system"):
                _Reader(file).load()
            tensors, keys = _Reader(file).load(), _Reader(file).load()
            dtypes = {storage.key: storage.dtype for storage, *_ in tensors.values()}
            storages = {key: _storage(file, dtypes[key]) for key in keys}
        except (
            pickle.UnpicklingError,
            KeyError,
            TypeError,
            ValueError,
            AttributeError,
            EOFError,
            struct.error,
        ) as error:
            raise ValueError(
                f"{path}: found something else than named tensors of the older PyTorch format ({error})"
            ) from error
    return {
        name: _tensor(storages[storage.key], *layout)
        for name, (storage, *layout) in tensors.items()
    }


class _Storage:
    def __init__(self, key: str, dtype: type) -> None:
        self.key, self.dtype = key, dtype


class _Reader(pickle.Unpickler):
    def find_class(self, module: str, name: str):
        if (module, name) == ("collections", "OrderedDict"):
            return OrderedDict
        if (module, name) == ("torch._utils", "_rebuild_tensor_v2"):
            return lambda storage, offset, shape, strides, *_: (storage, offset, shape, strides)
        if module == "torch" and name in DTYPES:
            return DTYPES[name]
        raise pickle.UnpicklingError(f"it names {module}.{name}")

    def persistent_load(self, pid):
        kind, dtype, key, _location, _size, view = pid
        if kind != "storage" or view is not None:
            raise pickle.UnpicklingError("it holds a view or an unknown object")
        return _Storage(key, dtype)


def _storage(file: IO[bytes], dtype: type) -> np.ndarray:
    (size,) = struct.unpack("<q", file.read(8))
    return np.frombuffer(file.read(size * np.dtype(dtype).itemsize), dtype)


def _tensor(
    storage: np.ndarray, offset: int, shape: tuple[int, ...], strides: tuple[int, ...]
) -> np.ndarray:
    last = offset + sum((side - 1) * stride for side, stride in zip(shape, strides, strict=True))
    if (
        min((offset, *shape, *strides)) < 0 or last >= storage.size
    ):  # it would read beyond its storage
        raise ValueError(
            f"found a tensor of shape {shape} and strides {strides} in {storage.size} values"
        )
    steps = [stride * storage.itemsize for stride in strides]
    return np.ascontiguousarray(
        np.lib.stride_tricks.as_strided(storage[offset:], shape, steps)
    ).reshape(shape)
