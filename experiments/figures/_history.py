"""What a generator of points does over its training: which modes it is on, and its density."""

from pathlib import Path
from typing import Any

import numpy as np

from gan_jax import metrics
from gan_jax.experiment.run_directory import DIVERGED, samples_over_training

MIN_SAMPLES = 20
"""Samples that a mode needs in order to be covered."""

NEAR_SHARE = 0.01
"""Share of all samples that a mode has to be nearest to in order to be near."""

Samples = np.ndarray
"""Points ``[n, 2]``."""


def has_diverged(directory: Path) -> bool:
    """Whether a run has diverged."""
    return (directory / DIVERGED).exists()


def samples_after_start(directory: Path) -> list[tuple[int, Samples]]:
    """Returns a run's samples over training by step, without those of the untrained generator."""
    return [(step, samples) for step, samples in samples_over_training(directory) if step > 0]


def states(directory: Path, dataset: Any) -> list[dict[str, Any]]:
    """Returns a run's state at each step that it was sampled at, except step 0.

    Args:
      directory: the run directory.
      dataset: the mixture of Gaussians that the run was trained on.

    Returns:
      For each step: the modes that are covered, the share of high quality, the number of samples
      that each mode is nearest to, and the number of modes that are near.
    """
    history = []
    for step, samples in samples_after_start(directory):
        coverage = metrics.mode_coverage(samples, dataset.centres, dataset.std, minimum=MIN_SAMPLES)
        nearest = metrics.mode_coverage(
            samples, dataset.centres, dataset.std, histogram="all"
        ).counts
        history.append(
            {
                "step": step,
                "covered": coverage.modes,
                "high_quality": coverage.high_quality,
                "nearest": nearest,
                "near": int(np.sum(nearest >= NEAR_SHARE * len(samples))),
            }
        )
    return history


def last_samples(directory: Path) -> Samples | None:
    """Returns the last samples of a run, or None if it diverged or they are not finite."""
    if has_diverged(directory):
        return None
    history = samples_over_training(directory)
    if not history or not np.all(np.isfinite(history[-1][1])):
        return None
    return history[-1][1]


def densities(directory: Path, extent: float, most: int = 5) -> list[dict[str, Any]]:
    """Returns smoothed densities of a run's samples at up to ``most`` steps, the last among them.

    Args:
      directory: the run directory.
      extent: half the width of the square that is shown.
      most: the number of steps, which are evenly spaced.
    """
    history = samples_after_start(directory)
    indices = np.linspace(0, len(history) - 1, min(most, len(history)))
    return [
        {"step": history[i][0], "counts": smoothed_histogram(history[i][1], extent)}
        for i in np.unique(indices.round().astype(int))
    ]


def smoothed_histogram(samples: Samples, extent: float, pixels: int = 64) -> list[list[int]]:
    """Returns a density as rows of integers, small enough for a file; the maximum is 99."""
    from scipy.ndimage import gaussian_filter

    edges = np.linspace(-extent, extent, pixels + 1)
    counts = np.histogram2d(samples[:, 1], samples[:, 0], bins=(edges, edges))[0]
    smooth = gaussian_filter(counts, 1.0)
    rows: list[list[int]] = np.rint(99 * smooth / (smooth.max() or 1)).astype(int).tolist()
    return rows
