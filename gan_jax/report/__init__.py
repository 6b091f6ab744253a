"""One page to look at many runs: tables, curves, sample grids and figures, opened from disk.

`read_folders` finds what lies in some folders, `write_page` makes the page of it.
"""

from gan_jax.report.folders import Contents, read_folders
from gan_jax.report.page import write_page
from gan_jax.report.runs import Run, read_run

__all__ = ["Contents", "Run", "read_folders", "read_run", "write_page"]
