"""What a generator of points does over its training: which modes it is on, and a density small enough for a file."""

from pathlib import Path
from typing import Any

import numpy as np

from gan_jax import metrics
from gan_jax.reproduction import samples_over_training

WELL, NEAR = (
    20,
    0.01,
)  # samples that cover a mode; share of all samples that a mode is nearest to, for it to be near


def looks(folder: Path, dataset: Any) -> list[dict]:
    """A run's state at each step that it was sampled at, but step 0, by its samples ``[n, 2]``."""
    found = []
    for step, samples in trained(folder):
        covered = metrics.mode_coverage(samples, dataset.centres, dataset.std, minimum=WELL)
        nearest = metrics.mode_coverage(
            samples, dataset.centres, dataset.std, histogram="all"
        ).counts
        found.append({
            "step": step, "covered": covered.modes, "high_quality": covered.high_quality, "nearest": nearest,
            "near": int(np.sum(nearest >= NEAR * len(samples))),
        })  # fmt: skip
    return found


def trained(folder: Path) -> list[tuple[int, np.ndarray]]:
    """The samples of a run over training, without those of the untrained generator."""
    return [(step, samples) for step, samples in samples_over_training(folder) if step]


def last_points(folder: Path) -> np.ndarray | None:
    """The last samples of a run, ``[n, 2]``; None where it diverged, or they are not finite."""
    history = [] if (folder / "diverged").exists() else samples_over_training(folder)
    return history[-1][1] if history and np.all(np.isfinite(history[-1][1])) else None


def densities(folder: Path, extent: float, most: int = 5) -> list[dict]:
    """Smoothed densities on [-extent, extent]^2 at up to ``most`` of those steps, the last among them."""
    history = trained(folder)
    shown = np.unique(np.linspace(0, len(history) - 1, min(most, len(history))).round().astype(int))
    return [{"step": history[i][0], "counts": binned(history[i][1], extent)} for i in shown]


def binned(samples: np.ndarray, extent: float, pixels: int = 64) -> list:
    """A density as rows of small whole numbers, the greatest 99."""
    from scipy.ndimage import gaussian_filter

    edges = np.linspace(-extent, extent, pixels + 1)
    smooth = gaussian_filter(
        np.histogram2d(samples[:, 1], samples[:, 0], bins=(edges, edges))[0], 1.0
    )
    return np.rint(99 * smooth / (smooth.max() or 1)).astype(int).tolist()
