"""A trace of some steps of a run, for xprof and Perfetto."""

from collections.abc import Callable
from pathlib import Path

import jax

from gan_jax.loggers.progress import print_line


class StepTrace:
    """Traces the calls after the first one, until they are as many steps as asked for.

    Args:
      folder: where the trace is written.
      steps: how many steps at least, as calls are traced whole; 0: none.
    """

    def __init__(self, folder: Path, steps: int) -> None:
        self.folder, self._left, self._asked = folder, steps, steps
        self._is_running = False

    def begin(self, wait: Callable[[], None]) -> None:
        """Starts before a call if it is time to; ``wait`` waits for the calls before it."""
        if self._left > 0 and not self._is_running:
            wait()
            jax.profiler.start_trace(str(self.folder))
            self._is_running = True

    def end(self, steps: int, wait: Callable[[], None]) -> None:
        """Counts the steps of a call that was started, and ends if they are enough."""
        if self._is_running:
            self._left -= steps
            if self._left <= 0:
                wait()
                self.close()

    def close(self) -> None:
        """Writes the trace, if it is not written yet."""
        if self._is_running:
            jax.profiler.stop_trace()
            self._is_running, traced = False, self._asked - self._left
            self._left = 0
            print_line(f"traced {traced} steps: {self.folder}")
        elif self._left > 0:
            print_line("nothing was traced: the run ended with its first call")
