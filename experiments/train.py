"""Trains one config in one run directory; the same command resumes it.

    python experiments/train.py --config=configs/ring.py:unrolled --workdir=runs/ring
        [--config.steps=5000 ...]

Any field of configs/default.py is a flag. Named parts take text, such as
--config.objective='wasserstein + gradient_penalty(weight=10)'; a function of your own is named
package.module:function, and a config file may lie anywhere. What can be named:

{names}

Many seeds or learning rates as one program: --config.population.seed='range(8)'; each member is a
run in members/. Many processes: the same command in each of them, with --distributed under SLURM,
on a TPU pod or on GKE, and elsewhere with --coordinator=HOST:PORT --processes=N --process=I.

The run directory may be in an object store: --workdir=gs://bucket/runs/x or s3://..., with
pip install 'gan_jax[gcs]' or '[s3]'. The run trains in a folder of this machine and is uploaded
every 10 seconds and at the end; the same command resumes it on any machine.

What a run will take, without starting it: --dry-run prints both networks, memory, work and the time
that a step cannot beat, of this machine or of --topology=v5e:4x4 (TPUs: v4, v5e, v5p, v6e) or
h100:8 (or h200), for which pip install 'gan_jax[tpu]' or '[cuda12]' is enough.

SIGINT, SIGTERM, SIGHUP and SIGUSR1 save the run and stop it; a second SIGINT or SIGTERM leaves at
once, unsaved. Exit codes:

    0    the run is done
    1    numbers are no longer finite (see config.nonfinite), another process is lost, or a bug
    2    bad input
    74   the disk is full or fails, or another process has taken over the run directory
    75   the device made no progress for long; the stacks of all threads are printed
    129  stopped by SIGHUP, and saved; 130 by SIGINT, 138 by SIGUSR1, 143 by SIGTERM

After 74 to 143 the same command resumes, once there is room on the disk.
"""

import argparse
import contextlib
import os
from typing import TYPE_CHECKING

from gan_jax.experiment.command_line import Parser, expanded, main, split_overrides
from gan_jax.experiment.signals import PREEMPTION_SECONDS

if TYPE_CHECKING:
    from gan_jax.experiment import Settings


def train(arguments: list[str]) -> None:
    overrides, rest = split_overrides(arguments)
    parser = _parser(wants_help="-h" in rest or "--help" in rest)
    flags = parser.parse_args(rest)
    if not flags.workdir and not flags.dry_run:
        parser.error("the following arguments are required: --workdir")
    if flags.dry_run and flags.topology != "local":  # before JAX looks for that machine here
        os.environ["JAX_PLATFORMS"] = "cpu"

    from gan_jax.distributed.cpu import set_up_jax
    from gan_jax.experiment import population
    from gan_jax.experiment.config_files import load_settings
    from gan_jax.experiment.run_name import with_wandb_name

    settings = with_wandb_name(flags.config, load_settings(flags.config, overrides))
    if flags.dry_run:
        _print_forecast(settings, flags.topology)
        return
    run_dir = expanded(flags.workdir)
    members = population.member_settings(settings)
    set_up_jax([len(members)] if members else [])

    from gan_jax.distributed import multihost
    from gan_jax.experiment.training_loop import run
    from gan_jax.loggers.progress import format_number, print_line

    in_job = flags.distributed or flags.coordinator or flags.processes or flags.process >= 0
    job = multihost.job(flags.coordinator, flags.processes, flags.process)
    with job if in_job else contextlib.nullcontext():
        metrics = run(settings, run_dir, preemption_seconds=flags.preemption_seconds)
        if not multihost.is_main_process():
            return
    shown = {
        name: value
        for name, value in metrics.items()
        if name != "time" and not name.startswith(("health/", "pace/")) and value is not None
    }
    whose = f"means of {len(members)} members:  " if members else ""
    print_line(whose + "  ".join(f"{name} {format_number(value)}" for name, value in shown.items()))


def _print_forecast(settings: "Settings", topology: str) -> None:
    from gan_jax.distributed.cpu import set_up_jax

    set_up_jax()

    from gan_jax.forecasting import forecast, lines_of

    for line in lines_of(forecast(settings, topology)):
        print(line)


def _seconds(text: str) -> float:
    try:
        seconds = float(text)
    except ValueError:
        seconds = 0.0
    if not 0 < seconds < float("inf"):
        raise argparse.ArgumentTypeError(f"takes a number of seconds above 0, not {text!r}")
    return seconds


def _parser(wants_help: bool) -> Parser:
    names = ""
    if wants_help:  # importing all that can be named takes a second
        from gan_jax.experiment import registry

        names = registry.describe()
    parser = Parser((__doc__ or "").replace("{names}", names), urls=["workdir"])
    add = parser.add_argument
    add("--config", required=True, metavar="FILE.py[:VARIANT]", help="a config file")
    add("--workdir", help="the run directory: checkpoints, metrics and samples")
    add(
        "--preemption_seconds",
        type=_seconds,
        default=PREEMPTION_SECONDS,
        metavar="SECONDS",
        help="how long the machine leaves the run after a signal; it warns if calls take too long",
    )
    add("--dry-run", action="store_true", help="say what the run will take, and train nothing")
    add("--topology", default="local", help="what --dry-run compiles for (default: this machine)")
    add("--distributed", action="store_true", help="one of several processes, as the cluster says")
    add("--coordinator", default="", metavar="HOST:PORT", help="address of process 0")
    add("--processes", type=int, default=0, help="how many processes there are")
    add("--process", type=int, default=-1, help="which of them this is, from 0")
    return parser


if __name__ == "__main__":
    main(train)
