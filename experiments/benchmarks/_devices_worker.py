"""Worker process of the case devices: makes a call for each line of standard input."""

import sys

from _sides import serve
from images import training_run

from gan_jax.distributed.cpu import set_up_jax
from gan_jax.experiment.part_text import Part


def main(devices: int, parallelism: str, small: bool) -> None:
    """Serves a DCGAN on so many virtual devices."""
    import jax

    set_up_jax()
    assert jax.device_count() == devices
    batch_size, width, steps = (8, 4, 1) if small else (64, 32, 4)
    parts = {"parallelism": Part(parallelism)}
    serve(training_run("dcgan", 28, batch_size, width, steps, channels=1, **parts))


if __name__ == "__main__":
    main(int(sys.argv[1]), sys.argv[2], bool(int(sys.argv[3])))
