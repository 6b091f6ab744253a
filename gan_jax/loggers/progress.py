"""TODO"""

import time
from collections.abc import Mapping, Sequence

import numpy as np

Scalars = Mapping[str, float]


class Progress:
    """Prints step, rate, time left and the main metrics of a run, or of the members of a population; or nothing."""

    def __init__(self, steps: int, start: int, quiet: bool = False) -> None:
        self.steps, self._step, self._time, self._quiet = steps, start, time.perf_counter(), quiet

    def restart(self, step: int) -> None:
        """Leaves what came before out of the rate."""
        self._step, self._time = step, time.perf_counter()

    def compiled(self, step: int) -> None:
        """Says how long the first call took, compiling included, and leaves it out of the rate."""
        self._print(
            f"compiled and ran the first {step - self._step} steps in {time.perf_counter() - self._time:.1f} s"
        )
        self.restart(step)

    def report(self, step: int, metrics: Sequence[Scalars]) -> float:
        """Prints one line for the ``metrics`` of each member and returns the steps per second since the last.

        Of several members it shows the median, and the lowest and highest in brackets.
        """
        now = time.perf_counter()
        rate = (step - self._step) / max(now - self._time, 1e-9)
        pace = (
            f"{rate:.4g} steps/s  {format_duration((self.steps - step) / rate)} left"
            if step > self._step
            else "first call"
        )
        shown = "  ".join(
            f"{name} {format_values([one[name] for one in metrics])}" for name in metrics[0]
        )
        width = len(str(self.steps))
        self._print(f"step {step:{width}d}/{self.steps}  {pace}  {shown}")
        self.restart(step)
        return rate

    def _print(self, line: str) -> None:
        if not self._quiet:
            print(line, flush=True)


def format_values(values: Sequence[float]) -> str:
    """One value as it is; several as ``"median [lowest, highest]"``."""
    if len(values) == 1:
        return format_number(values[0])
    return f"{format_number(float(np.median(values)))} [{format_number(min(values))}, {format_number(max(values))}]"


def format_number(value: float) -> str:
    """A number as progress lines show it: four digits, whole numbers as they are."""
    return f"{value:.0f}" if float(value).is_integer() and abs(value) < 1e6 else f"{value:.4g}"


def format_duration(seconds: float) -> str:
    """``75 -> "1m15s"``."""
    seconds = int(min(seconds, 10**9))
    hours, minutes, seconds = seconds // 3600, seconds // 60 % 60, seconds % 60
    return (
        f"{hours}h{minutes:02d}m"
        if hours
        else f"{minutes}m{seconds:02d}s"
        if minutes
        else f"{seconds}s"
    )
