"""How much memory there is, so that what cannot fit is refused before it is computed."""

import contextlib
from pathlib import Path

from gan_jax.errors import UserError

MEMORY_INFO = Path("/proc/meminfo")
CGROUP = Path("/sys/fs/cgroup")


def available_memory() -> int | None:
    """Returns the bytes of memory that this process can still take; None if it is not known.

    That is the less of what the machine has available and what the process's cgroup (a container,
    a SLURM job) leaves.
    """
    limits = []
    with contextlib.suppress(OSError, ValueError, IndexError):
        for line in MEMORY_INFO.read_text().splitlines():
            if line.startswith("MemAvailable:"):
                limits.append(1024 * int(line.split()[1]))
    with contextlib.suppress(OSError, ValueError):
        limit = int((CGROUP / "memory.max").read_text())  # "max" if there is none
        limits.append(limit - int((CGROUP / "memory.current").read_text()))
    return min(limits) if limits else None


def check_memory(what: str, size: int, remedy: str) -> None:
    """Refuses what takes more memory than there is.

    Args:
      what: for the message.
      size: in bytes.
      remedy: for the message: what would be right.

    Raises:
      UserError: less than ``size`` is available.
    """
    available = available_memory()
    if available is not None and size > available:
        raise UserError(
            f"{what} would take {size / 1e9:.1f} GB of memory, but only "
            f"{max(available, 0) / 1e9:.1f} GB is available: {remedy}"
        )
