"""Jobs of several processes, on one host or many: how they start, agree and end."""

import os
import sys
from typing import Any, NoReturn

import jax
import numpy as np

from gan_jax.errors import UserError

START_SECONDS, HEARTBEAT_SECONDS = 120, 10
"""How long processes wait for each other at the start, and after how long a silent one counts as lost."""


def start(coordinator: str = "", processes: int = 0, process: int = -1) -> None:
    """Joins this process to the job, before JAX computes anything; without arguments JAX finds out from SLURM, a TPU pod, GKE.

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
        given = {"coordinator_address": coordinator, "num_processes": processes, "process_id": process}
    try:
        jax.distributed.initialize(
            **given, initialization_timeout=START_SECONDS, heartbeat_timeout_seconds=HEARTBEAT_SECONDS
        )
    except (ValueError, RuntimeError) as error:
        reason = str(error).strip().splitlines()[0]
        hint = "" if given else "; name the job by --coordinator, --processes and --process"
        raise UserError(f"the processes of this job do not find each other: {reason}{hint}") from error


def own_rows(batch_size: int) -> slice:
    """The rows of a global batch that this process gives; all of them where it is alone."""
    own = batch_size // jax.process_count()
    return slice(jax.process_index() * own, (jax.process_index() + 1) * own)


def lost(error: Exception) -> NoReturn:
    """Ends this process where another is gone: nothing can be saved without it, and waiting for it would never end."""
    reason = str(error).strip().splitlines()[0]
    print(
        f"error: process {jax.process_index()} of {jax.process_count()} lost the others ({reason}); start all of them again "
        "to go on from the newest checkpoint",
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
