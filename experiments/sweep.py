"""Runs many variations of one config, each once, and reports what moves the metric.

    python experiments/sweep.py --config=configs/ring.py:unrolled --workdir=runs/sweep
    python experiments/sweep.py --sweep=configs/ring_sweep.yaml --workdir=runs/sweep

The search space is the config file's sweep(), or a YAML file in W&B's schema; config flags, such as
--config.steps=4000, apply to all runs. Runs that differ only in numbers train together, as one
population. The same command resumes, even after kill -9; a larger space adds runs. --workdir gets
runs/<name>/ for each run, results.csv, sensitivity.csv, parallel_coordinates.png and heat_maps.png.
On a cluster, --slurm.partition=NAME, --slurm.timeout_min=60 or any other setting of submitit
submits an array instead.
"""

import argparse
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from gan_jax.distributed.cpu import set_up_jax
from gan_jax.errors import UserError
from gan_jax.experiment.command_line import Parser, main, split_overrides, split_settings

if TYPE_CHECKING:
    from gan_jax.sweeps import Plan


def sweep(arguments: list[str]) -> int:
    """Runs the command line, and returns its exit code."""
    overrides, rest = split_overrides(arguments)
    slurm, rest = split_settings(rest, "slurm")
    flags = _parser().parse_args(rest)
    _check_flags(flags)
    plan = _make_plan(flags, overrides)

    from gan_jax.sweeps import plan as plans
    from gan_jax.sweeps import report, runner

    if flags.report:
        report.write_report(plan)
        return 0
    groups = plans.unfinished_groups(plan)
    sizes = [len(plans.unfinished(plan.workdir, group)) for group in groups]
    set_up_jax([] if slurm else sizes)
    runner.check_groups(plan)
    with plans.lock(plan.workdir):
        plans.save_plan(plan)
        if slurm and groups:
            _submit(plan, slurm)
            return 0
        code = 0 if slurm else runner.run_sweep(plan)
        report.write_report(plan)
        return code


def _parser() -> Parser:
    parser = Parser(__doc__)
    parser.add_argument("--config", default="", metavar="FILE.py[:VARIANT]", help="a config file")
    parser.add_argument("--workdir", required=True, help="where the runs and the results go")
    parser.add_argument(
        "--sweep", metavar="FILE.yaml", help="the search space, instead of the config's sweep()"
    )
    parser.add_argument(
        "--run_cap", type=int, help="the largest number of runs, instead of the sweep's run_cap"
    )
    parser.add_argument("--seed", type=int, default=0, help="the seed of a random search (0)")
    parser.add_argument(
        "--members",
        type=int,
        default=64,
        help="the largest number of runs that train together (64); 1 trains them one by one",
    )
    parser.add_argument(
        "--report", action="store_true", help="write the results of what has run, and run nothing"
    )
    return parser


def _check_flags(flags: argparse.Namespace) -> None:
    if not flags.config and not flags.sweep:
        raise UserError("give --config=FILE.py[:VARIANT], --sweep=FILE.yaml, or both")
    if flags.members < 1:
        raise UserError(f"--members must be at least 1, not {flags.members}")
    if flags.seed < 0:
        raise UserError(f"--seed must be at least 0, not {flags.seed}")


def _make_plan(flags: argparse.Namespace, overrides: list[str]) -> "Plan":
    """Returns the plan of the sweep that the flags name, with a metric. Writes nothing."""
    from gan_jax.sweeps import space
    from gan_jax.sweeps.plan import make_plan, make_trials

    if flags.sweep:
        definition = space.read_yaml(flags.sweep)
    else:
        definition = space.read_config_sweep(flags.config)
    if flags.run_cap is not None:
        definition["run_cap"] = flags.run_cap
    search = space.parse(definition)
    spec = flags.config or search.config
    if not spec:
        raise UserError(f"{flags.sweep} names no config in its command: name one by --config")
    workdir = Path(flags.workdir)
    trials = make_trials(search, spec, overrides, flags.seed, search.name or workdir.name)
    if not search.metric:
        settings = trials[0].settings
        maximize = settings.best_mode == "max"
        search = replace(search, metric=settings.best_metric, maximize=maximize)
    if not search.metric:
        raise UserError(
            "the sweep has no metric: give it metric: {name: ..., goal: ...}, "
            "or --config.best_metric=NAME"
        )
    return make_plan(workdir, search, trials, flags.members)


def _submit(plan: "Plan", slurm: Mapping[str, Any]) -> None:
    """Submits the unfinished groups, and prints how to follow them."""
    from gan_jax.sweeps import cluster
    from gan_jax.sweeps.plan import unfinished_groups

    jobs = cluster.submit(plan, unfinished_groups(plan), slurm)
    print(f"submitted {len(jobs)} tasks, from {jobs[0].job_id} on; see {plan.workdir / 'slurm'}")
    print("the same command with --report instead of --slurm... writes the results of what has run")


if __name__ == "__main__":
    main(sweep)
