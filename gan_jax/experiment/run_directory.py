"""The directory of a run: its settings, its metrics, whether it has ended, and who may write it."""

import contextlib
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Literal

import numpy as np

from gan_jax import files
from gan_jax.errors import UserError, first_line
from gan_jax.experiment import checkpoint_files, lock
from gan_jax.experiment.config_files import extend_python_path
from gan_jax.experiment.differences import describe_identity_differences
from gan_jax.experiment.settings import Settings, dumps, loads
from gan_jax.loggers import json_lines

CONFIG, METRICS, CHECKPOINTS, SAMPLES = "config.json", "metrics.jsonl", "checkpoints", "samples"
"""What a run directory holds."""

PROFILE = "profile"
"""The folder of traces, see `step_trace`."""

LOSSES = "losses.png"
"""The picture of a run's losses, drawn anew with each sample grid."""

DIVERGED = "diverged"
"""The file that says why a run cannot go on: its numbers are no longer finite."""

STOPPED = "stopped.json"
"""The file that says why a run has ended before its last step: see `row_watch`."""

POSTPONED = "postponed"
"""The file with the step whose evaluation was left out when a signal stopped the run there."""


@contextlib.contextmanager
def opened(run_dir: Path, settings: Settings) -> Iterator[None]:
    """Makes the directory of a run, or checks that it is that of the same run, and locks it.

    What killed processes have left half written is removed.

    Raises:
      UserError: the directory holds another run, or another process is writing it. Nothing is
        touched then.
    """
    with contextlib.ExitStack() as held:
        try:
            _check_directory(run_dir, settings)
            files.make_directory(run_dir)
            held.enter_context(lock.locked(run_dir, f"run directory {run_dir}"))
            is_new = _check_directory(run_dir, settings)  # what another process wrote meanwhile
            files.remove_temporary_files(run_dir)
            files.remove_temporary_files(run_dir / SAMPLES)
            checkpoint_files.remove_temporary(run_dir / CHECKPOINTS)
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
    files.check_local(run_dir)
    file = Path(run_dir) / CONFIG
    try:
        settings = loads(file.read_text(encoding="utf-8-sig"))  # some editors add a BOM
    except FileNotFoundError as error:
        raise UserError(f"{run_dir} is not the directory of a run: it has no {CONFIG}") from error
    except (OSError, ValueError, RecursionError) as error:
        saved = checkpoint_files.saved_steps(Path(run_dir) / CHECKPOINTS)
        copy = Path(run_dir) / CHECKPOINTS / str(saved[-1] if saved else 0) / "record" / "metadata"
        remark = f" ({copy} holds the config of that checkpoint)" if copy.is_file() else ""
        raise UserError(f"{file} cannot be read: {first_line(error)}{remark}") from error
    extend_python_path(settings)
    return settings


def last_metrics(run_dir: str | Path) -> dict[str, float]:
    """Returns the newest value of each metric of a run; scores of `evaluate.py` are left out."""
    latest: dict[str, float] = {}
    for row in json_lines.read_metrics(Path(run_dir) / METRICS):
        if "protocol" not in row:
            latest |= json_lines.metrics_in(row)
    return latest


def has_ended(run_dir: str | Path, steps: int) -> Literal["finished", "diverged"] | None:
    """Returns how a run of so many steps has ended; None if it has not."""
    if (Path(run_dir) / DIVERGED).exists():
        return "diverged"
    if (Path(run_dir) / POSTPONED).exists():
        return None
    if (Path(run_dir) / STOPPED).exists():
        return "finished"
    # The checkpoint is the last thing that a run writes. A damaged one is trained again.
    checkpoints = Path(run_dir) / CHECKPOINTS
    last = [step for step in checkpoint_files.saved_steps(checkpoints) if step >= steps]
    whole = any(checkpoint_files.is_whole(checkpoints / str(step)) for step in last)
    return "finished" if whole else None


def samples_over_training(run_dir: str | Path) -> list[tuple[int, np.ndarray]]:
    """Returns the samples ``[n, 2]`` that a run on points has saved, with their steps, in order."""
    paths = sorted((Path(run_dir) / SAMPLES).glob("step_*.npy"))
    return [(int(path.stem.removeprefix("step_")), np.load(path)) for path in paths]


def pictures_over_training(run_dir: str | Path) -> list[tuple[int, Path]]:
    """Returns the pictures of samples that a run has drawn, with their steps, in order."""
    try:
        entries = [path for path in (Path(run_dir) / SAMPLES).iterdir() if path.is_file()]
    except OSError:
        return []
    return sorted(
        (int(match[1]), path)
        for path in entries
        if not path.is_symlink()
        and (match := re.fullmatch(r"step_(\d{1,12})\.png", path.name, re.ASCII))
    )


def divergence(run_dir: Path) -> str:
    """Returns why a run has diverged; empty if it has not."""
    file = run_dir / DIVERGED
    return file.read_text(encoding="utf-8").strip() if file.exists() else ""


def postponed(run_dir: Path) -> int | None:
    """Returns the step whose evaluation and picture are still to be made; None if there is none."""
    file = run_dir / POSTPONED
    text = file.read_text(encoding="utf-8", errors="replace").strip() if file.exists() else ""
    return int(text) if text.isdecimal() else None


def _check_directory(run_dir: Path, settings: Settings) -> bool:
    """Returns whether a directory has no run yet. Raises UserError if it holds something else."""
    if run_dir.exists() and not run_dir.is_dir():
        raise UserError(f"run directory {run_dir} is a file, not a directory")
    if not run_dir.exists() or all(path.name == lock.LOCK_FILE for path in run_dir.iterdir()):
        return True
    changed = describe_identity_differences(read_settings(run_dir), settings)
    if changed:
        raise UserError(
            f"run directory {run_dir} holds a run of another config: {changed}. "
            "Choose another --workdir"
        )
    return False
