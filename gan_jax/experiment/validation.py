"""Checks before a run starts: fields out of bounds, and parts that do not fit."""

from typing import Any

import jax
import jax.numpy as jnp

from gan_jax.errors import UserError, brief, first_line
from gan_jax.experiment.builder import Experiment
from gan_jax.experiment.parallelism import is_pmapped
from gan_jax.experiment.settings import ExtraDiscriminatorSteps, Settings
from gan_jax.experiment.stage_building import Stage
from gan_jax.game import Batch
from gan_jax.loggers import tensorboard
from gan_jax.training.steps import TrainState

AT_LEAST_ONE = (
    "steps",
    "batch_size",
    "discriminator_steps",
    "steps_per_call",
    "log_every",
    "checkpoint_every",
    "sample_every",
    "evaluate_every",
    "keep_checkpoints",
    "num_samples",
    "accumulation_steps",
)
LARGEST = 2**31 - 1
"""Steps, seeds and sample indices are 32-bit integers on the device."""

INTERVALS = ("log_every", "checkpoint_every", "sample_every", "evaluate_every")
CHOICES = {
    "ema_warmup": ("", "num_updates", "rampup"),
    "best_mode": ("min", "max"),
    "precision": ("float32", "bfloat16"),
    "nonfinite": ("stop", "skip", "roll_back"),
}


def check_settings(settings: Settings, devices: int = 1) -> None:
    """Checks the bounds of the plain fields.

    Args:
      settings: of one run.
      devices: how many devices each batch is split over.

    Raises:
      UserError: a value out of its bounds.
    """
    for field in AT_LEAST_ONE:
        if getattr(settings, field) < 1:
            raise UserError(f"config.{field} must be at least 1, not {getattr(settings, field)}")
    for field in ("unroll", "seed", "profile"):
        if getattr(settings, field) < 0:
            raise UserError(f"config.{field} must be at least 0, not {getattr(settings, field)}")
    for field in (*AT_LEAST_ONE, "unroll", "seed", "profile"):
        if getattr(settings, field) > LARGEST:
            raise UserError(
                f"config.{field} must be at most {LARGEST}, not {getattr(settings, field)}"
            )
    _check_extra_discriminator_steps(settings.extra_discriminator_steps)
    if not 0 <= settings.ema_decay < 1:
        raise UserError(f"config.ema_decay must be in [0, 1), not {settings.ema_decay}")
    if settings.ema and (settings.ema_decay or settings.ema_warmup):
        raise UserError(
            "config.ema names all moving averages: leave config.ema_decay at 0 and "
            "config.ema_warmup empty, or name that one in config.ema too"
        )
    for field, choices in CHOICES.items():
        _check_choice(f"config.{field}", getattr(settings, field), choices)
    if settings.tensorboard:
        tensorboard.check_installed()
    _check_choice("config.wandb.mode", settings.wandb.mode, ("offline", "online"))
    for field in INTERVALS:
        if getattr(settings, field) % settings.steps_per_call:
            raise UserError(
                f"config.{field} must be a multiple of config.steps_per_call, "
                f"{settings.steps_per_call}, not {getattr(settings, field)}"
            )
    for phase in settings.progressive_growing:
        _check_phase(phase)
    for size in [phase[1] for phase in settings.progressive_growing] or [settings.batch_size]:
        _check_batch_size(settings, size, devices)


def check_experiment(experiment: Experiment) -> None:
    """Traces each stage once, without computing anything: parts that do not fit are refused.

    Raises:
      UserError: labels that the dataset does not have, a pack that does not divide the batch,
        networks of another shape.
    """
    try:
        state = jax.eval_shape(experiment.init, jax.random.key(0))
    except TypeError as error:
        raise UserError(
            f"config.networks names {experiment.settings.networks.name}: {first_line(error)}"
        ) from error
    for index, stage in enumerate(experiment.stages):
        batch = _abstract_batch(experiment, stage, fading=index > 0)
        step = stage.make_step({})

        def one_step(
            state: TrainState, batch: Batch, stage: Stage = stage, step: Any = step
        ) -> TrainState:
            after: TrainState = step(state, stage.prepare(batch), jax.random.key(0))[0]
            return after

        try:
            after = jax.eval_shape(one_step, state, batch)
        except UserError:
            raise
        except (ValueError, TypeError) as error:
            raise UserError(f"the parts of this config do not fit: {first_line(error)}") from error
        if _shapes(after) != _shapes(state):
            raise UserError(
                "the parts of this config do not fit: "
                "a step changes the shapes or dtypes of the state"
            )


def _abstract_batch(experiment: Experiment, stage: Stage, fading: bool) -> dict[str, Any]:
    """The shapes of a batch of one discriminator step."""
    dataset, lead = experiment.dataset, (1, stage.batch_size)
    dtype = dataset.arrays["real"].dtype if dataset.arrays else jnp.float32
    batch = {
        "real": jax.ShapeDtypeStruct((*lead, *dataset.shape), dtype),
        "sample_index": jax.ShapeDtypeStruct(lead, jnp.int32),
    }
    for name, shape in dataset.conditions.items():
        kind = dataset.arrays[name].dtype if dataset.arrays else jnp.float32
        batch[name] = jax.ShapeDtypeStruct((*lead, *shape), kind)
    if dataset.classes:
        batch["label"] = jax.ShapeDtypeStruct(lead, jnp.int32)
    if fading:
        batch["fade"] = jax.ShapeDtypeStruct(lead, jnp.float32)
    return batch


def _shapes(state: TrainState) -> Any:
    return jax.tree.map(lambda leaf: (leaf.shape, leaf.dtype), state)


def _check_extra_discriminator_steps(extra: ExtraDiscriminatorSteps) -> None:
    for field, least in {"burst": 0, "first": 0, "every": 1}.items():
        if getattr(extra, field) < least:
            raise UserError(
                f"config.extra_discriminator_steps.{field} must be at least {least}, "
                f"not {getattr(extra, field)}"
            )


def _check_choice(field: str, value: Any, choices: tuple[str, ...]) -> None:
    if value not in choices:
        raise UserError(f"{field} is {' or '.join(map(repr, choices))}, not {value!r}")


def _check_phase(phase: Any) -> None:
    if not (
        isinstance(phase, tuple)
        and len(phase) in (3, 4)
        and all(isinstance(entry, int) and 0 <= entry <= LARGEST for entry in phase)
    ):
        raise UserError(
            "config.progressive_growing has phases (resolution, batch size, steps, fade steps), "
            f"not {brief(phase)}"
        )


def _check_batch_size(settings: Settings, size: int, devices: int) -> None:
    if size % devices:
        raise UserError(
            f"a batch of {size} does not divide over {devices} devices: change config.batch_size"
        )
    per_device = size // devices if is_pmapped(settings) else size
    if per_device % settings.accumulation_steps:
        where = " on each device" if is_pmapped(settings) and devices > 1 else ""
        raise UserError(
            f"config.accumulation_steps must divide the batch of {per_device}{where}, "
            f"not {settings.accumulation_steps}"
        )
