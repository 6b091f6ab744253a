"""Start-up: imports and first steps, with cold and warm compilation caches.

`import gan_jax` with the modules that a training script uses, next to `import torch`;
`experiments/train.py` on configs/ring.py from its start until the first 5 steps are done; and
processes that take these 5 steps and nothing else, next to the first 5 steps of the same GAN in
PyTorch, eager. Times are those of whole processes; the peak memory of each kind is printed.
"""

import os
import re
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path

from _sides import pytorch_peers

from gan_jax.benchmarking import Comparison, SelfTimed

PACKAGES = ("flax", "optax", "torch")
HERE = Path(__file__).resolve().parent
ROOT = HERE.parents[1]
PATHS = f"import sys; sys.path[:0] = [{str(ROOT)!r}, {str(HERE)!r}]\n"
IMPORT_GAN_JAX = """
import gan_jax
gan_jax.adversarial, gan_jax.unrolled, gan_jax.fused
gan_jax.objectives.losses, gan_jax.objectives.penalties
"""
FIRST_STEPS = f"""
{PATHS}
from gan_jax.distributed.cpu import set_up_jax
set_up_jax()
import toy
toy.training_run("non_saturating", 5)()
"""
FIRST_STEPS_PYTORCH = f"""
{PATHS}
import _pytorch
game = _pytorch.Game(
    _pytorch.mlp((256, 128, 128, 2)),
    _pytorch.mlp((2, 128, 1), scale=0.25),
    (_pytorch.non_saturating_in_one_pass, _pytorch.non_saturating_generator),
    dict(lr=1e-4, betas=(0.5, 0.999)),
)
randn = _pytorch.torch.randn
for _ in range(5):
    game.step([(_pytorch.ring_points(512), randn(512, 256), None)], randn(512, 256))
"""
PRINT_STATUS = """
import os
if os.path.exists("/proc/self/status"):
    print(open("/proc/self/status").read())
"""
"""Prints a process's peak memory; ``ru_maxrss`` would start at that of the process that forks."""

TRAIN_FIELDS = (
    "steps",
    "steps_per_call",
    "log_every",
    "sample_every",
    "evaluate_every",
    "checkpoint_every",
)
"""The fields of a config that are 5 in a run of 5 steps."""

ENVIRONMENT = {
    name: value for name, value in os.environ.items() if name != "PYTHONDONTWRITEBYTECODE"
}
"""Bytecode is kept, as by default: that of installed packages is there already."""

peak_memory: dict[str, int] = {}
"""The largest memory of each kind of process, in kilobytes."""


def process(name: str, code: str, **environment: str) -> Callable[[], None]:
    """Returns a call that runs code in a process of its own, and notes its peak memory."""

    def call() -> None:
        completed = subprocess.run(
            [sys.executable, "-c", code + PRINT_STATUS],
            env=ENVIRONMENT | environment,
            cwd=ROOT,
            stdout=subprocess.PIPE,
            text=True,
        )
        if completed.returncode:
            raise RuntimeError(f"{name}: the process ended with {completed.returncode}, see above")
        for peak in re.findall(r"^VmHWM:\s*(\d+) kB", completed.stdout, re.MULTILINE):
            peak_memory[name] = max(peak_memory.get(name, 0), int(peak))

    return call


def process_with_cold_cache(name: str, code: str) -> Callable[[], None]:
    """As `process`, with an empty compilation cache in each call."""

    def call() -> None:
        with tempfile.TemporaryDirectory() as folder:
            process(name, code, JAX_COMPILATION_CACHE_DIR=folder)()

    return call


def first_steps_of_train(cache: str) -> Callable[[], SelfTimed]:
    """Returns a call that runs train.py until it reports that its first 5 steps are done."""
    command = [sys.executable, "experiments/train.py", "--config=configs/ring.py"]
    command += [f"--config.{field}=5" for field in TRAIN_FIELDS]
    environment = ENVIRONMENT | {"JAX_COMPILATION_CACHE_DIR": cache}

    def call() -> SelfTimed:
        start = time.perf_counter()
        with (
            tempfile.TemporaryDirectory() as folder,
            subprocess.Popen(
                [*command, f"--workdir={folder}/run"],
                env=environment,
                cwd=ROOT,
                stdout=subprocess.PIPE,
                text=True,
            ) as run,
        ):
            assert run.stdout is not None
            seconds = _seconds_until("compiled and ran", run.stdout, start)
            run.stdout.read()
        if seconds is None:
            raise RuntimeError("experiments/train.py took no step, see above")
        return SelfTimed(seconds)

    return call


def _seconds_until(beginning: str, lines: Iterable[str], start: float) -> float | None:
    """Reads lines until one has this beginning; returns the seconds since ``start``."""
    for line in lines:
        if line.startswith(beginning):
            return time.perf_counter() - start
    return None


def comparisons(small: bool = False) -> Iterator[Comparison]:
    """Yields imports and first steps; ``small`` leaves the cold cache out."""
    import_gan_jax = process("import gan_jax", IMPORT_GAN_JAX)
    yield Comparison(
        "import gan_jax",
        ours=import_gan_jax,
        peers=pytorch_peers(lambda _: {"import torch": process("import torch", "import torch")}),
        max_rounds=5,
    )
    yield Comparison(
        "import gan_jax",
        ours=import_gan_jax,
        peers={"import jax": process("import jax", "import jax")},
        goal=1 / 1.3,
        max_rounds=5,
    )
    pytorch = pytorch_peers(
        lambda _: {"PyTorch, eager": process("first steps, PyTorch", FIRST_STEPS_PYTORCH)}
    )
    with tempfile.TemporaryDirectory() as cache:
        yield Comparison(
            "first 5 steps of the ring, warm cache",
            ours=process("first steps, warm", FIRST_STEPS, JAX_COMPILATION_CACHE_DIR=cache),
            peers=pytorch,
            max_rounds=5,
        )
        yield Comparison(
            "train.py until its first 5 steps are done, warm cache",
            ours=first_steps_of_train(cache),
            peers={},
            max_rounds=5,
        )
    if not small:
        yield Comparison(
            "first 5 steps of the ring, cold cache",
            ours=process_with_cold_cache("first steps, cold", FIRST_STEPS),
            peers=pytorch,
            max_rounds=3,
        )
    peaks = [f"{name} {kilobytes // 1024} MiB" for name, kilobytes in peak_memory.items()]
    print(f"peak memory: {', '.join(peaks)}", flush=True)
