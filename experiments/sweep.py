"""Runs many variations of one config, each once, and says what moves the metric.

    python experiments/sweep.py --config=configs/ring.py:unrolled --workdir=runs/sweep [--config.steps=4000 ...]
    python experiments/sweep.py --sweep=configs/ring_sweep.yaml --workdir=runs/sweep

The search space is the config file's sweep(), or a YAML file in W&B's schema. Runs that differ only in numbers train
together, as one population. The same command resumes, `kill -9` included; a larger space adds runs. The workdir gets
runs/<name>/ for each run, results.csv, sensitivity.csv, parallel_coordinates.png and heat_maps.png.
On a cluster, --slurm.partition=NAME --slurm.timeout_min=60 and any other setting of submitit submit an array instead.
"""

from pathlib import Path

from gan_jax.distributed.cpu import set_up_jax
from gan_jax.experiment.command_line import Parser, main, split_overrides, split_settings


def sweep(arguments: list[str]) -> int:
    overrides, rest = split_overrides(arguments)
    slurm, rest = split_settings(rest, "slurm")
    parser = Parser(__doc__)
    parser.add_argument(
        "--config", default="", metavar="FILE.py[:VARIANT]", help="a file under configs/"
    )
    parser.add_argument("--workdir", required=True, help="where the runs and the results go")
    parser.add_argument(
        "--sweep", metavar="FILE.yaml", help="the search space, instead of the config's sweep()"
    )
    parser.add_argument(
        "--run_cap", type=int, help="at most so many runs, instead of the sweep's own run_cap"
    )
    parser.add_argument("--seed", type=int, default=0, help="of random search (0)")
    parser.add_argument(
        "--members",
        type=int,
        default=64,
        help="at most so many runs train together (64); 1: one by one",
    )
    parser.add_argument(
        "--report", action="store_true", help="write the results of what has run, and run nothing"
    )
    flags = parser.parse_args(rest)

    from gan_jax.errors import UserError
    from gan_jax.sweeps import space

    if not flags.config and not flags.sweep:
        raise UserError("--config=FILE.py[:VARIANT], --sweep=FILE.yaml, or both say what to run")
    if flags.members < 1:
        raise UserError(f"--members must be at least 1, not {flags.members}")
    if flags.seed < 0:
        raise UserError(f"--seed must be at least 0, not {flags.seed}")
    definition = space.read(flags.sweep) if flags.sweep else space.of_config(flags.config)
    found = space.parse(definition | ({} if flags.run_cap is None else {"run_cap": flags.run_cap}))
    spec = flags.config or found.config
    if not spec:
        raise UserError(f"{flags.sweep} names no config in its command: name one by --config")

    from gan_jax.sweeps import cluster, report, runner
    from gan_jax.sweeps import plan as plans

    workdir = Path(flags.workdir)
    trials = plans.trials(found, spec, overrides, flags.seed, group=found.name or workdir.name)
    if not found.metric:
        best = trials[0].config
        found = found._replace(metric=best["best_metric"], highest=best["best_mode"] == "highest")
    if not found.metric:
        raise UserError(
            "what is best? Give the sweep metric: {name: ..., goal: ...}, or --config.best_metric=NAME"
        )
    plan = plans.opened(workdir, found, trials, flags.members)
    if flags.report:
        report.finish(plan)
        return 0
    set_up_jax([] if slurm else runner.sizes(plan))
    runner.check(plan)
    with plans.locked(workdir):
        plans.save(plan)
        if slurm:
            groups = runner.pending(plan)
            if not groups:
                report.finish(plan)
                return 0
            jobs = cluster.submit(plan, groups, slurm)
            print(f"submitted {len(jobs)} tasks, {jobs[0].job_id} and on; see {workdir / 'slurm'}")
            print(
                "the same command with --report instead of --slurm... writes the results of what has run"
            )
            return 0
        code = runner.run(plan)
        report.finish(plan)
        return code


if __name__ == "__main__":
    main(sweep)
