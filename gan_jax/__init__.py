"""gan_jax: generative adversarial networks in JAX, as parts that compose.

    import gan_jax

    terms = {"wasserstein": gan_jax.losses.wasserstein(), "gradient_penalty": gan_jax.penalties.gradient_penalty()}
    objective = gan_jax.adversarial(networks, terms)

Modules load when they are first used, so this import costs nothing but a name.
"""

import importlib
from typing import Any

MODULES = (
    "accumulation", "augmentation", "batch_axis", "checking", "checkpoint", "config", "data", "diagnosis", "divergences",
    "evaluation", "experiment", "game", "growing", "information", "losses", "metrics", "networks", "optimizers",
    "parallel", "penalties", "plots", "population", "processes", "protocols", "running", "sampling", "schedules",
    "spread", "theory", "threefry", "training", "unrolling", "writers",
)  # fmt: skip
NAMES = {
    "game": ("Batch", "Metrics", "Networks", "Objective", "Player", "Round", "Term", "adversarial", "per_row", "update"),
    "unrolling": ("unrolled",),
    "training": ("TrainState", "TrainStep", "alternating", "fused", "init_state"),
    "accumulation": ("accumulated",),
    "parallel": ("device_mesh", "pmapped", "sharded"),
    "sampling": ("sampler",),
    "errors": ("UserError",),
}
_HOME = {name: module for module, names in NAMES.items() for name in names}
__all__ = sorted([*MODULES, *_HOME])


def __getattr__(name: str) -> Any:
    if name in _HOME:
        return getattr(importlib.import_module(f"gan_jax.{_HOME[name]}"), name)
    if name in MODULES:
        return importlib.import_module(f"gan_jax.{name}")
    raise AttributeError(f"module 'gan_jax' has no attribute {name!r}")


def __dir__() -> list[str]:
    return __all__
