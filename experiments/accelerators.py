"""Compiles all shipped configs for a machine that need not be here: what XLA makes of them.

    python experiments/accelerators.py --topology=v5e:2x4 --out=results/accelerators/v5e_2x4.md
    python experiments/accelerators.py --topology=h100:8 --out=results/accelerators/h100_8.md
    python experiments/accelerators.py --topology=v6e:2x2 --only=ring,dcgan --level=O0

Topologies are those of train.py --dry-run; a TPU needs pip install 'gan_jax[tpu]', a GPU
'gan_jax[cuda12]', and neither needs the device. make accelerators TOPOLOGY=v5e:2x4 installs what
it takes apart from all else. All variants of configs/ are compiled, with data that is made in place
of what has to be downloaded and with batches of 8 in place of 1 and 2, then networks that no config
has, populations and bfloat16. Programs are those of runs, but for the measuring of health, which is
compiled with two. A line says at once what does not compile, and then the exit code is 1.

Programs are compiled for the machine, and none has run on it: numbers are XLA's plan, and the time
that a step cannot beat follows from published rates.
"""

import argparse
import os
import shlex
import sys
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import NamedTuple

from gan_jax import files
from gan_jax.distributed.cpu import set_up_jax
from gan_jax.errors import UserError
from gan_jax.experiment.command_line import Parser, main

CONFIGS = Path(__file__).resolve().parents[1] / "configs"

CHANGED = {
    "cyclegan.py:shapes": ("batch_size=8",),
    "cyclegan.py:horse2zebra": ("batch_size=8", "dataset=unpaired_shapes(resolution=256)"),
    "pix2pix.py:edges2shoes": ("batch_size=8", "dataset=paired_shapes(resolution=256)"),
    "r3gan.py:cifar10": ("dataset=factor_shapes(labels=True)",),
    "stylegan2.py:cifar10": ("dataset=factor_shapes",),
    "stylegan2.py:ffhq": ("dataset=factor_shapes(xs=2, ys=2, resolution=256)",),
}
"""Data of the same shape where they have to be downloaded, and batches that 8 devices can share."""

NOT_COMPILED = ("vqgan.py:imagenet",)
"""It needs weights that are not shipped."""

SQUARE = "dataset=fashion_mnist(resolution=32)"

VARIED = {
    "ring.py:vanilla, 8 seeds": ("ring.py:vanilla", "population.seed=range(8)"),
    "ring.py:unrolled, 16 learning rates": (
        "ring.py:unrolled",
        f"population.generator_optimizer.adam.learning_rate={','.join(['1e-4', '2e-4'] * 8)}",
    ),
    "fashion_mnist.py:dcgan, bfloat16": ("fashion_mnist.py:dcgan", "precision=bfloat16"),
    "fashion_mnist.py:wgan_gp, bfloat16": ("fashion_mnist.py:wgan_gp", "precision=bfloat16"),
    "ring.py:wgan_gp, 4 parts a batch": ("ring.py:wgan_gp", "accumulation_steps=4"),
    "resnet": (
        "fashion_mnist.py:wgan_gp",
        "dataset=fashion_mnist(resolution=32)",
        "networks=resnet",
    ),
    "sngan": ("fashion_mnist.py:dcgan", "dataset=fashion_mnist(resolution=32)", "networks=sngan"),
    "san": ("ring.py:vanilla", "networks=san(networks=mlp)", "objective=san(term=hinge)"),
    "packed": ("ring.py:vanilla", "networks=packed(m=2, networks=mlp)"),
}
"""By a name: a config and overrides."""


class Case(NamedTuple):
    """A program to compile: its name, the config, and overrides."""

    name: str
    config: str
    overrides: Sequence[str]
    health: bool = False


def cases() -> Iterator[Case]:
    """Yields all variants of all configs, what is varied of them, and one that measures health."""
    from gan_jax.experiment.config_files import load_module

    for path in sorted(CONFIGS.glob("*.py")):
        for variant in getattr(load_module(str(path)), "VARIANTS", ()):
            name = f"{path.name}:{variant}"
            if name not in NOT_COMPILED:
                yield Case(name, name, CHANGED.get(name, ()))
    for name, (config, *overrides) in VARIED.items():
        yield Case(name, config, overrides)
    for config in ("ring.py:vanilla", "fashion_mnist.py:dcgan"):
        yield Case(f"{config}, measuring health", config, (), health=True)


def compile_all(arguments: list[str]) -> None:
    """Runs the command."""
    flags = parse(arguments)
    if flags.topology != "local":  # before JAX looks for that machine here
        os.environ["JAX_PLATFORMS"] = "cpu"
    set_up_jax()
    import jax

    jax.config.update("jax_optimization_level", flags.level)
    command = shlex.join(["python", "experiments/accelerators.py", *arguments])
    parts = flags.only.split(",")
    chosen = [case for case in cases() if any(part in case.name for part in parts)]
    if not chosen:
        raise UserError(f"--only={flags.only!r} is in no name of a program")
    rows: list[dict[str, str]] = []
    failed = []
    for number, case in enumerate(chosen, 1):
        row = compile_one(case, flags.topology)
        if "failed" in row:
            failed.append(case.name)
        rows.append({"program": case.name, **row})
        print(f"{number}/{len(chosen)} {case.name}: {', '.join(described(row))}", flush=True)
        if flags.out is not None:
            files.write_text(flags.out, table(rows, flags, command))
    if failed:
        sys.exit(f"not compiled for {flags.topology}: {', '.join(failed)}")


def compile_one(case: Case, topology: str) -> dict[str, str]:
    """Compiles a program, and returns its row of the table."""
    from gan_jax.experiment.config_files import load_settings
    from gan_jax.forecasting import forecast, machine, table_row

    machine(topology)  # what cannot be compiled for at all ends the command
    try:
        settings = load_settings(str(CONFIGS / case.config), case.overrides)
        return table_row(forecast(settings, topology, health=case.health, largest_batch=False))
    except UserError as error:
        return {"failed": str(error)}


def described(row: dict[str, str]) -> Iterator[str]:
    """Says what is in a row."""
    return (f"{name} {text}" for name, text in row.items() if text)


def table(rows: Sequence[dict[str, str]], flags: argparse.Namespace, command: str) -> str:
    """Returns the rows as Markdown, under what they are and the command that makes them."""
    import jax

    columns = list(dict.fromkeys(column for row in rows for column in row))
    level = "" if flags.level == "UNKNOWN" else f" at level {flags.level}, see docs/devices.md"
    lines = [
        f"# Compiled for {flags.topology}{level}; not run on it",
        "",
        "Memory, work, bytes and collectives are those of one device and, but for memory, of one "
        "step. What is moved is counted as if no kernel found its operands in a cache. No step can "
        "take less time than the largest of computation, memory and launches by the published "
        "rates of the chip; none was measured. Compiling took so many seconds of CPU time, of all "
        "threads.",
        "",
        f"`{command}`; jax {jax.__version__}.",
        "",
        f"| {' | '.join(columns)} |",
        f"| {' | '.join('---' for _ in columns)} |",
        *(f"| {' | '.join(row.get(column, '') for column in columns)} |" for row in rows),
    ]
    return "\n".join(lines) + "\n"


def parse(arguments: Sequence[str]) -> argparse.Namespace:
    """Reads the command line."""
    parser = Parser(__doc__)
    parser.add_argument("--topology", required=True, help="what to compile for, such as v5e:2x4")
    parser.add_argument(
        "--only",
        default="",
        metavar="TEXT",
        help="only names with one of these texts, such as ring,dcgan",
    )
    parser.add_argument("--out", type=Path, metavar="FILE", help="where to write the table (.md)")
    parser.add_argument(
        "--level",
        choices=("UNKNOWN", "O0", "O1", "O2", "O3"),
        default="UNKNOWN",
        help="how far XLA looks for the fastest program (its default); O0 compiles soonest",
    )
    return parser.parse_args(arguments)


if __name__ == "__main__":
    main(compile_all)
