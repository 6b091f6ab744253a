"""Reproduces a figure of a paper: measures, judges the numbers beside the published ones, and draws.

    python experiments/reproduce.py --list
    python experiments/reproduce.py dirac_gan [--out=results/figures] [--quick] [--overwrite | --redraw]

Figures are the files of experiments/figures/. Each leaves NAME.png, NAME.json (numbers of all seeds, claims, settings,
versions, seconds) and NAME.csv (the claims). --quick is a short form that shows that it works, in seconds; it goes to
runs/figures/quick, and most claims are not judged by it. Where the files are there already, nothing is computed and
nothing is written; --overwrite measures anew, --redraw judges and draws the numbers that are there. Figures that need
training go on from where their runs were (--workdir), finished ones included.
"""

import importlib.util
import json
import sys
import time
from pathlib import Path
from types import ModuleType

from gan_jax.command_line import Parser, main, set_up_jax
from gan_jax.errors import UserError

ROOT = Path(__file__).resolve().parent.parent
FOLDER = ROOT / "experiments" / "figures"


def reproduce(arguments: list[str]) -> None:
    parser = Parser(__doc__)
    parser.add_argument("figure", nargs="?", help=", ".join(figures()))
    parser.add_argument("--list", action="store_true", help="the figures, a line each")
    parser.add_argument("--out", metavar="FOLDER", help="where the files go (results/figures)")
    parser.add_argument("--quick", action="store_true", help="the short form")
    parser.add_argument("--overwrite", action="store_true", help="measure again where there are numbers")
    parser.add_argument("--redraw", action="store_true", help="judge and draw again the numbers that are there")
    parser.add_argument("--seeds", type=int, help="of a figure that trains runs: how many")
    parser.add_argument("--workdir", default="runs/figures", help="where runs train (runs/figures)")
    flags = parser.parse_args(arguments)
    if flags.list:
        for name in figures():
            print(f"{name:24} {_title(load(name))}")
        return
    if not flags.figure:
        raise UserError(f"name a figure: {', '.join(figures())} (--list says what they are)")
    case = load(flags.figure)
    seeds = _seeds(case, flags.figure, flags.seeds, flags.quick)
    if flags.overwrite and flags.redraw:
        raise UserError("--overwrite measures and draws; --redraw only draws: choose one")
    out = Path(flags.out or ("runs/figures/quick" if flags.quick else "results/figures"))
    if out.exists() and not out.is_dir():
        raise UserError(f"--out={out} is a file, not a folder")
    path = out / f"{flags.figure}.json"

    from gan_jax import reproduction

    record = None if flags.overwrite else reproduction.load(path)
    if flags.redraw and record is None:
        raise UserError(f"there is no {path} to draw: leave --redraw out")
    if record is not None and record["quick"] != flags.quick:
        kind = "the quick form" if record["quick"] else "the full form"
        raise UserError(f"{path} is of {kind}: choose another --out, or --overwrite")
    if record is None:
        set_up_jax()
        record = _measured(case, flags.figure, path, flags.quick, seeds, Path(flags.workdir))
    else:
        print(f"{path} is there; --overwrite measures again")
    claims = case.claims(record["numbers"])
    if flags.redraw:
        reproduction.save(path, {key: value for key, value in record.items() if key != "claims"}, claims)
    print(f"{_title(case)}{' (quick form)' if record['quick'] else ''}")
    print(reproduction.table(claims, record["quick"]))
    if record["not_run"]:
        print(f"not run: {record['not_run']}")
    picture = path.with_suffix(".png")
    if picture.exists() and not flags.overwrite and not flags.redraw:
        return
    part = picture.with_suffix(".part.png")
    case.draw(record["numbers"]).savefig(part, dpi=150)
    part.replace(picture)
    print(f"{picture}, {path.name}, {path.with_suffix('.csv').name}")


def _measured(case: ModuleType, name: str, path: Path, quick: bool, seeds: int | None, workdir: Path) -> dict:
    """Measures a figure, and writes the numbers and the claims."""
    from gan_jax import reproduction

    began = time.monotonic()
    if hasattr(case, "RUNS"):
        assert seeds is not None
        folder = workdir / ("quick" if quick else "full") / name
        runs = case.RUNS if not quick else {key: case.RUNS[key] for key in case.QUICK_RUNS}
        found = case.measure(reproduction.train(runs, seeds, case.QUICK if quick else (), folder, ROOT), quick)
    else:
        found = case.measure(quick)
    numbers = json.loads(json.dumps(reproduction.plain(found), allow_nan=False))  # drawn as they are read later
    settings = "".join(f" {text}" for text in (["--quick"] if quick else []) + ([f"--seeds={seeds}"] if seeds else []))
    record = {
        "figure": name,
        "title": _title(case),
        "command": f"python experiments/reproduce.py {name}{settings}",
        "quick": quick,
        "not_run": _not_run(case, quick, seeds),
        "seconds": round(time.monotonic() - began, 1),
        **reproduction.facts(),
        "numbers": numbers,
    }
    reproduction.save(path, record, case.claims(numbers))
    return record


def _not_run(case: ModuleType, quick: bool, seeds: int | None) -> str:
    """What the full form has and these numbers have not."""
    if quick:
        return getattr(case, "NOT_RUN", "the full form: this is the quick one")
    return f"all seeds: {seeds} of {case.SEEDS}" if seeds is not None and seeds < case.SEEDS else ""


def _seeds(case: ModuleType, name: str, asked: int | None, quick: bool) -> int | None:
    if not hasattr(case, "RUNS"):
        if asked is not None:
            raise UserError(f"{name} trains no runs: its seeds are fixed, leave --seeds out")
        return None
    seeds = asked if asked is not None else case.QUICK_SEEDS if quick else case.SEEDS
    if seeds < 1:
        raise UserError(f"--seeds must be at least 1, not {seeds}")
    return seeds


def figures() -> list[str]:
    """The files of the folder, by name."""
    return sorted(path.stem for path in FOLDER.glob("[a-z]*.py"))


def load(name: str) -> ModuleType:
    """The module of a figure. Raises UserError, naming those that are near."""
    from gan_jax.config import near

    if name not in figures():
        raise UserError(f"no figure is named {name!r}: {near(name, figures())} (--list says what they are)")
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
