"""One run's folder while it trains: what is measured, drawn, logged and saved there."""

import time
from collections.abc import Mapping, Sequence
from concurrent.futures import Executor, Future
from pathlib import Path
from typing import Any

import jax
import numpy as np

from gan_jax import evaluation
from gan_jax.distributed import multihost
from gan_jax.evaluation import Protocol, RealSamples, evaluation_key
from gan_jax.experiment import checkpoint, score_histograms
from gan_jax.experiment.builder import Experiment
from gan_jax.loggers import json_lines, plots, wandb
from gan_jax.training import TrainState
from gan_jax.training.sampling import Sampler, sampler

DIVERGED = "diverged"
"""The file that says why a run cannot go on: its numbers are no longer finite."""


class TrainingDiverged(RuntimeError):
    """A loss or a gradient is no longer finite."""


class RunWriter:
    """A run in its workdir, alone or as a member of a population. A context manager: leaving it waits for what is pending.

    Where there are several processes, each has one, and all of them call the same methods; the first writes. Pictures are
    drawn by the thread of ``pictures`` while training goes on.
    """

    def __init__(
        self, config: Mapping[str, Any], workdir: Path, experiment: Experiment, pictures: Executor
    ) -> None:
        self.config, self.workdir, self.experiment, self.pictures = (
            config,
            workdir,
            experiment,
            pictures,
        )
        self.drawn: Future | None = None
        self.checkpoints = checkpoints_in(workdir, config)
        self.logs: list[Any] = []
        self.last: dict[str, float] = {}

    def __enter__(self) -> "RunWriter":
        return self

    def __exit__(self, *_: Any) -> None:
        self.checkpoints.close()
        try:
            if self.drawn is not None:
                self.drawn.result()
        finally:
            for log in self.logs:
                log.close()

    @property
    def diverged(self) -> str:
        """Why the run cannot go on; empty where it can."""
        file = self.workdir / DIVERGED
        return file.read_text().strip() if file.exists() else ""

    def start(self) -> None:
        """Opens its logs."""
        if multihost.is_main_process():
            (self.workdir / "samples").mkdir(exist_ok=True)
            self.logs.append(json_lines.JsonLines(self.workdir / "metrics.jsonl"))
            if self.config["wandb"]["use"]:
                name = self.config["wandb"]["name"] or self.workdir.name
                self.logs.append(wandb.WandB(self.workdir, self.config, name, self.config["wandb"]))

    def evaluate(
        self, protocols: Sequence[Protocol], reals: RealSamples, state: TrainState, step: int
    ) -> dict[str, float]:
        """The values of the protocols for the averaged generator."""
        values: dict[str, float] = {}
        if protocols:
            subject = evaluation.GeneratedSamples(
                sampler_of(self.experiment, state, step), reals, self.config["seed"]
            )
            for protocol in protocols:
                values |= evaluation.scores(protocol, subject)
        return values

    def log(self, step: int, values: Mapping[str, float]) -> None:
        """Writes a row of numbers."""
        self.last |= values
        for log in self.logs:
            log.scalars(step, dict(values) | {"time": time.time()})

    def draw(self, state: TrainState, step: int, key: jax.Array) -> None:
        """Draws what the generator makes from fixed latents: a grid of images, or points over the real ones.

        The samples are taken and, if they are points, saved at once: no checkpoint comes before them, from which a run that
        was killed goes on. The picture follows. What went wrong with the one before is raised here.
        """
        dataset = self.experiment.dataset
        label, columns = plots.class_rows(self.config["num_samples"], dataset.classes)
        draw = sampler_of(self.experiment, state, step)
        samples = draw(evaluation_key(self.config["seed"]), self.config["num_samples"], label)
        found = (
            score_histograms.score_histograms(self.experiment, state, step, key)
            if step and self.config["wandb"]["use"]
            else {}
        )
        if not multihost.is_main_process():
            return
        if self.drawn is not None:
            self.drawn.result()
        path = self.workdir / "samples" / f"step_{step:08d}.png"
        if len(dataset.shape) < 3:
            np.save(path.with_suffix(".npy"), samples)  # what figures over training are drawn from
        self.drawn = self.pictures.submit(self._write, path, samples, step, columns, found)

    def _write(
        self,
        path: Path,
        samples: np.ndarray,
        step: int,
        columns: int | None,
        found: Mapping[str, np.ndarray],
    ) -> None:
        plots.save_samples(path, samples, self.experiment.dataset, columns)
        for log in self.logs:
            log.image(step, "samples", path)
            if found:
                log.histograms(step, found)

    def check_finite(self, history: Sequence[Mapping[str, np.ndarray]], step: int) -> None:
        """Raises TrainingDiverged with the first step whose metrics are not finite: such a state is not worth saving."""
        finite = {
            name: np.isfinite(np.concatenate([np.ravel(call[name]) for call in history]))
            for name in history[0]
        }
        late = {
            name: int(np.argmin(good)) - len(good) + 1 + step
            for name, good in finite.items()
            if not good.all()
        }
        if late:
            name = min(late, key=lambda name: late[name])
            steps = self.checkpoints.steps()
            kept = f"the newest checkpoint is of step {steps[-1]}" if steps else "no checkpoint"
            reason = f"{name} is not finite from step {late[name]} on ({kept} in {self.workdir})"
            if multihost.is_main_process():
                (self.workdir / DIVERGED).write_text(reason + "\n")
            raise TrainingDiverged(reason)


def checkpoints_in(workdir: Path, config: Mapping[str, Any]) -> checkpoint.Checkpoints:
    """The checkpoints of the run in a workdir."""
    return checkpoint.Checkpoints(
        workdir / "checkpoints",
        config["keep_checkpoints"],
        config["best_metric"],
        config["best_mode"] == "max",
    )


def sampler_of(experiment: Experiment, state: TrainState, step: int) -> Sampler:
    """What draws samples of the averaged generator after ``step`` steps."""
    stage, fade = experiment.stage_at(step)
    return sampler(
        stage.networks, state.generator_ema, classes=experiment.dataset.classes, fade=fade
    )
