"""A process of the case population: plays a call for each line that it reads, and writes the seconds it took."""

import sys

from _contestant import answer
from population import CONFIG, Members

from gan_jax.distributed.cpu import set_up_jax
from gan_jax.experiment import config as configs


def main(size: int, batch: int, steps: int) -> None:
    set_up_jax([size])
    answer(Members(configs.load(CONFIG), size, steps, batch_size=batch))


if __name__ == "__main__":
    main(*map(int, sys.argv[1:]))
