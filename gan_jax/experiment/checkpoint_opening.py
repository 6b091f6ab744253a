"""The checkpoints of a run, with the scores by which the best one is kept."""

from pathlib import Path

from gan_jax.experiment.checkpoint import Checkpoints
from gan_jax.experiment.run_directory import CHECKPOINTS, METRICS
from gan_jax.experiment.settings import Settings
from gan_jax.loggers import json_lines


def open_checkpoints(run_dir: Path, settings: Settings) -> Checkpoints:
    """Returns the checkpoints of the run in a directory, which this process trains."""
    checkpoints = Checkpoints(
        run_dir / CHECKPOINTS,
        settings.keep_checkpoints,
        settings.best_metric,
        settings.best_mode == "max",
        settings,
    )
    if settings.best_metric and (run_dir / METRICS).exists():
        rows = json_lines.read_metrics(run_dir / METRICS)
        # Of a step whose evaluation was postponed, the score was not saved with the checkpoint.
        checkpoints.add_scores({row["step"]: row for row in rows if "protocol" not in row})
    return checkpoints
