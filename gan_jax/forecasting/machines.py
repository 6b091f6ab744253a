"""Machines that programs can be compiled for, present or described."""

import os
import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from gan_jax.errors import UserError, did_you_mean, first_line

GB = 1e9
LAUNCH_SECONDS = 2.5e-6
"""What starting a kernel takes on a GPU, 2 to 3 microseconds: it bounds small networks."""


@dataclass(frozen=True)
class Chip:
    """The published numbers of one device.

    Attributes:
      title: its name.
      platform: "tpu" or "gpu".
      memory: bytes.
      flops: per second, of bfloat16 matrix products.
      bandwidth: of its memory, bytes per second.
      link: bytes per second to its neighbours.
      launch: seconds that starting a kernel takes.
    """

    title: str
    platform: str
    memory: float
    flops: float
    bandwidth: float
    link: float
    launch: float = 0.0


CHIPS = {
    "v4": Chip("TPU v4", "tpu", 32 * GB, 275e12, 1228 * GB, 300 * GB),
    "v5e": Chip("TPU v5e", "tpu", 16 * GB, 197e12, 819 * GB, 200 * GB),
    "v5p": Chip("TPU v5p", "tpu", 95 * GB, 459e12, 2765 * GB, 600 * GB),
    "v6e": Chip("TPU v6e", "tpu", 32 * GB, 918e12, 1640 * GB, 448 * GB),
    "h100": Chip("NVIDIA H100 SXM", "gpu", 80 * GB, 989e12, 3350 * GB, 450 * GB, LAUNCH_SECONDS),
    "h200": Chip("NVIDIA H200 SXM", "gpu", 141 * GB, 989e12, 4800 * GB, 450 * GB, LAUNCH_SECONDS),
}
"""By the first word of a topology, such as ``v5e:4x4``."""

GPU = """gpu_device_info {{
  threads_per_block_limit: 1024 threads_per_warp: 32 shared_memory_per_block: 49152
  shared_memory_per_core: 233472 threads_per_core_limit: 2048 core_count: 132 fpus_per_core: 128
  block_dim_limit_x: 2147483647 block_dim_limit_y: 65535 block_dim_limit_z: 65535
  memory_bandwidth: {bandwidth:.0f} l2_cache_size: 52428800 clock_rate_ghz: 1.98
  device_memory_size: {memory:.0f} shared_memory_per_block_optin: 232448
  cuda_compute_capability {{ major: 9 minor: 0 }}
  registers_per_core_limit: 65536 registers_per_block_limit: 65536
}}
platform_name: "CUDA"
dnn_version_info {{ major: 9 minor: 8 patch: 0 }}
device_description_str: "{title}"
"""
"""What XLA asks of a GPU that is not there."""


@dataclass(frozen=True)
class Machine:
    """Devices to compile for.

    Attributes:
      name: as it was asked for, such as ``v5e:4x4``.
      devices: JAX's devices, which need not be present.
      platform: "cpu", "gpu" or "tpu".
      memory: bytes of each device; None if unknown.
      chip: the published numbers of a device; None if unknown.
    """

    name: str
    devices: Sequence[Any]
    platform: str
    memory: float | None
    chip: Chip | None


def machine(topology: str = "local") -> Machine:
    """Returns the machine that a text describes.

    Args:
      topology: ``local`` for the devices of this process; ``v5e:4x4`` for a slice of 16 TPU v5e
        chips (also v4, v5p, v6e); ``h100:8`` for 8 GPUs of one host (also h200).

    Raises:
      UserError: there is no such machine, or what compiles for it is not installed.
    """
    if topology == "local":
        return _local()
    name, _, shape = topology.partition(":")
    if name not in CHIPS:
        raise UserError(
            f"--topology={topology!r} names no machine: {did_you_mean(name, [*CHIPS, 'local'])}; "
            "write local, v5e:4x4 or h100:8"
        )
    chip = CHIPS[name]
    is_tpu = chip.platform == "tpu"
    if not re.fullmatch(r"\d+(x\d+){1,2}" if is_tpu else r"\d+", shape):
        right = f"{name}:2x2" if is_tpu else f"{name}:8"
        raise UserError(f"--topology={topology!r} says no number of chips: write such as {right}")
    devices = _tpu(topology) if is_tpu else _gpu(chip, topology, int(shape))
    return Machine(topology, devices, chip.platform, chip.memory, chip)


def _local() -> Machine:
    import jax

    device = jax.devices()[0]
    stats = device.memory_stats() or {}
    memory = stats.get("bytes_limit")
    if memory is None and hasattr(os, "sysconf"):
        memory = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") / len(jax.devices())
    return Machine("local", jax.devices(), jax.default_backend(), memory, None)


def _tpu(topology: str) -> Sequence[Any]:
    os.environ.setdefault("TPU_SKIP_MDS_QUERY", "1")
    os.environ.setdefault("ALLOW_MULTIPLE_LIBTPU_LOAD", "1")  # nothing here touches a chip
    # It would complain that it cannot find out what this host is, which matters to no topology.
    os.environ.setdefault("TPU_WORKER_HOSTNAMES", "localhost")
    os.environ.setdefault("TPU_ACCELERATOR_TYPE", "v5litepod-8")
    return _described(topology, "tpu", platform="tpu", topology_name=topology)


def _gpu(chip: Chip, topology: str, count: int) -> Sequence[Any]:
    described = GPU.format(bandwidth=chip.bandwidth, memory=chip.memory, title=chip.title)
    shape = f"1x{count}x1"
    return _described(
        topology,
        "cuda12",
        platform="cuda",
        topology_name="",
        target_config=described,
        topology=shape,
    )


def _described(name: str, extra: str, **described: Any) -> Sequence[Any]:
    from jax.experimental import topologies

    try:
        devices: Sequence[Any] = topologies.get_topology_desc(**described).devices
    except Exception as error:  # of several types, as plugins are missing or refuse
        raise UserError(
            f"cannot compile for {name}: {first_line(error)}. It needs "
            f"pip install 'gan_jax[{extra}]', and a topology that exists"
        ) from error
    return devices
