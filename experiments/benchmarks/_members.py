"""A process of the case population: plays a call for each line that it reads, and writes the seconds it took."""

import sys

from _contestant import answer
from population import CONFIG, Members

from gan_jax import config as configs
from gan_jax.command_line import set_up_jax


def main(size: int, batch: int, steps: int) -> None:
    set_up_jax([size])
    answer(Members(configs.load(CONFIG), size, steps, batch_size=batch))


if __name__ == "__main__":
    main(*map(int, sys.argv[1:]))
