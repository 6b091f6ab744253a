"""Generative adversarial networks in JAX, as parts that compose.

    import gan_jax
    from gan_jax import losses, penalties

    terms = losses.wasserstein() + penalties.gradient_penalty(weight=10.0)
    objective = gan_jax.unrolled(gan_jax.adversarial(networks, terms), steps=5, optimizer=optimizer)
    step = gan_jax.fused(gan_jax.alternating(objective, optimizer, optimizer))

Modules load when they are first used, so that importing the package takes no time.
"""

import importlib
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from gan_jax import (
        data,
        diagnosis,
        distributed,
        dynamics,
        evaluation,
        experiment,
        loggers,
        metrics,
        networks,
        objectives,
        sweeps,
        theory,
        training,
    )
    from gan_jax.distributed.mesh import device_mesh
    from gan_jax.errors import UserError
    from gan_jax.evaluation import evaluate
    from gan_jax.experiment import citations, load, load_pretrained
    from gan_jax.game import (
        Batch,
        Context,
        Metrics,
        Networks,
        Objective,
        Player,
        Round,
        Term,
        Terms,
        adversarial,
        per_sample,
        update,
    )
    from gan_jax.objectives import (
        accumulated,
        adaptive_weight,
        after,
        augmented,
        autoencoding,
        every,
        history,
        losses,
        penalties,
        reconstruction,
        regularisers,
        saddle,
        unrolled,
        until,
    )
    from gan_jax.training import (
        Sampler,
        TrainState,
        TrainStep,
        alternating,
        consensus,
        extragradient,
        fully_sharded,
        fused,
        init_state,
        pmapped,
        sampler,
        sharded,
        simultaneous,
        symplectic,
    )

    __version__: str

__all__ = [
    "Batch",
    "Context",
    "Metrics",
    "Networks",
    "Objective",
    "Player",
    "Round",
    "Sampler",
    "Term",
    "Terms",
    "TrainState",
    "TrainStep",
    "UserError",
    "__version__",
    "accumulated",
    "adaptive_weight",
    "adversarial",
    "after",
    "alternating",
    "augmented",
    "autoencoding",
    "citations",
    "consensus",
    "data",
    "device_mesh",
    "diagnosis",
    "distributed",
    "dynamics",
    "evaluate",
    "evaluation",
    "every",
    "experiment",
    "extragradient",
    "fully_sharded",
    "fused",
    "history",
    "init_state",
    "load",
    "load_pretrained",
    "loggers",
    "losses",
    "metrics",
    "networks",
    "objectives",
    "penalties",
    "per_sample",
    "pmapped",
    "reconstruction",
    "regularisers",
    "saddle",
    "sampler",
    "sharded",
    "simultaneous",
    "sweeps",
    "symplectic",
    "theory",
    "training",
    "unrolled",
    "until",
    "update",
]

_NAMES = {
    "distributed.mesh": ("device_mesh",),
    "errors": ("UserError",),
    "evaluation": ("evaluate",),
    "experiment": (
        "citations",
        "load",
        "load_pretrained",
    ),
    "game": (
        "Batch",
        "Context",
        "Metrics",
        "Networks",
        "Objective",
        "Player",
        "Round",
        "Term",
        "Terms",
        "adversarial",
        "per_sample",
        "update",
    ),
    "objectives": (
        "accumulated",
        "adaptive_weight",
        "after",
        "augmented",
        "autoencoding",
        "every",
        "history",
        "losses",
        "penalties",
        "reconstruction",
        "regularisers",
        "saddle",
        "unrolled",
        "until",
    ),
    "training": (
        "Sampler",
        "TrainState",
        "TrainStep",
        "alternating",
        "consensus",
        "extragradient",
        "fully_sharded",
        "fused",
        "init_state",
        "pmapped",
        "sampler",
        "sharded",
        "simultaneous",
        "symplectic",
    ),
}
"""The names that the package exports, by the module that defines them; all others are modules."""


if not TYPE_CHECKING:  # type checkers would take any misspelt name for an Any

    def __getattr__(name: str) -> Any:
        for module, names in _NAMES.items():
            if name in names:
                return getattr(importlib.import_module(f"gan_jax.{module}"), name)
        if name == "__version__":
            from importlib.metadata import version  # late: it takes a tenth of a second

            return version("gan_jax")
        if name in __all__:
            return importlib.import_module(f"gan_jax.{name}")
        raise AttributeError(f"module 'gan_jax' has no attribute {name!r}")


def __dir__() -> list[str]:
    return __all__
