"""How a step is mapped: jit with shardings beside pmap, float32 beside bfloat16, one device beside more of them.

dcgan nets of configs/fashion_mnist.py on 28x28x1 images and of width 64 on 64x64x3, batch 64: times are those of one image.
Virtual CPU devices share the cores of one: they show what splitting a batch costs, not what more hardware gains.
"""

import json
import os
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import jax
from images import ours

from gan_jax.benchmarking import Contest, Seconds

PACKAGES = ("flax", "optax")
HERE = Path(__file__).resolve().parent


class OnVirtualDevices:
    """A process of its own with so many CPU devices, which plays a call each time it is asked to."""

    def __init__(self, devices: int, mapping: str, small: bool) -> None:
        self.arguments = [str(devices), mapping, str(int(small))]
        self.process: subprocess.Popen | None = None

    def __call__(self) -> Seconds:
        if self.process is None or self.process.poll() is not None:
            flags = f"--xla_force_host_platform_device_count={self.arguments[0]}"
            # More threads than cores, or collectives over virtual devices can deadlock.
            environment = {**os.environ, "XLA_FLAGS": flags, "NPROC": "32", "JAX_PLATFORMS": "cpu"}
            self.process = subprocess.Popen(
                [sys.executable, str(HERE / "_on_devices.py"), *self.arguments],
                env=environment, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True,
            )  # fmt: skip
        assert self.process.stdin is not None and self.process.stdout is not None
        self.process.stdin.write("play\n")
        self.process.stdin.flush()
        answer = self.process.stdout.readline()
        if not answer:
            raise RuntimeError(f"the process with {self.arguments[0]} devices ended: see above")
        return Seconds(json.loads(answer))

    def close(self) -> None:
        if self.process is not None:
            self.process.stdin.close()  # type: ignore[union-attr]
            self.process.wait()
            self.process = None


def contests(small: bool = False) -> Iterator[Contest]:
    """Mappings and precisions on two sizes of images, and 1, 2 and 4 virtual devices; ``small`` for a quick look."""
    batch = 8 if small else 64
    for side, channels, width, steps in ((28, 1, 32, 4), (64, 3, 64, 1)):
        if small:
            width, steps = 4, 1

        def make(side: int = side, channels: int = channels, width: int = width, steps: int = steps, **fields: str) -> Callable:
            return ours("dcgan", side, batch, width, steps, channels, **fields)

        name, images = f"dcgan {side}x{side}, batch {batch}", steps * batch
        plain = make()
        yield Contest(f"{name}: sharded", plain, {"pmapped": make(mapping="pmapped")}, steps=images, most=7)
        yield Contest(f"{name}: bfloat16", make(precision="bfloat16"), {"float32": plain}, steps=images, most=7)
    if jax.default_backend() != "cpu":
        return
    one = OnVirtualDevices(1, "sharded", small)
    try:
        for devices in (2,) if small else (2, 4):
            for mapping in ("sharded",) if small else ("sharded", "pmapped"):
                many = OnVirtualDevices(devices, mapping, small)
                name = f"dcgan 28x28, {devices} virtual devices, {mapping}"
                yield Contest(name, many, {"1 device": one}, steps=(1 if small else 4) * batch, most=7)
                many.close()
    finally:
        one.close()
