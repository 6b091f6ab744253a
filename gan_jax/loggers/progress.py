"""Lines that show the progress of a run in the terminal."""

import contextlib
import math
import time
from collections.abc import Sequence

import numpy as np

from gan_jax.loggers.bars import Bar
from gan_jax.loggers.logger import Scalars

UNDEFINED = "undefined"
"""What is shown of a number that does not exist, such as a mean over no samples."""


def print_line(line: str) -> None:
    """Prints a line at once, or nothing if it cannot be written: a terminal may be closed."""
    with contextlib.suppress(OSError):
        print(line, flush=True)


class Progress:
    """Prints step, rate, time left and the main metrics of a run, or of a population.

    A terminal also shows a bar, until `close`.
    """

    def __init__(self, steps: int, start: int, quiet: bool = False) -> None:
        """Starts the clock.

        Args:
          steps: the total number of steps of the run.
          start: the step from which it starts or resumes.
          quiet: whether to print nothing.
        """
        self.steps = steps
        self._quiet = quiet
        self._step = start
        self._time = time.perf_counter()
        self._bar = Bar("compiling", steps, quiet)

    def show(self, step: int, doing: str = "training") -> None:
        """Shows in the bar how many steps are done, and what is being done."""
        self._bar.update(doing, step)

    def close(self) -> None:
        """Removes the bar."""
        self._bar.close()

    def restart(self, step: int) -> None:
        """Starts the clock again at a step: what came before does not count in the next rate."""
        self._step = step
        self._time = time.perf_counter()

    def report_first_call(self, step: int) -> None:
        """Prints how long the first call took, including compilation, and restarts the clock.

        Args:
          step: the number of steps after the call.
        """
        steps, seconds = step - self._step, time.perf_counter() - self._time
        self._print(f"compiled and ran the first {steps} steps in {seconds:.1f} s")
        self.restart(step)

    def report(self, step: int, metrics: Sequence[Scalars], remark: str = "") -> float:
        """Prints one line, and restarts the clock.

        Args:
          step: the number of steps done.
          metrics: those of the run, or of each member of a population, all of the same names.
            Of several members it shows the median, and the lowest and highest in brackets. If
            there are none, nothing is printed.
          remark: what else there is to say, such as how time is spent.

        Returns:
          The steps per second since the last report.
        """
        steps, seconds = step - self._step, time.perf_counter() - self._time
        rate = steps / max(seconds, 1e-9)
        if steps > 0:
            time_left = format_duration((self.steps - step) / rate)
            pace = f"{rate:.4g} steps/s  {time_left} left"
        else:
            pace = "first call"
        if metrics:
            shown = "  ".join(
                f"{name} {format_values([member[name] for member in metrics])}"
                for name in metrics[0]
            )
            if len(metrics) > 1:
                shown = f"median [lowest, highest] of {len(metrics)}:  {shown}"
            width = len(str(self.steps))
            told = "  ".join(filter(None, (pace, shown, remark)))
            self._print(f"step {step:{width}d}/{self.steps}  {told}")
        self.restart(step)
        return rate

    def _print(self, line: str) -> None:
        if not self._quiet:
            print_line(line)


def format_values(values: Sequence[float]) -> str:
    """Formats one value as it is, and several as ``"median [lowest, highest]"``.

    Undefined values are left out, and those that are left are counted.
    """
    if len(values) == 1:
        return format_number(values[0])
    defined = [value for value in values if not math.isnan(value)]
    if not defined:
        return UNDEFINED
    median, lowest, highest = (
        format_number(value) for value in (float(np.median(defined)), min(defined), max(defined))
    )
    remark = "" if len(defined) == len(values) else f" ({len(defined)} defined)"
    return f"{median} [{lowest}, {highest}]{remark}"


def format_number(value: float) -> str:
    """Formats a number with four digits; whole numbers below a million in full, NaN in words."""
    if math.isnan(value):
        return UNDEFINED
    if float(value).is_integer() and abs(value) < 1e6:
        return f"{value:.0f}"
    return f"{value:.4g}"


def format_duration(seconds: float) -> str:
    """Formats a duration: ``75`` as ``"1m15s"``."""
    seconds = int(min(seconds, 10**9))
    hours, minutes, seconds = seconds // 3600, seconds // 60 % 60, seconds % 60
    if hours:
        return f"{hours}h{minutes:02d}m"
    if minutes:
        return f"{minutes}m{seconds:02d}s"
    return f"{seconds}s"
