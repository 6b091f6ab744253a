"""How JAX computes on a CPU: XLA's flags, and the cores of this machine as devices."""

import contextlib
import os
import warnings
from collections.abc import Sequence
from pathlib import Path

FLAGS = (
    "--xla_cpu_experimental_ynn_fusion_type=-LIBRARY_FUSION_TYPE_INDIVIDUAL_CONVOLUTION",
    "--xla_cpu_prefer_vector_width=512",
)
"""What `choose_xla_flags` adds to XLA_FLAGS."""

DEVICE_COUNT_FLAG = "--xla_force_host_platform_device_count"
MULTITHREADING_FLAG = "--xla_cpu_multi_thread_eigen"

_flags_came_too_late = False
_has_warned = False


def set_up_jax(populations: Sequence[int] = ()) -> None:
    """Chooses XLA's faster code on a CPU, and keeps compiled programs on disk for the next start.

    Call it before the first computation. JAX_COMPILATION_CACHE_DIR says where the programs are
    kept.

    Args:
      populations: the sizes of the populations that this process trains, if it trains nothing else.
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
    """Adds flags to XLA_FLAGS that make programs on a CPU faster and steadier.

    Call it before the first computation, when XLA reads them. Convolutions stay with Eigen, as
    YNNPACK runs most large ones on one core (jaxlib 0.10 to 0.12). Loops use vectors of 512 bits if
    the processor has them, which takes a third off the time of random numbers. XLA ends the
    process if it does not know a flag, so versions that were not tried get none. Flags that are set
    already are left.
    """
    global _flags_came_too_late
    if not _knows_flags():
        return
    flags = os.environ.get("XLA_FLAGS", "")
    missing = [flag for flag in FLAGS if flag.split("=")[0] not in flags]
    if missing and _has_computed():
        _flags_came_too_late = True
    os.environ["XLA_FLAGS"] = " ".join([flags, *missing]).strip()


def warn_if_slow() -> None:
    """Warns, once per process, if JAX computes on a CPU without the flags of `choose_xla_flags`.

    Library calls that compute a lot call it; the command lines choose the flags themselves. It is
    silent if XLA_FLAGS was set by hand, as its user has chosen flags, and for versions of XLA for
    which no flags are chosen. It starts JAX's backend.
    """
    global _has_warned
    if _has_warned or not _knows_flags():
        return
    if os.environ.get("XLA_FLAGS") and not _flags_came_too_late:
        return
    import jax

    if jax.default_backend() != "cpu":
        return
    _has_warned = True
    warnings.warn(
        "JAX computes on the CPU without the XLA flags that make its programs faster: "
        "call gan_jax.distributed.cpu.choose_xla_flags() before the first computation",
        stacklevel=3,
    )


def share_cores(populations: Sequence[int]) -> None:
    """Makes each core of a CPU a device, so that members of populations train in parallel.

    A step of a small network has too little work for two cores, which wait for each other: members
    in parallel take half to two thirds of the time. Call it before the first computation; later it
    does nothing. It also does nothing if the number of devices or threads is set already, or if
    half of the cores or more would be idle.

    Args:
      populations: the sizes of all populations that this process trains.
    """
    import jax

    from gan_jax.distributed.population_layout import members_per_device

    available = cores()
    layouts = [members_per_device(size, available) for size in populations]
    busy = all(
        2 * size * devices > available * padded_size
        for size, (devices, padded_size) in zip(populations, layouts, strict=True)
    )
    flags = os.environ.get("XLA_FLAGS", "")
    is_set = (
        int(getattr(jax.config, "jax_num_cpu_devices", 0)) > 0
        or DEVICE_COUNT_FLAG in flags
        or MULTITHREADING_FLAG in flags
    )
    if busy and available > 1 and not is_set and _knows_flags():
        with contextlib.suppress(RuntimeError):  # JAX has computed before
            jax.config.update("jax_num_cpu_devices", max(devices for devices, _ in layouts))
            os.environ["XLA_FLAGS"] = f"{flags} {MULTITHREADING_FLAG}=false".strip()


def cores() -> int:
    """Returns the number of CPU cores that this process may use."""
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1


def _knows_flags() -> bool:
    """Returns whether this version of XLA has the flags; it ends the process at an unknown one."""
    import jaxlib.version

    return bool((0, 10) <= jaxlib.version.__version_info__[:2] <= (0, 12))


def _has_computed() -> bool:
    """Returns whether JAX has started a backend, and so has read XLA_FLAGS."""
    try:
        from jax._src import xla_bridge  # there is no public way to ask without starting one

        return bool(xla_bridge.backends_are_initialized())
    except (ImportError, AttributeError):
        return False
