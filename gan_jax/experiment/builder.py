"""From settings to an experiment: the dataset, the networks and the train step of each stage."""

import functools
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np

from gan_jax import data
from gan_jax.data import Dataset
from gan_jax.errors import UserError
from gan_jax.evaluation import RealSamples
from gan_jax.experiment import part_building
from gan_jax.experiment.config_files import extend_python_path
from gan_jax.experiment.held_out import held_out_samples
from gan_jax.experiment.part_building import build_part
from gan_jax.experiment.settings import Settings
from gan_jax.experiment.stage_building import Stage, build_stage
from gan_jax.game import Batch, PRNGKey
from gan_jax.training import progressive_growing, schedules
from gan_jax.training.progressive_growing import Phase
from gan_jax.training.sampling import ConditionsFn, Sampler, sampler
from gan_jax.training.steps import TrainState


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

    def samples(self, chunk: Chunk) -> int:
        """Returns how many real samples a chunk takes."""
        return chunk.steps * chunk.discriminator_steps * self.stages[chunk.stage].batch_size

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
        stage, init = build_stage(settings, dataset, settings.batch_size)
        return Experiment(settings, dataset, (stage,), init)
    phases = progressive_growing.check(settings.progressive_growing)
    built = [build_stage(settings, dataset, phase.batch_size, phase.resolution) for phase in phases]
    stages, inits = zip(*built, strict=True)
    return Experiment(settings, dataset, stages, inits[-1], phases)
