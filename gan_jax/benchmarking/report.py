"""Results of comparisons as tables and plots."""

import contextlib
import importlib.metadata
import json
import os
import platform
import re
import textwrap
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

from gan_jax import files
from gan_jax.benchmarking.timing import Comparison, Result, compare
from gan_jax.errors import UserError

if TYPE_CHECKING:
    from matplotlib.figure import Figure

SUFFIXES = (".json", ".md", ".png")
"""The forms in which a report can be written."""

COLUMNS = (
    "work",
    "compared with",
    "gan_jax",
    "peer",
    "times as fast",
    "quartiles",
    "by minima",
    "goal",
    "of peak",
    "steps per call",
    "rounds",
    "difference",
)
COLUMN_WIDTHS = (50, 28, 10, 10, 13, 14, 9, 5, 7, 14, 14, 10)
TICKS = (0.1, 0.2, 0.5, 1, 2, 5, 10, 20, 50, 100, 200, 500)


class Report(NamedTuple):
    """The results of a benchmark, and what is needed to repeat it.

    Attributes:
      title: the title on its first line, then what is compared with what.
      command: the command that makes the report again.
      machine: number of cores and architecture.
      packages: versions, by name.
      results: one per comparison.
    """

    title: str
    command: str
    machine: str
    packages: Mapping[str, str]
    results: Sequence[Result]


def compare_all(
    comparisons: Iterable[Comparison], rounds: int, only: str = "", patience: float = 20.0
) -> list[Result]:
    """Runs the comparisons with ``only`` in their names, and prints each result at once.

    Raises:
      UserError: if no comparison has ``only`` in its name.
    """
    results: list[Result] = []
    for comparison in comparisons:
        if only.lower() not in comparison.name.lower():
            continue
        if not results:
            print(_line(COLUMNS), flush=True)
        results.append(compare(comparison, rounds, patience))
        print(_line(table_row(results[-1])), flush=True)
    if not results:
        raise UserError(f"no comparison has {only!r} in its name")
    return results


def describe(
    results: Sequence[Result], title: str, packages: Sequence[str], command: str
) -> Report:
    """Returns the report of results that were measured on this machine.

    Args:
      results: one per comparison.
      title: the title on its first line, then what is compared with what.
      packages: the packages whose versions matter, in addition to JAX and NumPy.
      command: the command that makes the report again.
    """
    machine = f"{os.cpu_count()} CPU cores, {processor()}"
    return Report(title, command, machine, _versions(packages), results)


def save(report: Report, path: str | Path) -> None:
    """Writes a report.

    Args:
      report: what to write.
      path: ``.json`` and ``.md`` are tables, ``.png`` is a plot; without such an ending, all three
        are written. There is no plot if no comparison has a peer.
    """
    path = Path(path)
    path.parent.mkdir(parents=True, exist_ok=True)
    if path.suffix in SUFFIXES:
        targets = [path]
    else:
        targets = [path.with_name(path.name + suffix) for suffix in SUFFIXES]
    for target in targets:
        if target.suffix == ".json":
            files.write_text(target, to_json(report))
        elif target.suffix == ".md":
            files.write_text(target, to_markdown(report))
        elif any(result.quartiles for result in report.results):
            draw(report).savefig(target, dpi=150)


def to_json(report: Report) -> str:
    """Returns the report as JSON."""
    results = [result._asdict() for result in report.results]
    return json.dumps(report._asdict() | {"results": results}, indent=2) + "\n"


def to_markdown(report: Report) -> str:
    """Returns the report as a Markdown table, with the times of all settings of peers below it."""
    origin = f"`{report.command}`; {report.machine}; {_packages_text(report)}."
    rows = [COLUMNS, ("---",) * len(COLUMNS), *map(table_row, report.results)]
    lines = [report.title, "", origin, "", *(f"| {' | '.join(row)} |" for row in rows)]
    for result in report.results:
        if len(result.peer_medians) > 1:
            times = [f"{name} {_duration(took)}" for name, took in result.peer_medians.items()]
            lines += ["", f"{result.name}: {', '.join(times)}."]
    return "\n".join(lines) + "\n"


def table_row(result: Result) -> tuple[str, ...]:
    """Returns the cells of a result, one per column of `COLUMNS`; those of no peer are empty."""
    ratio = goal = ""
    if result.quartiles is not None:
        ratio = "unstable" if result.ratio is None else f"{result.ratio:.2f}"
        goal = f"{result.goal:g}"
    rounds = str(result.rounds)
    if result.rounds_left_out:
        rounds += f", {result.rounds_left_out} left out"
    return (
        result.name,
        result.peer or "none",
        _duration(result.seconds),
        "" if result.peer_seconds is None else _duration(result.peer_seconds),
        ratio,
        "" if result.quartiles is None else "{:.2f} to {:.2f}".format(*result.quartiles),
        "" if result.ratio_of_minima is None else f"{result.ratio_of_minima:.2f}",
        goal,
        "" if result.peak_share is None else f"{result.peak_share:.0%}",
        str(result.steps),
        rounds,
        "" if result.difference is None else f"{result.difference:.0e}",
    )


def draw(report: Report) -> "Figure":
    """Draws how many times as fast gan_jax was in each comparison that had a peer."""
    from gan_jax.loggers import plots

    results = [result for result in report.results if result.quartiles]
    figure: Figure
    figure, axes = plots.figure(1, 1, (8.5, 1.5 + 0.42 * len(results)))
    ax, heights = axes[0, 0], list(range(len(results)))[::-1]
    for y, result in zip(heights, results, strict=True):
        first, third = result.quartiles or (0.0, 0.0)
        colour = "tab:blue" if result.ratio else "0.7"
        ax.plot([first, third], [y, y], color=colour, linewidth=4, solid_capstyle="butt")
        if result.ratio:
            ax.plot(result.ratio, y, "o", color="tab:blue")
        ax.plot(result.ratio_of_minima, y, "|", color="black", markersize=10)
        ax.plot(result.goal, y, "x", color="tab:red", clip_on=False)
        text = f"{result.ratio:.2f}" if result.ratio else "unstable"
        ax.annotate(
            f"{text}  {result.peer}",
            (max(third, result.goal, result.ratio_of_minima or 0), y),
            (8, 0),
            fontsize=7,
            textcoords="offset points",
            va="center",
        )
    ax.plot([], [], "o-", color="tab:blue", linewidth=4, label="median ratio, quartiles")
    ax.plot([], [], "|", color="black", linestyle="none", markersize=10, label="ratio of minima")
    ax.plot([], [], "x", color="tab:red", linestyle="none", label="goal")
    ax.axvline(1, color="0.6", linewidth=0.8)
    ax.set_xscale("log")
    left, right = ax.get_xlim()
    right *= max(right / left, 4) ** 0.5  # room for the names
    ticks = [tick for tick in TICKS if left <= tick <= right]
    if len(ticks) < 3:
        ticks = [tick / 10 for tick in range(5, 20) if left <= tick / 10 <= right]
    ax.set_xticks(ticks, [f"{tick:g}" for tick in ticks])
    ax.minorticks_off()
    ax.set_xlim(left, right)
    ax.set_ylim(-0.5, len(results) - 0.5)
    ax.set_yticks(heights, [textwrap.fill(result.name, 36) for result in results], fontsize=8)
    ax.set_xlabel("times as fast as the fastest peer", fontsize=9)
    remark = f"{report.machine}; {_packages_text(report)}"
    title = textwrap.fill(report.title.splitlines()[0], 90)
    figure.suptitle(title + "\n" + textwrap.fill(remark, 90), fontsize=8)
    figure.legend(fontsize=7, loc="outside lower center", ncols=3)
    return figure


def _line(cells: Sequence[str]) -> str:
    padded = [cell.ljust(width) for cell, width in zip(cells, COLUMN_WIDTHS, strict=True)]
    return "  ".join(padded).rstrip()


def _duration(seconds: float) -> str:
    return f"{seconds:.4g} s" if seconds >= 0.1 else f"{1e3 * seconds:.4g} ms"


def processor(table: str | Path = "/proc/cpuinfo") -> str:
    """Returns the processor's name, and what tells apart those that share it.

    Args:
      table: Linux' table of processors; where there is none, the platform's own name is returned.
    """
    with contextlib.suppress(OSError):
        text = Path(table).read_text()
        fields = dict(re.findall(r"^(model name|cpu family|model)\s*: (.+)$", text, re.MULTILINE))
        if len(fields) == 3:
            return "{model name} (family {cpu family}, model {model})".format_map(fields)
    return platform.processor() or platform.machine()


def _packages_text(report: Report) -> str:
    return ", ".join(f"{name} {version}" for name, version in report.packages.items())


def _versions(packages: Sequence[str]) -> dict[str, str]:
    versions = {"python": platform.python_version()}
    for name in ("jax", "numpy", *packages):
        with contextlib.suppress(importlib.metadata.PackageNotFoundError):
            versions[name] = importlib.metadata.version(name)
    return versions
