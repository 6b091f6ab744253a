"""The one reader of configs: `build` turns a config into objects, `run` trains them in a workdir."""


import inspect
import signal
import time
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, NamedTuple

import jax
import numpy as np
import optax

from gan_jax import checkpoint, data, evaluation, losses, networks, optimizers, parallel, parts, penalties, plots, writers
from gan_jax import config as configs
from gan_jax import workdir as workdirs
from gan_jax.data import Dataset
from gan_jax.errors import UserError
from gan_jax.evaluation import evaluation_key
from gan_jax.game import Batch, Networks, PRNGKey, Term, adversarial
from gan_jax.sampling import Sampler, sampler
from gan_jax.training import TrainState, TrainStep, alternating, fused, init_state
from gan_jax.unrolling import unrolled


class Experiment(NamedTuple):
    """What a config describes, as objects."""

    dataset: Dataset
    networks: Networks
    init: Callable[[PRNGKey], TrainState]
    train_step: TrainStep  # one step, not jitted
    prepare: Callable[[Batch], Batch]  # a raw batch as the one that is played


class TrainingDiverged(RuntimeError):
    """A loss or a parameter is no longer finite."""


# ------------------------------------------------------------------------------------------------------ config to objects


def _only(config: Mapping[str, Any], field: str) -> tuple[str, dict[str, Any]]:
    if len(config[field]) != 1:
        raise UserError(f"config.{field} names one part, not {configs.to_text(config[field])!r}")
    ((name, settings),) = config[field].items()
    return name, settings


def _optimizer(config: Mapping[str, Any], field: str) -> optax.GradientTransformation:
    stages = []
    for stage in config[field]:
        for name, settings in stage.items():
            stages.append(parts.named(field, (optimizers, optax), optax.GradientTransformation, name, settings))
            if not isinstance(stages[-1], optax.GradientTransformation):
                raise UserError(f"config.{field} names {name!r}, which is not an optimizer")
    if not stages:
        raise UserError(f"config.{field} is empty: name an optimizer, as in 'adam(learning_rate=0.0001)'")
    return optax.chain(*stages)


def _check_differentiable(config: Mapping[str, Any]) -> None:
    """Adam's square root has an infinite derivative at 0, where dead units put it: NaN in the generator's gradient."""
    for stage in config["discriminator_optimizer"]:
        for name, settings in stage.items():
            if "eps_root" in inspect.signature(getattr(optax, name, dict.fromkeys)).parameters and not settings.get("eps_root"):
                raise UserError(
                    f"config.unroll differentiates {name}, which needs eps_root > 0: "
                    f"--config.discriminator_optimizer.{name}.eps_root=1e-14"
                )


def build(config: Mapping[str, Any]) -> Experiment:
    """The objects that a config (plain dicts: `gan_jax.config.to_dict`) describes. Raises UserError.

    Numbers in it may be traced arrays: a population builds its members inside ``vmap``.
    """
    name, settings = _only(config, "dataset")
    dataset = parts.named("dataset", (data,), Dataset, name, settings)
    name, settings = _only(config, "networks")
    nets = parts.named("networks", (networks,), Networks, name, settings, shape=dataset.shape, classes=dataset.classes)
    terms = {name: parts.named("objective", (losses, penalties), Term, name, settings) for name, settings in config["objective"].items()}
    try:
        objective = adversarial(nets, terms)
    except ValueError as error:
        raise UserError(f"config.objective: {error}") from error
    generator_optimizer = _optimizer(config, "generator_optimizer")
    discriminator_optimizer = _optimizer(config, "discriminator_optimizer")
    if config["unroll"]:
        _check_differentiable(config)
        objective = unrolled(
            objective, config["unroll"], discriminator_optimizer, resample=config["unroll_resample"],
            stop_gradient=config["unroll_stop_gradient"], rematerialise=config["unroll_rematerialise"],
        )  # fmt: skip
    return Experiment(
        dataset,
        nets,
        lambda rng: init_state(nets, generator_optimizer, discriminator_optimizer, rng),
        alternating(objective, generator_optimizer, discriminator_optimizer, config["averaging"]),
        data.decode,
    )


def _check(config: Mapping[str, Any]) -> None:
    """Bounds of the plain fields. Raises UserError."""
    at_least_one = ("steps", "batch_size", "turns", "steps_per_call", "log_every", "checkpoint_every", "sample_every",
                    "evaluate_every", "keep", "samples")  # fmt: skip
    for field in at_least_one:
        if config[field] < 1:
            raise UserError(f"config.{field} must be at least 1, not {config[field]}")
    if config["unroll"] < 0 or not 0 <= config["averaging"] < 1:
        raise UserError(f"config.unroll must be >= 0 and config.averaging in [0, 1), not {config['unroll']}, {config['averaging']}")
    for field in ("log_every", "checkpoint_every", "sample_every", "evaluate_every"):
        if config[field] % config["steps_per_call"]:
            raise UserError(f"config.{field} must be a multiple of config.steps_per_call, {config['steps_per_call']}, not {config[field]}")
    if config["best_is"] not in ("lowest", "highest"):
        raise UserError(f"config.best_is is 'lowest' or 'highest', not {config['best_is']!r}")
    if config["mapping"] != "sharded":
        raise UserError(f"config.mapping names {config['mapping']!r}: it is 'sharded'")
    if config["wandb"]["mode"] not in ("offline", "online"):
        raise UserError(f"config.wandb.mode is 'offline' or 'online', not {config['wandb']['mode']!r}")
    if config["batch_size"] % jax.device_count():
        raise UserError(f"config.batch_size={config['batch_size']} does not divide over {jax.device_count()} devices")


# ------------------------------------------------------------------------------------------------------------- workdirs


def checkpoints_of(workdir: Path, config: Mapping[str, Any]) -> checkpoint.Checkpoints:
    return checkpoint.Checkpoints(workdir / "checkpoints", config["keep"], config["best_metric"], config["best_is"] == "highest")


def abstract_state(experiment: Experiment) -> TrainState:
    """The shapes, dtypes and places of a state, without computing it: replicated over all devices."""
    everywhere = jax.NamedSharding(parallel.device_mesh(), jax.P())
    return jax.tree.map(
        lambda leaf: jax.ShapeDtypeStruct(leaf.shape, leaf.dtype, sharding=everywhere),
        jax.eval_shape(experiment.init, jax.random.key(0)),
    )


def load_sampler(workdir: Path, step: int | None = None) -> tuple[int, Experiment, Sampler]:
    """The step, the experiment and the sampler of a run's newest checkpoint, or of ``step``. Raises UserError."""
    config = workdirs.read_config(workdir)
    experiment = build(config)
    with checkpoints_of(workdir, config) as checkpoints:
        found = checkpoints.restore(abstract_state(experiment), step)
    if not found:
        raise UserError(f"{workdir} has no checkpoint yet")
    return found[0], experiment, sampler(experiment.networks, found[1].average, classes=experiment.dataset.classes)


# ------------------------------------------------------------------------------------------------------------- training


def run(config: Mapping[str, Any], workdir: str | Path) -> dict[str, float]:
    """Trains what ``config`` describes in ``workdir``, from its newest checkpoint on; returns the last metrics.

    Writes ``config.json``, ``metrics.jsonl``, ``checkpoints/``, ``samples/``. SIGINT and SIGTERM save a checkpoint and
    raise KeyboardInterrupt. Raises UserError for bad input and TrainingDiverged where numbers are no longer finite.
    """
    config, workdir = configs.to_dict(config), Path(workdir)
    _check(config)
    experiment = build(config)
    protocols = {name: parts.named("metrics", (evaluation,), evaluation.Protocol, name, settings) for name, settings in config["metrics"].items()}
    workdirs.open_workdir(workdir, config)
    with checkpoints_of(workdir, config) as checkpoints:
        found = checkpoints.restore(abstract_state(experiment))
        first = found[0] if found else 0
        if first >= config["steps"]:
            print(f"{workdir} is done: {first} steps", flush=True)
            return workdirs.last_metrics(workdir)
        print(f"{workdir}: {f'resuming at step {first}' if found else 'starting'}, {config['steps']} steps", flush=True)
        key = jax.random.key(config["seed"])
        state = found[1] if found else jax.jit(experiment.init, out_shardings=jax.NamedSharding(parallel.device_mesh(), jax.P()))(key)
        logs = [writers.JsonLines(workdir / "metrics.jsonl")]
        if config["wandb"]["use"]:
            logs.append(writers.WandB(workdir, config, config["wandb"]["name"] or workdir.name, config["wandb"]))
        try:
            _train(config, experiment, protocols, state, first, key, checkpoints, logs, workdir)
        finally:
            for log in logs:
                log.close()
    return workdirs.last_metrics(workdir)


def _train(config, experiment, protocols, state, first, key, checkpoints, logs, workdir) -> None:
    chunk, steps = config["steps_per_call"], config["steps"]
    train_steps = parallel.sharded(fused(experiment.train_step, experiment.prepare))

    def chunks():
        for start in range(first, steps, chunk):
            yield data.batches(experiment.dataset, config["seed"], start, min(chunk, steps - start), config["turns"], config["batch_size"])

    (workdir / "samples").mkdir(exist_ok=True)
    if not first:
        draw = sampler(experiment.networks, state.average, classes=experiment.dataset.classes)
        _write_samples(config, experiment, draw, 0, logs, workdir)
    history: list[Any] = []
    progress = writers.Progress(steps, first)
    step = first
    with _Stop() as stop:
        for batch in data.prefetched(chunks()):
            state, metrics = train_steps(state, batch, key)
            if step == first:
                jax.block_until_ready(state)
                print(f"compiled and ran the first {len(metrics['generator/loss'])} steps", flush=True)
                progress.restart(step + len(metrics["generator/loss"]))
            history.append(metrics)
            step = min(step + chunk, steps)

            def due(interval: str, step: int = step) -> bool:
                return step % config[interval] == 0 or step == steps

            values: dict[str, float] = {}
            if (due("evaluate_every") and protocols) or due("sample_every"):
                draw = sampler(experiment.networks, state.average, classes=experiment.dataset.classes)
            if due("evaluate_every"):
                for protocol in protocols.values():
                    values |= protocol(draw, experiment.dataset, config["seed"])
            save = due("checkpoint_every") or stop.asked
            if due("log_every") or save:
                fetched = jax.device_get(history)
                _check_finite(fetched, step, workdir)
                values |= writers.mean_of(fetched)
                history = []
                rate = progress.report(step, {name: value for name, value in values.items() if not name.endswith("gradient_norm")})
                values |= {"steps_per_second": rate}
            if values:
                for log in logs:
                    log.scalars(step, values | {"time": time.time()})
            if due("sample_every"):
                _write_samples(config, experiment, draw, step, logs, workdir)
            if save:
                checkpoints.save(step, state, values)
            if stop.asked and step < steps:
                checkpoints.close()
                print(f"stopped by {stop.asked} at step {step}, saved; the same command resumes", flush=True)
                raise KeyboardInterrupt


def _check_finite(history: list[Mapping[str, np.ndarray]], step: int, workdir: Path) -> None:
    """Raises TrainingDiverged at the first step whose metrics are not finite: such a state is not worth saving."""
    for name in history[0]:
        values = np.concatenate([np.ravel(call[name]) for call in history])
        if not np.isfinite(values).all():
            wrong = step - len(values) + int(np.argmin(np.isfinite(values))) + 1
            raise TrainingDiverged(f"{name} is {values[~np.isfinite(values)][0]} at step {wrong}; the checkpoints in {workdir} are from before")


def _write_samples(config, experiment: Experiment, draw, step: int, logs, workdir: Path) -> None:
    """Draws what the generator makes from fixed latents: a grid of images, or points over the real ones."""
    samples = draw(evaluation_key(config["seed"]), config["samples"])
    path = workdir / "samples" / f"step_{step:08d}.png"
    if len(experiment.dataset.shape) < 3:
        np.save(path.with_suffix(".npy"), samples)  # what figures over training are drawn from
    plots.save_samples(path, samples, experiment.dataset)
    for log in logs:
        log.image(step, "samples", path)


class _Stop:
    """Notes SIGINT and SIGTERM while training, so that a run can save itself first; a second one stops at once."""

    def __enter__(self) -> "_Stop":
        self.asked = ""
        self._old = {}
        for number in (signal.SIGINT, signal.SIGTERM):
            try:
                self._old[number] = signal.signal(number, self._ask)
            except ValueError:  # not in the main thread: whoever owns it handles signals
                pass
        return self

    def _ask(self, number: int, frame: Any) -> None:
        if self.asked:
            raise KeyboardInterrupt
        self.asked = signal.Signals(number).name

    def __exit__(self, *_: Any) -> None:
        for number, old in self._old.items():
            signal.signal(number, old)
