"""Reproduces a figure of a paper: measures it, compares its numbers with the paper, and draws it.

    python experiments/reproduce.py --list
    python experiments/reproduce.py dirac_gan [--scale=smoke|short|paper] [--overwrite | --redraw]
    python experiments/reproduce.py all                     # one after another, as make figures
    python experiments/reproduce.py --gallery               # writes results/README.md

Figures are the files of experiments/figures/. Each writes a folder results/NAME: figure.png and
figure.svg; results.json with the numbers of all seeds, the claims, settings, versions, seconds and
the command; and claims.csv.

--scale=paper, the default, is the published form. smoke shows in seconds that everything works,
and goes to runs/figures/smoke. short, which some figures have, is as much of a long figure as 2 CPU
cores can do, and the picture says so. Neither judges claims that take the full length.

If the files are there, nothing is computed or written, unless --seeds asks for more seeds than they
have: then the others are added. --overwrite measures again; --redraw judges and draws the numbers
that are there. Figures that need training resume from --workdir, and do not repeat finished runs or
parts.

    python experiments/reproduce.py stacked_images --config.dataset=stacked_mnist \\
        "--config.metrics=stacked_modes(samples=25600, weights=lenet_mnist.npz)"

--config.FIELD=VALUE changes all runs of a figure, which is another experiment then: its numbers go
to runs/figures/changed, and most claims are not judged.
"""

import argparse
import dataclasses
import hashlib
import shlex
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from gan_jax import files, reproduction
from gan_jax.errors import UserError
from gan_jax.experiment.command_line import Parser, check_output, main, split_overrides
from gan_jax.reproduction import SCALES, Figure

ROOT = Path(__file__).resolve().parent.parent
FIGURES = ROOT / "experiments" / "figures"


def reproduce(arguments: list[str]) -> None:
    """Runs the command line."""
    changes, rest = split_overrides(arguments)
    flags = _parser().parse_args(rest)
    if flags.list:
        for name in figure_names():
            print(f"{name:24} {load_figure(name).title}")
        return
    if flags.gallery:
        page = Path(flags.out or "results") / "README.md"
        files.write_text(page, reproduction.gallery(page.parent, figure_names()))
        print(page)
        return
    if not flags.figure:
        names = ", ".join(figure_names())
        raise UserError(f"name a figure: all, {names} (--list describes them)")
    if flags.scale not in SCALES:
        raise UserError(f"--scale={flags.scale} is none of {', '.join(SCALES)}")
    if flags.overwrite and flags.redraw:
        raise UserError("--overwrite measures and draws; --redraw only draws: choose one")
    if changes and flags.figure == "all":
        raise UserError("--config changes one figure: name it in place of all")
    for name in figure_names() if flags.figure == "all" else [flags.figure]:
        figure = load_figure(name)
        if changes and not figure.trains_runs:
            raise UserError(f"{name} trains no runs: there is nothing for --config to change")
        _reproduce_figure(dataclasses.replace(figure, changes=tuple(changes)), flags)


def figure_names() -> list[str]:
    """Returns the names of all figures."""
    return reproduction.figure_names(FIGURES)


def load_figure(name: str) -> Figure:
    """Loads a figure by its name."""
    return reproduction.load_figure(FIGURES, name)


def _parser() -> Parser:
    parser = Parser(__doc__)
    parser.add_argument("figure", nargs="?", help=f"all, or one of {', '.join(figure_names())}")
    parser.add_argument("--list", action="store_true", help="list the figures, one per line")
    parser.add_argument(
        "--gallery", action="store_true", help="write README.md, a page of all measured figures"
    )
    parser.add_argument(
        "--scale", default="paper", metavar="|".join(SCALES), help="the form of the figure (paper)"
    )
    parser.add_argument("--out", metavar="FOLDER", help="where figures are written (results)")
    parser.add_argument(
        "--overwrite", action="store_true", help="measure again even if there are numbers"
    )
    parser.add_argument(
        "--redraw", action="store_true", help="judge and draw the existing numbers again"
    )
    parser.add_argument("--seeds", type=int, help="how many seeds, for a figure that trains runs")
    parser.add_argument("--workdir", default="runs/figures", help="where runs train (runs/figures)")
    return parser


def _reproduce_figure(figure: Figure, flags: argparse.Namespace) -> None:
    """Measures, judges and draws one figure, as far as its files are missing."""
    scale = _scale(figure, flags)
    seeds = _seeds(figure, scale, flags)
    out = Path(flags.out or _default_out(scale, figure.changes))
    if out.exists() and not out.is_dir():
        raise UserError(f"--out={out} is a file, not a folder")
    folder = out / figure.name
    check_output(folder / reproduction.RESULTS_FILE, overwrite=True)
    existing = None if flags.overwrite else reproduction.load_record(folder)
    if existing is None and flags.redraw:
        missing = folder / reproduction.RESULTS_FILE
        raise UserError(f"there is no {missing} to draw: leave --redraw out")
    if existing is not None and existing["scale"] != scale:
        message = f"{folder} is of the {existing['scale']} form"
        if flags.figure == "all":
            print(f"{message}, and is left as it is")
            return
        raise UserError(
            f"{message}: add --scale={existing['scale']}, another --out, or --overwrite"
        )

    if existing is not None and tuple(existing.get("changes", ())) != figure.changes:
        before = _config_flags(existing.get("changes", ())) or "no changes"
        raise UserError(
            f"{folder} was made with {before}: give the same, another --out, or --overwrite"
        )

    if existing is not None and (flags.redraw or not _adds_seeds(existing, flags)):
        _suggest_more_seeds(figure, existing, folder)
        print(f"{folder} is there; --overwrite measures again")
        record, measured = existing, False
    else:
        record = reproduction.measure_figure(
            figure,
            scale,
            seeds,
            folder=folder,
            workdir=Path(flags.workdir) / scale / _name_of_runs(figure),
            root=ROOT,
            command=_command(figure, scale, seeds),
            before=existing,
        )
        measured = True
    _report(figure, record, folder, redraw=flags.redraw, measured=measured)


def _default_out(scale: str, changes: tuple[str, ...]) -> str:
    """Returns the folder of the figures of a form."""
    if changes:
        return "runs/figures/changed"
    return "runs/figures/smoke" if scale == "smoke" else "results"


def _name_of_runs(figure: Figure) -> str:
    """Returns the name of the folder of a figure's runs, which is another one for other changes."""
    if not figure.changes:
        return figure.name
    digest = hashlib.sha256("\n".join(figure.changes).encode()).hexdigest()
    return f"{figure.name}_{digest[:8]}"


def _config_flags(changes: Sequence[str]) -> str:
    """Returns changes as they are written in a shell."""
    return " ".join(shlex.quote(f"--config.{change}") for change in changes)


def _scale(figure: Figure, flags: argparse.Namespace) -> str:
    """Returns the form to make; ``all`` makes the published form of figures without a short one."""
    if flags.scale == "short" and not figure.has_short_form:
        if flags.figure != "all":
            raise UserError(f"{figure.name} has no short form: leave --scale out")
        return "paper"
    scale: str = flags.scale
    return scale


def _seeds(figure: Figure, scale: str, flags: argparse.Namespace) -> int | None:
    """Returns how many seeds each run has; None for a figure without runs."""
    if not figure.trains_runs:
        if flags.seeds is not None and flags.figure != "all":
            raise UserError(f"{figure.name} trains no runs: its seeds are fixed, leave --seeds out")
        return None
    seeds: int = figure.seeds(scale) if flags.seeds is None else flags.seeds
    if seeds < 1:
        raise UserError(f"--seeds must be at least 1, not {seeds}")
    return seeds


def _adds_seeds(existing: dict[str, Any], flags: argparse.Namespace) -> bool:
    """Returns whether more seeds are asked for than there are."""
    return bool(existing["seeds"]) and (flags.seeds or 0) > existing["seeds"]


def _suggest_more_seeds(figure: Figure, existing: dict[str, Any], folder: Path) -> None:
    """Says how to get all seeds of the published form if some are missing."""
    seeds = existing["seeds"]
    if not seeds or existing["scale"] == "smoke":
        return
    published = figure.seeds("paper")
    if seeds < published:
        print(f"{folder} has {seeds} of {published} seeds; --seeds={published} adds the others")


def _command(figure: Figure, scale: str, seeds: int | None) -> str:
    """Returns the command line that makes the same record."""
    words = ["python experiments/reproduce.py", figure.name]
    if scale != "paper":
        words.append(f"--scale={scale}")
    if seeds is not None:
        words.append(f"--seeds={seeds}")
    if figure.changes:
        words.append(_config_flags(figure.changes))
    return " ".join(words)


def _report(
    figure: Figure, record: dict[str, Any], folder: Path, redraw: bool, measured: bool
) -> None:
    """Prints the verdict of a record, and draws it if its pictures are missing or out of date."""
    claims = figure.claims(record["numbers"])
    if redraw:
        record = _judged_anew(figure, record)
        reproduction.save_record(folder, record, claims)
    shortened = reproduction.is_shortened(record)
    form = ", changed" if record.get("changes") else ""
    print(f"{figure.title} ({record['scale']} form{form})" if shortened else figure.title)
    print(reproduction.format_table(claims, shortened))
    not_run = f"not run: {record['not_run']}" if record["not_run"] else ""
    if not_run:
        print(not_run)
    pictures = reproduction.PICTURE_FILES
    if measured or redraw or not all((folder / picture).exists() for picture in pictures):
        reproduction.save_pictures(folder, figure.draw(record["numbers"]), not_run)
        written = [*pictures, reproduction.RESULTS_FILE, reproduction.CLAIMS_FILE]
        print(f"{folder}: {', '.join(written)}")
    print("\n".join(reproduction.summarize(figure.name, claims, shortened)))


def _judged_anew(figure: Figure, record: dict[str, Any]) -> dict[str, Any]:
    """Returns a record without its verdicts, with the texts of today's figure."""
    kept = {key: value for key, value in record.items() if key not in ("claims", "verdict")}
    not_run = figure.not_run(record["scale"], record["seeds"])
    return kept | {"title": figure.title, "about": figure.source, "not_run": not_run}


if __name__ == "__main__":
    main(reproduce)
