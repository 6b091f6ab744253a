"""Statistics of real samples on disk, computed once: one file for each dataset, split, extractor and resolution."""

import hashlib
import json
import os
import re
import tempfile
import warnings
import zipfile
import zlib
from collections.abc import Callable, Mapping
from pathlib import Path

import numpy as np

Arrays = dict[str, np.ndarray]


def cached(name: str, key: Mapping[str, str | int], compute: Callable[[], Arrays]) -> Arrays:
    """The arrays of ``compute()``, from the cache where they are there and sound.

    Args:
      name: how the file's name starts, for people; what is looked up is ``key``.
      key: all that the arrays depend on.
      compute: called where the cache has no such file, or a damaged one (with a warning).

    Returns:
      The arrays. They lie in ``$XDG_CACHE_HOME/gan_jax/statistics``, by default under ``~/.cache``; a folder that cannot be
      written to costs the next start its time, and a warning.
    """
    text = json.dumps(dict(key), sort_keys=True)
    start = re.sub(r"[^\w.-]+", "_", name)[:100]
    path = _folder() / f"{start}-{hashlib.sha256(text.encode()).hexdigest()[:20]}.npz"
    arrays = _load(path, text)
    if arrays is None:
        arrays = compute()
        _save(path, arrays, text)
    return arrays


def _folder() -> Path:
    home = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache")
    return home / "gan_jax" / "statistics"


def _load(path: Path, key: str) -> Arrays | None:
    """The arrays of a file; None where there is none, or it is damaged (a zip checks the CRC of what it holds)."""
    try:
        with np.load(path, allow_pickle=False) as file:
            arrays = dict(file)
        if str(arrays.pop("key")) != key:
            raise ValueError("it holds the statistics of something else")
        return arrays
    except FileNotFoundError:
        return None
    except (
        OSError,
        ValueError,
        KeyError,
        EOFError,
        AttributeError,
        TypeError,
        zipfile.BadZipFile,
        zlib.error,
    ) as error:
        warnings.warn(f"{path} is damaged and computed anew: {error}", stacklevel=3)
        return None


def _save(path: Path, arrays: Arrays, key: str) -> None:
    """Writes the file whole or not at all."""
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        handle, temporary = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}.")
        try:
            with os.fdopen(handle, "wb") as file:
                np.savez(file, allow_pickle=False, key=np.array(key), **arrays)
                file.flush()
                os.fsync(file.fileno())
            os.chmod(temporary, 0o644)
            os.replace(temporary, path)
        except BaseException:
            os.unlink(temporary)
            raise
    except OSError as error:
        warnings.warn(
            f"{path} could not be written, so the next start computes it again: {error}",
            stacklevel=3,
        )
