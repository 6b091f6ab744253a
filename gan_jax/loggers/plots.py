"""Figures without a display, and plots that compare runs. They draw into matplotlib Axes."""

from collections.abc import Collection, Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.colors import Colormap
    from matplotlib.figure import Figure

Ticks = list[tuple[float, str]]
"""Heights in [0, 1] and what is written there."""


def figure(
    rows: int = 1, columns: int = 1, size: tuple[float, float] = (3.0, 3.0)
) -> tuple["Figure", Any]:
    """Makes a matplotlib figure that needs no display.

    Args:
      rows: of Axes.
      columns: of Axes.
      size: width and height of each of the Axes, in inches.

    Returns:
      The figure, and its Axes as an object array ``[rows, columns]``.
    """
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    drawing = Figure(figsize=(columns * size[0], rows * size[1]), layout="constrained")
    FigureCanvasAgg(drawing)
    return drawing, drawing.subplots(rows, columns, squeeze=False)


def parallel_coordinates(
    ax: "Axes",
    columns: Mapping[str, Sequence[Any]],
    metric: np.ndarray,
    name: str,
    maximize: bool = True,
    logarithmic: Collection[str] = (),
    levels: int = 8,
) -> "Axes":
    """Draws one line per run through its value in each column to its metric, which colours it.

    Text, and numbers of few different values, are spaced evenly; other numbers by size, or by
    logarithm. Lines that would coincide are moved apart a little. The best runs are bright, and
    drawn last.

    Args:
      ax: the matplotlib Axes.
      columns: by name, the value of each of the ``n`` runs.
      metric: ``[n]``.
      name: of the metric.
      maximize: whether higher values of the metric are better.
      logarithmic: the names of the columns with a logarithmic scale.
      levels: numbers of at most so many different values are spaced evenly.

    Returns:
      ``ax``.
    """
    metric = np.asarray(metric, float)
    worst_first = np.argsort(metric if maximize else -metric)
    offsets = np.linspace(-0.025, 0.025, len(metric))[np.argsort(worst_first)]
    heights: list[np.ndarray] = []
    ticks: list[Ticks] = []
    for column, values in columns.items():
        column_heights, column_ticks = _column(values, column in logarithmic, levels, offsets)
        heights.append(column_heights)
        ticks.append(column_ticks)
    metric_heights, metric_ticks = _scaled(metric)
    heights.append(metric_heights)
    ticks.append(metric_ticks)
    shares = (metric - metric.min()) / (np.ptp(metric) or 1.0)
    colours = _colours(maximize)
    for run in worst_first:
        line = [column_heights[run] for column_heights in heights]
        ax.plot(range(len(line)), line, color=colours(shares[run]), alpha=0.75, linewidth=1.4)
    for position, column_ticks in enumerate(ticks):
        _draw_scale(ax, position, column_ticks)
    labels = [column.replace(".", ".\n") for column in columns] + [name.replace("/", "/\n")]
    ax.set_xticks(range(len(labels)), labels)
    ax.set(xlim=(-0.05, len(labels) - 0.7), ylim=(0, 1), yticks=[])
    for side in ("left", "right", "top", "bottom"):
        ax.spines[side].set_visible(False)
    ax.tick_params(length=0)
    return ax


def _column(
    values: Sequence[Any], logarithmic: bool, levels: int, offsets: np.ndarray
) -> tuple[np.ndarray, Ticks]:
    """Returns the heights of the values of one column, and its ticks."""
    numeric = all(
        isinstance(value, int | float) and not isinstance(value, bool) for value in values
    )
    entries = list(values) if numeric else [str(value) for value in values]
    distinct = sorted(set(entries)) if numeric else list(dict.fromkeys(entries))
    if numeric and len(distinct) > levels:
        return _scaled(np.asarray(values, float), logarithmic)
    positions = {entry: i / max(len(distinct) - 1, 1) for i, entry in enumerate(distinct)}
    heights = 0.05 + 0.9 * np.array([positions[entry] for entry in entries]) + offsets
    ticks = [
        (0.05 + 0.9 * position, f"{entry:.4g}" if numeric else _wrap(entry))
        for entry, position in positions.items()
    ]
    return heights, ticks


def _scaled(values: np.ndarray, logarithmic: bool = False) -> tuple[np.ndarray, Ticks]:
    """Returns heights in [0.05, 0.95] of numbers, and the ticks of their scale."""
    from matplotlib.ticker import LogLocator, MaxNLocator

    locator = LogLocator(subs=(1.0, 3.0)) if logarithmic else MaxNLocator(5)
    lowest, highest = values.min(), values.max()
    marks = [mark for mark in locator.tick_values(lowest, highest) if lowest <= mark <= highest]
    scale = np.log if logarithmic else np.asarray
    low, width = scale(lowest), (scale(highest) - scale(lowest)) or 1.0

    def height(value: Any) -> Any:
        return 0.05 + 0.9 * (scale(value) - low) / width

    return height(values), [(float(height(mark)), f"{mark:.3g}") for mark in marks]


def _draw_scale(ax: "Axes", position: float, ticks: Ticks) -> None:
    """Draws a vertical line with its labels."""
    ax.axvline(position, color="0.3", linewidth=0.8)
    box = {"boxstyle": "round,pad=0.1", "facecolor": "white", "alpha": 0.75, "linewidth": 0}
    for height, label in ticks:
        ax.annotate(
            label,
            (position, height),
            (4, 0),
            textcoords="offset points",
            va="center",
            fontsize="small",
            bbox=box,
        )


def _wrap(label: str, width: int = 28) -> str:
    """Breaks a long label at its plus signs, and shortens its lines to ``width`` characters."""
    lines = [
        line if len(line) <= width else f"{line[: width - 3]}..." for line in label.split(" + ")
    ]
    return " +\n".join(lines)


def heat_map(
    ax: "Axes",
    means: np.ndarray,
    ticks: tuple[Sequence[str], Sequence[str]],
    names: tuple[str, str],
    title: str,
    maximize: bool = True,
) -> "Axes":
    """Draws a table of numbers as colours, with the numbers on them.

    Args:
      ax: the matplotlib Axes.
      means: ``[rows, columns]``; NaN cells stay white.
      ticks: the names of the rows, and of the columns.
      names: what varies down, and what varies across.
      title: above the table.
      maximize: whether higher numbers are better, and so brighter.

    Returns:
      ``ax``.
    """
    colours = _colours(maximize)
    ax.imshow(means, cmap=colours, aspect="auto")
    low, high = np.nanmin(means), np.nanmax(means)
    for (row, column), value in np.ndenumerate(means):
        if np.isfinite(value):
            brightness = np.mean(colours((value - low) / ((high - low) or 1.0))[:3])
            colour = "black" if brightness > 0.5 else "white"
            ax.text(column, row, f"{value:.3g}", ha="center", va="center", color=colour)
    row_names, column_names = ticks
    ax.set_yticks(range(len(row_names)), [_wrap(label) for label in row_names])
    tilt: dict[str, Any] = {}
    if max(map(len, column_names)) > 8:
        tilt = {"rotation": 30, "ha": "right"}
    ax.set_xticks(range(len(column_names)), [_wrap(label) for label in column_names], **tilt)
    ax.set(ylabel=names[0], xlabel=names[1])
    ax.set_title(title, fontsize="medium")
    return ax


def _colours(maximize: bool) -> "Colormap":
    """Returns a colour map that is dark for bad and bright for good values."""
    from matplotlib import colormaps

    return colormaps["viridis" if maximize else "viridis_r"]
