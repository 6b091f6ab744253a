"""Trains several configs side by side, and draws what each has learned.

    python experiments/compare.py --config=configs/ring.py:vanilla \\
        --config=configs/ring.py:unrolled --workdir=runs/ring

Each config trains in a process and a run directory of its own; the same command resumes. The result
is one line per run, and comparison.png with the samples of each over training (points in the plane)
or its last grid (images). Config flags, such as --config.steps=1000, apply to all.
"""

import sys
from pathlib import Path

from gan_jax.errors import UserError
from gan_jax.experiment.command_line import Parser, main, split_overrides

TRAIN = Path(__file__).with_name("train.py")


def compare(arguments: list[str]) -> int:
    """Runs the command line, and returns its exit code."""
    overrides, rest = split_overrides(arguments)
    flags = _parser().parse_args(rest)

    from gan_jax.experiment.config_files import load_settings
    from gan_jax.sweeps import comparison

    runs = comparison.name_runs(flags.config)
    for spec in runs.values():
        load_settings(spec, overrides)  # refuses bad input before anything starts
    if flags.jobs < 1:
        raise UserError(f"--jobs must be at least 1, not {flags.jobs}")
    workdir = Path(flags.workdir)
    config_flags = [f"--config.{override}" for override in overrides]
    commands = {
        name: [
            sys.executable,
            "-u",
            str(TRAIN),
            f"--config={spec}",
            f"--workdir={workdir / name}",
            *config_flags,
        ]
        for name, spec in runs.items()
    }
    exit_codes = comparison.run_side_by_side(commands, flags.jobs)
    if any(exit_codes.values()):
        return max(exit_codes.values())
    print(f"{comparison.compare_runs(workdir, list(runs))}: samples over training")
    return 0


def _parser() -> Parser:
    parser = Parser(__doc__)
    parser.add_argument(
        "--config",
        action="append",
        required=True,
        metavar="FILE.py[:VARIANT]",
        help="a config file; once for each run",
    )
    parser.add_argument("--workdir", required=True, help="where the run directories go")
    parser.add_argument("--jobs", type=int, default=2, help="how many train at the same time (2)")
    return parser


if __name__ == "__main__":
    main(compare)
