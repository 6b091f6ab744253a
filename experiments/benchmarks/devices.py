"""How a step is mapped: jit with shardings beside pmap, float32 beside bfloat16, one device beside more of them.

dcgan nets of configs/fashion_mnist.py on 28x28x1 images and of width 64 on 64x64x3, batch 64: times are those of one image.
Virtual CPU devices share the cores of one: they show what splitting a batch costs, not what more hardware gains.
"""

from collections.abc import Callable, Iterator

import jax
from _contestant import Elsewhere
from images import ours

from gan_jax.benchmarking import Contest

PACKAGES = ("flax", "optax")


def on_virtual_devices(devices: int, mapping: str, small: bool) -> Elsewhere:
    """A process of its own with so many CPU devices."""
    flags = f"--xla_force_host_platform_device_count={devices}"
    # More threads than cores, or collectives over virtual devices can deadlock.
    return Elsewhere(
        "_on_devices.py",
        devices,
        mapping,
        int(small),
        XLA_FLAGS=flags,
        NPROC="32",
        JAX_PLATFORMS="cpu",
    )


def contests(small: bool = False) -> Iterator[Contest]:
    """Mappings and precisions on two sizes of images, and 1, 2 and 4 virtual devices; ``small`` for a quick look."""
    batch = 8 if small else 64
    for side, channels, width, steps in ((28, 1, 32, 4), (64, 3, 64, 1)):
        if small:
            width, steps = 4, 1

        def make(
            side: int = side,
            channels: int = channels,
            width: int = width,
            steps: int = steps,
            **fields: str,
        ) -> Callable:
            return ours("dcgan", side, batch, width, steps, channels, **fields)

        name, images = f"dcgan {side}x{side}, batch {batch}", steps * batch
        plain = make()
        yield Contest(
            f"{name}: sharded", plain, {"pmapped": make(mapping="pmapped")}, steps=images, most=7
        )
        yield Contest(
            f"{name}: bfloat16",
            make(precision="bfloat16"),
            {"float32": plain},
            steps=images,
            most=7,
        )
    if jax.default_backend() != "cpu":
        return
    one = on_virtual_devices(1, "sharded", small)
    try:
        for devices in (2,) if small else (2, 4):
            for mapping in ("sharded",) if small else ("sharded", "pmapped"):
                many = on_virtual_devices(devices, mapping, small)
                name = f"dcgan 28x28, {devices} virtual devices, {mapping}"
                yield Contest(
                    name, many, {"1 device": one}, steps=(1 if small else 4) * batch, most=7
                )
                many.close()
    finally:
        one.close()
