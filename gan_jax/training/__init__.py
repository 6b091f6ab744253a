"""Train steps and what they need.

Optimizers, schedules, progressive growing, data parallelism and sampling.
"""

from gan_jax.training.data_parallel import pmapped, population_step, sharded
from gan_jax.training.sampling import Sampler, sampler
from gan_jax.training.steps import (
    TrainState,
    TrainStep,
    alternating,
    consensus,
    extragradient,
    fused,
    init_state,
    simultaneous,
    symplectic,
)

__all__ = [
    "Sampler",
    "TrainState",
    "TrainStep",
    "alternating",
    "consensus",
    "extragradient",
    "fused",
    "init_state",
    "pmapped",
    "population_step",
    "sampler",
    "sharded",
    "simultaneous",
    "symplectic",
]
