"""What a run writes into its directory while it trains: metrics, pictures, checkpoints."""

import contextlib
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import Executor as ThreadPool
from concurrent.futures import Future
from pathlib import Path
from typing import Any, Self

import numpy as np

from gan_jax import data, evaluation, files
from gan_jax.distributed import multihost
from gan_jax.errors import first_line, storage_failure
from gan_jax.evaluation import GeneratedSamples, Protocol, RealSamples, evaluation_key
from gan_jax.experiment import lock, row_watch, run_directory, trouble
from gan_jax.experiment.builder import Experiment
from gan_jax.experiment.checkpoint_opening import open_checkpoints
from gan_jax.experiment.interruptible_sampler import InterruptibleSampler
from gan_jax.experiment.roll_backs import RollBacks
from gan_jax.experiment.run_directory import (
    DIVERGED,
    LOSSES,
    METRICS,
    POSTPONED,
    SAMPLES,
    STOPPED,
)
from gan_jax.experiment.score_histograms import score_histograms
from gan_jax.experiment.settings import Settings
from gan_jax.experiment.wandb_logging import wandb_logger
from gan_jax.game import PRNGKey
from gan_jax.loggers import (
    Logger,
    TensorBoardLogger,
    json_lines,
    loss_plots,
    sample_plots,
    translations,
)
from gan_jax.training.steps import TrainState


class TrainingDiverged(RuntimeError):
    """A loss or a gradient is no longer finite."""


class RunWriter:
    """Writes one run, alone or as a member of a population.

    Leaving the context waits for pending writes.

    In a job of several processes each process has a writer, and all of them call the same methods;
    the first process writes. Pictures are drawn by the thread of ``pictures`` while training goes
    on.

    Attributes:
      divergence: why the run cannot go on; empty if it can.
      end: why it has ended before its last step; empty if it has not.
    """

    def __init__(
        self, settings: Settings, run_dir: Path, experiment: Experiment, pictures: ThreadPool
    ) -> None:
        self.settings, self.run_dir, self.experiment = settings, run_dir, experiment
        self.checkpoints = open_checkpoints(run_dir, settings)
        self.roll_backs = RollBacks(run_dir)
        self.divergence = run_directory.divergence(run_dir)
        self.end = row_watch.reason_of_end(run_dir, settings)
        self._pictures = pictures
        self._pending_picture: Future[None] | None = None
        self._drawn_step = 0
        self._loggers: list[Logger] = []
        self._has_warned = False

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: Any) -> None:
        try:
            self.checkpoints.close()
            if self._pending_picture is not None:
                self._pending_picture.result()
        finally:
            for logger in self._loggers:
                with self._tolerating_storage_failures():
                    logger.close()

    def forget_divergence(self) -> None:
        """Removes the note that the run has diverged, so that it may try again."""
        self.divergence = ""
        if multihost.is_main_process():
            (self.run_dir / DIVERGED).unlink(missing_ok=True)

    def start(self) -> None:
        """Opens the loggers."""
        if multihost.is_main_process():
            files.make_directory(self.run_dir / SAMPLES)
            self._loggers.append(json_lines.JsonLines(self.run_dir / METRICS))
            if self.settings.tensorboard:
                self._loggers.append(TensorBoardLogger(self.run_dir))
            if self.settings.wandb.use:
                self._loggers.append(wandb_logger(self.run_dir, self.settings))

    def evaluate(
        self,
        protocols: Sequence[Protocol],
        real: RealSamples,
        state: TrainState,
        step: int,
        between_batches: Callable[[], None],
    ) -> dict[str, float]:
        """Scores the generator's EMA by some protocols.

        Args:
          protocols: what is computed.
          real: the real data.
          state: the state after the step.
          step: which step.
          between_batches: called before samples are drawn; it may raise to end the evaluation.
        """
        values: dict[str, float] = {}
        if protocols:
            sampler = InterruptibleSampler(self.experiment.sampler(state, step), between_batches)
            generated = GeneratedSamples(sampler, real, self.settings.seed)
            for protocol in protocols:
                values |= evaluation.compute_scores(protocol, generated)
        return values

    def log(self, step: int, values: Mapping[str, float]) -> None:
        """Writes a row of metrics.

        Raises:
          StorageError: the last checkpoint could not be saved, or another process has taken over
            the run directory.
        """
        lock.confirm(self.run_dir)
        self.checkpoints.check()
        for logger in self._loggers:
            with self._tolerating_storage_failures():
                logger.scalars(step, dict(values) | {"time": time.time()})

    def draw(self, state: TrainState, step: int, key: PRNGKey) -> None:
        """Draws what the generator makes of fixed latents: a grid of images, or points.

        The samples are taken, and points are saved, at once, before any checkpoint from which a
        killed run goes on. The picture follows. What went wrong with the previous picture is raised
        here.
        """
        dataset, number = self.experiment.dataset, self.settings.num_samples
        label, columns = sample_plots.labels_by_row(number, dataset.classes)
        sampler = self.experiment.sampler(state, step)
        key_of_samples = evaluation_key(self.settings.seed)
        if sampler.reconstructs:
            pairs = sampler.reconstruct(key_of_samples, number)
            samples, columns = sample_plots.side_by_side(pairs["real"], pairs["fake"])
        else:
            samples = sampler(key_of_samples, number, label)
        histograms: dict[str, np.ndarray] = {}
        if step and (self.settings.wandb.use or self.settings.tensorboard):
            histograms = score_histograms(self.experiment, state, step, key)
        if not multihost.is_main_process():
            return
        if self._pending_picture is not None:
            self._pending_picture.result()
        lock.confirm(self.run_dir)
        path = self._picture(step)
        if len(dataset.shape) < 3:  # what figures over training are drawn from
            with (
                self._tolerating_storage_failures(),
                files.replacing(path.with_suffix(".npy")) as file,
            ):
                np.save(file, samples)
        # Here and not in the thread of pictures, which starts no program.
        real = sample_plots.real_to_compare(dataset, number)
        if translations.shows(dataset):
            held_out = data.samples_at(self.experiment.held_out, np.arange(number))
            samples, columns = translations.beside_inputs(samples, held_out)
        self._drawn_step = step
        self._pending_picture = self._pictures.submit(
            self._write_picture, path, samples, real, step, columns, histograms
        )

    def has_picture(self, step: int) -> bool:
        """Returns whether the picture of a step's samples is there."""
        return self._picture(step).exists()

    def save(self, state: TrainState, step: int, metrics: Mapping[str, float]) -> None:
        """Saves a checkpoint, after putting the rows of metrics up to it on the disk.

        Raises:
          StorageError: this checkpoint, or the one before it, cannot be saved.
        """
        lock.confirm(self.run_dir)
        # A killed run goes on from here. It draws the picture of this step itself, unless this is
        # the last step, but none of an earlier one.
        is_earlier = self._drawn_step < step or step >= self.settings.steps
        if self._pending_picture is not None and is_earlier:
            self._pending_picture.result()
        for logger in self._loggers:
            if isinstance(logger, json_lines.JsonLines):
                with self._tolerating_storage_failures():
                    logger.sync()
        self.checkpoints.save(step, state, dict(metrics))

    @property
    def has_left(self) -> bool:
        """Whether the run trains no more, while other members of its population may."""
        return bool(self.divergence or self.end)

    def watch(self, step: int) -> row_watch.RowWatch:
        """Returns what watches the rows after a step, and knows those up to it."""
        rows: list[dict[str, Any]] = []
        if step and (self.run_dir / METRICS).exists():
            known = json_lines.read_metrics(self.run_dir / METRICS)
            rows = [row for row in known if "protocol" not in row and row["step"] <= step]
        if step and not self.end and multihost.is_main_process():
            # Other settings have ended it, or an earlier checkpoint had to be taken.
            (self.run_dir / STOPPED).unlink(missing_ok=True)
        return row_watch.RowWatch(self.settings, rows, self._checkpoint_before)

    def _checkpoint_before(self, good: int, is_well: Callable[[int], bool]) -> int | str:
        steps = [step for step in self.checkpoints.steps() if is_well(step)]
        return trouble.checkpoint_before(good, self.settings, steps, self.roll_backs)

    def end_early(self, step: int, reason: str) -> None:
        """Notes that the run has ended after a step, which is saved."""
        self.checkpoints.close()  # the note comes after the checkpoint that it is about
        self.end = f"stopped at step {step}: {reason}"
        if multihost.is_main_process():
            row_watch.note_end(self.run_dir, self.settings, step, reason)

    def note_divergence(self, reason: str) -> str:
        """Notes that the run cannot go on, and returns why, with what remains of it.

        Args:
          reason: what is not finite, and since when.
        """
        lock.confirm(self.run_dir)
        steps = self.checkpoints.steps()
        kept = f"the newest checkpoint is of step {steps[-1]}" if steps else "no checkpoint"
        reason = f"{reason} ({kept} in {self.run_dir})"
        self.divergence = reason
        if multihost.is_main_process():
            files.write_text(self.run_dir / DIVERGED, reason + "\n")
        return reason

    @property
    def postponed(self) -> int | None:
        """The step whose evaluation and picture were left out to stop in time; None if none was."""
        return run_directory.postponed(self.run_dir)

    def postpone(self, step: int) -> None:
        """Notes, before a checkpoint is saved, that its evaluation and picture are left out."""
        lock.confirm(self.run_dir)
        if multihost.is_main_process():
            files.write_text(self.run_dir / POSTPONED, f"{step}\n")

    def end_postponement(self) -> None:
        """Notes that nothing is left out any more."""
        if multihost.is_main_process():
            (self.run_dir / POSTPONED).unlink(missing_ok=True)

    def _picture(self, step: int) -> Path:
        return self.run_dir / SAMPLES / f"step_{step:08d}.png"

    def _write_picture(
        self,
        path: Path,
        samples: np.ndarray,
        real: np.ndarray | None,
        step: int,
        columns: int | None,
        histograms: Mapping[str, np.ndarray],
    ) -> None:
        with self._tolerating_storage_failures():
            sample_plots.save_samples(path, samples, real, columns)
            self._draw_losses()
        if not path.exists():
            return
        for logger in self._loggers:
            logger.image(step, SAMPLES, path)
            if histograms:
                logger.histograms(step, histograms)

    def _draw_losses(self) -> None:
        rows = json_lines.read_metrics(self.run_dir / METRICS)
        rows = [row for row in rows if "protocol" not in row]
        if rows:
            drawing = loss_plots.loss_plot([json_lines.metrics_in(row) for row in rows])
            with files.replacing(self.run_dir / LOSSES) as file:
                drawing.savefig(file, format="png", dpi=100)

    @contextlib.contextmanager
    def _tolerating_storage_failures(self) -> Iterator[None]:
        """Turns files that cannot be written into one warning: they are not worth the run."""
        try:
            yield
        except OSError as error:
            if not self._has_warned:
                self._has_warned = True
                reason = storage_failure(error) or first_line(error)
                print(
                    f"warning: not all metrics and pictures of {self.run_dir} can be written "
                    f"({reason}); training goes on",
                    flush=True,
                )
