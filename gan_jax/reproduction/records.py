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
from typing import Any

import numpy as np

from gan_jax import errors
from gan_jax.distributed.cpu import cores as available
from gan_jax.errors import UserError
from gan_jax.reproduction.claims import COLUMNS, Claim, rows, verdict


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
        commit = subprocess.run(
            [*of, "rev-parse", "HEAD"], capture_output=True, text=True, check=True
        ).stdout.strip()
        paths = ["gan_jax", "experiments", "configs"]
        changed = subprocess.run(
            [*of, "status", "--porcelain", "--", *paths], capture_output=True, text=True, check=True
        )
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
    numbers = {
        **added["numbers"],
        **before["numbers"],
        "rows": before["numbers"]["rows"] + added["numbers"]["rows"],
    }
    return {
        **added,
        "seconds": round(before["seconds"] + added["seconds"], 1),
        "earlier": earlier,
        "numbers": numbers,
    }


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
        with matplotlib.rc_context(
            {"svg.hashsalt": folder.name}
        ):  # the same file from the same numbers
            drawing.savefig(
                part, dpi=150, **({"metadata": {"Date": None}} if name.endswith("svg") else {})
            )
        part.replace(folder / name)


def _dumps(record: Mapping[str, Any]) -> str:
    """Indented JSON, with every list of numbers on one line."""
    text = json.dumps(record, indent=1, allow_nan=False, ensure_ascii=False)
    return re.sub(
        r"\[\s+([^\[\]{}\"]*?)\s+\]", lambda found: "[" + " ".join(found[1].split()) + "]", text
    )


def load(folder: Path) -> dict[str, Any] | None:
    """What `save` wrote, or None where there is nothing. Raises UserError where it cannot be read."""
    path = folder / RESULTS
    try:
        return json.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        return None
    except (OSError, ValueError) as error:
        raise UserError(
            f"{path} cannot be read: {errors.first_line(error)}; --overwrite makes it anew"
        ) from error


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
        paths = (
            path
            for path in paths
            if (found := re.search(r"_from_(\d+)$", path.stem)) and int(found[1]) in seeds
        )
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

    from gan_jax.loggers.progress import Progress

    shown, at = Progress(steps, 0), itertools.cycle(range(0, steps, every))

    def show() -> None:
        if step := next(at):
            shown.report(step, [{}])
        else:
            shown.restart(0)  # compiling is not counted

    return lambda: jax.debug.callback(show)


# ------------------------------------------------------------------------------------------------------------------ runs
