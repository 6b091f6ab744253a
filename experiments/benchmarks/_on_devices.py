"""A process of the case devices: plays a call for each line that it reads, and writes the seconds it took."""

import sys

from _contestant import answer
from images import ours

from gan_jax.distributed.cpu import set_up_jax


def main(devices: int, mapping: str, small: bool) -> None:
    import jax

    set_up_jax()
    assert jax.device_count() == devices
    size, width, steps = (8, 4, 1) if small else (64, 32, 4)
    answer(ours("dcgan", 28, size, width, steps, channels=1, mapping=mapping))


if __name__ == "__main__":
    main(int(sys.argv[1]), sys.argv[2], bool(int(sys.argv[3])))
