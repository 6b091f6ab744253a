"""The W&B logger of a run, and its settings as W&B's tables show them."""

from pathlib import Path
from typing import Any

from gan_jax.experiment.overrides import flat
from gan_jax.experiment.part_text import Part, parts_text
from gan_jax.experiment.settings import Settings
from gan_jax.loggers import Logger, wandb


def readable(settings: Settings) -> dict[str, Any]:
    """Returns settings for the tables of W&B: flat, and each field of parts as text too."""
    texts: dict[str, Any] = {}
    for field, value in vars(settings).items():
        if isinstance(value, Part):
            texts[field] = str(value)
        elif isinstance(value, tuple) and value and isinstance(value[0], Part):
            texts[field] = parts_text(value)
    leaves = {
        path: value
        for path, value in flat(settings).items()
        if value not in ({}, ()) and not path.startswith("wandb.")
    }
    return leaves | texts


def wandb_logger(run_dir: Path, settings: Settings) -> Logger:
    """Returns the logger of the run in a directory."""
    return wandb.WandbLogger(
        run_dir,
        config=readable(settings),
        name=settings.wandb.name or run_dir.name,
        mode=settings.wandb.mode,
        project=settings.wandb.project,
        group=settings.wandb.group,
        tags=settings.wandb.tags,
        best_metric=settings.best_metric,
        best_mode=settings.best_mode,
    )
