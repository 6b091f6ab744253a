"""One writer per run in an object store: a lease, as in `lock`, that is an object."""

import contextlib
import threading
import time
from collections.abc import Iterator

from gan_jax.buckets import Bucket
from gan_jax.errors import StorageError, UserError
from gan_jax.experiment import holders
from gan_jax.experiment.holders import Holder, check_is_gone, refusal

LEASE = "lease.json"
"""The object that says who writes the run; removed at the end."""


@contextlib.contextmanager
def leased(bucket: Bucket) -> Iterator["Lease"]:
    """Keeps other processes from writing a run in an object store during the ``with`` block.

    Raises:
      UserError: another process holds the lease; it is named.
      OSError: the store cannot be reached.
    """
    lease = Lease(bucket)
    try:
        yield lease
    finally:
        lease.end()


class Lease:
    """The lease of this process, renewed by a thread.

    Of several processes that want it at once, one creates the object. One whose holder is gone is
    removed and created again, and whoever finds it unchanged after some seconds has it.
    """

    def __init__(self, bucket: Bucket) -> None:
        """Takes the lease. Raises UserError or OSError, see `leased`."""
        self._bucket = bucket
        self._holder = Holder.this_process(has_flock=False)
        self._ended = threading.Event()
        check_is_gone(bucket.url, self._read)
        takes_over = self._read() is not None
        if takes_over:
            bucket.remove([LEASE])
        if not bucket.create(LEASE, self._holder.content(0)):
            raise UserError(refusal(bucket.url, Holder.parse(self._read())))
        if takes_over:
            time.sleep(holders.SETTLING_SECONDS)
            if not self.is_held():
                raise UserError(refusal(bucket.url, Holder.parse(self._read())))
        self._thread = threading.Thread(target=self._renew, name="lease", daemon=True)
        self._thread.start()

    def is_held(self) -> bool:
        """Returns whether the lease is still that of this process. Raises OSError."""
        holder = Holder.parse(self._read())
        return holder is not None and holder.token == self._holder.token

    def confirm(self) -> None:
        """Checks that this process may still write.

        Raises:
          StorageError: another process has taken over the lease.
          OSError: the store cannot be reached.
        """
        if not self.is_held():
            holder = Holder.parse(self._read())
            raise StorageError(
                f"{self._bucket.url} was taken over by {holder or 'another process'}: this "
                f"process, {self._holder.pid} on {self._holder.host}, did not renew its lease for "
                "too long, and stops without writing there"
            )

    def end(self) -> None:
        """Removes the lease, unless it is that of another process."""
        self._ended.set()
        self._thread.join()
        with contextlib.suppress(OSError):
            if self.is_held():
                self._bucket.remove([LEASE])

    def _read(self) -> bytes | None:
        return self._bucket.read(LEASE)

    def _renew(self) -> None:
        renewals = 0
        while not self._ended.wait(holders.RENEWED_SECONDS):
            renewals += 1
            with contextlib.suppress(OSError):  # a store that is away comes back, or we expire
                if self.is_held():
                    self._bucket.write(LEASE, self._holder.content(renewals))
