"""gan_jax: generative adversarial networks in JAX, as parts that compose.

    import gan_jax

    terms = {"wasserstein": gan_jax.losses.wasserstein(), "gradient_penalty": gan_jax.penalties.gradient_penalty()}
    objective = gan_jax.adversarial(networks, terms)

Modules load when they are first used, so this import costs nothing but a name.
"""

import importlib
from typing import Any

_HOME = {
    "game": (
        "Batch", "Metrics", "Networks", "Objective", "Player", "Round", "Term", "adversarial", "per_sample", "update",
    ),
    "objectives": ("accumulated", "augmented", "losses", "penalties", "unrolled"),
    "training": (
        "TrainState", "TrainStep", "alternating", "fused", "init_state", "pmapped", "sampler", "sharded",
    ),
    "distributed.mesh": ("device_mesh",),
    "errors": ("UserError",),
}  # fmt: skip
_MODULES = (
    "data", "diagnosis", "distributed", "evaluation", "experiment", "game", "loggers", "metrics", "networks", "objectives",
    "sweeps", "theory", "training",
)  # fmt: skip
_NAMES = {name: module for module, names in _HOME.items() for name in names}
__all__ = sorted([*_MODULES, *_NAMES])


def __getattr__(name: str) -> Any:
    if name in _NAMES:
        return getattr(importlib.import_module(f"gan_jax.{_NAMES[name]}"), name)
    if name in _MODULES:
        return importlib.import_module(f"gan_jax.{name}")
    raise AttributeError(f"module 'gan_jax' has no attribute {name!r}")


def __dir__() -> list[str]:
    return __all__
