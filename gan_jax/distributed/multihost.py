"""Jobs of several processes, on one host or many: how they start, agree and end.

JAX notices that a process is gone only after seconds without a heartbeat, or not before a
collective has hung, and then aborts with a stack trace. So each process also holds a connection to
process 0: if a process is killed, its connection closes at once, and all others end with one line.
"""

import contextlib
import os
import secrets
import socket
import sys
import threading
from collections.abc import Iterator, Sequence
from typing import Any, NoReturn

import jax
import numpy as np

from gan_jax.errors import UserError, first_line

START_SECONDS, HEARTBEAT_SECONDS = 120, 10
"""How long processes wait for each other at the start, and after how long a silent one is lost."""

TOKEN_SECONDS = 5  # how long process 0 waits for the token of a connection

LOOPBACK = ("127.0.0.1", "localhost")

exit_lock = threading.Lock()
"""Held by the thread that ends this process, so that only one of them says why."""


@contextlib.contextmanager
def job(coordinator: str = "", processes: int = 0, process: int = -1) -> Iterator[None]:
    """Makes this process one of a job. Enter it before JAX computes anything.

    Without arguments JAX finds the job from SLURM, a TPU pod or GKE. If another process is lost,
    this one ends with one line and exit code 1: nothing can be saved then, as a checkpoint needs
    all processes. Start all of them again to resume.

    Args:
      coordinator: ``host:port`` of process 0, the same for all.
      processes: how many there are.
      process: which of them this is, from 0.

    Raises:
      UserError: the arguments are incomplete, JAX cannot find the job, or its processes do not meet
        in time.
    """
    arguments: dict[str, Any] = {}
    if coordinator or processes or process >= 0:
        if not coordinator or processes < 1 or not 0 <= process < processes:
            raise UserError(
                "each process of a job needs --coordinator=HOST:PORT, --processes=N and its own "
                f"--process=I, 0 <= I < N, not {coordinator!r}, {processes} and {process}"
            )
        arguments = {
            "coordinator_address": coordinator,
            "num_processes": processes,
            "process_id": process,
        }
    try:
        jax.distributed.initialize(
            **arguments,
            initialization_timeout=START_SECONDS,
            heartbeat_timeout_seconds=HEARTBEAT_SECONDS,
        )
    except (ValueError, RuntimeError) as error:
        hint = "" if arguments else "; name the job by --coordinator, --processes and --process"
        raise UserError(
            f"the processes of this job do not find each other: {first_line(error)}{hint}"
        ) from error
    connections = _connect(coordinator.rpartition(":")[0])
    try:
        yield
    except (UserError, KeyboardInterrupt):  # all processes raise it alike
        _say_goodbye(connections)
        raise
    _say_goodbye(connections)


def _connect(host: str) -> list[socket.socket]:
    """Connects process 0 with each of the others. A thread watches each connection.

    Args:
      host: of process 0; empty if JAX found the job.

    Returns:
      The connections of this process.
    """
    if jax.process_count() == 1:
        return []
    server = None
    if jax.process_index() == 0:
        server = socket.create_server((host if host in LOOPBACK else "", 0))
    server_host, port, token = _share_address(host, server)
    connections: list[socket.socket] = []
    try:
        if server is not None:
            for connection in _accept(server, token):
                connections.append(connection)
        else:
            connections.append(socket.create_connection((server_host, port), START_SECONDS))
            connections[0].sendall(token.encode())
    except OSError as error:  # a firewall, say: JAX's own heartbeats remain
        print(
            f"warning: process {jax.process_index()} cannot watch the others ({error})",
            file=sys.stderr,
            flush=True,
        )
    for connection in connections:
        connection.settimeout(None)
        threading.Thread(target=_watch, args=(connection,), name="watch", daemon=True).start()
    return connections


def _share_address(host: str, server: socket.socket | None) -> tuple[str, int, str]:
    """Returns host, port and token of process 0's server, which it broadcasts to all processes."""
    from jax.experimental import multihost_utils

    message = ""
    if server is not None:
        # The token tells processes of this job from others that connect to the port.
        port, token = server.getsockname()[1], secrets.token_hex(16)
        message = f"{host or socket.getfqdn()} {port} {token}"
    padded = np.frombuffer(message.encode().ljust(300), np.uint8)
    received = np.asarray(multihost_utils.broadcast_one_to_all(padded), np.uint8)
    server_host, port_text, token = received.tobytes().decode().split()
    return server_host, int(port_text), token


def _accept(server: socket.socket, token: str) -> Iterator[socket.socket]:
    """Yields connections until there is one from each other process. Raises OSError."""
    server.settimeout(START_SECONDS)
    missing = jax.process_count() - 1
    while missing:
        connection = server.accept()[0]
        connection.settimeout(TOKEN_SECONDS)
        received = b""
        with contextlib.suppress(OSError):
            received = connection.recv(len(token), socket.MSG_WAITALL)
        if received == token.encode():
            missing -= 1
            yield connection
    server.close()


def _watch(connection: socket.socket) -> None:
    """Ends this process if the other one closes the connection without saying goodbye."""
    try:
        goodbye = connection.recv(1)
    except OSError:
        goodbye = b""
    if not goodbye:
        exit_on_lost_process("a connection was closed")


def _say_goodbye(connections: Sequence[socket.socket]) -> None:
    """Tells the other processes that this one is done, so that they do not take it for lost."""
    for connection in connections:
        with contextlib.suppress(OSError):
            connection.sendall(b".")


def process_slice(batch_size: int) -> slice:
    """Returns the part of a global batch that this process provides; all of it if it is alone."""
    local_size = batch_size // jax.process_count()
    start = jax.process_index() * local_size
    return slice(start, start + local_size)


def exit_on_lost_process(reason: str) -> NoReturn:
    """Ends this process with one line and exit code 1, because another one is lost.

    Nothing can be saved without the other process, and waiting for it would never end.

    Args:
      reason: how it was noticed.
    """
    exit_lock.acquire()
    print(
        f"error: process {jax.process_index()} of {jax.process_count()} has lost another one "
        f"({reason}); start all of them again to resume from the newest checkpoint",
        file=sys.stderr,
        flush=True,
    )
    os._exit(1)  # an ordinary exit would wait for the other processes


def any_process(flag: bool) -> bool:
    """Returns whether ``flag`` is set in any process. All processes must call it."""
    return bool(highest_of_processes(int(flag)))


def highest_of_processes(value: int) -> int:
    """Returns the highest of the values of all processes. All processes must call it."""
    if jax.process_count() == 1:
        return value
    from jax.experimental import multihost_utils

    return int(np.max(multihost_utils.process_allgather(np.array(value, np.int32))))


def is_main_process() -> bool:
    """Returns whether this is process 0, the one that writes and prints."""
    return jax.process_index() == 0
