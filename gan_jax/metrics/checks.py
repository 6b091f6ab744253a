"""Checks of the metrics' arguments.

Each function returns its argument ready to use, or raises a one-line ValueError.
"""

import math
from typing import Any

import numpy as np
import numpy.typing as npt

Array = npt.NDArray[Any]
ArrayLike = npt.ArrayLike  # NumPy or JAX arrays, or nested sequences of numbers

# Types of ml_dtypes, which JAX uses: NumPy gives them kind "V".
EXTENDED_FLOATS = ("bfloat16", "float8_e4m3fn", "float8_e5m2")


def feature_matrix(array: ArrayLike, name: str, minimum: int = 1, copy: bool = True) -> Array:
    """Returns features as a float64 matrix.

    Args:
      array: ``[n, d]``, any real dtype, with n >= ``minimum``, d >= 1 and finite values.
      name: the argument's name, for error messages.
      minimum: the smallest n.
      copy: as in `finite`.

    Raises:
      ValueError: if the array is anything else.
    """
    array = np.asarray(array)
    if array.ndim != 2:
        raise ValueError(f"{name}: found shape {array.shape}, expected [n, d]")
    if array.shape[0] < minimum or array.shape[1] < 1:
        raise ValueError(
            f"{name}: found shape {array.shape}, expected [n, d] with n >= {minimum} and d >= 1"
        )
    return finite(array, name, copy)


def feature_pair(
    first: ArrayLike,
    second: ArrayLike,
    names: tuple[str, str] = ("real", "fake"),
    minimum: int = 1,
    copy: bool = True,
) -> tuple[Array, Array]:
    """Returns two matrices ``[n, d]`` and ``[m, d]`` of the same d; see `feature_matrix`."""
    a = feature_matrix(first, names[0], minimum, copy)
    b = feature_matrix(second, names[1], minimum, copy)
    if a.shape[1] != b.shape[1]:
        raise ValueError(
            f"{names[1]}: found d = {b.shape[1]} (shape {b.shape}), "
            f"expected {names[0]}'s d = {a.shape[1]}"
        )
    return a, b


def finite(array: ArrayLike, name: str, copy: bool = True) -> Array:
    """Returns an array of any shape as float64, with no NaN and no infinity.

    Args:
      array: any real dtype.
      name: the argument's name, for error messages.
      copy: whether the caller may change the result in place. If False, float32 and float64 arrays
        are returned as they are.

    Raises:
      ValueError: if the array is not numeric, or a value is not finite.
    """
    array = np.asarray(array)
    if array.dtype.kind not in "iuf" and array.dtype.name not in EXTENDED_FLOATS:
        raise ValueError(f"{name}: found dtype {array.dtype}, expected real numbers")
    if copy or array.dtype not in (np.float32, np.float64):
        array = array.astype(np.float64)
    # The sum is NaN or infinite if any value is; only then are the values searched.
    with np.errstate(invalid="ignore", over="ignore"):
        sum_is_finite = np.isfinite(array.sum())
    if not sum_is_finite:
        is_finite = np.isfinite(array)
        if not is_finite.all():
            place = tuple(int(i) for i in np.argwhere(~is_finite)[0])
            raise ValueError(
                f"{name}: found {array[place]} at {list(place)}, expected finite values"
            )
    return array


def image_batch(
    array: ArrayLike, name: str, low: float | None = None, high: float | None = None
) -> Array:
    """Returns images as a floating-point array.

    Args:
      array: ``[n, h, w, c]``, any floating dtype with finite values.
      name: the argument's name, for error messages.
      low: the smallest value that a pixel may have, checked if ``high`` is given too.
      high: the largest value that a pixel may have.

    Returns:
      The images; float32 and float64 keep their dtype, other dtypes become float32.

    Raises:
      ValueError: if the array is anything else.
    """
    array = np.asarray(array)
    if array.ndim != 4 or 0 in array.shape:
        raise ValueError(f"{name}: found shape {array.shape}, expected [n, h, w, c]")
    if array.dtype.kind != "f" and array.dtype.name not in EXTENDED_FLOATS:
        raise ValueError(
            f"{name}: found dtype {array.dtype}, expected floats; scale integer pixels first"
        )
    if array.dtype not in (np.float32, np.float64):
        array = array.astype(np.float32)
    darkest, brightest = float(array.min()), float(array.max())
    if not (np.isfinite(darkest) and np.isfinite(brightest)):
        raise ValueError(
            f"{name}: found pixels in [{darkest}, {brightest}], expected finite values"
        )
    if low is not None and high is not None:
        # Rounding may step over the edge; pixels of another range lie far beyond it.
        tolerance = 1e-3 * (high - low)
        if darkest < low - tolerance or brightest > high + tolerance:
            raise ValueError(
                f"{name}: found pixels in [{darkest:g}, {brightest:g}], "
                f"expected [{low:g}, {high:g}]"
            )
    return array


def positive(value: float, name: str) -> float:
    """Returns ``value`` as a float; raises ValueError unless it is finite and above zero."""
    number = _real_number(value)
    if number is None or not 0 < number < math.inf:
        raise ValueError(f"{name}: found {_brief(value)}, expected a finite number above 0")
    return number


def at_least(value: float, minimum: int, name: str) -> int:
    """Returns ``value`` as an int; raises ValueError unless it is whole and >= ``minimum``."""
    number = _real_number(value)
    if number is None or not number.is_integer() or number < minimum:
        raise ValueError(f"{name}: found {_brief(value)}, expected a whole number >= {minimum}")
    return int(value)


def _real_number(value: Any) -> float | None:
    """Returns a real number as a float; None for anything else, and beyond the range of floats."""
    try:
        array = np.asarray(value)
        is_number = array.ndim == 0 and array.dtype.kind in "iuf"
        return float(array) if is_number else None
    except (ValueError, TypeError, OverflowError):
        return None


def _brief(value: Any) -> str:
    """Returns a value as at most 60 characters of one line."""
    return " ".join(repr(value).split())[:60]


def codes_and_factors(codes: ArrayLike, factors: ArrayLike) -> tuple[Array, Array]:
    """Returns codes ``[n, d]`` as float64 and factors ``[n, k]`` as they are.

    Raises:
      ValueError: there are fewer than 2 samples, the codes are not finite, or the factors are not
        integers of as many samples.
    """
    codes, factors = feature_matrix(codes, "codes", minimum=2), np.asarray(factors)
    if factors.ndim != 2 or not factors.shape[1] or factors.dtype.kind not in "iu":
        raise ValueError(
            f"factors: found {factors.dtype} of shape {factors.shape}, expected integers [n, k]"
        )
    if len(factors) != len(codes):
        raise ValueError(
            f"factors: found {len(factors)} rows, expected those of {len(codes)} codes"
        )
    return codes, factors
