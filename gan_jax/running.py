"""Runs a config in a workdir: trains, evaluates, draws, saves, and goes on from where it was."""

import signal
import time
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import jax
import numpy as np

from gan_jax import checkpoint, data, evaluation, parallel, plots, protocols, threefry, writers
from gan_jax import config as configs
from gan_jax import workdir as workdirs
from gan_jax.errors import UserError
from gan_jax.evaluation import evaluation_key
from gan_jax.experiment import Experiment, build, check, check_fields
from gan_jax.sampling import Sampler, sampler
from gan_jax.training import TrainState, fused


class TrainingDiverged(RuntimeError):
    """A loss or a gradient is no longer finite."""


def run(config: Mapping[str, Any], workdir: str | Path) -> dict[str, float]:
    """Trains what ``config`` describes in ``workdir``, from its newest checkpoint on; returns the last metrics.

    Writes ``config.json``, ``metrics.jsonl``, ``checkpoints/``, ``samples/``. SIGINT and SIGTERM save a checkpoint and
    raise KeyboardInterrupt. Raises UserError for bad input and TrainingDiverged where numbers are no longer finite.
    """
    config, workdir = configs.to_dict(config), Path(workdir)
    check_fields(config)
    experiment = build(config)
    check(experiment)
    measured = evaluation.ordered(protocols.build(config["metrics"]))
    reals = evaluation.Reals(config, experiment.dataset)
    evaluation.check(measured, reals, config["best_metric"])
    workdirs.open_workdir(workdir, config)
    with _checkpoints(workdir, config) as checkpoints:
        found = checkpoints.restore(_abstract_state(experiment))
        first = found[0] if found else 0
        if first >= config["steps"]:
            print(f"{workdir} is done: {first} steps", flush=True)
            return workdirs.last_metrics(workdir)
        print(f"{workdir}: {f'resuming at step {first}' if found else 'starting'}, {config['steps']} steps", flush=True)
        key = threefry.key(config["seed"])
        state = found[1] if found else jax.jit(experiment.init, out_shardings=parallel.replicated())(key)
        logs: list[Any] = [writers.JsonLines(workdir / "metrics.jsonl")]
        if config["wandb"]["use"]:
            logs.append(writers.WandB(workdir, config, config["wandb"]["name"] or workdir.name, config["wandb"]))
        try:
            _Run(config, experiment, measured, reals, checkpoints, logs, workdir).train(state, first, key)
        finally:
            for log in logs:
                log.close()
    return workdirs.last_metrics(workdir)


def load_sampler(workdir: Path, step: int | None = None) -> tuple[int, Experiment, Sampler]:
    """The step, the experiment and the sampler of a run's newest checkpoint, or of ``step``. Raises UserError."""
    config = workdirs.read_config(workdir)
    experiment = build(config)
    if not (workdir / "checkpoints").is_dir():
        raise UserError(f"{workdir} has no checkpoint yet")
    with _checkpoints(workdir, config) as checkpoints:
        found = checkpoints.restore(_abstract_state(experiment), step)
    if not found:
        raise UserError(f"{workdir} has no checkpoint yet")
    return found[0], experiment, _sampler(experiment, found[1], found[0])


def _checkpoints(workdir: Path, config: Mapping[str, Any]) -> checkpoint.Checkpoints:
    return checkpoint.Checkpoints(
        workdir / "checkpoints", config["keep"], config["best_metric"], config["best_is"] == "highest"
    )


def _abstract_state(experiment: Experiment) -> TrainState:
    """The shapes, dtypes and places of a state, without computing it: replicated over all devices."""
    return jax.tree.map(
        lambda leaf: jax.ShapeDtypeStruct(leaf.shape, leaf.dtype, sharding=parallel.replicated()),
        jax.eval_shape(experiment.init, jax.random.key(0)),
    )


def _sampler(experiment: Experiment, state: TrainState, step: int) -> Sampler:
    stage, fade = experiment.stage_at(step)
    return sampler(stage.networks, state.average, classes=experiment.dataset.classes, fade=fade)


class _Run:
    """One run's loop over chunks of steps, and what happens between them."""

    def __init__(self, config, experiment, protocols, reals, checkpoints, logs, workdir) -> None:
        self.config, self.experiment, self.protocols, self.reals = config, experiment, protocols, reals
        self.checkpoints, self.logs, self.workdir = checkpoints, logs, workdir
        self.steps = config["steps"]
        (workdir / "samples").mkdir(exist_ok=True)

    def train(self, state: TrainState, first: int, key: jax.Array) -> None:
        experiment = self.experiment
        programs = [parallel.sharded(fused(stage.train_step, stage.prepare)) for stage in experiment.stages]
        if not first:
            self.draw(state, 0)
        progress = writers.Progress(self.steps, first)
        history: list[Any] = []
        chunks = experiment.chunks(first, self.steps, self.config["steps_per_call"])
        with _Stop() as stop:
            for chunk, batch in data.prefetched((chunk, experiment.batch(chunk, slice(None))) for chunk in chunks):
                state, metrics = programs[chunk.stage](state, batch, key)
                history.append(metrics)
                step = chunk.first + chunk.steps
                if chunk.first == first:
                    jax.block_until_ready(state)
                    progress.compiled(step)
                values = self.evaluate(state, step) if self._due("evaluate_every", step) else {}
                asked = stop.asked  # read once: a signal from here on waits for the next call, which saves
                save = self._due("checkpoint_every", step) or bool(asked)
                if self._due("log_every", step) or save:
                    fetched, history = jax.device_get(history), []
                    self._check_finite(fetched, step)
                    main, values = values, values | writers.mean_of(fetched)
                    losses = {name: values[name] for name in ("discriminator/loss", "generator/loss")}
                    values["steps_per_second"] = progress.report(step, main | losses)
                if values:
                    for log in self.logs:
                        log.scalars(step, values | {"time": time.time()})
                if self._due("sample_every", step):
                    self.draw(state, step)
                if save:
                    self.checkpoints.save(step, state, values)
                if asked and step < self.steps:
                    self.checkpoints.close()
                    print(f"stopped by {asked} at step {step}, saved; the same command resumes", flush=True)
                    raise KeyboardInterrupt

    def _due(self, interval: str, step: int) -> bool:
        return step % self.config[interval] == 0 or step == self.steps

    def evaluate(self, state: TrainState, step: int) -> dict[str, float]:
        values: dict[str, float] = {}
        if self.protocols:
            subject = evaluation.Subject(_sampler(self.experiment, state, step), self.reals, self.config["seed"])
            for protocol in self.protocols:
                values |= evaluation.scores(protocol, subject)
        return values

    def draw(self, state: TrainState, step: int) -> None:
        """Draws what the generator makes from fixed latents: a grid of images, or points over the real ones."""
        dataset = self.experiment.dataset
        label, columns = plots.class_rows(self.config["samples"], dataset.classes)
        samples = _sampler(self.experiment, state, step)(evaluation_key(self.config["seed"]), self.config["samples"], label)
        path = self.workdir / "samples" / f"step_{step:08d}.png"
        if len(dataset.shape) < 3:
            np.save(path.with_suffix(".npy"), samples)  # what figures over training are drawn from
        plots.save_samples(path, samples, dataset, columns)
        for log in self.logs:
            log.image(step, "samples", path)

    def _check_finite(self, history: list[Mapping[str, np.ndarray]], step: int) -> None:
        """Raises TrainingDiverged with the first step whose metrics are not finite: such a state is not worth saving."""
        finite = {
            name: np.isfinite(np.concatenate([np.ravel(call[name]) for call in history])) for name in history[0]
        }
        late = {name: int(np.argmin(good)) - len(good) + 1 + step for name, good in finite.items() if not good.all()}
        if late:
            name = min(late, key=lambda name: late[name])
            steps = self.checkpoints.steps()
            kept = f"the newest checkpoint is of step {steps[-1]}" if steps else "no checkpoint"
            raise TrainingDiverged(f"{name} is not finite from step {late[name]} on ({kept} in {self.workdir})")


class _Stop:
    """Notes SIGINT and SIGTERM while training, so that a run can save itself first; a second one stops at once."""

    def __enter__(self) -> "_Stop":
        self.asked = ""
        self._old: dict[int, Callable | int | None] = {}
        for number in (signal.SIGINT, signal.SIGTERM):
            try:
                self._old[number] = signal.signal(number, self._ask)
            except ValueError:  # not in the main thread: whoever owns that handles signals
                pass
        return self

    def _ask(self, number: int, frame: Any) -> None:
        if self.asked:
            raise KeyboardInterrupt
        self.asked = signal.Signals(number).name

    def __exit__(self, *_: Any) -> None:
        for number, old in self._old.items():
            signal.signal(number, old)
