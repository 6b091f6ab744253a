"""Scores a checkpoint of a run and appends the scores to its `metrics.jsonl`.

    python experiments/evaluate.py --workdir=runs/x --metrics='fid50k + kid' --weights=inception.npz
    python experiments/evaluate.py --workdir=runs/x --metrics="fd_lenet + kernel(samples=2000)"
    python experiments/evaluate.py --workdir=runs/x --compare=runs/y [--metrics=fd_lenet]

--metrics takes names of `gan_jax.evaluation.protocols`, with settings that differ from the
defaults; without it, the run's own config.metrics are computed. Scores that are recorded already
are printed and not computed again, unless --again is given.

--compare prints the scores of two runs next to each other (of --step here, of the newest checkpoint
there); without --metrics, those that are recorded. Scores that were measured differently are not
compared.

--ema takes one of the run's config.ema, or a power_ema of another std, which is then made of those
in the checkpoints of the run. Its scores are recorded in emas.jsonl, not in metrics.jsonl.

--diagnose measures the health of the checkpoint on three batches instead (docs/diagnosis.md): is it
collapsing, is the generator's loss flat, are weights at their bound. Nothing is recorded.

FID's Inception network is not part of this package: convert its public weights once, and pass them
as --weights:

    python -m gan_jax.metrics.inception weights-inception-2015-12-05-6726825d.pth inception.npz
"""

import argparse
import contextlib
import os
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from gan_jax.distributed.cpu import set_up_jax
from gan_jax.errors import UserError
from gan_jax.experiment.command_line import Parser, main


def evaluate(arguments: list[str]) -> None:
    """Runs the command."""
    flags = parse(arguments)
    set_up_jax()
    from gan_jax.experiment.remote_runs import fetched, working_copy

    is_recorded = flags.diagnose or (bool(flags.compare) and not flags.metrics)
    paths = [flags.workdir, flags.compare] if flags.compare else [flags.workdir]
    with contextlib.ExitStack() as copies:
        directories = [
            fetched(path) if is_recorded else copies.enter_context(working_copy(path)).folder
            for path in paths
        ]
        evaluate_runs(flags, directories, is_recorded)


def evaluate_runs(flags: argparse.Namespace, directories: list[Path], is_recorded: bool) -> None:
    """Scores runs whose directories are on this machine, or prints the scores they have."""
    for directory in directories:
        check_run(directory, must_write=not is_recorded)
    if flags.diagnose:
        diagnose(directories[0], flags.step, flags.seed)
        return
    from gan_jax import evaluation

    runs = list(zip(directories, [flags.step, None]))
    if is_recorded:
        records = [recorded_scores(run_dir, step) for run_dir, step in runs]
    else:
        records = [score_checkpoint(run_dir, step, flags) for run_dir, step in runs]
    if flags.compare:
        first, second = (
            f"{run_dir} step {scores[0]['step']}"
            for (run_dir, _), scores in zip(runs, records, strict=True)
        )
        print(evaluation.comparison_table((first, second), *records))


def parse(arguments: list[str]) -> argparse.Namespace:
    """Parses the flags. Raises UserError."""
    parser = Parser(__doc__, urls=["workdir", "compare"])
    parser.add_argument("--workdir", required=True, help="the directory of the run")
    parser.add_argument("--step", type=int, help="of the checkpoint (default: the newest)")
    parser.add_argument("--metrics", help="names joined by + (default: config.metrics)")
    parser.add_argument("--num", type=int, help="generated samples, in place of each metric's own")
    parser.add_argument("--seed", type=int, default=0, help="of the generated samples")
    parser.add_argument("--weights", default="", help=".npz file of the extractor's weights")
    parser.add_argument("--ema", default="", help="a moving average (default: the first)")
    parser.add_argument("--again", action="store_true", help="compute what is recorded again")
    parser.add_argument("--compare", metavar="WORKDIR", help="another run to compare with")
    parser.add_argument("--diagnose", action="store_true", help="measure health, not metrics")
    flags = parser.parse_args(arguments)
    if flags.diagnose and (flags.metrics or flags.compare or flags.ema):
        raise UserError("--diagnose stands alone: leave --metrics, --compare and --ema out")
    if flags.ema and flags.compare:
        raise UserError("--ema scores one run: leave --compare out")
    if flags.num is not None and flags.num < 2:
        raise UserError(f"--num must be at least 2, not {flags.num}")
    if not 0 <= flags.seed < 2**31:
        raise UserError(f"--seed is an integer from 0 to {2**31 - 1}, not {flags.seed}")
    return flags


def diagnose(run_dir: Path, step: int | None, seed: int) -> None:
    """Prints the health of a checkpoint, and what is wrong."""
    from gan_jax.experiment.checkpoint_diagnosis import describe_health, measure_health
    from gan_jax.experiment.loading import load

    run = load(run_dir, step)
    print(f"{run_dir} at step {run.step}")
    print("\n".join(describe_health(measure_health(run, seed))), flush=True)


def check_run(run_dir: Path, must_write: bool) -> None:
    """Raises UserError if there is no run, or scores have to be written to it and cannot be."""
    from gan_jax.experiment.run_directory import read_settings

    read_settings(run_dir)
    file = run_dir / "metrics.jsonl"
    if must_write and not os.access(file if file.exists() else run_dir, os.W_OK):
        raise UserError(f"{file} cannot be written: scores are appended to it")


def score_checkpoint(
    run_dir: Path, step: int | None, flags: argparse.Namespace
) -> list[Mapping[str, Any]]:
    """Returns the records of the metrics that are asked for, computing those that are missing."""
    from gan_jax import evaluation
    from gan_jax.experiment.loading import load
    from gan_jax.experiment.part_building import build_protocols, parse_metrics
    from gan_jax.experiment.run_directory import read_settings
    from gan_jax.loggers.bars import spinner
    from gan_jax.loggers.json_lines import JsonLines

    metrics = read_settings(run_dir).metrics
    if flags.metrics is not None:
        metrics = parse_metrics(flags.metrics)
    if not metrics:
        raise UserError(
            "nothing to measure: pass --metrics=fid50k,kid,pr or others of "
            "gan_jax.evaluation.protocols"
        )
    protocols = build_protocols(metrics, flags.num, flags.weights)
    run = load(run_dir, step, flags.ema)
    file = run_dir / ("emas.jsonl" if flags.ema else "metrics.jsonl")
    real = run.experiment.real_samples()
    generated = evaluation.GeneratedSamples(run.sampler, real, flags.seed)
    evaluation.check_protocols(protocols, real, generated)
    known = [] if flags.again else evaluation.read_score_records(file)
    records: list[Mapping[str, Any]] = []
    for protocol in evaluation.sort_protocols(protocols):
        description = {"step": run.step} | protocol.describe(real, flags.seed)
        if flags.ema:
            description |= {"ema": flags.ema}
        record = evaluation.find_record(known, description)
        remark = "recorded before; --again computes it again"
        is_new = record is None
        if record is None:
            with spinner(f"computing {protocol.name}"):
                record = {**description, **evaluation.compute_scores(protocol, generated)}
            remark = ""
        records.append(record)
        print(evaluation.format_record(record, protocol.caveat(real), remark), flush=True)
        if is_new:
            log = JsonLines(file)
            log.scalars(run.step, {**record, "time": time.time()})
            log.close()
    return records


def recorded_scores(run_dir: Path, step: int | None) -> list[Mapping[str, Any]]:
    """Returns the records of a step, or of the newest step with scores. Raises UserError."""
    from gan_jax import evaluation

    recorded = evaluation.read_score_records(run_dir / "metrics.jsonl")
    records = evaluation.records_of_step(recorded, step)
    if not records:
        of_step = "" if step is None else f" of step {step}"
        raise UserError(f"{run_dir} has no scores{of_step}: pass --metrics to compute them")
    return records


if __name__ == "__main__":
    main(evaluate)
