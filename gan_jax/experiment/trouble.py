"""Roll-backs of a run in trouble: to which checkpoint, and what is changed from there on."""

import dataclasses
from collections.abc import Sequence
from typing import Any

import jax

from gan_jax.diagnosis.live_rules import JUDGED
from gan_jax.diagnosis.responses import Response
from gan_jax.errors import UserError
from gan_jax.experiment.builder import Experiment, build
from gan_jax.experiment.overrides import apply_overrides
from gan_jax.experiment.part_building import build_part
from gan_jax.experiment.part_text import labels
from gan_jax.experiment.roll_backs import TRIES, RollBacks
from gan_jax.experiment.settings import Settings
from gan_jax.experiment.validation import check_experiment, check_settings
from gan_jax.training.steps import TrainState

OPTIMIZERS = ("generator_optimizer", "discriminator_optimizer")
CHANGEABLE = (
    "objective",
    "transformations",
    "unroll",
    "unroll_resample",
    "unroll_stop_gradient",
    "augmentation",
    "augmentation_target",
    "gradient_regularisation",
    "update_rule",
    "batch_size",
    "discriminator_steps",
    "extra_discriminator_steps",
    *OPTIMIZERS,
    "ema_decay",
    "ema_warmup",
    "ema",
)
"""Fields that a roll-back may change, as long as the state keeps its shapes."""


def response(settings: Settings) -> Response:
    """Builds ``config.on_trouble``. Raises UserError."""
    built: Response = build_part("on_trouble", settings.on_trouble)
    return built


def check_response(experiment: Experiment) -> None:
    """Checks that what a roll-back changes can be changed on a running state.

    Args:
      experiment: of a run that is not a member of a population.

    Raises:
      UserError: a field that cannot be changed, or other parts of a state.
    """
    settings = experiment.settings
    if response(settings).action != "roll_back":
        return
    kept, window = (settings.keep_checkpoints - 1) * settings.checkpoint_every, JUDGED
    if kept < window * settings.log_every:
        raise UserError(
            "config.on_trouble: a roll-back needs a checkpoint from before the trouble, which is "
            f"seen after {window} rows: (config.keep_checkpoints - 1) * config.checkpoint_every "
            f"must be at least {window} * config.log_every, {window * settings.log_every}, "
            f"not {kept}"
        )
    changed = apply_overrides(settings, changes(settings))
    if changed == settings:
        return
    check_settings(changed, jax.device_count())
    other = build(changed, experiment.dataset)
    check_experiment(other)
    before, after = (jax.eval_shape(one.init, jax.random.key(0)) for one in (experiment, other))
    if _structure(before) != _structure(after):
        raise UserError(
            f"config.on_trouble: with {_text(changes(settings))} the state would have other "
            "parts than a checkpoint holds: change numbers, or terms and optimizers without a "
            "state of their own"
        )
    _check_numbers_in_state(settings, changed, before)


def changes(settings: Settings) -> tuple[str, ...]:
    """Returns what a roll-back changes, as overrides ``"path=value"``.

    Args:
      settings: in force before it.

    Raises:
      UserError: a field that cannot be changed, or a learning rate that is no number.
    """
    wanted = response(settings)
    for override in wanted.overrides:
        field = override.partition("=")[0].strip().partition(".")[0]
        if field in {other.name for other in dataclasses.fields(settings)} - set(CHANGEABLE):
            raise UserError(
                f"config.on_trouble: roll_back cannot change config.{field} of a run that has "
                f"begun: it can change {', '.join(CHANGEABLE)}"
            )
    changed = apply_overrides(settings, wanted.overrides)
    factor = wanted.learning_rate_factor
    scaled = (
        []
        if factor == 1
        else [
            f"{path}={rate * factor!r}"
            for field in OPTIMIZERS
            for path, rate in _learning_rates(changed, field).items()
        ]
    )
    return (*wanted.overrides, *scaled)


def checkpoint_before(
    good: int, settings: Settings, steps: Sequence[int], backs: RollBacks
) -> int | str:
    """Returns the step to go back to, or why the run cannot.

    Args:
      good: the last step at which all was well. It counts as no earlier than the step of the
        last roll-back: from there on, rows are of other draws.
      settings: of the run.
      steps: of its checkpoints after which it was in no trouble.
      backs: its roll-backs so far.

    Returns:
      The step of a checkpoint, 0 for the start, or a reason in a few words.
    """
    good = max(good, backs.newest)
    earlier = [step for step in steps if step <= good]
    # Those that were saved in between when a signal stopped the run are not there in every run.
    earlier = [step for step in earlier if step % settings.checkpoint_every == 0] or earlier
    if not earlier and good >= settings.checkpoint_every:
        return f"no checkpoint up to step {good} is kept: raise config.keep_checkpoints"
    step = max(earlier, default=0)
    if not backs.may_try_again(step):
        return f"{TRIES} roll-backs to step {step} did not help"
    return step


def _learning_rates(settings: Settings, field: str) -> dict[str, float]:
    rates = {}
    parts = getattr(settings, field)
    for label, part in zip(labels(parts), parts, strict=True):
        rate = part.settings.get("learning_rate")
        if isinstance(rate, int | float):
            rates[f"{field}.{label}.learning_rate"] = float(rate)
    if not rates:
        raise UserError(
            f"config.on_trouble: learning_rate_factor needs a learning_rate in config.{field} "
            "that is a number: name what to do by change='...' instead"
        )
    return rates


def _check_numbers_in_state(before: Settings, after: Settings, state: TrainState) -> None:
    """Refuses optimizers that read their numbers from their state, not from the config."""
    for field, player in zip(OPTIMIZERS, (state.generator, state.discriminator)):
        nodes = jax.tree.leaves(player.opt_state, is_leaf=_has_numbers)
        if getattr(before, field) != getattr(after, field) and any(map(_has_numbers, nodes)):
            raise UserError(
                f"config.on_trouble: the numbers of config.{field} are part of the state, as one "
                "of them is a schedule: a roll-back cannot change them"
            )


def _has_numbers(node: Any) -> bool:
    return hasattr(node, "hyperparams")


def _structure(state: TrainState) -> Any:
    leaves, structure = jax.tree.flatten(state)
    return structure, [(leaf.shape, leaf.dtype) for leaf in leaves]


def _text(overrides: Sequence[str]) -> str:
    return "; ".join(overrides)
