"""One process of a job of two: takes the steps of all mapping cases and writes what they moved.

    python process_of_two.py FOLDER --coordinator=HOST:PORT --processes=2 --process=I
"""

import sys
from pathlib import Path

import jax
import mapping_cases
import numpy as np

from gan_jax import processes
from gan_jax.parallel import MAPPINGS

folder = Path(sys.argv[1])
given = dict(flag.removeprefix("--").split("=") for flag in sys.argv[2:])
with processes.job(given["coordinator"], int(given["processes"]), int(given["process"])):
    assert (jax.device_count(), jax.local_device_count()) == (4, 2)
    for number, case in enumerate(mapping_cases.CASES):
        for name, mapping in MAPPINGS.items():
            moved, metrics = mapping_cases.gradients(case, mapping)
            np.savez(folder / f"{number}_{name}_{jax.process_index()}.npz", **moved, **metrics)
