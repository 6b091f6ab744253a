"""How a run starts: its directories are opened and locked, and its newest state is restored."""

import contextlib
import math
from collections.abc import Callable, Sequence
from pathlib import Path

import jax

from gan_jax.distributed import multihost
from gan_jax.errors import UserError
from gan_jax.experiment import fine_tuning, run_directory, trouble
from gan_jax.experiment.executors import Executor
from gan_jax.experiment.loading import LoadedRun, abstract_state
from gan_jax.experiment.roll_backs import TRIES, NeedsRollBack, RollBack
from gan_jax.experiment.run_writer import RunWriter, TrainingDiverged
from gan_jax.experiment.settings import Settings
from gan_jax.loggers.progress import print_line
from gan_jax.training.steps import TrainState

Source = Callable[[], LoadedRun | None]
"""Returns the run whose parameters a run starts from, or None."""


def open_directories(
    runs: Sequence[tuple[Path, Settings]], resources: contextlib.ExitStack
) -> None:
    """Opens all run directories in the first process; the others wait. Raises UserError."""
    refusal: UserError | None = None
    if multihost.is_main_process():
        try:
            for run_dir, settings in runs:
                resources.enter_context(run_directory.opened(run_dir, settings))
        except UserError as error:
            refusal = error
    if multihost.any_process(refusal is not None):
        raise refusal or UserError("process 0 refused the run directory: see its output")


def start_or_resume(
    executor: Executor, writers: Sequence[RunWriter], title: str, source: Source
) -> tuple[TrainState, int]:
    """Returns the state to train from and its step: the newest that is saved, or the initial one.

    A run that diverged may try again if it is alone.

    Args:
      executor: of the runs.
      writers: of each run.
      title: of all, for the line that says where they start.
      source: where the parameters of a run that starts come from.

    Raises:
      TrainingDiverged: all members of a population have diverged.
    """
    if executor.may_retry:
        writers[0].forget_divergence()
    restored = _restore_newest(executor, writers)
    first = restored[0] if restored else 0
    for writer in writers:
        writer.roll_backs.forget_after(first, multihost.is_main_process())
    steps = executor.experiment.settings.steps
    if first < steps and multihost.is_main_process():
        how = f"resuming at step {first}" if restored else "starting"
        print_line(f"{title}: {how}, {steps} steps; {_describe(executor)}")
    return _state(executor, writers, restored, source), first


def roll_back(
    executor: Executor,
    writers: Sequence[RunWriter],
    needed: NeedsRollBack,
    source: Source,
) -> tuple[TrainState, int]:
    """Returns the state of a checkpoint and its step, to go on from with other keys.

    It is the newest one or, of a run in trouble, the one before the trouble; later ones are set
    aside first, and the changes of ``config.on_trouble`` are in force from then on. All members of
    a population go back together. Those that went bad get another key; the others repeat their
    steps with the same bits.

    Args:
      executor: of the runs.
      writers: of each run.
      needed: what is wrong, by the index of each run of which something is.
      source: where the parameters at step 0 come from.

    Raises:
      TrainingDiverged: no run is left that may be tried again from there.
    """
    changes: tuple[str, ...] = ()
    if needed.step is not None:
        changes = trouble.changes(executor.experiment.settings)
        for writer in writers:
            writer.checkpoints.set_aside_after(needed.step)
        multihost.any_process(False)  # all wait for the first process, which moves files
    restored = _restore_newest(executor, writers)
    step = restored[0] if restored else 0
    for index, reason in needed.reasons.items():
        writer = writers[index]
        member = f"member {index}: " if len(writers) > 1 else ""
        if not writer.roll_backs.may_try_again(step):
            tried = f"{reason}; {TRIES} other keys were tried from step {step}"
            tried = writer.note_divergence(tried)
            if all(writer.divergence for writer in writers):
                raise TrainingDiverged(tried)
            print_line(f"{member}diverged: {tried}")
            continue
        writer.roll_backs.add(RollBack(step, reason, changes), multihost.is_main_process())
        if multihost.is_main_process():
            how = "; ".join(["with another key", *changes])
            print_line(f"{member}{reason}; back to step {step}, {how}")
    return _state(executor, writers, restored, source), step


def _describe(executor: Executor) -> str:
    """Returns devices, precision and the numbers of parameters of a run."""
    devices = jax.devices()
    kind = devices[0].device_kind if devices[0].platform != "cpu" else "CPU"
    plural = "" if len(devices) == 1 else "s"
    if jax.process_count() > 1:
        plural += f" of {jax.process_count()} processes"
    state = abstract_state(executor.experiment)
    sizes = [
        sum(math.prod(leaf.shape) for leaf in jax.tree.leaves(player.params))
        for player in (state.generator, state.discriminator)
    ]
    return (
        f"{len(devices)} {kind} device{plural}, {executor.experiment.settings.precision}, "
        f"{sizes[0]:,} parameters of the generator and {sizes[1]:,} of the discriminator"
    )


def is_postponed(writers: Sequence[RunWriter], step: int) -> bool:
    """Returns whether the evaluation or picture of a step was left out, in all processes alike."""
    postponed = any(writer.postponed == step for writer in writers)
    return multihost.any_process(postponed and multihost.is_main_process())


def _state(
    executor: Executor,
    writers: Sequence[RunWriter],
    restored: tuple[int, list[TrainState]] | None,
    source: Source,
) -> TrainState:
    """The restored state as the executor takes it, or the initial one; sets the members' keys."""
    executor.set_roll_backs([writer.roll_backs for writer in writers])
    if restored:
        return executor.join(restored[1])
    run = source()
    return executor.init() if run is None else _transferred(executor, run)


def _transferred(executor: Executor, source: LoadedRun) -> TrainState:
    """The initial state with the parameters of another run, as far as they fit."""
    state = executor.to_host(executor.init())
    transfers = [
        fine_tuning.transfer(executor.member(state, index), source.state)
        for index in range(len(executor.members))
    ]
    if multihost.is_main_process():
        print_line(transfers[0].describe(f"{source.run_dir} at step {source.step}"))
    return executor.join([transferred.state for transferred in transfers])


def _restore_newest(
    executor: Executor, writers: Sequence[RunWriter]
) -> tuple[int, list[TrainState]] | None:
    """Restores the newest step of which all runs have a sound checkpoint; None if there is none.

    A member of a population that diverged stays behind, and gets any state.
    """
    like = abstract_state(executor.experiment)
    if executor.may_retry:
        (writer,) = writers
        restored = writer.checkpoints.restore(like)
        return (restored[0], [restored[1]]) if restored else None
    training = [writer for writer in writers if not writer.has_left]
    if not training:
        raise TrainingDiverged(
            "all members have diverged; choose another --workdir to try other settings"
        )
    common = set.intersection(*(set(writer.checkpoints.steps()) for writer in training))
    for step in sorted(common, reverse=True):
        states: dict[RunWriter, TrainState] = {}
        try:
            for writer in training:
                restored = writer.checkpoints.restore(like, step)
                assert restored is not None  # a step that is asked for is there, or refused
                states[writer] = restored[1]
        except UserError as error:
            print_line(f"warning: {error}; trying the one before it")
            continue
        any_state = states[training[0]]
        return step, [states.get(writer, any_state) for writer in writers]
    return None
