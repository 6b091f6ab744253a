"""XLA's flags on a CPU, cores as devices, and the warning about missing flags."""

import os
import subprocess
import sys

import pytest

from gan_jax.distributed import cpu

CHOSEN_BY_HAND = "--xla_cpu_prefer_vector_width=256"


def run(program: str, flags: str) -> subprocess.CompletedProcess:
    environment = {**os.environ, "XLA_FLAGS": flags, "JAX_PLATFORMS": "cpu"}
    return subprocess.run(
        [sys.executable, "-c", program], env=environment, capture_output=True, text=True
    )


@pytest.mark.parametrize(
    ("before", "version", "after"),
    [
        ("", (0, 10, 2), " ".join(cpu.FLAGS)),
        ("--xla_a=1", (0, 12, 0), " ".join(["--xla_a=1", *cpu.FLAGS])),
        (
            CHOSEN_BY_HAND,
            (0, 12, 0),
            " ".join([CHOSEN_BY_HAND, *(flag for flag in cpu.FLAGS if "width" not in flag)]),
        ),
        ("", (0, 13, 0), ""),
    ],
)
def test_flags_are_for_versions_that_have_them_and_flags_that_are_set_are_left(
    before, version, after, monkeypatch
):
    import jaxlib.version

    monkeypatch.setenv("XLA_FLAGS", before)
    monkeypatch.setattr(jaxlib.version, "__version_info__", version)
    monkeypatch.setattr(cpu, "_flags_came_too_late", False)
    cpu.choose_xla_flags()
    assert os.environ["XLA_FLAGS"] == after


@pytest.mark.parametrize(
    ("cores", "populations", "flags", "devices"),
    [
        (2, [4, 6], "", 2),
        (16, [10], "", 10),
        (8, [3, 5], "", 1),  # half of the cores or more would be idle
        (8, [5, 6], "", 6),
        (2, [4, 3], "", 2),
        (2, [4, 1], "", 1),
        (2, [], "", 1),
        (2, [2], "--xla_force_host_platform_device_count=5", 5),  # chosen by hand
        (2, [2], "--xla_cpu_multi_thread_eigen=true", 1),
    ],
)
def test_populations_have_one_device_per_core(cores, populations, flags, devices):
    program = f"""
import os
os.sched_getaffinity = lambda process: set(range({cores}))
from gan_jax.distributed.cpu import set_up_jax
set_up_jax({populations})
import jax
print(jax.device_count(), "--xla_cpu_multi_thread_eigen=false" in os.environ["XLA_FLAGS"])
set_up_jax([{cores}])  # too late
print(jax.device_count(), "--xla_cpu_multi_thread_eigen=false" in os.environ["XLA_FLAGS"])
"""
    ran = run(program, flags)
    assert ran.returncode == 0, ran.stderr
    assert ran.stdout.splitlines() == [f"{devices} {devices > 1 and not flags}"] * 2


TRAIN_AND_SAMPLE = """
import jax
import optax
from gan_jax import networks, training
from gan_jax.training.sampling import sampler

def train_and_sample():
    nets = networks.mlp((2,), latent_size=2, generator_widths=(4,), discriminator_widths=(4,))
    params = nets.init(jax.random.key(0))[0]
    for _ in range(2):
        sampler(nets, params)(jax.random.key(1), 8)

    for _ in range(2):
        training.init_state(nets, optax.sgd(0.1), optax.sgd(0.1), jax.random.key(0))
"""


@pytest.mark.parametrize(
    ("before", "flags", "warnings"),
    [
        ("", "", 1),
        ("from gan_jax.distributed.cpu import choose_xla_flags; choose_xla_flags()", "", 0),
        ("from gan_jax.distributed.cpu import set_up_jax; set_up_jax()", "", 0),
        (
            "jax.devices(); from gan_jax.distributed.cpu import choose_xla_flags; "
            "choose_xla_flags()",
            "",
            1,
        ),
        ("", CHOSEN_BY_HAND, 0),
        ("import jaxlib.version; jaxlib.version.__version_info__ = (0, 13, 0)", "", 0),
        ("jax.default_backend = lambda: 'gpu'", "", 0),
    ],
    ids=["nothing", "chosen", "command", "too late", "by hand", "other version", "gpu"],
)
def test_library_calls_warn_once_if_the_flags_of_a_cpu_are_missing(before, flags, warnings):
    ran = run(f"{TRAIN_AND_SAMPLE}\n{before}\ntrain_and_sample()", flags)
    assert ran.returncode == 0, ran.stderr
    assert ran.stderr.count("gan_jax.distributed.cpu.choose_xla_flags()") == warnings, ran.stderr
