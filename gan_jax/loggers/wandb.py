"""A run's numbers, pictures and histograms in W&B, written by a thread of their own: W&B never stops or slows a run."""

import os
import queue
import threading
import urllib.error
import urllib.request
import uuid
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import numpy as np

from gan_jax import errors
from gan_jax.loggers import json_lines

BY_STEP = ("discriminator/", "generator/", "scores/")
"""Metrics of each step. The others are scores: W&B keeps their least and greatest values beside the last."""

INIT_SECONDS, FINISH_SECONDS = 10, 30
"""How long W&B may take to answer, at the start and at the end of a run; what it has not sent by then stays on disk."""

_starting = (
    threading.Lock()
)  # members of a population start together, and `wandb.init` is not made for that


class WandbLogger:
    """A W&B run, offline unless told otherwise. Whatever W&B does wrong is said once, and training goes on without it.

    Calls return at once: a thread hands them to W&B in order. ``name`` and ``settings`` (the config's field ``wandb``:
    mode, project, group, tags) say how the run is filed. A second writer in the same workdir goes on with the same run.
    Under a W&B agent the agent's run is continued, online. ``close`` waits, but not for long.
    """

    def __init__(
        self,
        run_dir: str | Path,
        *,
        config: Mapping[str, Any],
        name: str,
        mode: str,
        project: str,
        group: str,
        tags: tuple,
        best_metric: str = "",
        best_mode: str = "min",
    ) -> None:
        self._workdir, self._config, self._name = Path(run_dir), config, name
        self._settings = {"mode": mode, "project": project, "group": group, "tags": tags}
        self._best_metric, self._best_mode = best_metric, best_mode
        self._run: Any = None
        self._broken = False
        self._defined: set[str] = set()
        self._queue: queue.Queue = queue.Queue(10_000)
        self._thread = threading.Thread(target=self._work, name="wandb", daemon=True)
        self._thread.start()

    def scalars(self, step: int, values: json_lines.Scalars) -> None:
        """Logs numbers of a step."""
        values = dict(values)
        self._put(lambda: self._log(step, values))

    def image(self, step: int, name: str, path: Path) -> None:
        """Logs a picture file; it is read soon, not at once."""
        self._put(lambda: self._log(step, {name: _wandb().Image(str(path))}))

    def histograms(self, step: int, values: Mapping[str, np.ndarray]) -> None:
        """Logs the distribution of each array."""
        counted = {
            name: np.histogram(array[np.isfinite(array)], 64) for name, array in values.items()
        }
        self._put(
            lambda: self._log(
                step,
                {name: _wandb().Histogram(np_histogram=pair) for name, pair in counted.items()},
            )
        )

    def close(self) -> None:
        """Finishes the run, and gives up waiting where W&B takes too long."""
        patience = INIT_SECONDS + FINISH_SECONDS + 20
        try:
            self._queue.put(None, timeout=patience)
            self._thread.join(patience)
        except queue.Full:
            pass
        if self._thread.is_alive():
            print(
                "warning: W&B takes too long to finish; what it has not sent is in the workdir",
                flush=True,
            )

    def _put(self, call: Callable[[], None]) -> None:
        try:
            self._queue.put_nowait(call)
        except queue.Full:
            pass  # W&B has hung for 10,000 calls; metrics.jsonl has them all

    def _work(self) -> None:
        self._guarded(self._start)
        while (call := self._queue.get()) is not None:
            if not self._broken:
                self._guarded(call)
        if self._run is not None:
            self._guarded(self._finish)  # after a failure too: what was logged before is kept

    def _guarded(self, call: Callable[[], None]) -> None:
        try:
            call()
        except Exception as error:
            if not self._broken:
                print(f"warning: no more W&B logging ({errors.first_line(error)})", flush=True)
            self._broken = True

    def _start(self) -> None:
        wandb = _wandb()
        settings, identity = self._settings, self._workdir / "wandb_run_id"
        agent = "WANDB_SWEEP_ID" in os.environ
        run_id = (agent and os.environ.get("WANDB_RUN_ID")) or (
            identity.read_text().strip() if identity.exists() else ""
        )
        address = os.environ.get("WANDB_BASE_URL") or wandb.setup().settings.base_url
        run_id = run_id or uuid.uuid4().hex[:8]
        identity.write_text(run_id + "\n")
        arguments = dict(
            project=settings["project"], name=self._name, group=settings["group"] or None, tags=list(settings["tags"]),
            dir=str(self._workdir), config=dict(self._config), resume="allow",
            reinit="create_new",  # members of a population log side by side
            settings=wandb.Settings(
                init_timeout=INIT_SECONDS, finish_timeout=FINISH_SECONDS, silent=True, console="off", disable_git=True,
                disable_code=True, base_url=address, **_flushing(wandb),
            ),
        )  # fmt: skip
        with _starting:
            if agent or settings["mode"] == "online":
                try:
                    _probe(address)
                    self._run = wandb.init(mode="online", id=run_id, **arguments)
                except (wandb.errors.Error, OSError) as error:
                    print(
                        f"warning: W&B is not reachable ({errors.first_line(error)}); logging offline",
                        flush=True,
                    )
            if self._run is None:
                try:
                    self._run = wandb.init(mode="offline", id=run_id, **arguments)
                except Exception:  # W&B holds on to the id of a run that it could not start
                    self._run = wandb.init(
                        mode="offline", id=f"{run_id}-{uuid.uuid4().hex[:4]}", **arguments
                    )
        # W&B drops rows whose own step goes back, as after a resume: the step is a metric like the others.
        self._run.define_metric("train/step")
        self._run.define_metric("*", step_metric="train/step")

    def _log(self, step: int, values: Mapping[str, Any]) -> None:
        scores = {
            name for name, value in values.items() if isinstance(value, int | float)
        } - self._defined
        for name in sorted(scores):
            if not name.startswith(BY_STEP) and name not in ("time", "steps_per_second"):
                self._run.define_metric(name, step_metric="train/step", summary="min,max,last")
        self._defined |= scores
        self._run.log({"train/step": step} | dict(values))

    def _finish(self) -> None:
        name, highest = self._best_metric, self._best_mode == "max"
        file = self._workdir / "metrics.jsonl"
        if name and file.exists():  # of all that the run has done, before a resume too
            found = json_lines.best(json_lines.read_metrics(file), name, highest)
            if found:
                self._run.summary.update({f"best/{name}": found[1], "best/step": found[0]})
        self._run.finish()


def _flushing(wandb: Any) -> dict[str, float]:
    """The setting that puts rows on disk each second, where W&B has it: a kill loses what was not."""
    name = "x_transaction_log_flush_interval"
    return {name: 1.0} if name in wandb.Settings.model_fields else {}


def _probe(address: str) -> None:
    """Raises OSError where W&B's server does not answer at all: `wandb.init` waits longer, and keeps the run's id."""
    try:
        urllib.request.urlopen(address, timeout=INIT_SECONDS).close()
    except urllib.error.HTTPError:
        pass  # an answer


def _wandb() -> Any:
    import wandb  # late: it takes a second

    return wandb
