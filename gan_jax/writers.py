"""Where a run's numbers and pictures go: `metrics.jsonl` and PNGs in the workdir; `wandb_writer.py` has W&B."""

import json
import math
import time
from collections.abc import Mapping, Sequence
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

    Rows of named protocols (`evaluate.py` appends them) are kept apart, one row a protocol, seed and step. A line that a
    crash cut short is skipped.
    """
    rows: dict[tuple, dict[str, Any]] = {}
    for line in Path(path).read_text(encoding="utf-8").splitlines():
        try:
            row = json.loads(line)
            key = (row["step"], row.get("protocol") or "", row.get("seed") or 0)
        except (ValueError, KeyError, TypeError):
            continue
        rows[key] = rows.get(key, {}) | row
    return [rows[key] for key in sorted(rows)]


def best(rows: list[dict[str, Any]], name: str, highest: bool) -> tuple[int, float] | None:
    """The step and the best value of a metric, the first where several are equal; None where it was never finite."""
    found = [(row["step"], row[name]) for row in rows if isinstance(row.get(name), int | float)]
    return (max if highest else min)(found, key=lambda entry: entry[1]) if found else None


class Progress:
    """Prints step, rate, time left and the main metrics of a run, or of the members of a population; or nothing."""

    def __init__(self, steps: int, start: int, quiet: bool = False) -> None:
        self.steps, self._step, self._time, self._quiet = steps, start, time.perf_counter(), quiet

    def restart(self, step: int) -> None:
        """Leaves what came before out of the rate."""
        self._step, self._time = step, time.perf_counter()

    def compiled(self, step: int) -> None:
        """Says how long the first call took, compiling included, and leaves it out of the rate."""
        self._print(f"compiled and ran the first {step - self._step} steps in {time.perf_counter() - self._time:.1f} s")
        self.restart(step)

    def report(self, step: int, metrics: Sequence[Scalars]) -> float:
        """Prints one line for the ``metrics`` of each member and returns the steps per second since the last.

        Of several members it shows the median, and the lowest and highest in brackets.
        """
        now = time.perf_counter()
        rate = (step - self._step) / max(now - self._time, 1e-9)
        pace = f"{rate:.4g} steps/s  {duration((self.steps - step) / rate)} left" if step > self._step else "first call"
        shown = "  ".join(f"{name} {among([one[name] for one in metrics])}" for name in metrics[0])
        width = len(str(self.steps))
        self._print(f"step {step:{width}d}/{self.steps}  {pace}  {shown}")
        self.restart(step)
        return rate


    def _print(self, line: str) -> None:
        if not self._quiet:
            print(line, flush=True)


def among(values: Sequence[float]) -> str:
    """One value as it is; several as ``"median [lowest, highest]"``."""
    if len(values) == 1:
        return short(values[0])
    return f"{short(float(np.median(values)))} [{short(min(values))}, {short(max(values))}]"


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
