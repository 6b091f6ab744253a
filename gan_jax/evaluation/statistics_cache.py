"""Statistics of real samples on disk: one file per dataset, split, extractor and resolution."""

import hashlib
import json
import os
import re
import warnings
from collections.abc import Callable, Collection, Mapping
from pathlib import Path

import numpy as np

from gan_jax.files import replacing
from gan_jax.metrics.npz_files import read_arrays

Arrays = dict[str, np.ndarray]


def cached(
    name: str,
    key: Mapping[str, str | int],
    names: Collection[str],
    compute: Callable[[], Arrays],
) -> Arrays:
    """Returns the arrays of ``compute()``, from the cache if they are there and sound.

    The cache is ``$XDG_CACHE_HOME/gan_jax/statistics``, by default in ``~/.cache``. If it cannot be
    written to, a warning is given, and the arrays are computed again next time.

    Args:
      name: how the name of the file starts, for people; the arrays are looked up by ``key``.
      key: all that the arrays depend on.
      names: of the arrays: a damaged file can have lost some of them.
      compute: called if the cache has no such file, or a damaged one (with a warning).
    """
    key_text = json.dumps(dict(key), sort_keys=True)
    digest = hashlib.sha256(key_text.encode()).hexdigest()[:20]
    start = re.sub(r"[^\w.-]+", "_", name)[:100]
    path = _directory() / f"{start}-{digest}.npz"
    arrays = _load(path, key_text, names)
    if arrays is None:
        arrays = compute()
        _save(path, arrays, key_text)
    return arrays


def _directory() -> Path:
    home = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache")
    return home / "gan_jax" / "statistics"


def _load(path: Path, key: str, names: Collection[str]) -> Arrays | None:
    """The arrays of a file; None if there is none, or it is damaged (a zip file has checksums)."""
    try:
        arrays = read_arrays(path)
        if str(arrays.pop("key", None)) != key:
            raise ValueError("it holds the statistics of something else")
        if arrays.keys() != set(names):
            raise ValueError(
                f"it holds {', '.join(arrays) or 'nothing'} and not {', '.join(names)}"
            )
        return arrays
    except (FileNotFoundError, NotADirectoryError):
        return None
    except (OSError, ValueError) as error:
        warnings.warn(f"{path} is damaged and computed again: {error}", stacklevel=3)
        return None


def _save(path: Path, arrays: Arrays, key: str) -> None:
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        with replacing(path) as file:
            np.savez(file, allow_pickle=False, key=np.array(key), **arrays)
    except OSError as error:
        warnings.warn(
            f"{path} could not be written, so its statistics are computed again next time: {error}",
            stacklevel=3,
        )
