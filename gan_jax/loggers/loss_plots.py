"""A picture of a run's losses and scores over its steps."""

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from gan_jax.loggers import plots

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

LOSSES = {"discriminator/loss": "discriminator", "generator/loss": "generator"}
SCORES = {"scores/real": "real", "scores/fake": "generated"}


def loss_plot(rows: Sequence[Mapping[str, Any]]) -> "Figure":
    """Draws both losses, and the mean scores of real and generated samples, over the steps.

    Args:
      rows: of a ``metrics.jsonl``, see `read_metrics`. A value that is not finite is a gap.

    Returns:
      The matplotlib figure.
    """
    drawing, axes = plots.figure(1, 2, (4.5, 3.0))
    _draw(axes[0, 0], rows, LOSSES, "loss")
    _draw(axes[0, 1], rows, SCORES, "mean score")
    return drawing


def _draw(
    ax: "Axes", rows: Sequence[Mapping[str, Any]], names: Mapping[str, str], title: str
) -> None:
    for name, label in names.items():
        points = [(row["step"], row[name]) for row in rows if name in row]
        if points:
            steps, values = np.array(points, float).T  # None becomes NaN
            ax.plot(steps, values, label=label, linewidth=1.0)
    ax.set(xlabel="step", title=title)
    if ax.lines:
        ax.legend()
