"""Where a run's metrics and pictures go: JSON lines, progress lines, TensorBoard, W&B, plots.

`Logger` is the interface; a logger for another service implements its four methods.
"""

from gan_jax.loggers.json_lines import JsonLines, find_best, mean_metrics, read_metrics
from gan_jax.loggers.logger import Logger, Scalars
from gan_jax.loggers.progress import Progress
from gan_jax.loggers.tensorboard import TensorBoardLogger
from gan_jax.loggers.wandb import WandbLogger

__all__ = [
    "JsonLines",
    "Logger",
    "Progress",
    "Scalars",
    "TensorBoardLogger",
    "WandbLogger",
    "find_best",
    "mean_metrics",
    "read_metrics",
]
