"""Makes one page of runs that can be looked at: tables, curves, samples, scores, health, figures.

    python experiments/report.py runs/ --out=report/
    python experiments/report.py runs/a runs/b results/ --out=report/

The folders are run directories, or hold some at any depth, here or in object stores (gs://...,
s3://...). The page, index.html, opens from the disk, without a server or a network; its pictures
are copied beside it. What is damaged or missing in a run directory is named on the page. Its curves
are drawn by bokeh: pip install 'gan_jax[report]'.
"""

import argparse
from pathlib import Path

from gan_jax.errors import UserError
from gan_jax.experiment.command_line import Parser, main


def report(arguments: list[str]) -> None:
    """Runs the command."""
    flags = _parse(arguments)
    out = Path(flags.out)
    if out.exists() and not out.is_dir():
        raise UserError(f"--out={out} is a file: choose a folder")

    from gan_jax.report import read_folders, write_page

    contents = read_folders(flags.folders)
    page = write_page(contents, out, flags.title, flags.rows, flags.grids)
    print(
        f"{page}: {len(contents.runs)} runs, {len(contents.sweeps)} sweeps, "
        f"{len(contents.figures)} figures, {page.stat().st_size / 1e6:.1f} MB without pictures"
    )


def _parse(arguments: list[str]) -> argparse.Namespace:
    """Parses the flags. Raises UserError."""
    parser = Parser(__doc__, urls=["folders"])
    parser.add_argument("folders", nargs="+", metavar="FOLDER", help="run directories are in it")
    parser.add_argument("--out", required=True, help="the folder of the page")
    parser.add_argument("--title", default="Runs", help="of the page (Runs)")
    parser.add_argument("--rows", type=int, default=1000, help="of a curve at most (1000)")
    parser.add_argument("--grids", type=int, default=25, help="sample grids of a run at most (25)")
    flags = parser.parse_args(arguments)
    for name in ("rows", "grids"):
        if getattr(flags, name) < 2:
            raise UserError(f"--{name} must be at least 2, not {getattr(flags, name)}")
    return flags


if __name__ == "__main__":
    main(report)
