"""Worker process of the case population: makes a call for each line of standard input."""

import sys

from _sides import PopulationRun, serve
from population import CONFIG

from gan_jax.distributed.cpu import set_up_jax
from gan_jax.experiment.config_files import load_settings


def main(size: int, batch_size: int, steps: int) -> None:
    """Serves a population of ring GANs."""
    set_up_jax([size])
    serve(PopulationRun(load_settings(CONFIG), size, steps, batch_size=batch_size))


if __name__ == "__main__":
    main(*map(int, sys.argv[1:]))
