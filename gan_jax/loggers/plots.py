"""Pictures: arrays in, matplotlib Axes or pixels out."""

from collections.abc import Collection, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from gan_jax.data import Dataset


def image_grid(images: np.ndarray, columns: int | None = None, pad: int = 2) -> np.ndarray:
    """Images ``[n, h, w, c]`` in [-1, 1] (c = 1 or 3) as one picture ``[H, W, 3]`` uint8, row by row.

    ``columns`` defaults to the squarest grid. Cells that are left over are white, and so is the border of ``pad`` pixels.
    """
    n, height, width, channels = images.shape
    if channels not in (1, 3):
        raise ValueError(f"image_grid draws images of 1 or 3 channels, not of shape {images.shape}")
    columns = columns or int(np.ceil(np.sqrt(n)))
    rows = -(-n // columns)
    picture = np.full(
        (rows * (height + pad) + pad, columns * (width + pad) + pad, 3), 255, np.uint8
    )
    pixels = np.clip(np.rint((images + 1) * 127.5), 0, 255).astype(np.uint8)
    for index, image in enumerate(pixels):
        top, left = pad + index // columns * (height + pad), pad + index % columns * (width + pad)
        picture[top : top + height, left : left + width] = image
    return picture


def save_image(path: str | Path, picture: np.ndarray, scale: int = 1) -> None:
    """Writes ``[H, W, 3]`` uint8 as a PNG, each pixel ``scale`` times as large."""
    from PIL import Image

    Image.fromarray(picture.repeat(scale, 0).repeat(scale, 1)).save(path)


def read_image(path: str | Path) -> np.ndarray:
    """The pixels of an image file, ``[H, W, 3]`` uint8."""
    from PIL import Image

    with Image.open(path) as image:
        return np.asarray(image.convert("RGB"))


def figure(rows: int = 1, columns: int = 1, size: tuple[float, float] = (3.0, 3.0)):
    """A matplotlib figure without a display, and its Axes ``[rows, columns]``; ``size`` of one of them, in inches."""
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    drawing = Figure(figsize=(columns * size[0], rows * size[1]), layout="constrained")
    FigureCanvasAgg(drawing)
    return drawing, drawing.subplots(rows, columns, squeeze=False)


def density(ax, samples: np.ndarray, extent: float, bandwidth: float = 0.03, pixels: int = 192):
    """The density of 2-D ``samples`` ``[n, 2]`` on ``[-extent, extent]^2``: a histogram smoothed by a Gaussian.

    ``bandwidth``: the Gaussian's standard deviation, as a share of ``extent``. The darkest colour is the panel's maximum.
    """
    from scipy.ndimage import gaussian_filter

    edges = np.linspace(-extent, extent, pixels + 1)
    counts, _, _ = np.histogram2d(samples[:, 1], samples[:, 0], bins=(edges, edges))
    smooth = gaussian_filter(counts, bandwidth * pixels / 2)
    ax.imshow(
        smooth,
        origin="lower",
        extent=(-extent, extent) * 2,
        cmap="Greens",
        vmin=0,
        interpolation="bilinear",
    )
    ax.set(xticks=[], yticks=[])
    return ax


def scatter(ax, samples: np.ndarray, real: np.ndarray, extent: float):
    """Generated 2-D ``samples`` over ``real`` ones, both ``[n, 2]``."""
    ax.scatter(*real.T, s=3, alpha=0.3, color="tab:orange", label="real", linewidths=0)
    ax.scatter(*samples.T, s=3, alpha=0.3, color="tab:blue", label="generated", linewidths=0)
    ax.set(xlim=(-extent, extent), ylim=(-extent, extent), aspect="equal")
    ax.legend(loc="upper right", markerscale=4, fontsize="small")
    return ax


def class_rows(n: int, classes: int) -> tuple[np.ndarray | None, int | None]:
    """Labels ``[n]`` and columns of a grid with a row a class; ``(None, None)`` without labels or where rows are too few."""
    columns = n // classes if classes else 0
    if not columns:
        return None, None
    return np.minimum(np.arange(n) // columns, classes - 1), columns


def save_samples(
    path: str | Path, samples: np.ndarray, dataset: Dataset, columns: int | None = None
) -> None:
    """Writes a PNG of samples ``[n, *dataset.shape]``: a grid of images, or points beside as many real ones.

    Points of two dimensions are scattered; of others each dimension gets a histogram.
    """
    if len(dataset.shape) == 3:
        save_image(path, image_grid(samples, columns), scale=2)
        return
    real = np.asarray(dataset.draw(0, np.arange(len(samples)))["real"]).reshape(len(samples), -1)
    samples = samples.reshape(len(samples), -1)
    if dataset.shape == (2,):
        drawing, axes = figure(size=(4.0, 4.0))
        scatter(axes[0, 0], samples, real, 1.5 * float(np.abs(real).max()))
    else:
        drawing, axes = figure(1, min(real.shape[1], 8))
        for index, ax in enumerate(axes[0]):
            edges = np.linspace(real[:, index].min() - 1, real[:, index].max() + 1, 101)
            ax.hist(real[:, index], edges, alpha=0.5, density=True, label="real")
            ax.hist(samples[:, index], edges, alpha=0.5, density=True, label="generated")
            ax.set_title(f"dimension {index}")
        axes[0, 0].legend()
    drawing.savefig(path, dpi=100)


def over_training(
    runs: Mapping[str, Sequence[tuple[int, np.ndarray]]],
    real: np.ndarray,
    extent: float,
    captions: Mapping[str, str],
):
    """Densities of 2-D samples over training, a row a run, with the real data as the last column.

    ``runs``: name -> [(step, samples ``[n, 2]``), ...], the same steps for each; ``captions``: a line for each row.
    Returns the figure. After figure 2 of Metz et al., "Unrolled Generative Adversarial Networks" (2017).
    """
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    columns = max(len(snapshots) for snapshots in runs.values()) + 1
    drawing = Figure(figsize=(1.6 * columns, 2.1 * len(runs)), layout="constrained")
    FigureCanvasAgg(drawing)
    for part, (name, snapshots) in zip(
        drawing.subfigures(len(runs), 1, squeeze=False)[:, 0], runs.items(), strict=True
    ):
        part.suptitle(f"{name}: {captions[name]}" if name in captions else name, fontsize="medium")
        row = part.subplots(1, columns)
        for ax in row:
            ax.set_axis_off()
        for ax, (step, samples) in zip(row, snapshots, strict=False):
            density(ax, samples, extent).set_title(f"step {step:,}", fontsize="small")
            ax.set_axis_on()
        density(row[-1], real, extent).set_title("real", fontsize="small")
        row[-1].set_axis_on()
    return drawing


def parallel_coordinates(
    ax, columns: Mapping[str, Sequence[Any]], metric: np.ndarray, name: str, highest: bool = True,
    logarithmic: Collection[str] = (), levels: int = 8,
):  # fmt: skip
    """A line a run through its values of each of ``columns`` (name -> ``[n]``) to its ``metric`` ``[n]``, which colours it.

    Text, and numbers of at most ``levels`` different values, are spaced evenly; other numbers by size, or by logarithm in
    the columns named as ``logarithmic``. Lines that would coincide are spread a little, and the best are drawn last.
    ``highest``: whether more is better.
    """
    metric = np.asarray(metric, float)
    order = np.argsort(metric if highest else -metric)
    spread = np.linspace(-0.025, 0.025, len(metric))[np.argsort(order)]
    heights: list[np.ndarray] = []
    ticks: list[list[tuple[float, str]]] = []
    for column, values in columns.items():
        numeric = all(
            isinstance(value, int | float) and not isinstance(value, bool) for value in values
        )
        distinct = sorted(set(values)) if numeric else list(dict.fromkeys(map(str, values)))
        if not numeric or len(distinct) <= levels:
            found = values if numeric else [str(value) for value in values]
            even = {value: i / max(len(distinct) - 1, 1) for i, value in enumerate(distinct)}
            heights.append(0.05 + 0.9 * np.array([even[value] for value in found]) + spread)
            ticks.append(
                [
                    (0.05 + 0.9 * at, f"{value:.4g}" if numeric else _short(value))
                    for value, at in even.items()
                ]
            )
            continue
        placed, marks = _scaled(np.asarray(values, float), column in logarithmic)
        heights.append(placed)
        ticks.append(marks)
    share = (metric - metric.min()) / (np.ptp(metric) or 1.0)
    placed, marks = _scaled(metric)
    heights.append(placed)
    ticks.append(marks)
    colours = _colours(highest)
    for run in order:
        ax.plot(
            range(len(heights)),
            [height[run] for height in heights],
            color=colours(share[run]),
            alpha=0.75,
            linewidth=1.4,
        )
    for at, labels in enumerate(ticks):
        ax.axvline(at, color="0.3", linewidth=0.8)
        for height, label in labels:
            ax.annotate(
                label, (at, height), (4, 0), textcoords="offset points", va="center", fontsize="small",
                bbox={"boxstyle": "round,pad=0.1", "facecolor": "white", "alpha": 0.75, "linewidth": 0},
            )  # fmt: skip
    names = [*columns, name]
    ax.set_xticks(
        range(len(names)),
        [label.replace(".", ".\n") for label in names[:-1]] + [name.replace("/", "/\n")],
    )
    ax.set(xlim=(-0.05, len(names) - 0.7), ylim=(0, 1), yticks=[])
    for side in ("left", "right", "top", "bottom"):
        ax.spines[side].set_visible(False)
    ax.tick_params(length=0)
    return ax


def _scaled(
    values: np.ndarray, logarithmic: bool = False
) -> tuple[np.ndarray, list[tuple[float, str]]]:
    """Heights in [0.05, 0.95] of numbers, and where which marks stand."""
    from matplotlib.ticker import LogLocator, MaxNLocator

    locator = LogLocator(subs=(1.0, 3.0)) if logarithmic else MaxNLocator(5)
    marks = [
        mark
        for mark in locator.tick_values(values.min(), values.max())
        if values.min() <= mark <= values.max()
    ]
    scale = np.log if logarithmic else np.asarray
    low, width = scale(values.min()), (scale(values.max()) - scale(values.min())) or 1.0
    return 0.05 + 0.9 * (scale(values) - low) / width, [
        (0.05 + 0.9 * (scale(m) - low) / width, f"{m:.3g}") for m in marks
    ]


def _short(label: str, most: int = 28) -> str:
    """A long label in lines, at its plus signs, each of ``most`` letters."""
    lines = [line if len(line) <= most else f"{line[: most - 3]}..." for line in label.split(" + ")]
    return " +\n".join(lines)


def heat_map(ax, means: np.ndarray, ticks: tuple[Sequence[str], Sequence[str]], names: tuple[str, str], title: str,
             highest: bool = True):  # fmt: skip
    """``means`` ``[rows, columns]`` as colours with their numbers; NaN, where nothing ran, is left white.

    ``ticks``: the names of the rows and of the columns; ``names``: what varies down and across.
    """
    colours = _colours(highest)
    ax.imshow(means, cmap=colours, aspect="auto")
    low, high = np.nanmin(means), np.nanmax(means)
    for (row, column), value in np.ndenumerate(means):
        if np.isfinite(value):
            shade = sum(colours((value - low) / ((high - low) or 1.0))[:3]) / 3
            ax.text(
                column,
                row,
                f"{value:.3g}",
                ha="center",
                va="center",
                color="black" if shade > 0.5 else "white",
            )
    long = max(map(len, ticks[1])) > 8
    ax.set_yticks(range(len(ticks[0])), [_short(label) for label in ticks[0]])
    turned: dict[str, Any] = {"rotation": 30, "ha": "right"} if long else {}
    ax.set_xticks(range(len(ticks[1])), [_short(label) for label in ticks[1]], **turned)
    ax.set(ylabel=names[0], xlabel=names[1])
    ax.set_title(title, fontsize="medium")
    return ax


def _colours(highest: bool):
    """Dark for bad, bright for good."""
    from matplotlib import colormaps

    return colormaps["viridis" if highest else "viridis_r"]
