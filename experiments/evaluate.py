"""Scores a checkpoint of a run and appends the scores to its `metrics.jsonl`.

    python experiments/evaluate.py --workdir=runs/x --metrics=fid50k,kid,pr --weights=inception.npz [--step=5000]
    python experiments/evaluate.py --workdir=runs/x --metrics="fd_lenet, kernel(extractor='lenet', samples=2000)"
    python experiments/evaluate.py --workdir=runs/x --compare=runs/y [--metrics=fd_lenet]

--metrics takes names of `gan_jax.evaluation.protocols`, with settings where they differ; left out, it is the run's own config.metrics.
What was scored before is said and not computed again, unless --again.

--compare prints the scores of two runs beside each other (of --step here, of the newest checkpoint there); without --metrics
those that are recorded. Scores that were measured differently are not compared.

FID's Inception network is not part of this package: convert its public weights once, then name them with --weights:

    python -m gan_jax.metrics.inception weights-inception-2015-12-05-6726825d.pth inception.npz
"""

import time
from pathlib import Path
from typing import Any

from gan_jax.distributed.cpu import set_up_jax
from gan_jax.errors import UserError
from gan_jax.experiment.command_line import Parser, main


def evaluate(arguments: list[str]) -> None:
    parser = Parser(__doc__)
    parser.add_argument("--workdir", required=True)
    parser.add_argument("--step", type=int, help="of which checkpoint (the newest)")
    parser.add_argument("--metrics", help="which, separated by commas (those of the run's config)")
    parser.add_argument(
        "--num", type=int, help="generated samples, instead of each metric's own number"
    )
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument(
        "--weights", default="", help="the weights of the metrics' extractor, an .npz"
    )
    parser.add_argument("--again", action="store_true", help="compute again what is recorded")
    parser.add_argument("--compare", metavar="WORKDIR", help="another run, to set beside this one")
    flags = parser.parse_args(arguments)
    if flags.num is not None and flags.num < 2:
        raise UserError(f"--num must be at least 2, not {flags.num}")
    if not 0 <= flags.seed < 2**31:
        raise UserError(f"--seed is an integer from 0 to {2**31 - 1}, not {flags.seed}")
    workdirs = [Path(path) for path in (flags.workdir, flags.compare) if path]
    steps = [flags.step, None]
    from gan_jax.experiment.run_directory import read_settings

    for workdir in workdirs:
        read_settings(workdir)  # bad input is said before anything starts
    set_up_jax()
    if flags.compare and not flags.metrics:
        rows = [_recorded(workdir, step) for workdir, step in zip(workdirs, steps, strict=False)]
    else:
        rows = [
            _scored(workdir, step, flags) for workdir, step in zip(workdirs, steps, strict=False)
        ]
    if flags.compare:
        _compare(workdirs, rows)


def _scored(workdir: Path, step: int | None, flags: Any) -> list[dict[str, Any]]:
    """The rows of the metrics asked for, computed or found."""
    from gan_jax import evaluation
    from gan_jax.experiment.loading import load
    from gan_jax.experiment.registry import build_protocols
    from gan_jax.experiment.run_directory import read_settings
    from gan_jax.loggers.json_lines import JsonLines

    metrics = read_settings(workdir).metrics if flags.metrics is None else _named(flags.metrics)
    if not metrics:
        raise UserError("nothing to measure: --metrics=fid50k,kid,pr or other protocols")
    asked = build_protocols(metrics, flags.num, flags.weights)
    run = load(workdir, step)
    step, draw, reals = run.step, run.sampler, run.experiment.real_samples()
    evaluation.check(asked, reals)
    subject = evaluation.GeneratedSamples(draw, reals, flags.seed)
    file = workdir / "metrics.jsonl"
    known, rows = evaluation.recorded(file), []
    for protocol in evaluation.ordered(asked):
        facts = {"step": step} | protocol.facts(reals, flags.seed)
        found = (
            None
            if flags.again
            else next((row for row in reversed(known) if facts.items() <= row.items()), None)
        )
        if found is None:
            values = evaluation.scores(protocol, subject)
            found = facts | values
            log = JsonLines(file)
            log.scalars(step, {**found, "time": time.time()})
            log.close()
            remark = ""
        else:
            remark = "recorded before; --again computes it anew"
        rows.append(found)
        print(_line(found, protocol.note(reals), remark), flush=True)
    return rows


def _named(text: str) -> Any:
    from gan_jax.experiment.part_text import parse_parts

    try:
        return parse_parts(text)
    except ValueError as error:
        raise UserError(
            f"--metrics takes names like 'fid50k,kid' or 'frechet(samples=500)', not {text!r}: {error}"
        ) from error


def _recorded(workdir: Path, step: int | None) -> list[dict[str, Any]]:
    from gan_jax import evaluation

    rows = evaluation.recorded(workdir / "metrics.jsonl")
    steps = sorted({row["step"] for row in rows})
    if not steps or (step is not None and step not in steps):
        where = "" if step is None else f" of step {step}"
        raise UserError(f"{workdir} has no scores{where}: name --metrics to compute them")
    return [row for row in rows if row["step"] == (steps[-1] if step is None else step)]


def _line(row: dict[str, Any], *remarks: str) -> str:
    from gan_jax import evaluation

    names = evaluation.value_names(row)
    prefix = row["protocol"]
    values = "  ".join(
        f"{name.removeprefix(prefix).lstrip('/')} {_number(row[name])}".strip() for name in names
    )
    facts = [f"step {row['step']}", f"n {row['n']}", f"seed {row['seed']}"]
    if row["split"]:
        facts.insert(2, f"{row['reals']} real of {row['split']}")
    if row["extractor"]:
        facts.append(f"{row['extractor']} {row['extractor_hash'][:8]}, resize: {row['resize']}")
    return "; ".join([f"{prefix}  {values}  ({', '.join(facts)})", *filter(None, remarks)])


def _compare(workdirs: list[Path], rows: list[list[dict[str, Any]]]) -> None:
    from gan_jax import evaluation

    table = [
        (
            "",
            *(
                f"{workdir} step {found[0]['step']}"
                for workdir, found in zip(workdirs, rows, strict=True)
            ),
        )
    ]
    for first, second in evaluation.comparable(*rows):
        table += [
            (name, _number(first[name]), _number(second.get(name)))
            for name in evaluation.value_names(first)
        ]
    widths = [max(len(row[column]) for row in table) for column in range(3)]
    for row in table:
        print(
            "  ".join(text.ljust(width) for text, width in zip(row, widths, strict=True)).rstrip()
        )


def _number(value: float | None) -> str:
    return "nan" if value is None else f"{value:.6g}"


if __name__ == "__main__":
    main(evaluate)
