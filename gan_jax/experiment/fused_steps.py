"""The fused step of a stage: the program of a run, with or without what measures its health."""

from collections.abc import Mapping, Sequence

import jax
import jax.numpy as jnp
import numpy as np

from gan_jax.diagnosis.health import PREFIX
from gan_jax.diagnosis.monitoring import SAMPLES, monitored
from gan_jax.errors import UserError
from gan_jax.experiment.due import is_interval
from gan_jax.experiment.part_building import Hyperparameters
from gan_jax.experiment.settings import Settings
from gan_jax.experiment.stage_building import Stage, StepFactory
from gan_jax.game import Array
from gan_jax.training import data_parallel
from gan_jax.training.steps import TrainStep, fused


def fused_step(
    settings: Settings, stage: Stage, numbers: Hyperparameters, members: str | None = None
) -> TrainStep:
    """Returns the fused step of a stage, which measures health every ``log_every`` steps.

    Args:
      settings: of the run.
      stage: of the run.
      numbers: hyperparameters in place of those of the settings, perhaps traced.
      members: the name of the axis over which members of a population are mapped.
    """
    step = stage.make_step(numbers)
    if not settings.health:
        return fused(step, stage.prepare)

    def is_due(step: Array) -> Array:
        return jnp.asarray(is_interval(settings, settings.log_every, step))

    # Accumulation is for batches that do not fit into memory at once.
    samples = min(SAMPLES, stage.batch_size // settings.accumulation_steps)
    measure = stage.make_health(numbers)
    return monitored(step, stage.prepare, measure, is_due, samples, members)


def member_step(settings: Settings, stage: Stage) -> StepFactory:
    """Returns ``hyperparameters -> fused step`` of one member of a population.

    Args:
      settings: of the population.
      stage: of the population.
    """

    def make(numbers: Hyperparameters) -> TrainStep:
        try:
            return fused_step(settings, stage, numbers, data_parallel.MEMBERS)
        except jax.errors.ConcretizationTypeError as error:
            raise UserError(
                f"one of {', '.join(numbers)} cannot differ between the members of a population: "
                "run them one by one"
            ) from error

    return make


def health_row(
    settings: Settings, calls: Sequence[Mapping[str, np.ndarray]], step: int
) -> dict[str, float]:
    """Returns what was measured of health after a step: nothing if it was not due.

    Args:
      settings: of the run.
      calls: the metrics of some calls, the last of which ended with the step.
      step: how many steps there were.
    """
    if not calls or not is_interval(settings, settings.log_every, step):
        return {}
    last = calls[-1]
    return {name: float(last[name]) for name in last if name.startswith(PREFIX)}
