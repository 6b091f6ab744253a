"""Signals that ask a run to stop: the first one is noted, so that the run can save itself."""

import contextlib
import os
import signal
import socket
import sys
import threading
import time
from collections.abc import Callable
from types import FrameType
from typing import Any, NoReturn, Self

from gan_jax.experiment.settings import Settings
from gan_jax.loggers.progress import format_number, print_line

STOP_SIGNALS = ("SIGINT", "SIGTERM", "SIGHUP", "SIGUSR1")
"""A terminal's Ctrl-C, a job manager's end, a closed terminal, and SLURM's warning before it."""

INSISTING_SIGNALS = ("SIGINT", "SIGTERM")
"""Those that end the run at once when they come a second time."""

PREEMPTION_SECONDS = 30.0
"""How long SLURM, by default, and many clouds leave a process after a signal."""

REPEAT_SECONDS = 1.0
"""A signal that comes again so soon is the same request: it often goes to a process and to its
group."""


class StoppedBySignal(KeyboardInterrupt):
    """A run has been stopped by a signal, and is saved."""

    def __init__(self, number: int) -> None:
        super().__init__(signal.Signals(number).name)
        self.exit_code = 128 + number
        """What a shell reports for a process that the signal ended."""


class StopRequested(Exception):
    """A signal was noted while something was computed that can be given up."""


class StopSignals:
    """Notes the first of `STOP_SIGNALS` within its context.

    A second SIGINT or SIGTERM ends the process at once, with one line and the exit code of
    `StoppedBySignal`, even if the main thread waits for a device. Signals that were ignored before,
    as by ``nohup``, still are. Outside of the main thread, which cannot handle signals, nothing is
    noted.

    Attributes:
      number: of the first signal; 0 if none has come.
    """

    def __init__(self, quiet: bool = False) -> None:
        """Handles no signal yet.

        Args:
          quiet: whether the first signal is noted without a line.
        """
        self.number = 0
        self._quiet = quiet
        self._handlers: dict[int, Callable[..., Any] | int | None] = {}

    def __enter__(self) -> Self:
        if threading.current_thread() is not threading.main_thread():
            return self
        # Python calls handlers in the main thread, once it leaves the device's code. The numbers of
        # signals arrive at once in this socket, and so in the thread that reads it.
        self._receiver, self._sender = socket.socketpair()
        self._sender.setblocking(False)
        self._wakeup = signal.set_wakeup_fd(self._sender.fileno(), warn_on_full_buffer=False)
        for name in STOP_SIGNALS:
            number = getattr(signal, name, None)  # Windows lacks some
            if number is not None and signal.getsignal(number) is not signal.SIG_IGN:
                self._handlers[number] = signal.signal(number, self._note)
        self._thread = threading.Thread(target=self._read, name="signals", daemon=True)
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        for number, handler in self._handlers.items():
            signal.signal(number, handler)
        if self._handlers:
            signal.set_wakeup_fd(self._wakeup)
            self._sender.close()
            self._thread.join()
            self._receiver.close()
            self._handlers = {}

    def _note(self, number: int, frame: FrameType | None) -> None:
        self.number = self.number or number

    def _read(self) -> None:
        seen, insisted = False, 0.0
        while received := self._receiver.recv(1):
            number, now = received[0], time.monotonic()
            if number not in self._handlers:
                continue
            name = signal.Signals(number).name
            insists = name in INSISTING_SIGNALS
            if insists and insisted and now - insisted > REPEAT_SECONDS:
                _leave(number, name)
            if not seen and not self._quiet:
                remark = "saving as soon as the running call of steps ends"
                _say(f"{name}: {remark}; a second SIGINT or SIGTERM leaves at once, unsaved")
            if insists:
                insisted = insisted or now
            seen = True
            self.number = self.number or number


def _say(line: str) -> None:
    with contextlib.suppress(OSError, ValueError):  # a terminal that was closed
        print(line, file=sys.stderr, flush=True)


def _leave(number: int, name: str) -> NoReturn:
    """Ends the process at once: the main thread may never return from a device's code."""
    _say(f"{name} again: leaving at once, steps since the newest checkpoint are not saved")
    os._exit(128 + number)


def warn_of_long_calls(settings: Settings, seconds: float, preemption_seconds: float) -> None:
    """Prints that a call of steps takes too long for a run to be saved after a signal.

    Args:
      settings: of the run.
      seconds: of the longest call.
      preemption_seconds: how long the process is left after a signal.
    """
    print_line(
        f"warning: a call of steps takes {format_number(seconds)} s, and saving after a signal "
        f"waits for up to two: more than the {preemption_seconds:g} s of --preemption_seconds; "
        f"lower config.steps_per_call, now {settings.steps_per_call}"
    )
