"""Pictures of a generator's samples: grids of images, points, densities over training."""

import math
import os
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

import numpy as np

from gan_jax import files
from gan_jax.data import Dataset
from gan_jax.loggers import plots
from gan_jax.loggers.images import image_grid, save_image

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

MAX_HISTOGRAMS = 8  # dimensions that are drawn of samples that are neither points nor images
SHORTEST_SIGNAL = 16  # numbers of a sample from which on it is drawn as a signal, not as a table


def labels_by_row(n: int, classes: int) -> tuple[np.ndarray | None, int | None]:
    """Returns labels for a grid of samples that shows one class per row.

    Args:
      n: the number of samples.
      classes: the number of classes; 0 if there are no labels.

    Returns:
      The labels ``[n]`` and the number of columns; ``(None, None)`` without classes, or if there
      are more classes than samples.
    """
    if not classes or n < classes:
        return None, None
    columns = n // classes
    return np.minimum(np.arange(n) // columns, classes - 1), columns


def side_by_side(*images: np.ndarray) -> tuple[np.ndarray, int]:
    """Arranges images that belong together next to each other, such as inputs and reconstructions.

    Args:
      *images: arrays ``[n, ...]`` of one shape.

    Returns:
      ``[n * len(images), ...]``, and the number of columns of a grid in which they stay together.
    """
    groups = np.stack(images, 1)
    rows = math.ceil(math.sqrt(len(groups) * len(images)))
    columns = len(images) * math.ceil(len(groups) / rows)
    return groups.reshape(-1, *groups.shape[2:]), columns


def real_to_compare(dataset: Dataset, n: int) -> np.ndarray | None:
    """Draws the real samples ``[n, ...]`` that `save_samples` wants; None for images."""
    if len(dataset.shape) >= 3:
        return None
    return np.asarray(dataset.draw(0, np.arange(n))["real"])


def save_samples(
    path: str | os.PathLike[str],
    samples: np.ndarray,
    real: np.ndarray | None = None,
    columns: int | None = None,
) -> None:
    """Writes a picture of samples as a PNG file, whole or not at all.

    Images are arranged in a grid. Points of two dimensions are scattered over as many real ones;
    signals, ``[n, t, channels]`` or ``[n, t]`` with t of at least `SHORTEST_SIGNAL`, are drawn as
    waveforms; of other samples, each of the first `MAX_HISTOGRAMS` dimensions gets a histogram.

    Args:
      path: the file.
      samples: ``[n, ...]``; images ``[n, height, width, channels]`` in [-1, 1].
      real: as many real samples, see `real_to_compare`; images need none.
      columns: of the grid of images; None for the squarest grid.
    """
    if samples.ndim == 4:
        save_image(path, image_grid(samples, columns), scale=2)
        return
    if real is None:
        raise ValueError("samples that are not images are drawn next to real ones: pass real")
    if is_signal(samples.shape[1:]):
        _save(path, waveforms(samples, real))
        return
    is_plane = samples.shape[1:] == (2,)
    samples, real = samples.reshape(len(samples), -1), real.reshape(len(real), -1)
    if is_plane:
        drawing, axes = plots.figure(size=(4.0, 4.0))
        scatter(axes[0, 0], samples, real, 1.5 * float(np.abs(real).max()))
    else:
        drawing, axes = plots.figure(1, min(real.shape[1], MAX_HISTOGRAMS))
        for dimension, ax in enumerate(axes[0]):
            _histogram(ax, samples[:, dimension], real[:, dimension])
            ax.set_title(f"dimension {dimension}")
        axes[0, 0].legend()
    _save(path, drawing)


def _save(path: str | os.PathLike[str], drawing: "Figure") -> None:
    with files.replacing(path) as file:
        drawing.savefig(file, format="png", dpi=100)


def is_signal(shape: tuple[int, ...]) -> bool:
    """Returns whether samples of a shape are drawn as waveforms."""
    return len(shape) == 2 or (len(shape) == 1 and shape[0] >= SHORTEST_SIGNAL)


def waveforms(samples: np.ndarray, real: np.ndarray) -> "Figure":
    """Draws signals over time: a row of real ones, then rows of generated ones, on one scale.

    Args:
      samples: generated signals ``[n, t]`` or ``[n, t, channels]``.
      real: real signals, likewise.

    Returns:
      The matplotlib figure.
    """
    drawing, axes = plots.figure(4, 4, size=(2.4, 1.4))
    generated = axes[1:].ravel()
    low, high = float(real.min()), float(real.max())
    margin = 0.1 * (high - low) or 1.0
    for title, kind, panels in (("real", real, axes[0]), ("generated", samples, generated)):
        panels[0].set_title(title, fontsize="small", loc="left")
        for index, ax in enumerate(panels):
            ax.set(xticks=[], ylim=(low - margin, high + margin))
            ax.tick_params(labelsize="x-small", labelleft=ax.get_subplotspec().is_first_col())
            if index < len(kind):
                ax.plot(kind[index], linewidth=0.8)
            else:
                ax.set_axis_off()
    return drawing


def _histogram(ax: "Axes", samples: np.ndarray, real: np.ndarray) -> None:
    edges = np.linspace(real.min() - 1, real.max() + 1, 101).tolist()
    ax.hist(real, edges, alpha=0.5, density=True, label="real")
    ax.hist(samples, edges, alpha=0.5, density=True, label="generated")


def scatter(ax: "Axes", samples: np.ndarray, real: np.ndarray, extent: float) -> None:
    """Draws generated points over real ones.

    Args:
      ax: the matplotlib Axes.
      samples: generated points ``[n, 2]``.
      real: real points ``[m, 2]``.
      extent: the Axes show ``[-extent, extent]^2``.
    """
    for points, label, colour in (
        (real, "real", "tab:orange"),
        (samples, "generated", "tab:blue"),
    ):
        x, y = points.T
        ax.scatter(x, y, s=3, alpha=0.3, color=colour, label=label, linewidths=0)
    ax.set(xlim=(-extent, extent), ylim=(-extent, extent), aspect="equal")
    ax.legend(loc="upper right", markerscale=4, fontsize="small")


def density(
    ax: "Axes", samples: np.ndarray, extent: float, bandwidth: float = 0.03, pixels: int = 192
) -> None:
    """Draws the density of points: a histogram smoothed by a Gaussian.

    The darkest colour is the maximum of these Axes.

    Args:
      ax: the matplotlib Axes.
      samples: points ``[n, 2]``.
      extent: the Axes show ``[-extent, extent]^2``.
      bandwidth: the standard deviation of the Gaussian, as a fraction of ``extent``.
      pixels: bins of the histogram in each direction.
    """
    from scipy.ndimage import gaussian_filter

    edges = np.linspace(-extent, extent, pixels + 1)
    counts, _, _ = np.histogram2d(samples[:, 1], samples[:, 0], bins=(edges, edges))
    ax.imshow(
        gaussian_filter(counts, bandwidth * pixels / 2),
        origin="lower",
        extent=(-extent, extent, -extent, extent),
        cmap="Greens",
        vmin=0,
        interpolation="bilinear",
    )
    ax.set(xticks=[], yticks=[])


def density_over_training(
    runs: Mapping[str, Sequence[tuple[int, np.ndarray]]],
    real: np.ndarray,
    extent: float,
    captions: Mapping[str, str],
) -> "Figure":
    """Draws the densities of 2-D samples over training, one row per run, and the real data last.

    Args:
      runs: for each run, by name, ``[(step, samples [n, 2]), ...]``, the same steps for all.
      real: real points ``[n, 2]``.
      extent: each panel shows ``[-extent, extent]^2``.
      captions: a line of text by name, for some or all runs.

    Returns:
      The matplotlib figure.

    References:
      Metz et al., "Unrolled Generative Adversarial Networks" (ICLR 2017), figure 2.
    """
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    columns = max(len(snapshots) for snapshots in runs.values()) + 1
    drawing = Figure(figsize=(1.6 * columns, 2.1 * len(runs)), layout="constrained")
    FigureCanvasAgg(drawing)
    rows = drawing.subfigures(len(runs), 1, squeeze=False)[:, 0]
    for row, (name, snapshots) in zip(rows, runs.items(), strict=True):
        row.suptitle(f"{name}: {captions[name]}" if name in captions else name, fontsize="medium")
        panels = row.subplots(1, columns)
        for panel in panels:
            panel.set_axis_off()
        titled_samples = [(f"step {step:,}", samples) for step, samples in snapshots]
        for panel, (title, samples) in zip(panels, titled_samples, strict=False):
            _density_panel(panel, samples, extent, title)
        _density_panel(panels[-1], real, extent, "real")
    return drawing


def _density_panel(panel: "Axes", samples: np.ndarray, extent: float, title: str) -> None:
    density(panel, samples, extent)
    panel.set_title(title, fontsize="small")
    panel.set_axis_on()
