"""A run's metrics, pictures and histograms in Weights & Biases.

A thread of its own writes them, so W&B never stops or slows a run.
"""

import os
import queue
import threading
import urllib.error
import urllib.request
import uuid
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from gan_jax import errors, files
from gan_jax.loggers import json_lines
from gan_jax.loggers.logger import Scalars

PER_STEP = ("discriminator/", "generator/", "scores/", "pace/")
"""Prefixes of the metrics of single steps. All others are results: W&B also keeps their least and
greatest values."""

NOT_RESULTS = ("time", "steps_per_second")

INIT_SECONDS, FINISH_SECONDS = 10, 30
"""How long W&B may take to answer, at the start and at the end of a run. What it has not sent by
then stays on disk."""

_QUEUE_SIZE = 10_000
_RUN_ID_FILE = "wandb_run_id"
_init_lock = (
    threading.Lock()
)  # members of a population start together: `wandb.init` does not allow it


def describe_folders(run_dirs: Sequence[Path], mode: str) -> str:
    """Returns a line that says where W&B's files are, and how to upload what was logged offline.

    Args:
      run_dirs: the run directories that are logged.
      mode: ``"offline"`` or ``"online"``.
    """
    above = run_dirs[0] if len(run_dirs) == 1 else run_dirs[0].parent / "*"
    how = "offline" if mode == "offline" else "online, or offline if it cannot be reached,"
    return (
        f"W&B logs {how} in {above / 'wandb'}; "
        f"`wandb sync {above / 'wandb' / 'offline-run-*'}` uploads what was logged offline"
    )


class WandbLogger:
    """A `Logger` that writes a W&B run. If W&B fails, it warns once, and training goes on without.

    Calls return at once: a thread passes them to W&B in order. A second logger in the same run
    directory continues the same W&B run. Under a W&B agent it continues the agent's run, online.
    """

    def __init__(
        self,
        run_dir: str | os.PathLike[str],
        *,
        config: Mapping[str, Any],
        name: str,
        mode: str,
        project: str,
        group: str,
        tags: Sequence[str],
        best_metric: str = "",
        best_mode: str = "min",
    ) -> None:
        """Starts the thread, which starts the run.

        Args:
          run_dir: the run directory; the files of W&B go to its subdirectory ``wandb``.
          config: the run's settings as W&B shows them, a flat mapping.
          name: the name of the run.
          mode: ``"offline"`` or ``"online"``; online runs are written offline if W&B cannot be
            reached.
          project: the W&B project.
          group: the group of the run; empty for none.
          tags: the tags of the run.
          best_metric: a metric whose best value goes to the summary, as ``best/<name>``, with the
            step as ``best/step``; empty for none.
          best_mode: ``"min"`` or ``"max"``: which values of it are best.
        """
        self._run_dir = Path(run_dir)
        self._mode = mode
        self._init_arguments: dict[str, Any] = {
            "project": project,
            "name": name,
            "group": group or None,
            "tags": list(tags),
            "config": dict(config),
            "dir": str(self._run_dir),
        }
        self._best_metric = best_metric
        self._best_mode = best_mode
        self._run: Any = None
        self._broken = False
        self._defined_metrics: set[str] = set()
        self._calls: queue.Queue[Callable[[], None] | None] = queue.Queue(_QUEUE_SIZE)
        self._thread = threading.Thread(target=self._work, name="wandb", daemon=True)
        self._thread.start()

    def scalars(self, step: int, values: Scalars) -> None:
        """Logs metrics."""
        copied = dict(values)
        self._enqueue(lambda: self._log(step, copied))

    def image(self, step: int, name: str, path: Path) -> None:
        """Logs a picture; the file is read soon, not at once."""
        self._enqueue(lambda: self._log(step, {name: _import_wandb().Image(str(path))}))

    def histograms(self, step: int, values: Mapping[str, np.ndarray]) -> None:
        """Logs the distribution of the finite values of each array, in 64 bins."""
        counts_and_edges = {
            name: np.histogram(array[np.isfinite(array)], 64) for name, array in values.items()
        }

        def log() -> None:
            make = _import_wandb().Histogram
            self._log(
                step, {name: make(np_histogram=pair) for name, pair in counts_and_edges.items()}
            )

        self._enqueue(log)

    def close(self) -> None:
        """Finishes the run, but does not wait longer than W&B's time limits."""
        limit = INIT_SECONDS + FINISH_SECONDS + 20
        try:
            self._calls.put(None, timeout=limit)
            self._thread.join(limit)
        except queue.Full:
            pass
        if self._thread.is_alive():
            print(
                "warning: W&B takes too long to finish; what it has not sent is in "
                f"{self._run_dir / 'wandb'}",
                flush=True,
            )

    def _enqueue(self, call: Callable[[], None]) -> None:
        try:
            self._calls.put_nowait(call)
        except queue.Full:
            pass  # W&B has hung for 10,000 calls; metrics.jsonl has all of them

    def _work(self) -> None:
        """Runs the calls in order, until `close`."""
        self._guard(self._start)
        while (call := self._calls.get()) is not None:
            if not self._broken:
                self._guard(call)
        if self._run is not None:
            self._guard(self._finish)  # after a failure too: what was logged before it is kept

    def _guard(self, call: Callable[[], None]) -> None:
        """Runs a call. The first failure prints a warning, and ends the logging."""
        try:
            call()
        except Exception as error:
            if not self._broken:
                reason = errors.masked(errors.first_line(error))
                print(f"warning: no more W&B logging ({reason})", flush=True)
            self._broken = True

    def _start(self) -> None:
        """Starts the run, online if it should be and can be."""
        wandb = _import_wandb()
        has_agent = "WANDB_SWEEP_ID" in os.environ
        online = has_agent or self._mode == "online"
        run_id = self._run_id(has_agent)
        address = os.environ.get("WANDB_BASE_URL") or wandb.setup().settings.base_url
        arguments = self._init_arguments | {
            "resume": "allow",
            "reinit": "create_new",  # members of a population log side by side
            "settings": _wandb_settings(wandb, address),
        }
        with _init_lock:
            self._run = _init_online(wandb, address, run_id, arguments) if online else None
            if self._run is None:
                self._run = _init_offline(wandb, run_id, arguments)
        # W&B drops rows whose own step goes back, as after a resume. So the step is a metric, and
        # the axis of all others.
        self._run.define_metric("train/step")
        self._run.define_metric("*", step_metric="train/step")

    def _run_id(self, has_agent: bool) -> str:
        """Returns the run id of the agent, or of an earlier logger in the directory, or a new
        one."""
        file = self._run_dir / _RUN_ID_FILE
        run_id = os.environ.get("WANDB_RUN_ID", "") if has_agent else ""
        if not run_id and file.exists():
            run_id = file.read_text(encoding="utf-8", errors="replace").strip()
        run_id = run_id or uuid.uuid4().hex[:8]
        files.write_text(file, run_id + "\n")
        return run_id

    def _log(self, step: int, values: Mapping[str, Any]) -> None:
        scalars = {name for name, value in values.items() if isinstance(value, int | float)}
        for name in sorted(scalars - self._defined_metrics):
            if not name.startswith(PER_STEP) and name not in NOT_RESULTS:
                self._run.define_metric(name, step_metric="train/step", summary="min,max,last")
        self._defined_metrics |= scalars
        self._run.log({"train/step": step} | dict(values))

    def _finish(self) -> None:
        """Adds the best value of all that the run has logged, before a resume too, and ends it."""
        name, metrics_file = self._best_metric, self._run_dir / "metrics.jsonl"
        if name and metrics_file.exists():
            rows = json_lines.read_metrics(metrics_file)
            best = json_lines.find_best(rows, name, maximize=self._best_mode == "max")
            if best is not None:
                step, value = best
                self._run.summary.update({f"best/{name}": value, "best/step": step})
        self._run.finish()


def _init_online(wandb: Any, address: str, run_id: str, arguments: Mapping[str, Any]) -> Any:
    """Starts a run online, or prints a warning and returns None if W&B cannot be reached."""
    try:
        _probe(address)
        return wandb.init(mode="online", id=run_id, **arguments)
    except (wandb.errors.Error, OSError) as error:
        reason = errors.masked(errors.first_line(error))
        print(f"warning: W&B is not reachable ({reason}); logging offline", flush=True)
        return None


def _init_offline(wandb: Any, run_id: str, arguments: Mapping[str, Any]) -> Any:
    try:
        return wandb.init(mode="offline", id=run_id, **arguments)
    except Exception:  # W&B keeps the id of a run that it could not start
        new_id = f"{run_id}-{uuid.uuid4().hex[:4]}"
        return wandb.init(mode="offline", id=new_id, **arguments)


def _wandb_settings(wandb: Any, address: str) -> Any:
    """Returns settings that keep W&B quiet and its waits short."""
    settings: dict[str, Any] = {
        "init_timeout": INIT_SECONDS,
        "finish_timeout": FINISH_SECONDS,
        "silent": True,
        "console": "off",
        "disable_git": True,
        "disable_code": True,
        "base_url": address,
    }
    # Puts rows on disk every second: a kill loses those that are not. Not all versions have it.
    flush_interval = "x_transaction_log_flush_interval"
    if flush_interval in wandb.Settings.model_fields:
        settings[flush_interval] = 1.0
    return wandb.Settings(**settings)


def _probe(address: str) -> None:
    """Raises OSError if W&B's server does not answer at all.

    `wandb.init` would wait longer, and keep the run's id.
    """
    try:
        urllib.request.urlopen(address, timeout=INIT_SECONDS).close()
    except urllib.error.HTTPError:
        pass  # an answer


def _import_wandb() -> Any:
    import wandb  # it takes a second

    return wandb
