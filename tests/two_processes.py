"""One process of a job of two: takes one step of each case and writes the changes of parameters.

python two_processes.py DIRECTORY --coordinator=HOST:PORT --processes=2 --process=I
"""

import sys
from pathlib import Path

import jax
import numpy as np
import parallelism_cases

from gan_jax.distributed import multihost

directory = Path(sys.argv[1])
job_flags = dict(flag.removeprefix("--").split("=") for flag in sys.argv[2:])
with multihost.job(
    job_flags["coordinator"], int(job_flags["processes"]), int(job_flags["process"])
):
    assert (jax.device_count(), jax.local_device_count()) == (4, 2)
    for number, case in enumerate(parallelism_cases.OF_TWO_PROCESSES):
        for name, parallelism in parallelism_cases.MAPPINGS.items():
            moved, metrics = parallelism_cases.gradients(case, parallelism)
            np.savez(directory / f"{number}_{name}_{jax.process_index()}.npz", **moved, **metrics)
