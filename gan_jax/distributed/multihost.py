"""Jobs of several processes, on one host or many: how they start, agree and end.

JAX notices a process that is gone only after seconds without heartbeat, or not before a collective
has hung, and then aborts with a stack trace. So each process also holds a connection to process 0:
when one is killed, its connection closes at once, and all others end with one line.
"""

import contextlib
import os
import secrets
import socket
import sys
import threading
from collections.abc import Iterator
from typing import Any, NoReturn

import jax
import numpy as np

from gan_jax.errors import UserError

START_SECONDS, HEARTBEAT_SECONDS = 120, 10
"""How long processes wait for each other at the start, and after how long a silent one counts as
lost."""

LOOPBACK = ("127.0.0.1", "localhost")


_ending = threading.Lock()  # whoever notices first that another process is gone ends this one


@contextlib.contextmanager
def job(coordinator: str = "", processes: int = 0, process: int = -1) -> Iterator[None]:
    """Within it this process is one of a job; enter it before JAX computes anything.

    Without arguments JAX finds the job out from SLURM, a TPU pod or GKE. When another process is
    lost, this one ends with one line and code 1: nothing can be saved then, as a checkpoint needs
    them all. Start all again to resume.

    Args:
      coordinator: ``host:port`` of process 0, the same for all.
      processes: how many there are.
      process: which this is, from 0.

    Raises UserError where the job cannot be found out, or its processes do not meet in time.
    """
    given: dict[str, Any] = {}
    if coordinator or processes or process >= 0:
        if not coordinator or processes < 1 or not 0 <= process < processes:
            raise UserError(
                "each process of a job needs --coordinator=HOST:PORT, --processes=N and its own --process=I, 0 <= I < N, "
                f"not {coordinator!r}, {processes} and {process}"
            )
        given = {
            "coordinator_address": coordinator,
            "num_processes": processes,
            "process_id": process,
        }
    try:
        jax.distributed.initialize(
            **given,
            initialization_timeout=START_SECONDS,
            heartbeat_timeout_seconds=HEARTBEAT_SECONDS,
        )
    except (ValueError, RuntimeError) as error:
        reason = str(error).strip().splitlines()[0]
        hint = "" if given else "; name the job by --coordinator, --processes and --process"
        raise UserError(
            f"the processes of this job do not find each other: {reason}{hint}"
        ) from error
    others = _connections(coordinator.rpartition(":")[0])
    try:
        yield
    except (UserError, KeyboardInterrupt):  # all processes raise it alike
        _part(others)
        raise
    _part(others)


def _connections(host: str) -> list[socket.socket]:
    """Process 0's connections to all others, or this one's to process 0, each watched by a
    thread."""
    if jax.process_count() == 1:
        return []
    from jax.experimental import multihost_utils

    server = (
        None if jax.process_index() else socket.create_server((host if host in LOOPBACK else "", 0))
    )
    # The token tells a process of this job from whoever else may knock at the port.
    where = (
        f"{host or socket.getfqdn()} {server.getsockname()[1]} {secrets.token_hex(16)}"
        if server
        else ""
    )
    told = np.asarray(
        multihost_utils.broadcast_one_to_all(np.frombuffer(where.encode().ljust(300), np.uint8)),
        np.uint8,
    )
    name, port, token = told.tobytes().decode().split()
    others: list[socket.socket] = []
    try:
        if server:
            server.settimeout(START_SECONDS)
            while len(others) < jax.process_count() - 1:
                other = server.accept()[0]
                other.settimeout(5)
                with contextlib.suppress(OSError):
                    if other.recv(len(token), socket.MSG_WAITALL) == token.encode():
                        others.append(other)
            server.close()
        else:
            others = [socket.create_connection((name, int(port)), START_SECONDS)]
            others[0].sendall(token.encode())
    except OSError as error:  # a firewall, say: JAX's own heartbeats remain
        print(
            f"warning: process {jax.process_index()} cannot watch the others ({error})",
            file=sys.stderr,
            flush=True,
        )
    for other in others:
        other.settimeout(None)
        threading.Thread(target=_watch, args=(other,), name="watch", daemon=True).start()
    return others


def _watch(other: socket.socket) -> None:
    """Ends this process when the other closes the connection without having said that it is
    done."""
    try:
        said = other.recv(1)
    except OSError:
        said = b""
    if not said:
        exit_on_lost_process("a connection was closed")


def _part(others: list[socket.socket]) -> None:
    """Says that this process is done, so that nobody misses it."""
    for other in others:
        with contextlib.suppress(OSError):
            other.sendall(b".")


def process_slice(batch_size: int) -> slice:
    """The rows of a global batch that this process gives; all of them where it is alone."""
    own = batch_size // jax.process_count()
    return slice(jax.process_index() * own, (jax.process_index() + 1) * own)


def exit_on_lost_process(reason: str) -> NoReturn:
    """Ends this process where another is gone: nothing can be saved without it, and waiting for it
    would never end."""
    _ending.acquire()
    print(
        f"error: process {jax.process_index()} of {jax.process_count()} has lost another one ({reason}); start all of them "
        "again to go on from the newest checkpoint",
        file=sys.stderr,
        flush=True,
    )
    os._exit(1)  # an ordinary exit would wait for them too


def any_process(flag: bool) -> bool:
    """Whether ``flag`` is set in any process. All processes must ask."""
    if jax.process_count() == 1:
        return flag
    from jax.experimental import multihost_utils

    return bool(np.any(multihost_utils.process_allgather(np.array(flag))))


def is_main_process() -> bool:
    """Whether this is process 0, the one that writes and prints."""
    return jax.process_index() == 0
