"""Checks of what the metrics are given: each returns the array ready to use, or raises a one-line ValueError."""

from typing import Any

import numpy as np

Array = np.ndarray
ArrayLike = Any  # NumPy or JAX arrays, or nested sequences of numbers


def feature_matrix(array: ArrayLike, name: str, minimum: int = 1, as_given: bool = False) -> Array:
    """``array`` as float64 ``[n, d]`` with n >= ``minimum``, d >= 1 and every value finite; ``as_given`` as in `finite`."""
    array = np.asarray(array)
    if array.ndim != 2:
        raise ValueError(f"{name}: found shape {array.shape}, expected [n, d]")
    if array.shape[0] < minimum or array.shape[1] < 1:
        raise ValueError(
            f"{name}: found shape {array.shape}, expected [n, d] with n >= {minimum} and d >= 1"
        )
    return finite(array, name, as_given)


def feature_pair(
    first: ArrayLike,
    second: ArrayLike,
    names: tuple[str, str] = ("real", "fake"),
    minimum: int = 1,
    as_given: bool = False,
) -> tuple[Array, Array]:
    """Two feature matrices ``[n, d]`` and ``[m, d]`` of the same d."""
    a = feature_matrix(first, names[0], minimum, as_given)
    b = feature_matrix(second, names[1], minimum, as_given)
    if a.shape[1] != b.shape[1]:
        raise ValueError(
            f"{names[1]}: found d = {b.shape[1]} (shape {b.shape}), expected {names[0]}'s d = {a.shape[1]}"
        )
    return a, b


def finite(array: ArrayLike, name: str, as_given: bool = False) -> Array:
    """``array`` as float64, of any shape, with no NaN and no infinity.

    What is returned is the caller's to change, unless ``as_given``: then float32 and float64 arrays are not copied.
    """
    array = np.asarray(array)
    if array.dtype.kind not in "iuf" and array.dtype.name not in EXTENDED_FLOATS:
        raise ValueError(f"{name}: found dtype {array.dtype}, expected real numbers")
    if not (as_given and array.dtype in (np.float32, np.float64)):
        array = array.astype(np.float64)
    # One sum is NaN or infinite wherever any value is; only then is the culprit looked for.
    with np.errstate(invalid="ignore", over="ignore"):
        suspicious = not np.isfinite(array.sum())
    if suspicious and not (good := np.isfinite(array)).all():
        place = tuple(int(i) for i in np.argwhere(~good)[0])
        raise ValueError(f"{name}: found {array[place]} at {list(place)}, expected finite values")
    return array


def image_batch(
    array: ArrayLike, name: str, low: float | None = None, high: float | None = None
) -> Array:
    """``array`` as float images ``[n, h, w, c]``, finite, and in ``[low, high]`` where given. float32 stays float32."""
    array = np.asarray(array)
    if array.ndim != 4 or 0 in array.shape:
        raise ValueError(f"{name}: found shape {array.shape}, expected [n, h, w, c]")
    if array.dtype.kind != "f" and array.dtype.name not in EXTENDED_FLOATS:
        raise ValueError(
            f"{name}: found dtype {array.dtype}, expected floats; scale integer pixels first"
        )
    if array.dtype not in (np.float32, np.float64):
        array = array.astype(np.float32)
    found_low, found_high = float(array.min()), float(array.max())
    if not (np.isfinite(found_low) and np.isfinite(found_high)):
        raise ValueError(
            f"{name}: found pixels in [{found_low}, {found_high}], expected finite values"
        )
    if low is not None and high is not None:
        slack = 1e-3 * (
            high - low
        )  # rounding may step over the edge; another range goes far beyond
        if found_low < low - slack or found_high > high + slack:
            raise ValueError(
                f"{name}: found pixels in [{found_low:g}, {found_high:g}], expected [{low:g}, {high:g}]"
            )
    return array


def positive(value: float, name: str) -> float:
    """``value`` as a float above zero."""
    if (
        not (np.isscalar(value) or np.ndim(value) == 0)
        or not float(value) > 0
        or not np.isfinite(float(value))
    ):
        raise ValueError(f"{name}: found {value}, expected a finite number above 0")
    return float(value)


def at_least(value: int, minimum: int, name: str) -> int:
    """``value`` as an int of ``minimum`` or more."""
    if int(value) != value or value < minimum:
        raise ValueError(f"{name}: found {value}, expected a whole number >= {minimum}")
    return int(value)


# Types of ml_dtypes, which JAX uses: NumPy gives them kind "V".
EXTENDED_FLOATS = ("bfloat16", "float8_e4m3fn", "float8_e5m2")
