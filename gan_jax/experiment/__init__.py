"""From a config to a trained run, and back from its directory.

`load_settings` reads a config, `build` makes the objects that it describes, `run` trains them in a
run directory, and `load` returns what was trained. Modules load when they are first used.
"""

import importlib
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from gan_jax.experiment.bibliography import citations
    from gan_jax.experiment.builder import Chunk, Experiment, build
    from gan_jax.experiment.config_files import load_settings
    from gan_jax.experiment.loading import LoadedRun, load
    from gan_jax.experiment.pretrained import PretrainedGenerator, load_pretrained, save_pretrained
    from gan_jax.experiment.run_writer import TrainingDiverged
    from gan_jax.experiment.settings import Settings
    from gan_jax.experiment.stage_building import Stage
    from gan_jax.experiment.training_loop import run

__all__ = [
    "Chunk",
    "Experiment",
    "LoadedRun",
    "PretrainedGenerator",
    "Settings",
    "Stage",
    "TrainingDiverged",
    "build",
    "citations",
    "load",
    "load_pretrained",
    "load_settings",
    "run",
    "save_pretrained",
]

_NAMES = {
    "builder": (
        "Chunk",
        "Experiment",
        "build",
    ),
    "bibliography": ("citations",),
    "config_files": ("load_settings",),
    "loading": (
        "LoadedRun",
        "load",
    ),
    "pretrained": (
        "PretrainedGenerator",
        "load_pretrained",
        "save_pretrained",
    ),
    "run_writer": ("TrainingDiverged",),
    "settings": ("Settings",),
    "stage_building": ("Stage",),
    "training_loop": ("run",),
}


if not TYPE_CHECKING:  # type checkers would take any misspelt name for an Any

    def __getattr__(name: str) -> Any:
        for module, names in _NAMES.items():
            if name in names:
                return getattr(importlib.import_module(f"{__name__}.{module}"), name)
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")


def __dir__() -> list[str]:
    return __all__
