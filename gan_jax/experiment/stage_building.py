"""A stage of training from settings: its networks, objective, optimizers and train step."""

from collections.abc import Callable
from dataclasses import dataclass

import jax
import optax

from gan_jax import data
from gan_jax.data import Dataset
from gan_jax.diagnosis.health import HealthFn, health
from gan_jax.errors import UserError, first_line
from gan_jax.experiment import part_building
from gan_jax.experiment.health_samples import held_out_batch
from gan_jax.experiment.part_building import Hyperparameters, build_part, build_parts
from gan_jax.experiment.part_text import Part, labels
from gan_jax.experiment.settings import Settings
from gan_jax.game import Array, Batch, Networks, Objective, PRNGKey, Term, adversarial
from gan_jax.loggers.progress import print_line
from gan_jax.networks import spectral
from gan_jax.objectives import augmentation, penalties
from gan_jax.objectives.accumulation import accumulated
from gan_jax.objectives.augmentation import Augmentation
from gan_jax.objectives.unrolling import unrolled
from gan_jax.training import progressive_growing, schedules
from gan_jax.training.nonfinite import skip_nonfinite
from gan_jax.training.steps import TrainState, TrainStep, init_state

StepFactory = Callable[[Hyperparameters], TrainStep]
"""``hyperparameters -> train step``. What is not among the hyperparameters is as the settings say;
an empty mapping gives the train step of the settings themselves."""


@dataclass(frozen=True)
class Stage:
    """A stretch of training with one train step: all of it, or a phase of progressive growing.

    Attributes:
      networks: the networks that are trained.
      make_step: makes the train step, not jitted, from hyperparameters, which may be traced.
      prepare: turns a raw batch into the one that is trained on, inside jit.
      batch_size: of the global batch.
      make_health: makes the function that measures health, from hyperparameters.
    """

    networks: Networks
    make_step: StepFactory
    prepare: Callable[[Batch], Batch]
    batch_size: int
    make_health: Callable[[Hyperparameters], HealthFn]


def build_stage(
    settings: Settings, dataset: Dataset, batch_size: int, resolution: int | None = None
) -> tuple[Stage, Callable[[PRNGKey], TrainState]]:
    networks = _build_networks(settings, dataset, resolution)
    with part_building.naming_bad_settings("networks", settings.networks):
        parameters = jax.eval_shape(networks.init, jax.random.key(0))[1]
    has_spectral = "spectral" in parameters
    augmentations = build_parts("augmentation", settings.augmentation)

    def optimizers(
        numbers: Hyperparameters,
    ) -> tuple[optax.GradientTransformation, optax.GradientTransformation]:
        generator = _build_optimizer(settings, "generator_optimizer", numbers)
        discriminator = _build_optimizer(settings, "discriminator_optimizer", numbers)
        if has_spectral:
            discriminator = optax.chain(discriminator, spectral.spectral_iteration())
        return generator, discriminator

    def make_step(numbers: Hyperparameters) -> TrainStep:
        generator_optimizer, discriminator_optimizer = optimizers(numbers)
        objective = _build_objective(
            settings, dataset.shape, networks, augmentations, batch_size, numbers
        )
        step: TrainStep = build_part(
            "update_rule",
            settings.update_rule,
            numbers,
            objective=_unrolled(settings, objective, discriminator_optimizer),
            generator_optimizer=generator_optimizer,
            discriminator_optimizer=discriminator_optimizer,
            ema_decay=_ema_decays(settings, numbers),
        )
        return skip_nonfinite(step) if settings.nonfinite == "skip" else step

    def init(rng: PRNGKey) -> TrainState:
        generator_optimizer, discriminator_optimizer = optimizers({})
        objective = _build_objective(
            settings, dataset.shape, networks, augmentations, batch_size, {}
        )
        return init_state(
            networks,
            generator_optimizer,
            discriminator_optimizer,
            rng,
            objective,
            emas=max(len(settings.ema), 1),
        )

    def make_health(numbers: Hyperparameters) -> HealthFn:
        terms = _build_terms(settings, networks, numbers)
        objective = _transformed(settings, dataset.shape, adversarial(networks, terms), numbers)
        return health(
            networks,
            objective,
            dataset.centres,
            held_out=held_out_batch(settings, dataset, prepare),
            on_failure=_say_unmeasured,
        )

    prepare = _preparation(resolution)
    stage = Stage(
        networks,
        make_step,
        prepare,
        batch_size,
        make_health,
    )
    return stage, init


def _build_networks(settings: Settings, dataset: Dataset, resolution: int | None) -> Networks:
    part = settings.networks
    if resolution is not None:
        if not part_building.takes("networks", part, "resolution"):
            raise UserError(
                "config.progressive_growing needs networks that grow, such as progan, "
                f"not {part.name}"
            )
        part = part.updated({"resolution": resolution})
    networks: Networks = build_part(
        "networks",
        part,
        shape=dataset.shape,
        classes=dataset.classes,
        conditions=dataset.conditions,
        dtype=settings.precision,
    )
    return networks


def _say_unmeasured(quantity: str, error: Exception) -> None:
    print_line(f"warning: health: {quantity} is not measured: {first_line(error)}")


def _build_terms(
    settings: Settings, networks: Networks, numbers: Hyperparameters
) -> dict[str, Term]:
    terms: dict[str, Term] = {}
    for label, part in zip(labels(settings.objective), settings.objective, strict=True):
        term: Term = build_part("objective", part, numbers, label)
        name = term.name or _term_name(part)
        if name in terms:
            raise UserError(f"config.objective has two terms that are named {name}")
        terms[name] = term
    # Sorted: the keys of a term's draws depend on its place, and a sum should not on how it is
    # written.
    return dict(sorted(terms.items()))


def _build_objective(
    settings: Settings,
    shape: tuple[int, ...],
    networks: Networks,
    augmentations: list[Augmentation],
    batch_size: int,
    numbers: Hyperparameters,
) -> Objective:
    terms = _build_terms(settings, networks, numbers)
    try:
        objective = adversarial(networks, terms)
    except ValueError as error:
        raise UserError(f"config.objective: {error}") from error
    if augmentations and _is_on(settings, "augmentation_target"):
        target = numbers.get("augmentation_target", settings.augmentation_target)
        step = batch_size / 500_000
        objective = augmentation.adaptive(objective, augmentations, target, step)
    elif augmentations:
        objective = augmentation.augmented(objective, augmentation.composed(augmentations))
    if _is_on(settings, "gradient_regularisation"):
        weight = numbers.get("gradient_regularisation", settings.gradient_regularisation)
        objective = penalties.gradient_regularised(objective, weight)
    objective = accumulated(objective, settings.accumulation_steps)
    return _transformed(settings, shape, objective, numbers)


def _transformed(
    settings: Settings, shape: tuple[int, ...], objective: Objective, numbers: Hyperparameters
) -> Objective:
    for part in settings.transformations:
        objective = build_part("transformations", part, numbers, objective=objective, shape=shape)
    return objective


def _unrolled(
    settings: Settings, objective: Objective, optimizer: optax.GradientTransformation
) -> Objective:
    return unrolled(
        objective,
        settings.unroll,
        optimizer,
        resample=settings.unroll_resample,
        stop_gradient=settings.unroll_stop_gradient,
        rematerialise=settings.unroll_rematerialise,
    )


def _build_optimizer(
    settings: Settings, field: str, numbers: Hyperparameters
) -> optax.GradientTransformation:
    parts: tuple[Part, ...] = getattr(settings, field)
    if not parts:
        raise UserError(
            f"config.{field} is empty: name an optimizer, as in 'adam(learning_rate=0.0001)'"
        )
    return optax.chain(*build_parts(field, parts, numbers))


def _ema_decays(
    settings: Settings, numbers: Hyperparameters
) -> schedules.Decay | tuple[schedules.Decay, ...]:
    if settings.ema:
        return tuple(build_parts("ema", settings.ema))
    decay: float = numbers.get("ema_decay", settings.ema_decay)
    if settings.ema_warmup == "num_updates":
        return schedules.ema_num_updates(decay)
    if settings.ema_warmup == "rampup":
        return schedules.ema_rampup(decay)
    return decay


def _preparation(resolution: int | None) -> Callable[[Batch], Batch]:
    if resolution is None:
        return data.decode

    def resize(real: Array, fade: Array | None) -> Array:
        return progressive_growing.resize(real, resolution, fade)

    def prepare(batch: Batch) -> Batch:
        batch = data.decode(batch)
        fade = batch.get("fade")
        # The discriminator steps are one more batch dimension here.
        resize_all = jax.vmap(resize, in_axes=(0, None if fade is None else 0))
        return batch | {"real": resize_all(batch["real"], fade)}

    return prepare


def _term_name(part: Part) -> str:
    """The name of a term in metrics: the function's own, without its module."""
    return part.name.rpartition(":")[2]


def _is_on(settings: Settings, field: str) -> bool:
    """Whether a number asks for anything, or is one that the members of a population differ in."""
    return bool(getattr(settings, field)) or field in settings.population
