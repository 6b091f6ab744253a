"""The files of a figure: its numbers and claims, its pictures, and what they were made with."""

import contextlib
import csv
import importlib.metadata
import io
import itertools
import json
import math
import platform
import re
import subprocess
import textwrap
import time
from collections.abc import Callable, Container, Iterator, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from gan_jax import errors, files
from gan_jax.distributed import cpu
from gan_jax.errors import UserError
from gan_jax.reproduction import page
from gan_jax.reproduction.claims import COLUMNS, Claim, summarize, table_rows

if TYPE_CHECKING:
    from matplotlib.figure import Figure as Drawing

Record = Mapping[str, Any]
"""What ``results.json`` holds: a figure's numbers, claims and settings, and how they were made."""

PACKAGES = ("jax", "jaxlib", "flax", "optax", "numpy", "scipy")
"""The packages whose versions a record names."""

RESULTS_FILE = "results.json"
"""What a figure measured, in its directory."""
CLAIMS_FILE = "claims.csv"
"""Its claims with their verdicts."""
PICTURE_FILES = ("figure.png", "figure.svg", "figure.pdf")
"""The files in a figure's folder."""

_CHARACTERS_OF_A_LINE = 95
"""Of remarks below a picture."""

SECONDS_SUFFIX = ".seconds"
"""The suffix of files that hold how many seconds a run or a part of a measurement took."""

REPOSITORY = Path(__file__).resolve().parents[2]
CODE_FOLDERS = ("gan_jax", "experiments", "configs")


def to_json_value(value: Any, digits: int = 12) -> Any:
    """Returns ``value`` with arrays, tuples and NumPy scalars as JSON has them.

    Args:
      value: mappings, lists, tuples, arrays, numbers and text, nested in any way.
      digits: the significant digits that floating-point numbers keep.

    Returns:
      The same as dicts, lists and Python numbers; infinities and NaN as text.
    """
    if isinstance(value, Mapping):
        return {str(key): to_json_value(entry, digits) for key, entry in value.items()}
    if isinstance(value, np.ndarray):
        return to_json_value(value.tolist(), digits)
    if isinstance(value, list | tuple):
        return [to_json_value(entry, digits) for entry in value]
    if isinstance(value, np.generic):
        value = value.item()
    if isinstance(value, float):
        return float(f"{value:.{digits}g}") if math.isfinite(value) else str(value)
    return value


def environment_facts() -> dict[str, str]:
    """Returns the machine, the commit and the versions that numbers are computed with."""
    import jax

    cores = cpu.cores()
    unit = "CPU core" if cores == 1 else "CPU cores"
    device = jax.devices()[0].device_kind
    facts = {
        "machine": f"{cores} {unit}, {platform.machine()}; jax on {device}",
        "code": _commit(),
        "python": platform.python_version(),
    }
    return facts | {name: importlib.metadata.version(name) for name in PACKAGES}


def _commit() -> str:
    """Returns the commit and whether its code was changed since; "unknown" outside of git."""
    try:
        commit = _git("rev-parse", "HEAD")
        changes = _git("status", "--porcelain", "--", *CODE_FOLDERS)
    except (OSError, subprocess.CalledProcessError):
        return "unknown"
    return f"{commit}, with changes" if changes else commit


def _git(*arguments: str) -> str:
    command = ["git", "-C", str(REPOSITORY), *arguments]
    return subprocess.run(command, capture_output=True, text=True, check=True).stdout.strip()


def merge_records(before: Record, added: Record) -> dict[str, Any]:
    """Returns the record of a figure with the seeds of two records.

    Args:
      before: the record of the first seeds, which are kept as they were measured.
      added: the record of the seeds that were measured in addition.

    Returns:
      A record in which ``"numbers"`` has the rows of both, one per run and seed; all other numbers
      are those of the first seeds. ``"earlier"`` says how the first seeds were made.
    """
    kept_keys = ("command", "seeds", "seconds", "machine", "code", "python", *PACKAGES)
    provenance = {key: before[key] for key in kept_keys if key in before}
    rows = before["numbers"]["rows"] + added["numbers"]["rows"]
    return {
        **added,
        "seconds": round(before["seconds"] + added["seconds"], 1),
        "earlier": [*before.get("earlier", []), provenance],
        "numbers": {**added["numbers"], **before["numbers"], "rows": rows},
    }


def is_shortened(record: Record) -> bool:
    """Whether a record is of a shortened form, or of changed runs: most claims are not of those."""
    return record["scale"] != "paper" or bool(record.get("changes"))


def save_record(folder: Path, record: Record, claims: Sequence[Claim]) -> None:
    """Writes a figure's ``results.json`` and ``claims.csv``, each whole or not at all.

    Args:
      folder: the figure's folder, which is made if it does not exist.
      record: the numbers, with at least ``"figure"``, ``"scale"`` and ``"numbers"``.
      claims: the claims about the numbers; they are judged here.
    """
    folder.mkdir(parents=True, exist_ok=True)
    shortened = is_shortened(record)
    table = io.StringIO()
    writer = csv.writer(table, lineterminator="\n")
    writer.writerows([COLUMNS, *table_rows(claims, shortened)])
    files.write_text(folder / CLAIMS_FILE, table.getvalue())

    judged = [claim._asdict() | {"verdict": claim.verdict(shortened)} for claim in claims]
    results = {
        "verdict": summarize(record["figure"], claims, shortened),
        "claims": to_json_value(judged),
        "numbers": record["numbers"],
    }
    facts = {key: to_json_value(value) for key, value in record.items() if key not in results}
    files.write_text(folder / RESULTS_FILE, _to_json_text(facts | results) + "\n")


def load_record(folder: Path) -> dict[str, Any] | None:
    """Returns the record that `save_record` wrote, or None if there is none.

    Raises:
      UserError: if the file cannot be read.
    """
    path = folder / RESULTS_FILE
    try:
        record: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        return None
    except (OSError, ValueError) as error:
        message = f"{path} cannot be read: {errors.first_line(error)}; --overwrite replaces it"
        raise UserError(message) from error
    return record


def save_pictures(folder: Path, drawing: "Drawing", remark: str) -> None:
    """Writes a matplotlib figure as PNG, SVG and PDF, each whole or not at all.

    Args:
      folder: the figure's folder.
      drawing: the figure. The same figure always gives the same files.
      remark: what to write below it, such as what was shortened; may be empty.
    """
    import matplotlib

    if remark:
        lines = textwrap.fill(remark, _CHARACTERS_OF_A_LINE)
        drawing.supxlabel(lines, fontsize=page.LARGE, color=page.VERMILLION)
    undated = {"png": {}, "svg": {"Date": None}, "pdf": {"CreationDate": None}}
    for name in PICTURE_FILES:
        suffix = Path(name).suffix.removeprefix(".")
        picture = io.BytesIO()
        with page.style(), matplotlib.rc_context({"svg.hashsalt": folder.name}):
            drawing.savefig(picture, format=suffix, dpi=page.DPI, metadata=undated[suffix])
        files.write_bytes(folder / name, picture.getvalue())


def _to_json_text(record: Record) -> str:
    """Returns indented JSON with every list of numbers on one line."""
    text = json.dumps(record, indent=1, allow_nan=False, ensure_ascii=False)
    list_of_numbers = re.compile(r"\[\s+([^\[\]{}\"]*?)\s+\]")
    return list_of_numbers.sub(lambda match: "[" + " ".join(match[1].split()) + "]", text)


@contextlib.contextmanager
def add_seconds(path: Path) -> Iterator[None]:
    """Adds the seconds of the ``with`` block, even if it raises, to the number in ``path``."""
    began = time.monotonic()
    try:
        yield
    finally:
        before = float(path.read_text()) if path.exists() else 0.0
        path.parent.mkdir(parents=True, exist_ok=True)
        files.write_text(path, f"{before + time.monotonic() - began:.1f}\n")


def seconds_spent(folder: Path, first_seeds: Container[int] | None = None) -> float:
    """Returns the seconds that runs and parts of a measurement took, those of all calls together.

    Args:
      folder: where the runs or parts of a figure are.
      first_seeds: counts only runs whose first seed is one of these; by default everything counts.
    """
    total = 0.0
    for path in folder.glob(f"*{SECONDS_SUFFIX}"):
        first_seed = re.search(r"_from_(\d+)$", path.stem)
        if first_seeds is None or (first_seed and int(first_seed[1]) in first_seeds):
            total += float(path.read_text())
    return total


def cached(path: Path, settings: Mapping[str, Any], make: Callable[[], Any]) -> Any:
    """Returns a part of a long measurement, from ``path`` if it is there.

    Args:
      path: the JSON file that keeps the part. The seconds it took are kept next to it.
      settings: what the part depends on. A part of other settings, or one that cannot be read, is
        measured again.
      make: measures the part.

    Returns:
      What ``make()`` returns, as `to_json_value` has it.
    """
    settings = to_json_value(settings)
    try:
        part = json.loads(path.read_text(encoding="utf-8"))
        if part["settings"] == settings:
            return part["made"]
    except (OSError, ValueError, KeyError, TypeError):
        pass
    path.parent.mkdir(parents=True, exist_ok=True)
    with add_seconds(path.with_suffix(SECONDS_SUFFIX)):
        result = to_json_value(make())
    files.write_text(path, json.dumps({"settings": settings, "made": result}, allow_nan=False))
    return result


def progress_callback(steps: int, every: int) -> Callable[[], None]:
    """Returns what the loop of a compiled measurement calls before steps 0, ``every``, ....

    Each call prints the step, the steps per second and the time left. The time until the first
    call, which is mostly compilation, is not counted.

    Args:
      steps: the number of steps of the loop.
      every: the number of steps between two calls.
    """
    import jax

    from gan_jax.loggers.progress import Progress

    progress = Progress(steps, 0)
    steps_of_calls = itertools.cycle(range(0, steps, every))

    def report() -> None:
        step = next(steps_of_calls)
        if step == 0:
            progress.restart(0)
        else:
            progress.report(step, [{}])

    return lambda: jax.debug.callback(report)
