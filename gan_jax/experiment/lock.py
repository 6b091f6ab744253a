"""One writer per directory: a lock of the operating system, or a lease where there is none.

`flock` ends with the process, however it ends, but some network file systems do not have it. There
the lock file itself is the lock, a lease: its holder renews it every `RENEWED_SECONDS`, and another
process takes it over after it has watched it for `EXPIRY_SECONDS` in which it was not renewed. No
two clocks are compared. On the holder's own machine it is free as soon as its process is gone.

A process that was suspended for so long may have lost its lease: `confirm` says so before each
write. Between the two calls it can still be suspended; file systems know no remedy for that.
"""

import contextlib
import json
import os
import secrets
import socket
import threading
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from gan_jax import files
from gan_jax.errors import StorageError, UserError

LOCK_FILE = "lock.json"
"""Says who writes the directory; removed at the end."""

RENEWED_SECONDS = 10.0
EXPIRY_SECONDS = 90.0
"""How often a lease is renewed, and how long it lasts without: some missed renewals, and the
seconds for which network file systems may show an old file."""

SETTLING_SECONDS = 2.0
"""Of several processes that take over one lease, the last has it, if it takes less than this."""


@contextlib.contextmanager
def locked(directory: Path, what: str) -> Iterator[None]:
    """Keeps other processes from writing a directory during the ``with`` block.

    Args:
      directory: which exists.
      what: what the directory is, for the error: ``"run directory runs/x"``.

    Raises:
      UserError: another process holds the lock; it is named.
      OSError: the directory cannot be written.
    """
    handle = os.open(directory, os.O_RDONLY)
    lease: _Lease | None = None
    try:
        has_flock = _flock(handle, directory / LOCK_FILE, what)
        expired = _check_holder(directory / LOCK_FILE, what, has_flock)
        lease = _Lease(directory / LOCK_FILE, what, has_flock, expired)
        _held[directory.resolve()] = lease  # replaced by nobody: the lock is held once
        yield
    finally:
        if lease is not None:
            del _held[directory.resolve()]
            lease.end()
        os.close(handle)


def confirm(directory: Path) -> None:
    """Checks that this process may still write a directory that it has locked.

    Raises:
      StorageError: another process has taken over the lease.
    """
    lease = _held.get(directory.resolve())
    if lease is not None:
        lease.confirm()


@dataclass(frozen=True)
class _Holder:
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

    def __str__(self) -> str:
        return f"process {self.pid} on {self.host}, since {self.since}"


class _Lease:
    """A lock file of this process, renewed by a thread unless the system holds a lock as well."""

    def __init__(self, path: Path, what: str, has_flock: bool, takes_over: bool) -> None:
        self._path = path
        self._holder = _this_process(has_flock)
        self._ended = threading.Event()
        self._thread: threading.Thread | None = None
        if has_flock or takes_over:
            files.write_text(path, _text(self._holder, 0))
        else:
            try:
                with open(path, "x", encoding="utf-8") as file:
                    file.write(_text(self._holder, 0))
            except FileExistsError as error:
                raise UserError(_refusal(what, _read(path)[0])) from error
        if has_flock:
            return
        if takes_over:
            time.sleep(SETTLING_SECONDS)
            if not self._is_held():
                raise UserError(_refusal(what, _read(path)[0]))
        # Through this handle only its own file is renewed, never that of a process that took over.
        self._file = os.open(path, os.O_WRONLY)
        self._thread = threading.Thread(target=self._renew, name="lease", daemon=True)
        self._thread.start()

    def confirm(self) -> None:
        if self._holder.flock or self._is_held():
            return
        holder = _read(self._path)[0]
        raise StorageError(
            f"{self._path.parent} was taken over by {holder or 'another process'}: this process, "
            f"{self._holder.pid} on {self._holder.host}, did not renew its lock for too long, and "
            "stops without writing"
        )

    def end(self) -> None:
        """Removes the lock file, unless it is that of another process."""
        if self._thread is not None:
            self._ended.set()
            self._thread.join()
            os.close(self._file)
        if self._is_held():
            with contextlib.suppress(OSError):
                self._path.unlink()

    def _is_held(self) -> bool:
        holder = _read(self._path)[0]
        return holder is not None and holder.token == self._holder.token

    def _renew(self) -> None:
        renewals = 0
        while not self._ended.wait(RENEWED_SECONDS):
            renewals += 1
            with contextlib.suppress(OSError):  # a server that is away comes back, or we expire
                os.pwrite(self._file, _text(self._holder, renewals).encode(), 0)
                os.fsync(self._file)


_held: dict[Path, _Lease] = {}
"""The locks of this process, by directory."""


def _flock(handle: int, lock_file: Path, what: str) -> bool:
    """Takes the system's lock; returns False where there is none. Raises UserError."""
    try:
        import fcntl

        fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError as error:
        raise UserError(_refusal(what, _read(lock_file)[0])) from error
    except (ImportError, OSError):
        return False  # Windows, or a file system without locks
    return True


def _check_holder(path: Path, what: str, has_flock: bool) -> bool:
    """Refuses a lock file whose holder lives; waits if only time can tell. Raises UserError.

    Returns:
      Whether there is a lock file, of a process that is gone.
    """
    holder, content = _read(path)
    if content is None:
        return False
    if has_flock and (holder is None or holder.flock):
        return True  # the system's lock was free, so that process is gone
    if holder is not None and holder.machine == _machine():
        if _lives(holder):
            raise UserError(_refusal(what, holder))
        return True
    if holder is not None and holder.flock:
        raise UserError(
            f"{_refusal(what, holder)}. Its lock cannot be seen from this machine: if the process "
            f"is gone, remove {path}"
        )
    print(
        f"{what} was locked by {holder or 'another process'}: watching for up to "
        f"{EXPIRY_SECONDS:.0f} seconds whether that still renews its lock",
        flush=True,
    )
    deadline = time.monotonic() + EXPIRY_SECONDS
    while time.monotonic() < deadline:
        time.sleep(RENEWED_SECONDS / 10)
        holder, now = _read(path)
        if now is None:
            return False
        if now != content:
            raise UserError(_refusal(what, holder))
    return True


def _refusal(what: str, holder: _Holder | None) -> str:
    by = f"another process ({holder})" if holder else "another process"
    return f"{what} is being written by {by}: wait for it, or end it"


def _read(path: Path) -> tuple[_Holder | None, bytes | None]:
    """Reads a lock file: who holds it, if that can be read; and its bytes, if there is one."""
    try:
        content = path.read_bytes()
    except FileNotFoundError:
        return None, None
    try:
        record: dict[str, Any] = json.loads(content)
        del record["renewals"]
        return _Holder(**record), content
    except (ValueError, TypeError, KeyError):
        return None, content


def _text(holder: _Holder, renewals: int) -> str:
    """The content of a lock file, of the same length for all renewals."""
    return json.dumps(vars(holder) | {"renewals": f"{renewals:012d}"}) + "\n"


def _this_process(has_flock: bool) -> _Holder:
    return _Holder(
        host=socket.gethostname(),
        machine=_machine(),
        pid=os.getpid(),
        began=_began(os.getpid()),
        since=time.strftime("%Y-%m-%d %H:%M:%S"),
        flock=has_flock,
        token=secrets.token_hex(8),
    )


def _machine() -> str:
    """Names the running system, and the container if numbers of processes are its own."""
    try:
        boot = Path("/proc/sys/kernel/random/boot_id").read_text(encoding="utf-8").strip()
        return f"{boot} {os.readlink('/proc/self/ns/pid')}"
    except OSError:
        return f"{socket.gethostname()} of an unknown start"


def _lives(holder: _Holder) -> bool:
    """Returns whether the process of a lock file of this machine is there, and still the same."""
    if holder.began:
        return _began(holder.pid) == holder.began
    try:
        os.kill(holder.pid, 0)
    except ProcessLookupError:
        return False
    except PermissionError:
        pass
    return True


def _began(pid: int) -> str:
    """Returns when a process began, by its system's own clock; empty if it is gone or unknown."""
    try:
        text = Path(f"/proc/{pid}/stat").read_text(encoding="utf-8", errors="replace")
        state, *fields = text.rpartition(")")[2].split()
        return "" if state in "ZX" else fields[18]
    except (OSError, ValueError, IndexError):
        return ""
