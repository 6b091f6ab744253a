"""One writer per directory: a lock of the operating system, or a lease where there is none.

`flock` ends with the process, however it ends, but some network file systems do not have it. There
the lock file itself is the lock, a lease: its holder renews it every `holders.RENEWED_SECONDS`, and
another process takes it over after it has watched it for `holders.EXPIRY_SECONDS` in which it was
not renewed. No two clocks are compared. On the holder's own machine it is free as soon as its
process is gone.

A process that was suspended for so long may have lost its lease: `confirm` says so before each
write. Between the two calls it can still be suspended; file systems know no remedy for that.
"""

import contextlib
import os
import threading
import time
from collections.abc import Iterator
from pathlib import Path

from gan_jax import files
from gan_jax.errors import StorageError, UserError
from gan_jax.experiment import holders
from gan_jax.experiment.holders import Holder, check_is_gone, refusal

LOCK_FILE = "lock.json"
"""Says who writes the directory; removed at the end."""


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


class _Lease:
    """A lock file of this process, renewed by a thread unless the system holds a lock as well."""

    def __init__(self, path: Path, what: str, has_flock: bool, takes_over: bool) -> None:
        self._path = path
        self._holder = Holder.this_process(has_flock)
        self._ended = threading.Event()
        self._thread: threading.Thread | None = None
        if has_flock or takes_over:
            files.write_bytes(path, self._holder.content(0))
        else:
            try:
                with open(path, "xb") as file:
                    file.write(self._holder.content(0))
            except FileExistsError as error:
                raise UserError(refusal(what, Holder.parse(_read(path)))) from error
        if has_flock:
            return
        if takes_over:
            time.sleep(holders.SETTLING_SECONDS)
            if not self._is_held():
                raise UserError(refusal(what, Holder.parse(_read(path))))
        # Through this handle only its own file is renewed, never that of a process that took over.
        self._file = os.open(path, os.O_WRONLY)
        self._thread = threading.Thread(target=self._renew, name="lease", daemon=True)
        self._thread.start()

    def confirm(self) -> None:
        if self._holder.flock or self._is_held():
            return
        holder = Holder.parse(_read(self._path))
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
        holder = Holder.parse(_read(self._path))
        return holder is not None and holder.token == self._holder.token

    def _renew(self) -> None:
        renewals = 0
        while not self._ended.wait(holders.RENEWED_SECONDS):
            renewals += 1
            with contextlib.suppress(OSError):  # a server that is away comes back, or we expire
                os.pwrite(self._file, self._holder.content(renewals), 0)
                os.fsync(self._file)


_held: dict[Path, _Lease] = {}
"""The locks of this process, by directory."""


def _flock(handle: int, lock_file: Path, what: str) -> bool:
    """Takes the system's lock; returns False where there is none. Raises UserError."""
    try:
        import fcntl

        fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError as error:
        raise UserError(refusal(what, Holder.parse(_read(lock_file)))) from error
    except (ImportError, OSError):
        return False  # Windows, or a file system without locks
    return True


def _check_holder(path: Path, what: str, has_flock: bool) -> bool:
    """Refuses a lock file whose holder lives; waits if only time can tell. Raises UserError.

    Returns:
      Whether there is a lock file, of a process that is gone.
    """
    content = _read(path)
    if content is None:
        return False
    holder = Holder.parse(content)
    if has_flock and (holder is None or holder.flock):
        return True  # the system's lock was free, so that process is gone
    if holder is not None and holder.flock and not holder.is_here():
        raise UserError(
            f"{refusal(what, holder)}. Its lock cannot be seen from this machine: if the process "
            f"is gone, remove {path}"
        )
    check_is_gone(what, lambda: _read(path))
    return path.exists()


def _read(path: Path) -> bytes | None:
    try:
        return path.read_bytes()
    except FileNotFoundError:
        return None
