"""Runs a config in a workdir: trains, evaluates, draws, saves, and goes on from where it was."""

import contextlib
import signal
import threading
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import jax
import numpy as np

from gan_jax import data, errors, evaluation
from gan_jax.distributed import mesh, multihost
from gan_jax.errors import UserError
from gan_jax.evaluation import Protocol, RealSamples, protocols
from gan_jax.experiment import config as configs
from gan_jax.experiment import population
from gan_jax.experiment import run_directory as workdirs
from gan_jax.experiment.builder import Experiment, build
from gan_jax.experiment.executors import PopulationRun, SingleRun
from gan_jax.experiment.run_writer import (
    DIVERGED,
    RunWriter,
    TrainingDiverged,
    checkpoints_in,
    sampler_of,
)
from gan_jax.experiment.validation import check_experiment, check_fields
from gan_jax.loggers import json_lines, progress
from gan_jax.training import TrainState
from gan_jax.training.sampling import Sampler

__all__ = ["TrainingDiverged", "load_sampler", "run"]


def run(
    config: Mapping[str, Any], workdir: str | Path, members: Sequence[str | Path] | None = None
) -> dict[str, float]:
    """Trains what ``config`` describes in ``workdir``, from its newest checkpoint on; returns the last metrics.

    Writes ``config.json``, ``metrics.jsonl``, ``checkpoints/``, ``samples/``. With ``config.population`` each member has
    these in a folder of its own, ``members/000`` and so on in the workdir or those given as ``members``, and is a run like
    any other; the metrics returned are means over the members.

    SIGINT and SIGTERM save a checkpoint and raise KeyboardInterrupt. Raises UserError for bad input and TrainingDiverged
    where numbers are no longer finite; members of a population that diverge are left behind, unless all do.
    """
    config, workdir = configs.to_dict(config), Path(workdir)
    together = bool(config["population"])
    each = population.members(config, called=not members) if together else [config]
    for own in each:
        check_fields(own, 1 if together else jax.device_count())
    if together and jax.process_count() > 1:
        raise UserError(
            "a population runs in one process, on all of its devices: start it without --distributed"
        )
    if together and config["keep_checkpoints"] < 2:
        raise UserError(
            "config.keep_checkpoints must be at least 2 for a population: a kill may leave its members a checkpoint apart"
        )
    experiment = build(each[0])
    check_experiment(experiment)
    measured = evaluation.ordered(protocols.build(config["metrics"]))
    reals = RealSamples(each[0], experiment.dataset)
    evaluation.check(measured, reals, config["best_metric"])
    program = PopulationRun(config, experiment, each) if together else SingleRun(config, experiment)
    folders = [Path(folder) for folder in members or ()] or [workdir]
    if together and not members:
        folders = [workdir / "members" / f"{index:03d}" for index in range(len(each))]
    opened = [(workdir, config)] if together and not members else []
    with contextlib.ExitStack() as open_runs:
        _open([*opened, *zip(folders, each, strict=True)], open_runs)
        pictures = open_runs.enter_context(ThreadPoolExecutor(1, "pictures"))
        runs = [
            open_runs.enter_context(RunWriter(own, folder, experiment, pictures))
            for own, folder in zip(each, folders, strict=True)
        ]
        found = _restored(runs, _abstract_state(experiment))
        first = found[0] if found else 0
        name = workdir if not together else f"{workdir}: {len(runs)} members"
        if first >= config["steps"]:
            print(f"{name} is done: {first} steps", flush=True)
            return _mean_metrics(folders)
        if multihost.is_main_process():
            print(
                f"{name}: {f'resuming at step {first}' if found else 'starting'}, {config['steps']} steps",
                flush=True,
            )
        state = program.joined(found[1]) if found else program.init()
        for member in runs:
            member.start()
        under_way = threading.Event()
        open_runs.callback(under_way.set)
        pictures.submit(under_way.wait)  # the import of matplotlib would hold up the first step
        try:
            _train(config, program, runs, measured, reals, state, first, under_way)
        except jax.errors.JaxRuntimeError as error:
            if jax.process_count() > 1:
                multihost.exit_on_lost_process(errors.first_line(error))
            raise
    return _mean_metrics(folders)


def load_state(workdir: Path, step: int | None = None) -> tuple[int, Experiment, TrainState]:
    """The step, the experiment and the state of a run's newest checkpoint, or of ``step``. Raises UserError."""
    config = workdirs.read_config(workdir)
    if config["population"]:
        raise UserError(
            f"{workdir} holds a population: choose a member, such as {workdir / 'members' / '000'}"
        )
    experiment = build(config)
    if not (workdir / "checkpoints").is_dir():
        raise UserError(f"{workdir} has no checkpoint yet")
    with checkpoints_in(workdir, config) as checkpoints:
        found = checkpoints.restore(_abstract_state(experiment), step)
    if not found:
        raise UserError(f"{workdir} has no checkpoint yet")
    return found[0], experiment, found[1]


def load_sampler(workdir: Path, step: int | None = None) -> tuple[int, Experiment, Sampler]:
    """The step, the experiment and the sampler of a run's newest checkpoint, or of ``step``. Raises UserError."""
    found, experiment, state = load_state(workdir, step)
    return found, experiment, sampler_of(experiment, state, found)


def _open(runs: Sequence[tuple[Path, Mapping[str, Any]]], until: contextlib.ExitStack) -> None:
    """Makes or checks all workdirs: by the first process, the others wait for it. Raises UserError."""
    refused: UserError | None = None
    if multihost.is_main_process():
        try:
            for workdir, config in runs:
                until.enter_context(workdirs.opened(workdir, config))
        except UserError as error:
            refused = error
    if multihost.any_process(refused is not None):
        raise refused or UserError("process 0 refused the workdir: see there")


def _abstract_state(experiment: Experiment) -> TrainState:
    """The shapes, dtypes and places of a state, without computing it: replicated over all devices."""
    return jax.tree.map(
        lambda leaf: jax.ShapeDtypeStruct(
            leaf.shape, leaf.dtype, sharding=mesh.replicated_sharding()
        ),
        jax.eval_shape(experiment.init, jax.random.key(0)),
    )


def _restored(runs: Sequence[RunWriter], like: TrainState) -> tuple[int, list[TrainState]] | None:
    """The newest step of which all runs have a sound checkpoint, and their states; None where there is none.

    Of members that diverged any state will do: they are left behind. Raises UserError.
    """
    if len(runs) == 1:
        if multihost.is_main_process():
            (runs[0].workdir / DIVERGED).unlink(missing_ok=True)  # alone, it may try again
        found = runs[0].checkpoints.restore(like)
        return found and (found[0], [found[1]])
    alive = [run for run in runs if not run.diverged]
    if not alive:
        raise TrainingDiverged(
            "all members diverged before; choose another --workdir to try other settings"
        )
    for step in sorted(
        set.intersection(*(set(run.checkpoints.steps()) for run in alive)), reverse=True
    ):
        states: dict[RunWriter, TrainState] = {}
        try:
            for run in alive:
                restored = run.checkpoints.restore(like, step)
                assert restored is not None
                states[run] = restored[1]
        except UserError as error:
            print(f"warning: {error}; trying the one before it", flush=True)
            continue
        any_state = states[alive[0]]
        return step, [states.get(run, any_state) for run in runs]
    return None


def _mean_metrics(folders: Sequence[Path]) -> dict[str, float]:
    each = [workdirs.last_metrics(folder) for folder in folders]
    if len(each) == 1:
        return each[0]
    values = {name: [one[name] for one in each if one.get(name) is not None] for name in each[0]}
    return {name: float(np.mean(found)) for name, found in values.items() if found}


def _train(
    config: Mapping[str, Any],
    program: SingleRun | PopulationRun,
    runs: Sequence[RunWriter],
    measured: Sequence[Protocol],
    reals: RealSamples,
    state: TrainState,
    first: int,
    under_way: threading.Event,
) -> None:
    """The loop over calls of many steps each, and what happens between them; ``under_way`` is set after the first."""

    def due(interval: str, step: int) -> bool:
        return step % config[interval] == 0 or step == config["steps"]

    alive = {index: run for index, run in enumerate(runs) if not run.diverged}
    if not first:
        host = program.host(state)
        for index, run in alive.items():
            run.draw(program.of(host, index), 0, program.key_of(index))
    shown = progress.Progress(config["steps"], first, quiet=not multihost.is_main_process())
    history: list[Any] = []
    chunks = program.experiment.chunks(first, config["steps"], config["steps_per_call"])
    with _Stop() as stop:
        for chunk, batch in data.prefetched((chunk, program.batch(chunk)) for chunk in chunks):
            state, metrics = program(chunk, state, batch)
            history.append(metrics)
            step = chunk.first + chunk.steps
            if chunk.first == first:
                jax.block_until_ready(state)
                under_way.set()
                shown.compiled(step)
            asked = (
                stop.asked
            )  # read once: a signal from here on waits for the next call, which saves
            stopping = multihost.any_process(bool(asked))
            evaluating, drawing = (
                due("evaluate_every", step) and measured,
                due("sample_every", step),
            )
            saving = due("checkpoint_every", step) or stopping
            logging = due("log_every", step) or saving
            if not (logging or evaluating or drawing):
                continue
            host = program.host(state) if evaluating or drawing or saving else state
            scored = {}
            if evaluating:
                for index, run in alive.items():
                    scored[index] = run.evaluate(measured, reals, program.of(host, index), step)
            values: dict[int, dict[str, float]] = {
                index: dict(scored.get(index, {})) for index in alive
            }
            if logging:
                fetched, history = jax.device_get(history), []
                for index, run in list(alive.items()):
                    own = [program.of(call, index) for call in fetched]
                    try:
                        run.check_finite(own, step)
                    except TrainingDiverged as error:
                        del alive[index], values[index]
                        if not alive:
                            raise
                        print(f"member {index} diverged: {error}", flush=True)
                        continue
                    values[index] |= json_lines.mean_of(own)
                rate = shown.report(
                    step, [_shown(values[index], scored.get(index, {})) for index in alive]
                )
                for index in alive:
                    values[index]["steps_per_second"] = rate
            for index, run in alive.items():
                if values[index]:
                    run.log(step, values[index])
                if drawing:
                    run.draw(program.of(host, index), step, program.key_of(index))
                if saving:
                    run.checkpoints.save(step, program.of(host, index), values[index])
            if stopping and step < config["steps"]:
                for run in runs:
                    run.checkpoints.close()
                by = asked or "a signal to another process"
                print(
                    f"stopped by {by} at step {step}, saved; the same command resumes", flush=True
                )
                raise KeyboardInterrupt


def _shown(values: Mapping[str, float], scored: Mapping[str, float]) -> dict[str, float]:
    """What a progress line shows: the scores, and both losses."""
    return dict(scored) | {name: values[name] for name in ("discriminator/loss", "generator/loss")}


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
