"""Writes the page: one HTML file with its code and numbers in it, and the pictures beside it."""

import html
import importlib.util
import json
import re
import shutil
import time
from collections.abc import Sequence
from importlib import resources
from pathlib import Path
from typing import Any

import numpy as np

from gan_jax import files
from gan_jax.errors import UserError
from gan_jax.report import curves, tables
from gan_jax.report.folders import Contents, Pictures
from gan_jax.report.runs import Run

PAGE_FILE, PICTURE_FOLDER = "index.html", "pictures"

LIBRARY = ("bokeh.min.js", "bokeh-api.min.js")
"""The plotting library, as the Python package bokeh carries it."""

SCRIPTS = ("values.js", "tables.js", "curves.js", "samples.js", "page.js")
"""The page's own code, in the order in which it is run."""


def write_page(
    contents: Contents, out: str | Path, title: str, most_rows: int = 1000, most_grids: int = 25
) -> Path:
    """Writes a page that shows runs, sweeps and figures, and returns its path.

    The page needs no server and no network. Names and texts from the files are data to it: it sets
    them as text, and its content security policy allows no address but that of the folder.

    Args:
      contents: what is shown.
      out: the folder of the page, which is made; a page in it is replaced.
      title: of the page.
      most_rows: of a curve; longer ones are thinned.
      most_grids: the largest number of sample grids of a run; more are thinned.

    Raises:
      UserError: the plotting library is not installed.
    """
    library = _library()
    out = Path(out)
    files.make_directory(out)
    pictures = _PictureCopies(out)
    data = _data(contents, title, most_rows, most_grids, pictures)
    parts = {
        "title": html.escape(title),
        "style": _asset("page.css"),
        "data": _json(data),
        "library": "\n".join(f"<script>{script}</script>" for script in library),
        "code": "\n".join(map(_asset, SCRIPTS)),
    }
    page = re.sub(
        "{(title|style|data|library|code)}", lambda mark: parts[mark[1]], _asset("page.html")
    )
    files.write_text(out / PAGE_FILE, page)
    pictures.remove_others()
    return out / PAGE_FILE


def _data(
    contents: Contents, title: str, most_rows: int, most_grids: int, pictures: "_PictureCopies"
) -> dict[str, Any]:
    """Returns everything that the page shows, as JSON has it."""
    runs = contents.runs
    differing = tables.differing_settings(runs)
    cells = tables.cells(runs, differing)
    encoded = curves.encode(runs, most_rows)
    longest = max((len(run.rows) for run in runs), default=0)
    return {
        "title": title,
        "made": time.strftime("%Y-%m-%d %H:%M"),
        "thinned": f"curves are thinned to {most_rows} rows" if longest > most_rows else "",
        "runs": [
            {
                "name": run.name,
                "group": run.group or run.name,
                "cell": cell,
                "curves": of_run,
                "grids": _grids(run, most_grids, pictures),
            }
            for run, cell, of_run in zip(runs, cells, encoded.runs, strict=True)
        ],
        "metrics": encoded.names,
        "steps": encoded.steps,
        "tables": {
            "runs": tables.run_table(runs, differing)._asdict(),
            "scores": tables.score_table(runs)._asdict(),
            "health": tables.health_table(runs)._asdict(),
        },
        "sweeps": [_with_pictures(sweep, pictures) for sweep in contents.sweeps],
        "figures": [_with_pictures(figure, pictures) for figure in contents.figures],
    }


def _grids(run: Run, most: int, pictures: "_PictureCopies") -> list[tuple[int, str]]:
    """Returns the steps and the copies of a run's sample grids, at equal distances if too many."""
    grids: Sequence[tuple[int, Path]] = run.pictures
    if len(grids) > most:
        kept = np.unique(np.linspace(0, len(grids) - 1, most).round().astype(int))
        grids = [grids[index] for index in kept]
    copies = ((step, pictures.copy(path)) for step, path in grids)
    return [(step, address) for step, address in copies if address]


def _with_pictures(shown: Pictures, pictures: "_PictureCopies") -> dict[str, Any]:
    addresses = [pictures.copy(path) for path in shown.pictures]
    return shown.__dict__ | {"pictures": [address for address in addresses if address]}


class _PictureCopies:
    """Copies pictures beside a page, under names that say nothing of where they come from."""

    def __init__(self, out: Path) -> None:
        self._folder = out / PICTURE_FOLDER
        files.make_directory(self._folder)
        self._written: set[str] = set()

    def copy(self, path: Path) -> str:
        """Copies a picture, and returns its address in the page; empty if it cannot be read."""
        name = f"{len(self._written):06d}.png"
        try:
            shutil.copyfile(path, self._folder / name)
        except (FileNotFoundError, PermissionError):
            return ""
        self._written.add(name)
        return f"{PICTURE_FOLDER}/{name}"

    def remove_others(self) -> None:
        """Removes the pictures of the page that was here before."""
        for path in self._folder.glob("[0-9]*.png"):
            if path.name not in self._written:
                path.unlink()


def _json(data: Any) -> str:
    """Returns JSON that may stand in a script element: no text in it can end the element."""
    text = json.dumps(data, allow_nan=False, separators=(",", ":"))
    return text.replace("<", "\\u003c").replace(">", "\\u003e").replace("&", "\\u0026")


def _asset(name: str) -> str:
    return (resources.files(__package__) / "assets" / name).read_text(encoding="utf-8")


def _library() -> list[str]:
    """Returns the code of the plotting library. Raises UserError."""
    package = importlib.util.find_spec("bokeh")  # the import alone would take a second
    folder = Path(package.origin or "").parent / "server" / "static" / "js" if package else Path()
    try:
        return [(folder / name).read_text(encoding="utf-8") for name in LIBRARY]
    except FileNotFoundError as error:
        raise UserError(
            "the report draws its curves with bokeh, which is not installed: "
            "pip install 'gan_jax[report]', or pip install bokeh"
        ) from error
