"""Where a run's numbers and pictures go: `metrics.jsonl` and PNGs in the workdir always, W&B when asked."""

import json
import math
import time
import uuid
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np

Scalars = Mapping[str, float]


class JsonLines:
    """Appends one JSON object a call to ``path``, flushed: a killed run loses nothing that was written."""

    def __init__(self, path: str | Path) -> None:
        self.path = Path(path)
        text = self.path.read_bytes() if self.path.exists() else b""
        self._file = open(self.path, "a", encoding="utf-8")  # noqa: SIM115 - it lives as long as the run
        if text and not text.endswith(b"\n"):
            self._file.write("\n")  # a kill in the middle of a line must not spoil the next one

    def scalars(self, step: int, values: Scalars) -> None:
        self._file.write(json.dumps({"step": step} | {name: _number(value) for name, value in values.items()}) + "\n")
        self._file.flush()

    def image(self, step: int, name: str, path: Path) -> None:
        """Pictures are in the workdir already."""

    def histograms(self, step: int, values: Mapping[str, np.ndarray]) -> None:
        """The scores of single samples are no metrics; the workdir keeps their means."""

    def close(self) -> None:
        self._file.close()


def _number(value: Any) -> float | int | str | None:
    """JSON has no NaN and no infinity: they become null."""
    if isinstance(value, str | None):
        return value
    number = value if isinstance(value, int) else float(value)
    return number if math.isfinite(number) else None


def read_metrics(path: str | Path) -> list[dict[str, Any]]:
    """The rows of a `metrics.jsonl` by step; of a step that was run again after a crash, the later values.

    Rows of named protocols (`evaluate.py` appends them) are kept apart, one row a protocol and step. A line that a crash
    cut short is skipped.
    """
    rows: dict[tuple, dict[str, Any]] = {}
    for line in Path(path).read_text(encoding="utf-8").splitlines():
        try:
            row = json.loads(line)
            key = (row["step"], row.get("protocol"))
        except (ValueError, KeyError, TypeError):
            continue
        rows[key] = rows.get(key, {}) | row
    return [rows[key] for key in sorted(rows, key=lambda key: (key[0], key[1] or ""))]


def best(rows: list[dict[str, Any]], name: str, highest: bool) -> tuple[int, float] | None:
    """The step and the best value of a metric, the first where several are equal; None where it was never finite."""
    found = [(row["step"], row[name]) for row in rows if isinstance(row.get(name), int | float)]
    return (max if highest else min)(found, key=lambda entry: entry[1]) if found else None


class WandB:
    """A W&B run, offline unless told otherwise. Whatever W&B does wrong is said once, and training goes on without it."""

    def __init__(self, workdir: str | Path, config: Mapping[str, Any], name: str, settings: Mapping[str, Any]) -> None:
        self._run: Any = None
        try:
            import wandb

            identity = Path(workdir) / "wandb_run_id"
            run_id = identity.read_text().strip() if identity.exists() else uuid.uuid4().hex[:8]
            arguments = dict(
                project=settings["project"], name=name, group=settings["group"] or None, tags=list(settings["tags"]),
                dir=str(workdir), config=dict(config), id=run_id, resume="allow",
                settings=wandb.Settings(init_timeout=10, silent=True, console="off"),
            )
            try:
                self._run = wandb.init(mode=settings["mode"], **arguments)
            except wandb.errors.Error as error:
                print(f"warning: W&B is not reachable ({_line(error)}); logging offline", flush=True)
                self._run = wandb.init(mode="offline", **arguments)
            identity.write_text(self._run.id + "\n")
            # W&B drops rows whose own step goes back, as after a resume: the step is a metric like the others.
            self._run.define_metric("train/step")
            self._run.define_metric("*", step_metric="train/step")
        except Exception as error:
            self._stop(error)

    def scalars(self, step: int, values: Scalars) -> None:
        self._log(step, dict(values))

    def image(self, step: int, name: str, path: Path) -> None:
        def picture() -> dict[str, Any]:
            import wandb

            return {name: wandb.Image(str(path))}

        self._log(step, picture)

    def _log(self, step: int, values: Any) -> None:
        if self._run is None:
            return
        try:
            self._run.log({"train/step": step} | (values() if callable(values) else values))
        except Exception as error:
            self._stop(error)

    def _stop(self, error: Exception) -> None:
        print(f"warning: no more W&B logging ({_line(error)})", flush=True)
        self._run = None

    def close(self) -> None:
        if self._run is not None:
            try:
                self._run.finish()
            except Exception as error:
                self._stop(error)


def _line(error: Exception) -> str:
    return (str(error).strip() or type(error).__name__).splitlines()[0]


class Progress:
    """Prints step, rate, time left and the main metrics of a run."""

    def __init__(self, steps: int, start: int) -> None:
        self.steps, self._step, self._time = steps, start, time.perf_counter()

    def restart(self, step: int) -> None:
        """Leaves what came before out of the rate."""
        self._step, self._time = step, time.perf_counter()

    def compiled(self, step: int) -> None:
        """Says how long the first call took, compiling included, and leaves it out of the rate."""
        print(f"compiled and ran the first {step - self._step} steps in {time.perf_counter() - self._time:.1f} s", flush=True)
        self.restart(step)

    def report(self, step: int, metrics: Scalars) -> float:
        """Prints one line and returns the steps per second since the last."""
        now = time.perf_counter()
        rate = (step - self._step) / max(now - self._time, 1e-9)
        pace = f"{rate:.4g} steps/s  {duration((self.steps - step) / rate)} left" if step > self._step else "first call"
        shown = "  ".join(f"{name} {short(value)}" for name, value in metrics.items())
        width = len(str(self.steps))
        print(f"step {step:{width}d}/{self.steps}  {pace}  {shown}", flush=True)
        self.restart(step)
        return rate


def short(value: float) -> str:
    """A number as progress lines show it: four digits, whole numbers as they are."""
    return f"{value:.0f}" if float(value).is_integer() and abs(value) < 1e6 else f"{value:.4g}"


def duration(seconds: float) -> str:
    """``75 -> "1m15s"``."""
    seconds = int(min(seconds, 10**9))
    hours, minutes, seconds = seconds // 3600, seconds // 60 % 60, seconds % 60
    return f"{hours}h{minutes:02d}m" if hours else f"{minutes}m{seconds:02d}s" if minutes else f"{seconds}s"


def mean_of(history: list[Mapping[str, np.ndarray]]) -> dict[str, float]:
    """Means over all steps of the metrics of several calls, each ``[steps]``."""
    names = history[0] if history else ()
    return {name: float(np.mean(np.concatenate([np.ravel(call[name]) for call in history]))) for name in names}
