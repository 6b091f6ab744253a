"""Starting: imports, and the way from a new process to the end of a first call, with cold and warm compilation caches.

`import gan_jax` with the modules that a training script takes, beside `import torch`; `experiments/train.py` on configs/ring.py
from its start until the first 5 steps are done; and processes that make these 5 steps and nothing else, beside the first 5 of
the same GAN in PyTorch, eager. Times are those of whole processes, and the largest memory of each kind is printed.
"""

import os
import re
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path

from _contestant import opponents

from gan_jax.benchmarking import Contest, Seconds

PACKAGES = ("flax", "optax", "torch")
ROOT = Path(__file__).resolve().parents[2]
OURS = "import gan_jax; gan_jax.adversarial, gan_jax.unrolled, gan_jax.fused, gan_jax.objectives.losses, gan_jax.objectives.penalties"
FIRST = """
import sys
sys.path[:0] = [{root!r}, {here!r}]
from gan_jax.command_line import set_up_jax
set_up_jax()
import toy
toy.ours("non_saturating", 5)()
"""
THEIRS = """
import sys
sys.path[:0] = [{root!r}, {here!r}]
import _opponents as side
games = (side.together, side.non_saturating_generator)
game = side.Game(side.mlp((256, 128, 128, 2)), side.mlp((2, 128, 1), scale=0.25), games, dict(lr=1e-4, betas=(0.5, 0.999)))
for _ in range(5):
    game.step([(side.ring_points(512), side.torch.randn(512, 256), None)], side.torch.randn(512, 256))
"""
EVERY = ("log_every", "sample_every", "evaluate_every", "checkpoint_every")

# Compiled modules are kept, as they are unless one asks otherwise: those of installed packages are compiled already.
ENVIRONMENT = {
    name: value for name, value in os.environ.items() if name != "PYTHONDONTWRITEBYTECODE"
}

PEAKS: dict[str, int] = {}
"""The most memory that a kind of process took, in kilobytes."""


def process(name: str, code: str, environment: dict[str, str] | None = None) -> Callable[[], None]:
    """A process that runs the code and ends."""
    code = code.format(root=str(ROOT), here=str(Path(__file__).resolve().parent))

    # ru_maxrss would not do: it starts with the memory of the process that forks.
    code += "\nimport os\nif os.path.exists('/proc/self/status'): print(open('/proc/self/status').read())"

    def call() -> None:
        ran = subprocess.run(
            [sys.executable, "-c", code],
            env=ENVIRONMENT | (environment or {}),
            cwd=ROOT,
            stdout=subprocess.PIPE,
            text=True,
        )
        if ran.returncode:
            raise RuntimeError(f"{name}: the process ended with {ran.returncode}, see above")
        for peak in re.findall(r"^VmHWM:\s*(\d+) kB", ran.stdout, re.MULTILINE):
            PEAKS[name] = max(PEAKS.get(name, 0), int(peak))

    return call


def cold(name: str, code: str) -> Callable[[], None]:
    """As `process`, with an empty compilation cache each time."""

    def call() -> None:
        with tempfile.TemporaryDirectory() as folder:
            process(name, code, {"JAX_COMPILATION_CACHE_DIR": folder})()

    return call


def trained(cache: str) -> Callable[[], Seconds]:
    """The command of a run, until it says that its first 5 steps are done."""
    command = [sys.executable, "experiments/train.py", "--config=configs/ring.py"]
    command += [f"--config.{field}=5" for field in ("steps", "steps_per_call", *EVERY)]

    def call() -> Seconds:
        environment = ENVIRONMENT | {"JAX_COMPILATION_CACHE_DIR": cache}
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
            took = next(
                (
                    time.perf_counter() - start
                    for line in run.stdout
                    if line.startswith("compiled and ran")
                ),
                None,
            )
            run.stdout.read()
        if took is None:
            raise RuntimeError("experiments/train.py took no step, see above")
        return Seconds(took)

    return call


def contests(small: bool = False) -> Iterator[Contest]:
    """Imports and first steps; ``small`` leaves the cold cache out."""
    own = process("import gan_jax", OURS)
    yield Contest(
        "import gan_jax",
        own,
        opponents(lambda side: {"import torch": process("import torch", "import torch")}),
        most=5,
    )
    yield Contest(
        "import gan_jax",
        own,
        {"import jax": process("import jax", "import jax")},
        most=5,
        goal=1 / 1.3,
    )
    theirs = opponents(lambda side: {"PyTorch, eager": process("first steps, PyTorch", THEIRS)})
    with tempfile.TemporaryDirectory() as warm:
        first = process("first steps, warm", FIRST, {"JAX_COMPILATION_CACHE_DIR": warm})
        yield Contest("first 5 steps of the ring, warm cache", first, theirs, most=5)
        yield Contest(
            "train.py until its first 5 steps are done, warm cache", trained(warm), {}, most=5
        )
    if not small:
        yield Contest(
            "first 5 steps of the ring, cold cache",
            cold("first steps, cold", FIRST),
            theirs,
            most=3,
        )
    print(
        "peak memory: " + ", ".join(f"{name} {peak // 1024} MiB" for name, peak in PEAKS.items()),
        flush=True,
    )
