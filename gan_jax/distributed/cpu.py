"""How JAX computes on a CPU: XLA's flags, and the cores of this machine as devices."""

import contextlib
import os
from collections.abc import Sequence
from pathlib import Path

FLAGS = (
    "--xla_cpu_experimental_ynn_fusion_type=-LIBRARY_FUSION_TYPE_INDIVIDUAL_CONVOLUTION",
    "--xla_cpu_prefer_vector_width=512",
    "--xla_cpu_collective_call_terminate_timeout_seconds=3600",
)


DEVICES_AND_THREADS = ("--xla_force_host_platform_device_count", "--xla_cpu_multi_thread_eigen")


def set_up_jax(populations: Sequence[int] = ()) -> None:
    """Keeps compiled programs on disk, so that a second start is quick, and chooses XLA's quicker code on a CPU.

    JAX_COMPILATION_CACHE_DIR moves the programs. ``populations``: the sizes of those that this process will train, where it
    trains nothing else.
    """
    import jax

    choose_xla_flags()
    if populations:
        share_cores(populations)
    if "JAX_COMPILATION_CACHE_DIR" not in os.environ:
        home = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache")
        jax.config.update("jax_compilation_cache_dir", str(home / "gan_jax" / "compiled"))
    jax.config.update("jax_persistent_cache_min_compile_time_secs", 0.0)
    jax.config.update("jax_persistent_cache_min_entry_size_bytes", 0)


def choose_xla_flags() -> None:
    """Adds to XLA_FLAGS what makes programs quicker and steadier on a CPU; call it before the first computation.

    Convolutions stay with Eigen: YNNPACK runs most large ones on one core (jaxlib 0.10 to 0.12). Loops use vectors of 512
    bits where the processor has them: random numbers take two thirds of the time. Devices wait for each other for an hour in
    place of 40 seconds, after which XLA ends the process: on a busy machine one core may lag behind the other by so much.
    XLA also ends it where it does not know a flag, so no other version is given any; a flag that is set already is left.
    """
    flags = os.environ.get("XLA_FLAGS", "")
    if _knows_flags():
        own = [flag for flag in FLAGS if flag.split("=")[0] not in flags]
        os.environ["XLA_FLAGS"] = " ".join([flags, *own]).strip()


def share_cores(populations: Sequence[int]) -> None:
    """Makes each core of a CPU a device, over which the members of all populations are spread.

    A step of a small network has too little work for two cores, which wait for each other: members side by side take half to
    two thirds of the time. Call it before the first computation, after which it does nothing; settings that are there already
    are left, and so is everything where half of the cores or more would have nothing to do.
    """
    import jax

    from gan_jax.distributed.mesh import members_per_device

    available = cores()
    taken = [members_per_device(size, available) for size in populations]
    busy = all(
        2 * size * devices > available * padded
        for size, (devices, padded) in zip(populations, taken, strict=True)
    )
    flags = os.environ.get("XLA_FLAGS", "")
    is_set = getattr(jax.config, "jax_num_cpu_devices", 0) > 0 or any(
        name in flags for name in DEVICES_AND_THREADS
    )
    if busy and available > 1 and not is_set and _knows_flags():
        with contextlib.suppress(RuntimeError):  # JAX has computed before
            jax.config.update("jax_num_cpu_devices", max(devices for devices, _ in taken))
            os.environ["XLA_FLAGS"] = f"{flags} {DEVICES_AND_THREADS[1]}=false".strip()


def cores() -> int:
    """How many CPU cores this process may use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def _knows_flags() -> bool:
    """Whether these are flags of this version of XLA, which ends the process where it does not know one."""
    import jaxlib.version

    return (0, 10) <= jaxlib.version.__version_info__[:2] <= (0, 12)
