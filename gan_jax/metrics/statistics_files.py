"""Means and covariances of features that are saved, by this package or by others."""

import io
import os
import pickle
import zipfile
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from gan_jax.metrics.checks import Array
from gan_jax.metrics.npz_files import read_arrays

__all__ = ["GaussianStatistics", "read_statistics"]


class GaussianStatistics(NamedTuple):
    """What the Fréchet distance is computed from.

    Attributes:
      mean: ``[d]`` float64.
      covariance: ``[d, d]`` float64.
    """

    mean: Array
    covariance: Array


def read_statistics(path: str | os.PathLike[str]) -> GaussianStatistics | None:
    """Reads a mean and a covariance of features.

    Args:
      path: an ``.npz`` file of pytorch-fid or of TTUR (arrays ``mu`` and ``sigma``), one of this
        package's cache (``mean``, ``scatter`` and ``n``), or a ``.pt`` file of torch-fidelity's
        cache, which is read without PyTorch and without running code from the file.

    Returns:
      The statistics; None if the file is an ``.npz`` of other arrays.

    Raises:
      OSError: the file is missing or cannot be opened.
      ValueError: it is damaged, or not of this form.
    """
    if Path(path).suffix == ".pt":
        arrays = _read_torch_fidelity(path)
    else:
        arrays = read_arrays(path, ("mu", "sigma", "mean", "scatter", "n"))
    if {"mu", "sigma"} <= set(arrays):
        mean, covariance = arrays["mu"], arrays["sigma"]
    elif {"mean", "scatter", "n"} <= set(arrays):
        mean, covariance = arrays["mean"], arrays["scatter"] / (int(arrays["n"]) - 1)
    else:
        return None
    if mean.ndim != 1 or covariance.shape != (mean.size, mean.size):
        raise ValueError(
            f"found a mean of shape {mean.shape} and a covariance of {covariance.shape}, expected "
            "[d] and [d, d]"
        )
    return GaussianStatistics(mean.astype(np.float64), covariance.astype(np.float64))


def _read_torch_fidelity(path: str | os.PathLike[str]) -> dict[str, Array]:
    """The NumPy arrays by name of a file of torch.save."""
    with open(path, "rb") as file:
        try:
            archive = zipfile.ZipFile(file)
            (name,) = [name for name in archive.namelist() if name.endswith("data.pkl")]
            loaded = _Reader(io.BytesIO(archive.read(name))).load()
            return {key: loaded[key].array for key in ("mu", "sigma") if key in loaded}
        except Exception as error:  # a damaged pickle can end in any
            raise ValueError(
                "found something else than the means and covariances that torch-fidelity saves "
                f"({type(error).__name__}: {' '.join(str(error).split())})"
            ) from error


class _Array:
    """Stands in for a NumPy array that is being unpickled."""

    array: Array

    def __setstate__(self, state: Any) -> None:
        _version, shape, dtype, is_fortran, data = state
        values = np.frombuffer(data, dtype.of_letters)
        self.array = values.reshape(shape, order="F" if is_fortran else "C")


class _Dtype:
    """Stands in for a NumPy dtype that is being unpickled: a floating-point one."""

    def __init__(self, letters: str, *_: Any) -> None:
        if letters not in ("f4", "f8"):
            raise pickle.UnpicklingError(f"it holds values of dtype {letters!r}")
        self.of_letters = letters

    def __setstate__(self, state: Any) -> None:
        if state[1] != "<":
            raise pickle.UnpicklingError("it holds values of another byte order")


STAND_INS: dict[tuple[str, str], Any] = {
    ("_codecs", "encode"): lambda text, _encoding: text.encode("latin1"),
    ("numpy", "dtype"): _Dtype,
    ("numpy", "ndarray"): _Array,
    ("numpy.core.multiarray", "_reconstruct"): lambda *_: _Array(),
    ("numpy._core.multiarray", "_reconstruct"): lambda *_: _Array(),
}


class _Reader(pickle._Unpickler):
    """Unpickles dicts of arrays; refuses all else. In Python, as in `torch_files`."""

    def find_class(self, module: str, name: str) -> Any:
        if (module, name) in STAND_INS:
            return STAND_INS[module, name]
        raise pickle.UnpicklingError(f"it names {module}.{name}")
