"""What a logger is. To log to another service, write a class with these four methods."""

from collections.abc import Mapping
from pathlib import Path
from typing import Protocol

import numpy as np

Scalars = Mapping[str, float]
"""Metrics by name, such as ``"discriminator/wasserstein"``."""


class Logger(Protocol):
    """Receives what a run measures and draws.

    `JsonLines`, `TensorBoardLogger` and `WandbLogger` are loggers. Those of a run are opened by
    ``gan_jax.experiment.run_writer``; one for another service is added there. A run calls its
    loggers in the order of its steps, ``image`` and ``histograms`` from another thread than
    ``scalars``. After a resume, steps that were logged before may be logged again: later values
    count.
    """

    def scalars(self, step: int, values: Scalars) -> None:
        """Logs metrics.

        Args:
          step: the number of train steps that the metrics belong to.
          values: numbers by name; they may be NaN or infinite.
        """
        ...

    def image(self, step: int, name: str, path: Path) -> None:
        """Logs a picture.

        Args:
          step: the number of train steps that the picture belongs to.
          name: of the picture, the same at every step.
          path: of a PNG file, which stays where it is.
        """
        ...

    def histograms(self, step: int, values: Mapping[str, np.ndarray]) -> None:
        """Logs distributions.

        Args:
          step: the number of train steps that they belong to.
          values: arrays of numbers of any shape, by name.
        """
        ...

    def close(self) -> None:
        """Writes what is pending. No other method is called afterwards."""
        ...
