"""From settings to an experiment: the dataset, the networks and the train step of each stage."""

import functools
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

import jax
import numpy as np
import optax

from gan_jax import data
from gan_jax.data import Dataset
from gan_jax.errors import UserError
from gan_jax.evaluation import RealSamples
from gan_jax.experiment import part_building
from gan_jax.experiment.config_files import extend_python_path
from gan_jax.experiment.held_out import held_out_samples
from gan_jax.experiment.part_building import Hyperparameters, build_part, build_parts
from gan_jax.experiment.part_text import Part, labels
from gan_jax.experiment.settings import Settings
from gan_jax.game import Array, Batch, Networks, Objective, PRNGKey, Term, adversarial
from gan_jax.networks import spectral
from gan_jax.objectives import augmentation, penalties
from gan_jax.objectives.accumulation import accumulated
from gan_jax.objectives.augmentation import Augmentation
from gan_jax.objectives.unrolling import unrolled
from gan_jax.training import progressive_growing, schedules
from gan_jax.training.nonfinite import skip_nonfinite
from gan_jax.training.progressive_growing import Phase
from gan_jax.training.sampling import ConditionsFn, Sampler, sampler
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
    """

    networks: Networks
    make_step: StepFactory
    prepare: Callable[[Batch], Batch]
    batch_size: int


@dataclass(frozen=True)
class Chunk:
    """Consecutive steps that are alike, computed in one call of the device.

    Attributes:
      stage: index into `Experiment.stages`.
      first: the first step.
      steps: how many steps.
      discriminator_steps: discriminator updates at each of these steps.
      first_discriminator_step: discriminator updates before the first step.
      fading: whether new layers are being faded in.
    """

    stage: int
    first: int
    steps: int
    discriminator_steps: int
    first_discriminator_step: int
    fading: bool

    @property
    def end(self) -> int:
        """The step after the last one."""
        return self.first + self.steps


@dataclass(frozen=True)
class Experiment:
    """What settings describe, as objects: made by `build`.

    Attributes:
      settings: what it was built from.
      dataset: the real samples.
      stages: in the order of training; more than one in progressive growing.
      init: the state before the first step, from one key.
      phases: of progressive growing, one for each stage; empty without it.
    """

    settings: Settings
    dataset: Dataset
    stages: tuple[Stage, ...]
    init: Callable[[PRNGKey], TrainState]
    phases: tuple[Phase, ...] = ()

    def chunks(self, first: int, end: int) -> Iterator[Chunk]:
        """Cuts the steps from ``first`` to ``end`` into chunks of at most ``steps_per_call`` steps.

        Chunks end at multiples of ``steps_per_call``, and before a step of another kind.
        """
        step = first
        while step < end:
            kind = self._kind(step)
            longest = self.settings.steps_per_call
            limit = min(end, (step // longest + 1) * longest)
            later = (other for other in range(step + 1, limit) if self._kind(other) != kind)
            stop = next(later, limit)
            stage, fading, discriminator_steps = kind
            before = schedules.discriminator_steps_before(step, **self._schedule)
            yield Chunk(stage, step, stop - step, discriminator_steps, before, fading)
            step = stop

    def batch(self, chunk: Chunk, samples: slice = slice(None), seed: int | None = None) -> Batch:
        """Returns the batches of a chunk, leaves ``[steps, discriminator_steps, batch, ...]``.

        Args:
          chunk: of `chunks`.
          samples: which samples of each global batch; all by default.
          seed: of the stream of samples; the settings' own by default.
        """
        batch: dict[str, Any] = data.batches(
            self.dataset,
            self.settings.seed if seed is None else seed,
            chunk.first,
            chunk.steps,
            chunk.discriminator_steps,
            self.stages[chunk.stage].batch_size,
            samples,
            first_discriminator_step=chunk.first_discriminator_step,
        )
        if chunk.fading:
            steps = np.arange(chunk.first, chunk.end)
            fades = progressive_growing.fade(self.phases, steps)
            batch["fade"] = np.broadcast_to(fades[:, None, None], batch["sample_index"].shape)
        return batch

    def stage_after(self, steps: int) -> tuple[Stage, float | None]:
        """Returns the stage after so many steps, and the fade to sample it with (None: no fade)."""
        step = max(steps - 1, 0)
        stage, fading, _ = self._kind(step)
        fade = float(progressive_growing.fade(self.phases, step)) if fading else None
        return self.stages[stage], fade

    def sampler(self, state: TrainState, steps: int, truncation: float | None = None) -> Sampler:
        """Returns a sampler of the generator's EMA in the state after ``steps`` steps.

        Args:
          state: of the run.
          steps: how many it has trained.
          truncation: of styles, see `networks.stylegan2`; None: none.

        Raises:
          UserError: the generator has no styles to truncate.
        """
        stage, fade = self.stage_after(steps)
        conditions = self._held_out_samples if stage.networks.autoencoder else None
        if conditions is None and self.dataset.conditions:
            conditions = self.held_out_conditions
        if truncation is not None:
            if stage.networks.styles is None:
                raise UserError(
                    "truncation needs a generator with styles, such as stylegan2: "
                    f"that of {self.settings.networks.name} has none"
                )
            conditions = lambda index: {"truncation": np.full(len(index), truncation, np.float32)}
        return sampler(
            stage.networks,
            state.generator_ema,
            classes=self.dataset.classes,
            fade=fade,
            conditions=conditions,
        )

    @functools.cached_property
    def _held_out_samples(self) -> ConditionsFn:
        return held_out_samples(self.dataset, self.load_split)

    @functools.cached_property
    def held_out(self) -> Dataset:
        """The split "test" if the dataset has one, otherwise the dataset itself."""
        try:
            return self.load_split("test")
        except UserError:
            return self.dataset

    def held_out_conditions(self, sample_index: np.ndarray) -> dict[str, np.ndarray]:
        """Returns what the samples of these indices ``[n]`` are made from, of held-out data."""
        samples = data.samples_at(self.held_out, sample_index)
        return {name: samples[name] for name in self.dataset.conditions}

    def load_split(self, split: str) -> Dataset:
        """Builds another split of the dataset. Raises UserError if there is no such split."""
        part = self.settings.dataset
        if not part_building.takes("dataset", part, "split"):
            raise UserError(
                f"the dataset {part.name} has no split {split!r}: choose split='train', the data "
                "that the run trains on"
            )
        dataset: Dataset = build_part("dataset", part.updated({"split": split}))
        return dataset

    def real_samples(self, before_chunk: Callable[[], None] | None = None) -> RealSamples:
        """Returns the real data that the generator is scored against.

        Args:
          before_chunk: called before each chunk of them is read; see `RealSamples`.
        """
        part = self.settings.dataset
        return RealSamples(
            self.dataset,
            self.load_split,
            name=part.name,
            settings=part.settings,
            before_chunk=before_chunk,
        )

    @property
    def _schedule(self) -> dict[str, int]:
        extra, usual = self.settings.extra_discriminator_steps, self.settings.discriminator_steps
        if not extra.burst:
            return {"discriminator_steps": usual, "burst": usual}
        return {
            "discriminator_steps": usual,
            "burst": extra.burst,
            "first": extra.first,
            "every": extra.every,
        }

    def _kind(self, step: int) -> tuple[int, bool, int]:
        """The stage of a step, whether layers are being faded in, and its discriminator steps."""
        stage, fading = 0, False
        if self.phases:
            stage = progressive_growing.phase_index(self.phases, step)
            into_phase = step - progressive_growing.starts(self.phases)[stage]
            fading = into_phase < self.phases[stage].fade_steps
        return stage, fading, schedules.discriminator_steps_at(step, **self._schedule)


def build(settings: Settings, dataset: Dataset | None = None) -> Experiment:
    """Builds what settings describe.

    Args:
      settings: parsed from a config.
      dataset: that of the settings, if it is built already.

    Raises:
      UserError: an unknown name or setting, or parts that do not fit each other.
    """
    extend_python_path(settings)
    if dataset is None:
        dataset = build_part("dataset", settings.dataset)
    if not settings.progressive_growing:
        stage, init = _build_stage(settings, dataset, settings.batch_size)
        return Experiment(settings, dataset, (stage,), init)
    phases = progressive_growing.check(settings.progressive_growing)
    built = [
        _build_stage(settings, dataset, phase.batch_size, phase.resolution) for phase in phases
    ]
    stages, inits = zip(*built, strict=True)
    return Experiment(settings, dataset, stages, inits[-1], phases)


def _build_stage(
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
        objective = _build_objective(settings, networks, augmentations, batch_size, numbers)
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
        objective = _build_objective(settings, networks, augmentations, batch_size, {})
        return init_state(
            networks,
            generator_optimizer,
            discriminator_optimizer,
            rng,
            objective,
            emas=max(len(settings.ema), 1),
        )

    return Stage(networks, make_step, _preparation(resolution), batch_size), init


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


def _build_objective(
    settings: Settings,
    networks: Networks,
    augmentations: list[Augmentation],
    batch_size: int,
    numbers: Hyperparameters,
) -> Objective:
    terms: dict[str, Term] = {}
    for label, part in zip(labels(settings.objective), settings.objective, strict=True):
        term: Term = build_part("objective", part, numbers, label)
        name = term.name or _term_name(part)
        if name in terms:
            raise UserError(f"config.objective has two terms that are named {name}")
        terms[name] = term
    # Sorted: the keys of a term's draws depend on its place, and a sum should not on how it is
    # written.
    terms = dict(sorted(terms.items()))
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
    for part in settings.transformations:
        objective = build_part("transformations", part, numbers, objective=objective)
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
