"""Who holds a lock: what its file says of a process, and whether that process is gone."""

import json
import os
import secrets
import socket
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Self

from gan_jax.errors import UserError

RENEWED_SECONDS = 10.0
EXPIRY_SECONDS = 90.0
"""How often a lease is renewed, and how long it lasts without: some missed renewals, and the
seconds for which network file systems may show an old file."""

SETTLING_SECONDS = 2.0
"""Of several processes that take over one lease, the last has it, if it takes less than this."""


@dataclass(frozen=True)
class Holder:
    """What a lock file says.

    Attributes:
      host: for people.
      machine: tells running systems, and containers in them, from each other.
      pid: of the process.
      began: tells the process from a later one of the same number.
      since: when it took the lock, for people.
      flock: whether it holds a lock of the operating system too.
      token: of this lock.
    """

    host: str
    machine: str
    pid: int
    began: str
    since: str
    flock: bool
    token: str

    @classmethod
    def this_process(cls, has_flock: bool) -> Self:
        """Returns this process as the holder of a new lock."""
        return cls(
            host=socket.gethostname(),
            machine=_machine(),
            pid=os.getpid(),
            began=_began(os.getpid()),
            since=time.strftime("%Y-%m-%d %H:%M:%S"),
            flock=has_flock,
            token=secrets.token_hex(8),
        )

    @classmethod
    def parse(cls, content: bytes | None) -> Self | None:
        """Returns what a lock file says; None if there is none or it cannot be read."""
        try:
            record: dict[str, Any] = json.loads(content or b"")
            del record["renewals"]
            return cls(**record)
        except (ValueError, TypeError, KeyError):
            return None

    def __str__(self) -> str:
        return f"process {self.pid} on {self.host}, since {self.since}"

    def content(self, renewals: int) -> bytes:
        """Returns the content of a lock file, of the same length for all renewals."""
        return (json.dumps(vars(self) | {"renewals": f"{renewals:012d}"}) + "\n").encode()

    def is_here(self) -> bool:
        """Returns whether the process runs, or ran, on this machine."""
        return self.machine == _machine()

    def lives(self) -> bool:
        """Returns whether a process of this machine is there, and still the same."""
        if self.began:
            return _began(self.pid) == self.began
        try:
            os.kill(self.pid, 0)
        except ProcessLookupError:
            return False
        except PermissionError:
            pass
        return True


def refusal(what: str, holder: Holder | None) -> str:
    """Returns the line that says who is writing something."""
    by = f"another process ({holder})" if holder else "another process"
    return f"{what} is being written by {by}: wait for it, or end it"


def check_is_gone(what: str, read: Callable[[], bytes | None]) -> None:
    """Checks that the holder of a lease is gone. If only time can tell, waits `EXPIRY_SECONDS`.

    Args:
      what: what is locked: ``"run directory runs/x"``.
      read: returns the content of the lease as it is now; None if there is none any more.

    Raises:
      UserError: the holder lives; it is named.
    """
    content = read()
    if content is None:
        return
    holder = Holder.parse(content)
    if holder is not None and holder.is_here():
        if holder.lives():
            raise UserError(refusal(what, holder))
        return
    print(
        f"{what} was locked by {holder or 'another process'}: watching for up to "
        f"{EXPIRY_SECONDS:.0f} seconds whether that still renews its lock",
        flush=True,
    )
    deadline = time.monotonic() + EXPIRY_SECONDS
    while time.monotonic() < deadline:
        time.sleep(RENEWED_SECONDS / 10)
        now = read()
        if now is None:
            return
        if now != content:
            raise UserError(refusal(what, Holder.parse(now)))


def _machine() -> str:
    """Names the running system, and the container if numbers of processes are its own."""
    try:
        boot = Path("/proc/sys/kernel/random/boot_id").read_text(encoding="utf-8").strip()
        return f"{boot} {os.readlink('/proc/self/ns/pid')}"
    except OSError:
        return f"{socket.gethostname()} of an unknown start"


def _began(pid: int) -> str:
    """Returns when a process began, by its system's own clock; empty if it is gone or unknown."""
    try:
        text = Path(f"/proc/{pid}/stat").read_text(encoding="utf-8", errors="replace")
        state, *fields = text.rpartition(")")[2].split()
        return "" if state in "ZX" else fields[18]
    except (OSError, ValueError, IndexError):
        return ""
