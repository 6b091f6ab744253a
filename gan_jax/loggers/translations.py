"""Pictures of translated images: each next to what it was made from, and what it should be."""

import math

import numpy as np

from gan_jax.data import Dataset


def shows(dataset: Dataset) -> bool:
    """Returns whether samples are images that are made from images ``"input"`` of their size."""
    source, shape = dataset.conditions.get("input", ()), dataset.shape
    return len(shape) >= 3 and source[:-1] == shape[:-1]


def beside_inputs(samples: np.ndarray, given: dict[str, np.ndarray]) -> tuple[np.ndarray, int]:
    """Returns samples in the order in which a grid shows them beside their inputs, and its columns.

    Of pairs: input, sample and, if it is known, the target. Of two domains: the image of A, its
    translation to B, the image of B, its translation to A.

    Args:
      samples: ``[n, h, w, channels]``, or ``[n, 2, h, w, channels]`` of two domains, (A, B).
      given: ``"input"``, ``[n, ...]``, and possibly the targets ``"real"``.

    Returns:
      Images ``[m, h, w, 1 or 3]`` in [-1, 1] and the columns of their grid.
    """
    source = given["input"]
    if samples.ndim == 5:
        cells = [source[:, 0], samples[:, 1], source[:, 1], samples[:, 0]]
    else:
        cells = [source, samples, *([given["real"]] if "real" in given else [])]
    channels = max(cell.shape[-1] for cell in cells)
    coloured = [np.broadcast_to(cell, (*cell.shape[:-1], channels)) for cell in cells]
    rows = np.stack(coloured, 1)
    across = max(1, round(math.sqrt(len(samples) / len(cells))))
    return rows.reshape(-1, *rows.shape[2:]), across * len(cells)
