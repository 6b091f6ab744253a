"""A watchdog: ends a run that stands still, and says where it did."""

import contextlib
import faulthandler
import os
import sys
import threading
import time
from collections.abc import Callable, Hashable, Iterator
from dataclasses import dataclass
from typing import Any, Self

from gan_jax.distributed import multihost
from gan_jax.loggers.progress import format_duration

EXIT_CODE = 75
"""Of a process that stood still: EX_TEMPFAIL of ``sysexits.h``, which asks to try again."""

FACTOR = 30
"""How many times the longest work of its kind some work may take."""

FLOOR_SECONDS = 300.0
"""How long any work may take: five minutes are short next to a run, and long next to a hiccup."""

TICK_SECONDS = 1.0
"""How often the watching thread looks."""


class RunningClock:
    """Counts the seconds in which this process ran: those of a suspension are left out.

    A thread calls `tick` at intervals of `TICK_SECONDS`. If a tick is late, the process was
    suspended, the machine slept or was too busy for this thread: of such a gap two intervals count.
    """

    def __init__(self, now: Callable[[], float] = time.monotonic) -> None:
        """Starts at 0.

        Args:
          now: a clock that does not go back.
        """
        self._now = now
        self._lock = threading.Lock()
        self._counted, self._last = 0.0, now()

    def tick(self) -> float:
        """Counts the seconds since the last tick, and returns the seconds so far."""
        with self._lock:
            now = self._now()
            self._counted += min(now - self._last, 2 * TICK_SECONDS)
            self._last = now
            return self._counted


@dataclass(frozen=True)
class _Work:
    kinds: tuple[Hashable, ...]
    text: str
    start: float


class Watchdog:
    """Watches the work of one thread, and calls ``on_stall`` if some of it does not end.

    The limit is `FACTOR` times what the longest work of its kind has taken so far in this process,
    and at least `FLOOR_SECONDS`. The first work of each kind, which also compiles its programs, has
    no limit, and is the measure of the second alone. Work that may have to wait for other work gets
    the time of both. Only time in which this process ran counts, see `RunningClock`.

    In a job of several processes each has a watchdog, and those that wait for each other end by
    themselves. If another process is lost, `gan_jax.distributed.multihost` ends this one at once,
    long before its watchdog would; only one of the two speaks.

    Args:
      on_stall: called from the watching thread, with one line that says what stands still. By
        default it ends the process: the line, the stacks of all threads, and `EXIT_CODE`.
    """

    def __init__(self, on_stall: Callable[[str], object] | None = None) -> None:
        self._on_stall = on_stall or _end_process
        self._clock = RunningClock()
        self._longest: dict[Hashable, float] = {}
        self._repeated: set[Hashable] = set()
        self._work: _Work | None = None
        self._closed = threading.Event()

    def __enter__(self) -> Self:
        self._thread = threading.Thread(target=self._look, name="watchdog", daemon=True)
        self._thread.start()
        return self

    def __exit__(self, *_: Any) -> None:
        self._closed.set()
        self._thread.join()

    def now(self) -> float:
        """Returns the seconds in which this process ran since the watchdog was made."""
        return self._clock.tick()

    @contextlib.contextmanager
    def watch(
        self,
        kind: Hashable,
        text: str,
        *,
        since: float | None = None,
        behind: Hashable = None,
        is_whole: bool = True,
    ) -> Iterator[None]:
        """Watches the work of a block.

        Args:
          kind: what work it is comparable with.
          text: what it is, for the message: ``"steps 50 to 100"``.
          since: when the work began, if before the block; see `now`.
          behind: the kind of other work that the block may have to wait for.
          is_whole: whether the work ends with the block; else it is no measure for later work.
        """
        start = self._clock.tick() if since is None else since
        self._work = _Work((kind,) if behind is None else (kind, behind), text, start)
        try:
            yield
        finally:
            self._work = None
        if is_whole:
            self._measure(kind, self._clock.tick() - start)

    def _measure(self, kind: Hashable, seconds: float) -> None:
        if kind in self._repeated:
            seconds = max(seconds, self._longest[kind])
        elif kind in self._longest:
            self._repeated.add(kind)
        self._longest[kind] = seconds

    def _look(self) -> None:
        while not self._closed.wait(TICK_SECONDS):
            now, work = self._clock.tick(), self._work
            if work is None or not all(kind in self._longest for kind in work.kinds):
                continue
            longest = sum(self._longest[kind] for kind in work.kinds)
            seconds = now - work.start
            if seconds > max(FLOOR_SECONDS, FACTOR * longest):
                self._on_stall(
                    f"no progress for {format_duration(seconds)} in {work.text} "
                    f"({longest:.2g} s at most before); "
                    "the same command resumes from the newest checkpoint"
                )
                return


def _end_process(line: str) -> None:
    with multihost.exit_lock:
        print(f"error: {line}. All stacks follow", file=sys.stderr, flush=True)
        faulthandler.dump_traceback(all_threads=True)
        os._exit(EXIT_CODE)  # an ordinary exit would wait for the device
