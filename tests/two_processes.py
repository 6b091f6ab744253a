"""One process of a job of two: takes the steps of all mapping cases and writes what they moved.

python two_processes.py FOLDER --coordinator=HOST:PORT --processes=2 --process=I
"""

import sys
from pathlib import Path

import jax
import numpy as np
import parallelism_cases

from gan_jax.distributed import multihost
from gan_jax.training.data_parallel import PARALLELISM

folder = Path(sys.argv[1])
given = dict(flag.removeprefix("--").split("=") for flag in sys.argv[2:])
with multihost.job(given["coordinator"], int(given["processes"]), int(given["process"])):
    assert (jax.device_count(), jax.local_device_count()) == (4, 2)
    for number, case in enumerate(parallelism_cases.CASES):
        for name, mapping in PARALLELISM.items():
            moved, metrics = parallelism_cases.gradients(case, mapping)
            np.savez(folder / f"{number}_{name}_{jax.process_index()}.npz", **moved, **metrics)
