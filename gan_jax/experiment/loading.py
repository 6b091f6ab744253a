"""A trained run, back from its directory."""

from dataclasses import dataclass
from pathlib import Path

import jax
import numpy as np

from gan_jax.data import Dataset
from gan_jax.errors import UserError
from gan_jax.experiment import checkpoint_reading
from gan_jax.experiment.builder import Experiment, build
from gan_jax.experiment.checkpoint_files import saved_steps
from gan_jax.experiment.differences import warn_if_changed
from gan_jax.experiment.ema_choice import choose_ema
from gan_jax.experiment.parallelism import shapes_with_sharding
from gan_jax.experiment.remote_runs import fetched
from gan_jax.experiment.run_directory import CHECKPOINTS, read_settings
from gan_jax.experiment.sample_choice import sample
from gan_jax.experiment.settings import Settings
from gan_jax.experiment.validation import check_settings
from gan_jax.game import Networks
from gan_jax.training.sampling import Sampler
from gan_jax.training.steps import TrainState


@dataclass(frozen=True)
class LoadedRun:
    """A checkpoint of a run, with all that its settings describe: made by `load`.

    Attributes:
      run_dir: where the run lies.
      step: the steps trained.
      experiment: what the settings describe.
      state: the parameters and optimizer states of both networks, and the generator's EMA.
      sampler: samples of the generator's EMA, or of the one that was asked for.
    """

    run_dir: Path
    step: int
    experiment: Experiment
    state: TrainState
    sampler: Sampler

    @property
    def settings(self) -> Settings:
        """The settings of the run."""
        return self.experiment.settings

    @property
    def dataset(self) -> Dataset:
        """The real samples."""
        return self.experiment.dataset

    @property
    def networks(self) -> Networks:
        """The networks, as plain functions of parameters: those in ``state``."""
        return self.experiment.stage_after(self.step)[0].networks

    def sample(self, n: int, seed: int = 0, label: int | str | None = None) -> np.ndarray:
        """Draws samples of the generator's EMA.

        Args:
          n: how many.
          seed: of their latents; sample i depends on the seed, i and its label alone.
          label: of all samples, by number or by name, if the networks take labels; None: each class
            in turn.

        Returns:
          ``[n, *shape]`` float32, images in [-1, 1].

        Raises:
          UserError: no sample is asked for, or there is no such label.
        """
        return sample(self.sampler, self.dataset, n, seed, label)


def load(
    run_dir: str | Path, step: int | None = None, ema: str = "", truncation: float | None = None
) -> LoadedRun:
    """Loads a run from its directory, also while another process trains it.

    Args:
      run_dir: ``"runs/x"`` or ``"gs://bucket/runs/x"``; of a population the directory of a member,
        ``"runs/x/members/000"``.
      step: of which checkpoint; None: the newest that is sound.
      ema: the moving average that is sampled, one of ``config.ema`` such as "power_ema(std=0.05)",
        or a `power_ema` of another std, which is then made of those in all checkpoints up to the
        step; empty: the first.
      truncation: of the styles that are sampled, see `networks.stylegan2`; None: none.

    Raises:
      UserError: no run, no checkpoint, none of that step, no such average, or no styles.
    """
    run_dir = fetched(run_dir)
    settings = read_settings(run_dir)
    if settings.population:
        raise UserError(
            f"{run_dir} holds a population: choose a member, such as {run_dir / 'members' / '000'}"
        )
    check_settings(settings)
    experiment = build(settings)
    directory = run_dir / CHECKPOINTS
    restored = checkpoint_reading.restore(directory.absolute(), abstract_state(experiment), step)
    if restored is None:
        raise UserError(f"{run_dir} has no checkpoint yet")
    warn_if_changed(directory / str(restored.step), restored.record, settings)
    sampled = restored.state
    if ema:

        def read(step: int) -> TrainState:
            of_step = checkpoint_reading.restore(
                directory.absolute(), abstract_state(experiment), step
            )
            assert of_step is not None  # a step that is missing raises
            state: TrainState = of_step.state
            return state

        steps = [saved for saved in saved_steps(directory) if 0 < saved <= restored.step]
        chosen = choose_ema(ema, settings.ema, restored.state, steps, read)
        sampled = sampled._replace(generator_ema=chosen)
    sampler = experiment.sampler(sampled, restored.step, truncation)
    return LoadedRun(run_dir, restored.step, experiment, restored.state, sampler)


def abstract_state(experiment: Experiment) -> TrainState:
    """Returns the shapes, dtypes and shardings of a state on all devices of this process's job."""
    shapes = jax.eval_shape(experiment.init, jax.random.key(0))
    state: TrainState = shapes_with_sharding(experiment.settings, shapes)
    return state
