"""IDX files, in which MNIST and Fashion-MNIST are published."""

import gzip
import math
import zlib
from pathlib import Path

import numpy as np

from gan_jax.errors import UserError


def read_idx(path: Path, shape: tuple[int, ...]) -> np.ndarray:
    """Reads the uint8 array in an IDX file, gzipped or not.

    The format: two zero bytes, the type (8 is uint8), the number of dimensions, each dimension as
    big-endian uint32, the data.

    Args:
      path: the file.
      shape: that the array must have. No more is read, whatever a gzip file grows to.

    Returns:
      The array, uint8.

    Raises:
      UserError: the file is not a complete IDX file of this shape.
    """
    expected = math.prod(shape)
    try:
        with gzip.open(path) if path.suffix == ".gz" else open(path, "rb") as file:
            magic, sizes = file.read(4), file.read(4 * len(shape))
            body = file.read(expected + 1)
    except (OSError, EOFError, zlib.error) as error:
        raise UserError(f"{path} cannot be read: {error}") from error
    known = bytes([0, 0, 8, len(shape)])
    if magic != known:
        raise UserError(
            f"{path} is not an IDX file of {len(shape)}-D uint8: "
            f"magic {magic.hex()}, not {known.hex()}"
        )
    found = tuple(int.from_bytes(sizes[i : i + 4], "big") for i in range(0, len(sizes), 4))
    if len(sizes) == 4 * len(shape) and found != shape:
        raise UserError(f"{path} holds an array of shape {found}, not {shape}")
    if len(sizes) < 4 * len(shape) or len(body) != expected:
        raise UserError(
            f"{path} is cut or has trailing bytes: there are not {expected} bytes of data for the "
            f"shape {shape}"
        )
    return np.frombuffer(body, np.uint8).reshape(shape)


def find_idx(directory: Path, stem: str) -> Path:
    """Returns the path of an IDX file, gzipped or not. Raises UserError if there is none."""
    for candidate in (directory / f"{stem}.gz", directory / stem):
        if candidate.is_file():
            return candidate
    raise UserError(f"{directory} has no file {stem}.gz (or {stem})")
