"""The folder of a run: its config, and the metrics that it wrote."""

import contextlib
import os
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from gan_jax import errors
from gan_jax.errors import UserError
from gan_jax.experiment import config as configs
from gan_jax.loggers import json_lines

FREE = ("steps", "parallelism", "accumulation_steps", "log_every", "checkpoint_every", "keep_checkpoints", "sample_every", "num_samples", "evaluate_every",
        "metrics", "best_metric", "best_mode", "wandb", "steps_per_call", "unroll_rematerialise")  # fmt: skip
"""Fields that a resumed run may change: none of them changes the numbers of a step."""


@contextlib.contextmanager
def opened(workdir: Path, config: Mapping[str, Any]) -> Iterator[None]:
    """Makes the workdir of a run, or checks that the one there is of the same run, and keeps other processes out of it.

    Raises UserError, touching nothing, where it is of another run or another process is writing it.
    """
    file = workdir / "config.json"
    with contextlib.ExitStack() as held:
        try:
            new = not workdir.exists() or (workdir.is_dir() and not any(workdir.iterdir()))
            if not new and not workdir.is_dir():
                raise UserError(f"workdir {workdir} is a file, not a folder")
            workdir.mkdir(parents=True, exist_ok=True)
            handle = os.open(workdir, os.O_RDONLY)
            held.callback(os.close, handle)
            _lock(handle, workdir)
            if not new:
                _check_same(workdir, config)
            file.write_text(configs.dumps(config))
        except OSError as error:
            raise UserError(f"workdir {workdir} cannot be used: {error.strerror}") from error
        yield


def _lock(handle: int, workdir: Path) -> None:
    """A lock that ends with the process, however it ends. Raises UserError where another process has it."""
    try:
        import fcntl

        fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError as error:
        raise UserError(
            f"workdir {workdir} is being written by another process: wait for it, or end it"
        ) from error
    except (ImportError, OSError):
        pass  # Windows, or a file system without locks


def _check_same(workdir: Path, config: Mapping[str, Any]) -> None:
    changed = {
        path: values
        for path, values in configs.differences(read_config(workdir), config).items()
        if path.split(".")[0] not in FREE
    }
    if changed:
        shown = "; ".join(
            f"{path} is {old!r} there and {new!r} here"
            for path, (old, new) in list(changed.items())[:4]
        )
        raise UserError(
            f"workdir {workdir} holds a run of another config: {shown}. Choose another --workdir"
        )


def read_config(workdir: Path) -> dict[str, Any]:
    """The config of the run in a workdir, as plain dicts. Raises UserError where there is none."""
    try:
        return configs.loads((workdir / "config.json").read_text())
    except FileNotFoundError as error:
        raise UserError(f"{workdir} is not the workdir of a run: it has no config.json") from error
    except (OSError, ValueError) as error:
        raise UserError(
            f"{workdir / 'config.json'} cannot be read: {errors.first_line(error)}"
        ) from error


def last_metrics(workdir: Path) -> dict[str, float]:
    """The newest value of each metric of the run in ``workdir``."""
    latest: dict[str, float] = {}
    for row in json_lines.read_metrics(workdir / "metrics.jsonl"):
        latest |= {name: value for name, value in row.items() if "protocol" not in row}
    return latest
