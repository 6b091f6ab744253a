"""For all tests: four virtual devices, a cache of compiled programs, strict rank promotion."""

import fcntl
import os
import tempfile
from collections.abc import Iterator
from pathlib import Path

# Before JAX starts. Most programs of tests run once or twice: XLA optimizes them as ever, but makes
# their machine code quickly, which saves 30% of the time. XLA_FLAGS of one's own come first.
os.environ.setdefault(
    "XLA_FLAGS",
    "--xla_force_host_platform_device_count=4 "
    "--xla_backend_optimization_level=0 --xla_llvm_disable_expensive_passes=true",
)
# Collectives over virtual devices can deadlock without enough threads.
os.environ.setdefault("NPROC", "32")
os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")  # each test process has one core
os.environ.setdefault("WANDB_MODE", "offline")
os.environ.setdefault("WANDB_SILENT", "true")
os.environ.setdefault(
    "HYPOTHESIS_STORAGE_DIRECTORY", str(Path.home() / ".cache" / "gan_jax" / "hypothesis")
)

import jax
import properties
import pytest

properties.register_profiles()
jax.config.update("jax_platforms", "cpu")
jax.config.update("jax_numpy_rank_promotion", "raise")
jax.config.update(
    "jax_compilation_cache_dir",
    os.environ.get("JAX_COMPILATION_CACHE_DIR", str(Path.home() / ".cache" / "gan_jax" / "tests")),
)
jax.config.update("jax_persistent_cache_min_compile_time_secs", 0.0)
jax.config.update("jax_persistent_cache_min_entry_size_bytes", 0)

ROOT = Path(__file__).resolve().parent.parent


@pytest.fixture(autouse=True)
def jax_as_it_was() -> Iterator[None]:
    """Takes back what a command that runs inside a test sets up for its whole process."""
    flags, compiled = os.environ["XLA_FLAGS"], jax.config.jax_compilation_cache_dir
    yield
    os.environ["XLA_FLAGS"] = flags
    jax.config.update("jax_compilation_cache_dir", compiled)


@pytest.fixture(scope="session")
def root() -> Path:
    """The root of the repository."""
    return ROOT


@pytest.fixture
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The directory of cached statistics of real samples: an empty one for this test."""
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    return tmp_path / "cache" / "gan_jax" / "statistics"


@pytest.fixture
def float64() -> Iterator[None]:
    """Enables double precision in a test."""
    with jax.enable_x64(True):
        yield


@pytest.fixture(scope="session")
def fashion_mnist() -> None:
    """Prepares the real Fashion-MNIST where tensorflow-datasets looks for it, or skips."""
    from gan_jax import data
    from gan_jax.data.prepare import INSTALLED, prepare
    from gan_jax.errors import UserError

    with open(Path(tempfile.gettempdir()) / "gan_jax_fashion_mnist.lock", "w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)  # parallel test processes prepare it once
        try:
            data.fashion_mnist("test")
        except UserError:
            if not INSTALLED["fashion_mnist"].is_dir():
                pytest.skip(
                    "apt-get install dataset-fashion-mnist, "
                    "or python -m gan_jax.data.prepare fashion_mnist"
                )
            prepare("fashion_mnist")
