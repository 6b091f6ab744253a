"""What the paper figures share: claims and their verdicts, the files beside a picture, and the runs that it is drawn from."""

import contextlib
import csv
import importlib.metadata
import itertools
import json
import math
import os
import platform
import re
import subprocess
import time
from collections.abc import Callable, Container, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from gan_jax import config as configs
from gan_jax.command_line import cores as available
from gan_jax.errors import UserError


class Claim(NamedTuple):
    """A number of ours beside one that was published, or that was to be shown."""

    name: str
    measured: tuple[float, ...]  # all of them have to be in the band: one a seed, or the ends of a range
    published: str  # as it is written in the source; "asked ..." where nothing is published
    low: float | None  # the band; None is no limit
    high: float | None
    note: str = ""  # what has to be known beside it
    smoke: bool = False  # whether the shortened forms, smoke and short, are long enough to judge it
    why: str = ""  # what a miss comes from, as far as is known

    def verdict(self, shortened: bool) -> str:
        """ "pass" or "miss", as NaN is; "not judged" without a band, or measurements, or where a short form says nothing."""
        if (shortened and not self.smoke) or not self.measured or (self.low is None and self.high is None):
            return "not judged"
        low, high = (-math.inf if self.low is None else self.low), (math.inf if self.high is None else self.high)
        return "pass" if all(low <= value <= high for value in self.measured) else "miss"


def within(name: str, measured: float | Sequence[float], expected: float, tolerance: float, published: str = "",
           note: str = "", smoke: bool = False) -> Claim:  # fmt: skip
    """The claim that everything measured is ``expected``, give or take ``tolerance``."""
    values = tuple(float(value) for value in np.ravel(measured))
    text = published or f"{expected:g} ± {tolerance:g}"
    return Claim(name, values, text, expected - tolerance, expected + tolerance, note, smoke)


COLUMNS = ("claim", "measured", "published", "verdict", "note")


def rows(claims: Sequence[Claim], shortened: bool) -> list[tuple[str, ...]]:
    """A row of text a claim: its name, what was measured, what was published, the verdict; the note, and of a miss why."""
    found: list[tuple[str, ...]] = []
    for claim in claims:
        verdict = claim.verdict(shortened)
        note = "; ".join(text for text in (claim.note, claim.why * (verdict == "miss")) if text)
        found.append((claim.name, measured_text(claim.measured), claim.published, verdict, note))
    return found


def measured_text(values: Sequence[float], most: int = 3) -> str:
    """A few numbers one by one, more of them by their ends."""
    shown = [f"{value:.4g}" for value in values]
    if len(shown) <= most:
        return ", ".join(shown) or "nothing"
    return f"{min(values):.4g} .. {max(values):.4g} ({len(shown)})"


def table(claims: Sequence[Claim], shortened: bool) -> str:
    """The rows as lines with their columns below one another; notes stand on a line of their own."""
    cells = rows(claims, shortened)
    widths = [max(len(row[i]) for row in [COLUMNS, *cells]) for i in range(4)]
    lines = []
    for row in [COLUMNS[:4] + ("",), *cells]:
        lines.append("  ".join(cell.ljust(width) for cell, width in zip(row[:4], widths, strict=True)).rstrip())
        if row[4]:
            lines.append(f"    {row[4]}")
    verdicts = [row[3] for row in cells]
    counts = [f"{verdicts.count(verdict)} {verdict}" for verdict in ("pass", "miss", "not judged") if verdict in verdicts]
    return "\n".join([*lines, ", ".join(counts) or "nothing to judge"])


def verdict(name: str, claims: Sequence[Claim], shortened: bool) -> tuple[str, str]:
    """Two lines: how many of the claims are inside their bands; and which are not, and why."""
    judged = [(claim, claim.verdict(shortened)) for claim in claims]
    inside, missed = (sum(one == kind for _, one in judged) for kind in ("pass", "miss"))
    rest = len(judged) - inside - missed
    first = f"{name}: {inside} of {inside + missed} claims are inside their bands" + (f", {rest} not judged" if rest else "")
    outside: dict[str, list[str]] = {}  # those with one cause are told together
    for claim, one in judged:
        if one == "miss":
            beside = claim.published if claim.published.startswith("asked") else f"published {claim.published}"
            told = f"{claim.name} is {measured_text(claim.measured)}, {beside}"
            outside.setdefault(claim.why or claim.note, []).append(told)
    second = "; ".join(", and ".join(texts) + f" ({why})" * bool(why) for why, texts in outside.items())
    return first, "outside: " + (second or "none")


def plain(value: Any, digits: int = 12) -> Any:
    """Arrays, tuples and NumPy's numbers as JSON knows them, to so many significant digits; infinities and NaN as text."""
    if isinstance(value, Mapping):
        return {str(key): plain(entry, digits) for key, entry in value.items()}
    if isinstance(value, np.ndarray):
        return plain(value.tolist(), digits)
    if isinstance(value, list | tuple):
        return [plain(entry, digits) for entry in value]
    if isinstance(value, np.generic):
        value = value.item()
    if isinstance(value, float):
        return float(f"{value:.{digits}g}") if math.isfinite(value) else str(value)
    return value


PACKAGES = ("jax", "jaxlib", "flax", "optax", "numpy", "scipy")


def facts() -> dict[str, Any]:
    """What the numbers were computed with."""
    packages = {name: importlib.metadata.version(name) for name in PACKAGES}
    import jax

    cores = available()
    machine = f"{cores} CPU core{'s' * (cores > 1)}, {platform.machine()}; jax on {jax.devices()[0].device_kind}"
    return {"machine": machine, "code": _commit(), "python": platform.python_version()} | packages


def _commit() -> str:
    """The commit of the checkout, and whether its code was changed since; "unknown" where there is no git."""
    root = Path(__file__).resolve().parent.parent
    of = ["git", "-C", str(root)]
    try:
        commit = subprocess.run([*of, "rev-parse", "HEAD"], capture_output=True, text=True, check=True).stdout.strip()
        paths = ["gan_jax", "experiments", "configs"]
        changed = subprocess.run([*of, "status", "--porcelain", "--", *paths], capture_output=True, text=True, check=True)
    except (OSError, subprocess.CalledProcessError):
        return "unknown"
    return commit + ", with changes" * bool(changed.stdout.strip())


def joined(before: Mapping[str, Any], added: Mapping[str, Any]) -> dict[str, Any]:
    """The record of a figure with the seeds of ``before``, as they were measured then, and those ``added`` to them.

    Under "earlier" it says what the first seeds were made by. Numbers are rows, one a run and seed; what else there is
    belongs to the first seeds.
    """
    about = ("command", "seeds", "seconds", "machine", "code", "python", *PACKAGES)
    earlier = [*before.get("earlier", []), {key: before[key] for key in about if key in before}]
    numbers = {**added["numbers"], **before["numbers"], "rows": before["numbers"]["rows"] + added["numbers"]["rows"]}
    return {**added, "seconds": round(before["seconds"] + added["seconds"], 1), "earlier": earlier, "numbers": numbers}


RESULTS, CLAIMS, PICTURES = "results.json", "claims.csv", ("figure.png", "figure.svg")
"""The files of a figure's folder."""


def save(folder: Path, record: Mapping[str, Any], claims: Sequence[Claim]) -> None:
    """Writes a figure's numbers and its claims; each file appears whole."""
    shortened = record["scale"] != "paper"
    judged = [claim._asdict() | {"verdict": claim.verdict(shortened)} for claim in claims]
    folder.mkdir(parents=True, exist_ok=True)
    lists = folder / f"{CLAIMS}.part"
    with open(lists, "w", newline="", encoding="utf-8") as file:
        writer = csv.writer(file, lineterminator="\n")
        writer.writerows([COLUMNS, *rows(claims, shortened)])
    os.replace(lists, folder / CLAIMS)
    lines = verdict(record["figure"], claims, shortened)
    numbers = {"verdict": lines, "claims": plain(judged), "numbers": record["numbers"]}
    rest = {key: plain(value) for key, value in record.items() if key not in numbers}
    part = folder / f"{RESULTS}.part"
    part.write_text(_dumps(rest | numbers) + "\n", encoding="utf-8")
    os.replace(part, folder / RESULTS)


def draw(folder: Path, drawing: Any, remark: str) -> None:
    """Writes a matplotlib figure as PNG and SVG, with a remark (what was shortened, say) below; each file appears whole."""
    import matplotlib

    if remark:
        drawing.supxlabel(remark, fontsize=8, color="tab:red")
    for name in PICTURES:
        part = folder / f"part_{name}"
        with matplotlib.rc_context({"svg.hashsalt": folder.name}):  # the same file from the same numbers
            drawing.savefig(part, dpi=150, **({"metadata": {"Date": None}} if name.endswith("svg") else {}))
        part.replace(folder / name)


def _dumps(record: Mapping[str, Any]) -> str:
    """Indented JSON, with every list of numbers on one line."""
    text = json.dumps(record, indent=1, allow_nan=False, ensure_ascii=False)
    return re.sub(r"\[\s+([^\[\]{}\"]*?)\s+\]", lambda found: "[" + " ".join(found[1].split()) + "]", text)


def load(folder: Path) -> dict[str, Any] | None:
    """What `save` wrote, or None where there is nothing. Raises UserError where it cannot be read."""
    path = folder / RESULTS
    try:
        return json.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        return None
    except (OSError, ValueError) as error:
        raise UserError(f"{path} cannot be read: {configs.first_line(error)}; --overwrite makes it anew") from error


SECONDS = ".seconds"
"""How the files end that say how long a run or a part took."""


@contextlib.contextmanager
def timed(path: Path) -> Iterator[None]:
    """Adds the seconds that its block takes, whether it ends well or not, to the number in ``path``."""
    began = time.monotonic()
    try:
        yield
    finally:
        total = time.monotonic() - began + (float(path.read_text()) if path.exists() else 0)
        path.parent.mkdir(parents=True, exist_ok=True)
        part = path.with_name(f"{path.name}.part")
        part.write_text(f"{total:.1f}\n")
        os.replace(part, path)


def spent(folder: Path, seeds: Container[int] | None = None) -> float:
    """The seconds that the runs and parts in a figure's workdir took, those of earlier calls included.

    ``seeds``: of runs those alone whose first seed is one of these.
    """
    paths = folder.glob(f"*{SECONDS}")
    if seeds is not None:
        paths = (path for path in paths if (found := re.search(r"_from_(\d+)$", path.stem)) and int(found[1]) in seeds)
    return sum(float(path.read_text()) for path in paths)


def kept(path: Path, settings: Mapping[str, Any], make: Callable[[], Any]) -> Any:
    """A part of a long measurement: what ``make()`` returns, as JSON has it, kept in ``path`` for the next time.

    What was kept with other settings, or cannot be read, is made anew.
    """
    settings = json.loads(json.dumps(plain(settings)))
    try:
        before = json.loads(path.read_text(encoding="utf-8"))
        if before["settings"] == settings:
            return before["made"]
    except (OSError, ValueError, KeyError, TypeError):
        pass
    path.parent.mkdir(parents=True, exist_ok=True)
    with timed(path.with_suffix(SECONDS)):
        made = json.loads(json.dumps(plain(make()), allow_nan=False))
    part = path.with_name(f"{path.name}.part")
    part.write_text(json.dumps({"settings": settings, "made": made}), encoding="utf-8")
    os.replace(part, path)
    return made


def progress(steps: int, every: int) -> Callable[[], None]:
    """What the loop of a compiled measurement calls before steps 0, ``every``, ...: it prints step, rate and time left."""
    import jax

    from gan_jax.writers import Progress

    shown, at = Progress(steps, 0), itertools.cycle(range(0, steps, every))

    def show() -> None:
        if step := next(at):
            shown.report(step, [{}])
        else:
            shown.restart(0)  # compiling is not counted

    return lambda: jax.debug.callback(show)


# ------------------------------------------------------------------------------------------------------------------ runs


class Run(NamedTuple):
    """A config whose seeds train together, as one population."""

    config: str  # "configs/ring.py:unrolled", from the checkout's root
    overrides: tuple[str, ...] = ()
    numbers: Mapping[str, tuple[float, ...]] = {}  # a value for each seed, by the paths of the fields that differ


def members(runs: Mapping[str, Run], seeds: Sequence[int], workdir: Path) -> dict[str, dict[int, Path]]:
    """Where each seed of each run is, or will be: ``workdir/<name of the run>/seed_003``."""
    return {name: {seed: workdir / slug(name) / f"seed_{seed:03d}" for seed in seeds} for name in runs}


def left(runs: Mapping[str, Run], seeds: Sequence[int], workdir: Path, root: Path) -> dict[str, list[int]]:
    """The seeds of each run that have not ended."""
    found = {}
    for name, folders in members(runs, seeds, workdir).items():
        steps = configs.load(str(root / runs[name].config), runs[name].overrides).steps
        found[name] = [seed for seed, folder in folders.items() if not ended(folder, steps)]
    return found


def slug(name: str) -> str:
    """A name as a folder's name."""
    return re.sub(r"[^a-z0-9]+", "_", name.lower()).strip("_")


def train(
    runs: Mapping[str, Run], seeds: Sequence[int], missing: Mapping[str, Sequence[int]], workdir: Path, root: Path
) -> dict[str, dict[int, Path]]:
    """Trains the ``missing`` of the ``seeds`` of all runs, as `left` finds them, and returns the folders of all of them.

    The seeds of a run train as one population, each in an ordinary workdir of its own; those that have ended are left
    alone, the others go on from the newest checkpoint that they share. Runs that diverge are left, and their folder says
    so. ``root``: the checkout.

    Raises UserError; KeyboardInterrupt where it was stopped: the same call goes on.
    """
    from gan_jax import running

    folders = members(runs, seeds, workdir)
    for name, run in runs.items():
        own = missing[name]
        if not own:
            print(f"{name}: {len(seeds)} seeds have ended before", flush=True)
            continue
        print(f"{name}: {len(own)} of {len(seeds)} seeds to train", flush=True)
        made = configs.to_dict(configs.load(str(root / run.config), run.overrides))
        try:
            together = made | {"population": {"seed": tuple(own)}}
            for path, values in run.numbers.items():
                if len(values) <= max(own):
                    raise UserError(f"{name} has numbers for {len(values)} seeds, not for {max(own) + 1}")
                node = together["population"]
                *parents, last = path.split(".")
                for parent in parents:
                    node = node.setdefault(parent, {})
                node[last] = tuple(values[seed] for seed in own)
            with timed(workdir / f"{slug(name)}_from_{min(seeds)}{SECONDS}"):
                running.run(together, workdir / slug(name), [folders[name][seed] for seed in own])
        except running.TrainingDiverged as error:
            print(f"{name}: all seeds diverged: {error}", flush=True)
    return folders


def ended(folder: Path, steps: int) -> bool:
    """Whether a run has all its checkpoints, or has diverged and will never have them."""
    from gan_jax.member import DIVERGED

    if (folder / DIVERGED).exists():
        return True
    # The checkpoint is the last that a run writes, and appears whole.
    saved = [int(path.name) for path in (folder / "checkpoints").glob("*") if path.name.isdecimal()]
    return bool(saved) and max(saved) >= steps


def samples_over_training(folder: Path) -> list[tuple[int, np.ndarray]]:
    """The samples ``[n, 2]`` that a run of points has drawn, by step."""
    files = sorted((folder / "samples").glob("step_*.npy"))
    return [(int(file.stem.removeprefix("step_")), np.load(file)) for file in files]
