"""He-uniform initial weights of fully connected layers: what a claim about weights starts from."""

from collections.abc import Sequence

import numpy as np


def share_beyond(bound: float, widths: Sequence[int]) -> float:
    r"""Returns the expected share of initial weights whose magnitude exceeds a bound.

    A kernel of :math:`n` inputs is uniform in :math:`\pm\sqrt{6 / n}`.

    Args:
      bound: of magnitudes.
      widths: of the input and of each layer: kernel ``i`` is ``[widths[i], widths[i + 1]]``.
    """
    inputs, counts = _kernels(widths)
    return float(np.average(np.maximum(0, 1 - bound / np.sqrt(6 / inputs)), weights=counts))


def spread(widths: Sequence[int]) -> float:
    r"""Returns the standard deviation of all initial weights, which is :math:`\sqrt{2 / n}` each.

    Args:
      widths: of the input and of each layer: kernel ``i`` is ``[widths[i], widths[i + 1]]``.
    """
    inputs, counts = _kernels(widths)
    return float(np.sqrt(np.average(2 / inputs, weights=counts)))


def _kernels(widths: Sequence[int]) -> tuple[np.ndarray, np.ndarray]:
    """Returns the inputs of each kernel, and how many weights it has."""
    sizes = np.array(widths, float)
    return sizes[:-1], sizes[:-1] * sizes[1:]
