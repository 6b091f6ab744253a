"""Train steps and what they need.

Optimizers, schedules, progressive growing, data parallelism and sampling.
"""

from gan_jax.training.alternating_updates import alternating
from gan_jax.training.data_parallel import fully_sharded, pmapped, population_step, sharded
from gan_jax.training.joint_updates import consensus, extragradient, simultaneous, symplectic
from gan_jax.training.sampling import Sampler, sampler
from gan_jax.training.steps import TrainState, TrainStep, fused, init_state

__all__ = [
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
    "population_step",
    "sampler",
    "sharded",
    "simultaneous",
    "symplectic",
]
