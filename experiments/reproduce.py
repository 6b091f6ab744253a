"""Reproduces a figure of a paper: measures, judges the numbers beside the published ones, and draws.

    python experiments/reproduce.py --list
    python experiments/reproduce.py dirac_gan [--scale=smoke|short|paper] [--out=results] [--overwrite | --redraw]
    python experiments/reproduce.py all                     # one after another, as make figures
    python experiments/reproduce.py --gallery               # writes results/README.md from what is there

Figures are the files of experiments/figures/. Each leaves a folder results/NAME: figure.png and .svg, results.json (numbers of
all seeds, claims, settings, versions, seconds, command) and claims.csv. --scale=paper, the default, is the published form;
smoke shows in seconds that all of it works, and goes to runs/figures/smoke; short, which some figures have, is what 2 CPU
cores can do of a long one, and says so in the picture: by neither are claims judged that take the full length. Where the files
are there already, nothing is computed and nothing is written, unless --seeds asks for more than they have, which adds the
others; --overwrite measures anew, --redraw judges and draws the numbers that are there. Figures that need training go on from
where their runs or parts were (--workdir), finished ones included.
"""

import importlib.util
import inspect
import json
import sys
import time
from pathlib import Path
from types import ModuleType
from typing import Any

from gan_jax.distributed.cpu import set_up_jax
from gan_jax.errors import UserError
from gan_jax.experiment.command_line import Parser, main

ROOT = Path(__file__).resolve().parent.parent
FOLDER = ROOT / "experiments" / "figures"
SCALES = ("smoke", "short", "paper")


def reproduce(arguments: list[str]) -> None:
    parser = Parser(__doc__)
    parser.add_argument("figure", nargs="?", help=f"all, or one of {', '.join(figures())}")
    parser.add_argument("--list", action="store_true", help="the figures, a line each")
    parser.add_argument(
        "--gallery", action="store_true", help="write README.md of the figures that are there"
    )
    parser.add_argument(
        "--scale", default="paper", metavar="|".join(SCALES), help="how much of it (paper)"
    )
    parser.add_argument("--out", metavar="FOLDER", help="where the figure's folder goes (results)")
    parser.add_argument(
        "--overwrite", action="store_true", help="measure again where there are numbers"
    )
    parser.add_argument(
        "--redraw", action="store_true", help="judge and draw again the numbers that are there"
    )
    parser.add_argument("--seeds", type=int, help="of a figure that trains runs: how many")
    parser.add_argument("--workdir", default="runs/figures", help="where runs train (runs/figures)")
    flags = parser.parse_args(arguments)
    if flags.list:
        for name in figures():
            print(f"{name:24} {_title(load(name))}")
        return
    if flags.gallery:
        out = Path(flags.out or "results")
        (out / "README.md").write_text(gallery(out), encoding="utf-8")
        print(out / "README.md")
        return
    if not flags.figure:
        raise UserError(f"name a figure: all, {', '.join(figures())} (--list says what they are)")
    if flags.scale not in SCALES:
        raise UserError(f"--scale={flags.scale} is none of {', '.join(SCALES)}")
    if flags.overwrite and flags.redraw:
        raise UserError("--overwrite measures and draws; --redraw only draws: choose one")
    for name in figures() if flags.figure == "all" else [flags.figure]:
        _reproduce(name, load(name), flags)


def _reproduce(name: str, case: ModuleType, flags: Any) -> None:
    """One figure, as far as its files are missing."""
    from gan_jax import reproduction

    if flags.scale == "short" and not hasattr(case, "SHORT"):
        if flags.figure != "all":
            raise UserError(f"{name} has no short form: leave --scale out")
        flags = type(flags)(**vars(flags) | {"scale": "paper"})
    seeds = _seeds(case, name, flags)
    out = Path(flags.out or ("runs/figures/smoke" if flags.scale == "smoke" else "results"))
    if out.exists() and not out.is_dir():
        raise UserError(f"--out={out} is a file, not a folder")
    folder = out / name
    record = None if flags.overwrite else reproduction.load(folder)
    if flags.redraw and record is None:
        raise UserError(f"there is no {folder / reproduction.RESULTS} to draw: leave --redraw out")
    if record is not None and record["scale"] != flags.scale:
        kind = record["scale"]
        if flags.figure == "all":
            print(f"{folder} is of the {kind} form, and is left as it is")
            return
        raise UserError(
            f"{folder} is of the {kind} form: add --scale={kind}, another --out, or --overwrite"
        )
    there = record["seeds"] if record else None
    before = None
    if there and not flags.redraw and (flags.seeds or 0) > there:
        before, record = record, None  # its seeds are kept, and the others added
    elif there and record["scale"] != "smoke" and there < case.SEEDS:
        print(f"{folder} has {there} of {case.SEEDS} seeds; --seeds={case.SEEDS} adds the others")
    measured = record is None
    if record is None:
        record = _measured(case, name, folder, flags.scale, seeds, Path(flags.workdir), before)
    else:
        print(f"{folder} is there; --overwrite measures again")
    claims = case.claims(record["numbers"])
    if flags.redraw:
        reproduction.save(
            folder, {key: record[key] for key in record if key not in ("claims", "verdict")}, claims
        )
    shortened = record["scale"] != "paper"
    print(_title(case) + ("" if record["scale"] == "paper" else f" ({record['scale']} form)"))
    print(reproduction.table(claims, shortened))
    if record["not_run"]:
        print(f"not run: {record['not_run']}")
    if (
        measured
        or flags.redraw
        or not all((folder / picture).exists() for picture in reproduction.PICTURES)
    ):
        reproduction.draw(
            folder,
            case.draw(record["numbers"]),
            f"not run: {record['not_run']}" if record["not_run"] else "",
        )
        print(
            f"{folder}: {', '.join([*reproduction.PICTURES, reproduction.RESULTS, reproduction.CLAIMS])}"
        )
    print("\n".join(reproduction.verdict(name, claims, shortened)))


def _measured(
    case: ModuleType,
    name: str,
    folder: Path,
    scale: str,
    seeds: int | None,
    workdir: Path,
    before: dict | None,
) -> dict:
    """Measures a figure, and writes the numbers and the claims; ``before``: it is there with fewer seeds, which are kept."""
    from gan_jax import reproduction

    runs, kept, first = _runs(case, scale), workdir / scale / name, before["seeds"] if before else 0
    settings = json.loads(
        json.dumps(
            reproduction.plain(
                {key: run._asdict() for key, run in runs.items()} or _constants(case)
            )
        )
    )
    if before and before["settings"] != settings:
        raise UserError(
            f"{folder} was made with other settings, so no seeds can be added: --overwrite makes it anew"
        )
    spent, began = (
        reproduction.spent(kept, range(first, seeds) if seeds else None),
        time.monotonic(),
    )
    if runs:
        assert seeds is not None
        own = range(first, seeds)
        missing = reproduction.left(runs, own, kept, ROOT)
        set_up_jax([len(some) for some in missing.values() if some])
        found = case.measure(reproduction.train(runs, own, missing, kept, ROOT), scale == "smoke")
    else:
        set_up_jax()
        in_parts = "folder" in inspect.signature(case.measure).parameters  # long, and kept
        found = case.measure(scale == "smoke", *([kept] if in_parts else []))
    numbers = json.loads(
        json.dumps(reproduction.plain(found), allow_nan=False)
    )  # drawn as they are read later
    command = f"python experiments/reproduce.py {name}"
    command += f" --scale={scale}" * (scale != "paper") + (f" --seeds={seeds}" if seeds else "")
    record = {
        "figure": name,
        "title": _title(case),
        "command": command,
        "scale": scale,
        "seeds": seeds,
        "not_run": _not_run(case, scale, seeds),
        "seconds": round(spent + time.monotonic() - began, 1),  # of all calls
        **reproduction.facts(),
        "about": _paragraph(case, "Source:"),
        "settings": settings,
        "numbers": numbers,
    }
    if before:
        record = reproduction.joined(before, record)
    reproduction.save(folder, record, case.claims(record["numbers"]))
    return record


def _runs(case: ModuleType, scale: str) -> dict[str, Any]:
    """The runs of a figure's form; none where it trains none."""
    if not hasattr(case, "RUNS"):
        return {}
    runs = case.RUNS if scale != "smoke" else {key: case.RUNS[key] for key in case.SMOKE_RUNS}
    changes = {
        "smoke": getattr(case, "SMOKE", ()),
        "short": getattr(case, "SHORT", ()),
        "paper": (),
    }[scale]
    return {key: run._replace(overrides=(*run.overrides, *changes)) for key, run in runs.items()}


def _constants(case: ModuleType) -> dict[str, Any]:
    """The numbers that a figure without runs is made by: the constants at the top of its file."""
    kinds = (int, float, str, tuple, dict)
    found = {
        name: value
        for name, value in vars(case).items()
        if name.isupper() and isinstance(value, kinds)
    }
    return {name.lower(): value for name, value in found.items() if _is_plain(value)}


def _is_plain(value: Any) -> bool:
    entries = (
        value.values() if isinstance(value, dict) else value if isinstance(value, tuple) else None
    )
    return (
        isinstance(value, int | float | str | None)
        if entries is None
        else all(map(_is_plain, entries))
    )


def _paragraph(case: ModuleType, beginning: str) -> str:
    """The paragraph of a figure's docstring that begins so, on one line."""
    found = [text for text in (case.__doc__ or "").split("\n\n") if text.startswith(beginning)]
    return " ".join(found[0].split()) if found else ""


def _not_run(case: ModuleType, scale: str, seeds: int | None) -> str:
    """What the published form has and these numbers have not."""
    if scale == "smoke":
        return getattr(case, "NOT_RUN", "the published form: this is the smoke form")
    left = [case.NOT_RUN_SHORT] if scale == "short" else []
    if seeds is not None and seeds < case.SEEDS:
        left.append(f"all {getattr(case, 'UNIT', 'seeds')}: {seeds} of {case.SEEDS}")
    return "; ".join(left)


def _seeds(case: ModuleType, name: str, flags: Any) -> int | None:
    if not hasattr(case, "RUNS"):
        if flags.seeds is not None and flags.figure != "all":
            raise UserError(f"{name} trains no runs: its seeds are fixed, leave --seeds out")
        return None
    seeds = (
        flags.seeds
        if flags.seeds is not None
        else case.SMOKE_SEEDS
        if flags.scale == "smoke"
        else case.SEEDS
    )
    if seeds < 1:
        raise UserError(f"--seeds must be at least 1, not {seeds}")
    return seeds


def gallery(out: Path) -> str:
    """The figures in a folder, as Markdown: picture, verdict, command and time of each."""
    from gan_jax import reproduction

    parts = [
        "# Figures",
        "Made from what each folder holds: `python experiments/reproduce.py --gallery`.",
    ]
    for name in figures():
        record = reproduction.load(out / name)
        if record is None or record["scale"] == "smoke":
            continue
        parts += [
            f"## {record['title'].rstrip('.')}",
            f"![{name}]({name}/{reproduction.PICTURES[0]})",
            f"`{record['command']}`, {_took(record)}.",
        ]
        parts.append("  \n".join(f"> {line}" for line in record["verdict"]))
        if record["not_run"]:
            parts.append(f"Not run: {record['not_run']}.")
    return "\n\n".join(parts) + "\n"


def _took(record: dict[str, Any]) -> str:
    """How long a figure took on which machine; seeds that were added later may have been made on another."""
    seconds: dict[str, float] = {}
    before = 0.0
    for part in (*record.get("earlier", []), record):
        seconds[part["machine"]] = seconds.get(part["machine"], 0) + part["seconds"] - before
        before = part["seconds"]  # which are those of all seeds so far
    return " and ".join(f"{_duration(taken)} on {machine}" for machine, taken in seconds.items())


def _duration(seconds: float) -> str:
    if seconds >= 5400:
        return f"{seconds / 3600:.1f} hours"
    return f"{seconds / 60:.1f} minutes" if seconds >= 90 else f"{seconds:.0f} seconds"


def figures() -> list[str]:
    """The files of the folder, by name."""
    return sorted(path.stem for path in FOLDER.glob("[a-z]*.py"))


def load(name: str) -> ModuleType:
    """The module of a figure. Raises UserError, naming those that are near."""
    from gan_jax.errors import did_you_mean

    if name not in figures():
        raise UserError(
            f"no figure is named {name!r}: {did_you_mean(name, figures())} (--list says what they are)"
        )
    if str(FOLDER) not in sys.path:
        sys.path.insert(0, str(FOLDER))  # what figures are made of lies there too
    spec = importlib.util.spec_from_file_location(f"figures_{name}", FOLDER / f"{name}.py")
    assert spec is not None and spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules[spec.name] = module  # its NamedTuples and caches look themselves up
    spec.loader.exec_module(module)
    return module


def _title(case: ModuleType) -> str:
    return (case.__doc__ or case.__name__).splitlines()[0]


if __name__ == "__main__":
    main(reproduce)
