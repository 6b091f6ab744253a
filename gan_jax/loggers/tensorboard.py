"""A run's metrics, pictures and histograms as TensorBoard's event files, by tensorboardX."""

import importlib.util
import os
import secrets
from collections.abc import Mapping
from pathlib import Path

import numpy as np

from gan_jax.errors import UserError
from gan_jax.loggers.images import read_image
from gan_jax.loggers.logger import Scalars

FOLDER = "tensorboard"
"""Where the event files of a run are, in its directory."""


def check_installed() -> None:
    """Raises UserError if tensorboardX is missing."""
    if importlib.util.find_spec("tensorboardX") is None:
        raise UserError("config.tensorboard needs tensorboardX: pip install 'gan_jax[tensorboard]'")


class TensorBoardLogger:
    """Writes event files, which ``tensorboard --logdir=RUNS`` shows while the run goes on.

    Each start of a run adds a file. Steps that a resumed run repeats are there twice; TensorBoard
    draws both.
    """

    def __init__(self, run_dir: str | os.PathLike[str]) -> None:
        """Opens a new file.

        Args:
          run_dir: the run directory; the files go to its subdirectory ``tensorboard``.

        Raises:
          UserError: tensorboardX is missing.
        """
        check_installed()
        import tensorboardX

        # Its names tell seconds alone: two starts in one would write to the same file.
        self._writer = tensorboardX.SummaryWriter(
            str(Path(run_dir) / FOLDER), filename_suffix=f".{secrets.token_hex(4)}"
        )

    def scalars(self, step: int, values: Scalars) -> None:
        """Logs metrics; values that are not numbers are left out."""
        for name, value in values.items():
            if isinstance(value, int | float):
                self._writer.add_scalar(name, value, step)

    def image(self, step: int, name: str, path: Path) -> None:
        """Logs a picture."""
        self._writer.add_image(name, read_image(path), step, dataformats="HWC")

    def histograms(self, step: int, values: Mapping[str, np.ndarray]) -> None:
        """Logs the distribution of the finite values of each array, in 64 bins."""
        for name, array in values.items():
            finite = array[np.isfinite(array)]
            if finite.size:
                self._writer.add_histogram(name, finite.ravel(), step, bins=64)

    def close(self) -> None:
        """Writes what is pending."""
        self._writer.close()
