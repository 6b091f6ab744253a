"""The directory of a run: its settings, its metrics, whether it has ended, and who may write it."""

import contextlib
import os
from collections.abc import Iterator
from pathlib import Path
from typing import Literal

import numpy as np

from gan_jax import files
from gan_jax.errors import UserError, first_line
from gan_jax.experiment.config_files import extend_python_path
from gan_jax.experiment.differences import identity_differences
from gan_jax.experiment.part_text import Part, parts_text
from gan_jax.experiment.settings import Settings, dumps, loads
from gan_jax.loggers import json_lines

CONFIG, METRICS, CHECKPOINTS, SAMPLES = "config.json", "metrics.jsonl", "checkpoints", "samples"
"""What a run directory holds."""

DIVERGED = "diverged"
"""The file that says why a run cannot go on: its numbers are no longer finite."""


@contextlib.contextmanager
def opened(run_dir: Path, settings: Settings) -> Iterator[None]:
    """Makes the directory of a run, or checks that it is that of the same run, and locks it.

    Raises:
      UserError: the directory holds another run, or another process is writing it. Nothing is
        touched then.
    """
    with contextlib.ExitStack() as held:
        try:
            is_new = not run_dir.exists() or (run_dir.is_dir() and not any(run_dir.iterdir()))
            if not is_new and not run_dir.is_dir():
                raise UserError(f"run directory {run_dir} is a file, not a directory")
            run_dir.mkdir(parents=True, exist_ok=True)
            handle = os.open(run_dir, os.O_RDONLY)
            held.callback(os.close, handle)
            _lock(handle, run_dir)
            if not is_new:
                _check_same_run(run_dir, settings)
            text = dumps(settings)
            if is_new or (run_dir / CONFIG).read_text(encoding="utf-8") != text:
                files.write_text(run_dir / CONFIG, text)
        except OSError as error:
            raise UserError(f"run directory {run_dir} cannot be used: {error.strerror}") from error
        yield


def read_settings(run_dir: str | Path) -> Settings:
    """Reads the settings of the run in a directory, and makes its own parts importable.

    Raises:
      UserError: there is no run, or its config.json is damaged.
    """
    file = Path(run_dir) / CONFIG
    try:
        settings = loads(file.read_text(encoding="utf-8"))
    except FileNotFoundError as error:
        raise UserError(f"{run_dir} is not the directory of a run: it has no {CONFIG}") from error
    except (OSError, ValueError) as error:
        raise UserError(f"{file} cannot be read: {first_line(error)}") from error
    extend_python_path(settings)
    return settings


def last_metrics(run_dir: str | Path) -> dict[str, float]:
    """Returns the newest value of each metric of a run; scores of `evaluate.py` are left out."""
    latest: dict[str, float] = {}
    for row in json_lines.read_metrics(Path(run_dir) / METRICS):
        if "protocol" not in row:
            latest |= row
    return latest


def has_ended(run_dir: str | Path, steps: int) -> Literal["finished", "diverged"] | None:
    """Returns how a run of so many steps has ended; None if it has not."""
    if (Path(run_dir) / DIVERGED).exists():
        return "diverged"
    # The checkpoint is the last thing that a run writes, and it appears whole.
    names = [path.name for path in (Path(run_dir) / CHECKPOINTS).glob("*")]
    saved = [int(name) for name in names if name.isdecimal()]
    return "finished" if saved and max(saved) >= steps else None


def samples_over_training(run_dir: str | Path) -> list[tuple[int, np.ndarray]]:
    """Returns the samples ``[n, 2]`` that a run on points has saved, with their steps, in order."""
    paths = sorted((Path(run_dir) / SAMPLES).glob("step_*.npy"))
    return [(int(path.stem.removeprefix("step_")), np.load(path)) for path in paths]


def divergence(run_dir: Path) -> str:
    """Returns why a run has diverged; empty if it has not."""
    file = run_dir / DIVERGED
    return file.read_text(encoding="utf-8").strip() if file.exists() else ""


def _lock(handle: int, run_dir: Path) -> None:
    """Takes a lock that ends with the process, however it ends. Raises UserError if it is taken."""
    try:
        import fcntl

        fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError as error:
        raise UserError(
            f"run directory {run_dir} is being written by another process: wait for it, or end it"
        ) from error
    except (ImportError, OSError):
        pass  # Windows, or a file system without locks


def _check_same_run(run_dir: Path, settings: Settings) -> None:
    there = read_settings(run_dir)
    changed: dict[str, str] = {}
    for path, (old, new) in identity_differences(there, settings).items():
        field = path.split(".")[0]
        if None in (old, new) and _is_of_parts(getattr(settings, field)):
            path = field  # a part or a setting that only one of them has
            old, new = _parts_text(getattr(there, field)), _parts_text(getattr(settings, field))
        changed[path] = f"{path} is {old!r} there and {new!r} here"
    if changed:
        raise UserError(
            f"run directory {run_dir} holds a run of another config: "
            f"{'; '.join(list(changed.values())[:4])}. Choose another --workdir"
        )


def _is_of_parts(value: object) -> bool:
    return isinstance(value, Part) or (
        isinstance(value, tuple) and all(isinstance(part, Part) for part in value)
    )


def _parts_text(value: Part | tuple[Part, ...]) -> str:
    return parts_text((value,) if isinstance(value, Part) else value)
