"""Parallelism and precision: jit next to pmap, bfloat16 next to float32, many devices next to one.

DCGANs of configs/fashion_mnist.py on 28x28x1 images, and of width 64 on 64x64x3 images, batch 64;
times are per image. Virtual CPU devices share the cores of one CPU: they show what splitting a
batch costs, not what more hardware gains.
"""

from collections.abc import Iterator

import jax
from _sides import WorkerProcess
from images import training_run

from gan_jax.benchmarking import Comparison
from gan_jax.experiment.part_text import Part

PACKAGES = ("flax", "optax")


def on_virtual_devices(devices: int, parallelism: str, small: bool) -> WorkerProcess:
    """Returns a call of a DCGAN in a process with so many CPU devices."""
    return WorkerProcess(
        "_devices_worker.py",
        devices,
        parallelism,
        int(small),
        XLA_FLAGS=f"--xla_force_host_platform_device_count={devices}",
        NPROC="32",  # with fewer threads, collectives over virtual devices can deadlock
        JAX_PLATFORMS="cpu",
    )


def comparisons(small: bool = False) -> Iterator[Comparison]:
    """Yields parallelism, precision and virtual devices; ``small`` for a quick look."""
    batch_size = 8 if small else 64
    for side, channels, width, steps in ((28, 1, 32, 4), (64, 3, 64, 1)):
        if small:
            width, steps = 4, 1
        sizes = ("dcgan", side, batch_size, width, steps, channels)
        name, images = f"dcgan {side}x{side}, batch {batch_size}", steps * batch_size
        default = training_run(*sizes)
        yield Comparison(
            f"{name}: sharded",
            ours=default,
            peers={"pmapped": training_run(*sizes, parallelism=Part("pmapped"))},
            steps=images,
            max_rounds=7,
        )
        yield Comparison(
            f"{name}: bfloat16",
            ours=training_run(*sizes, precision="bfloat16"),
            peers={"float32": default},
            steps=images,
            max_rounds=7,
        )
    if jax.default_backend() == "cpu":
        yield from virtual_devices(small, batch_size)


def virtual_devices(small: bool, batch_size: int) -> Iterator[Comparison]:
    """Yields 2 and 4 virtual devices next to one."""
    one_device = on_virtual_devices(1, "sharded", small)
    try:
        for devices in (2,) if small else (2, 4):
            for parallelism in ("sharded",) if small else ("sharded", "pmapped"):
                several_devices = on_virtual_devices(devices, parallelism, small)
                yield Comparison(
                    f"dcgan 28x28, {devices} virtual devices, {parallelism}",
                    ours=several_devices,
                    peers={"1 device": one_device},
                    steps=(1 if small else 4) * batch_size,
                    max_rounds=7,
                )
                several_devices.close()
    finally:
        one_device.close()
