"""Saving checkpoints through Orbax: whole states, durable, with a checksum of each leaf."""

import contextlib
import os
import shutil
from collections.abc import Mapping
from concurrent.futures import Future, ThreadPoolExecutor
from pathlib import Path
from typing import Any, Self

import numpy as np
import orbax.checkpoint as ocp

from gan_jax import files
from gan_jax.distributed import multihost
from gan_jax.errors import StorageError, storage_failure
from gan_jax.experiment.checkpoint_files import (
    RECORD,
    STATE,
    TEMPORARY,
    read_record,
    saved_steps,
    sealed,
    write_contents,
)
from gan_jax.experiment.checkpoint_reading import (
    DamagedCheckpoints,
    checksums,
    restore,
    silence_orbax,
    without_empty_fields,
)
from gan_jax.experiment.differences import warn_if_changed
from gan_jax.experiment.settings import Settings, as_config


class Checkpoints:
    """The checkpoints of the run that this process trains, in ``directory/<step>``.

    Leaving the context waits for pending saves.

    Saving is asynchronous, and survives a loss of power: a checkpoint gets its name once all of it
    is on the disk, and older ones are removed once that name is. Each is removed at once as far as
    readers see, by a new name. A save that was interrupted is not seen.

    In a job of several processes all of them call the same methods; the first process removes.

    Args:
      directory: made if it does not exist.
      keep: how many of the newest checkpoints are kept.
      best: the metric whose best checkpoint is kept too; empty for none. Values that are not finite
        never count.
      maximize: whether the largest value is the best.
      settings: of the run, whose config is saved with each checkpoint.
    """

    def __init__(
        self,
        directory: str | Path,
        keep: int = 2,
        best: str = "",
        maximize: bool = False,
        settings: Settings | None = None,
    ) -> None:
        silence_orbax()
        self.directory = Path(os.path.abspath(directory))
        self.keep, self.best, self.maximize, self.settings = keep, best, maximize, settings
        files.make_directory(self.directory)
        options = ocp.options.AsyncOptions(post_finalization_callback=self._sync_contents)
        self._orbax = ocp.AsyncCheckpointer(ocp.CompositeCheckpointHandler(), async_options=options)
        self._thread = ThreadPoolExecutor(1, "checkpoints")
        self._pending: Future[None] | None = None
        self._steps = saved_steps(self.directory)
        self._newest = self._steps[-1] if self._steps else 0
        self._damaged: set[int] = set()
        self._scores: dict[int, float] = self._saved_scores() if best else {}

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: Any) -> None:
        self.close()

    def close(self) -> None:
        """Waits until everything is on disk.

        Raises:
          StorageError: the last checkpoint cannot be saved.
        """
        try:
            self._wait()
        finally:
            self._thread.shutdown()
            self._orbax.close()
            self._remove_unfinished()  # TensorStore goes on for a while after a failure

    def add_scores(self, metrics: Mapping[int, Mapping[str, float]]) -> None:
        """Adds metrics that were computed after their steps were saved, to find the best one.

        Args:
          metrics: by step. Those that a checkpoint was saved with count more.
        """
        for step, values in metrics.items():
            score = values.get(self.best)
            if score is not None and np.isfinite(score):
                self._scores.setdefault(step, float(score))

    def steps(self) -> list[int]:
        """Returns the steps of the checkpoints, in order; that of a pending save is one of them."""
        return list(self._steps)

    def save(self, step: int, state: Any, metrics: Mapping[str, float] | None = None) -> None:
        """Saves ``state`` as ``step``, unless that step is there; the state may then be donated.

        A checkpoint that was found to be damaged is moved to ``directory.damaged/<step>`` first.

        Args:
          step: of the state.
          state: a pytree of arrays.
          metrics: those of the step.

        Raises:
          StorageError: this checkpoint, or the one before it, cannot be saved.
        """
        self._wait()
        if step in self._damaged:
            self._move(step, self.directory.with_name(f"{self.directory.name}.damaged"))
        if step in self._steps:
            return
        finite = {
            name: float(value) for name, value in (metrics or {}).items() if np.isfinite(value)
        }
        record = {"checksums": checksums(state), "metrics": finite}
        if self.settings is not None:
            record["config"] = as_config(self.settings)
        items = {
            STATE: ocp.args.StandardSave(without_empty_fields(state)),
            RECORD: ocp.args.JsonSave(sealed(record)),
        }
        self._newest = step
        try:
            self._orbax.save(self.directory / str(step), args=ocp.args.Composite(**items))
        except Exception as error:
            self._fail(error)
        self._steps = sorted([*self._steps, step])
        if self.best in finite:
            self._scores[step] = finite[self.best]
        kept = self._kept(step)
        removed = [other for other in self._steps if other not in kept]
        self._steps = [other for other in self._steps if other in kept]
        self._pending = self._thread.submit(self._finish, step, removed)

    def set_aside_after(self, step: int) -> None:
        """Moves the checkpoints after a step to ``directory.rolled_back/<number>/<step>``.

        The newest is moved first: a run that is killed meanwhile goes on from one of the others,
        and meets the same trouble again.

        Args:
          step: of the newest checkpoint that stays; 0: none does.
        """
        self._wait()
        later = [other for other in self._steps if other > step]
        aside = self.directory.with_name(f"{self.directory.name}.rolled_back")
        if later and multihost.is_main_process():
            files.make_directory(aside)
            aside = aside / str(len(os.listdir(aside)) + 1)
        for other in reversed(later):
            self._move(other, aside)
        if multihost.is_main_process():
            files.sync_directory(self.directory)

    def check(self) -> None:
        """Raises StorageError if a save has failed meanwhile. Does not wait."""
        if self._pending is not None and self._pending.done():
            self._wait()

    def best_step(self) -> int | None:
        """Returns the step of the best checkpoint; None if no checkpoint has the metric."""
        scores = {step: score for step, score in self._scores.items() if step in self._steps}
        if not scores:
            return None
        return (max if self.maximize else min)(scores, key=scores.__getitem__)

    def restore(self, like: Any, step: int | None = None) -> tuple[int, Any] | None:
        """Restores a checkpoint; see `checkpoint_reading.restore`.

        Returns:
          ``(step, state)``; None if there is no checkpoint.
        """
        self._wait()
        try:
            restored = restore(self.directory, like, step)
        except DamagedCheckpoints as error:
            self._damaged |= error.steps
            raise
        if restored is None:
            return None
        self._damaged |= restored.damaged
        if self.settings is not None:
            warn_if_changed(self.directory / str(restored.step), restored.record, self.settings)
        return restored.step, restored.state

    def _kept(self, step: int) -> set[int]:
        """The steps that stay once ``step`` is saved.

        Those after it, which a run has that fell back, are no newer ones, and damaged ones count
        for nothing, but both stay until the run saves them again.
        """
        older = [other for other in self._steps if other <= step and other not in self._damaged]
        later = [other for other in self._steps if other > step]
        return {*older[-self.keep :], *later, *self._damaged, *filter(None, [self.best_step()])}

    def _sync_contents(self) -> None:
        """Puts a checkpoint on the disk. Orbax calls this before it gives the checkpoint its name.

        TensorStore syncs what it writes, but Orbax does not sync its own files.
        """
        path = self.directory / f"{self._newest}{TEMPORARY}"
        write_contents(path)
        files.sync_tree(path)

    def _finish(self, step: int, removed: list[int]) -> None:
        """Waits for a save, puts the checkpoint's name on the disk, and then removes others."""
        self._orbax.wait_until_finished()
        if not multihost.is_main_process():
            return
        files.sync_tree(self.directory / str(step))  # what Orbax wrote last
        files.sync_directory(self.directory)
        trash = [self._rename_removed(other) for other in removed]
        if trash:
            files.sync_directory(self.directory)  # else some of their files come back
        for path in trash:
            shutil.rmtree(path, ignore_errors=True)

    def _rename_removed(self, step: int) -> Path:
        """Gives a checkpoint a name that readers do not look at, so that it can be removed."""
        target = self.directory / f"{step}{TEMPORARY}.removed"
        shutil.rmtree(target, ignore_errors=True)
        with contextlib.suppress(FileNotFoundError):  # somebody else removed it
            os.rename(self.directory / str(step), target)
        return target

    def _wait(self) -> None:
        pending, self._pending = self._pending, None
        if pending is None:
            return
        try:
            pending.result()
        except Exception as error:
            self._steps = [step for step in self._steps if step != self._newest]
            self._fail(error)

    def _fail(self, error: Exception) -> None:
        """Raises what is said of a save that failed, and removes what there is of it."""
        self._remove_unfinished()
        reason = storage_failure(error)
        if reason is None:
            raise error
        sound = [step for step in self._steps if step not in self._damaged]
        resumes = (
            f"the same command resumes from step {sound[-1]}, the last that is saved"
            if sound
            else "the same command starts again: no checkpoint is saved yet"
        )
        raise StorageError(
            f"checkpoint {self._newest} cannot be saved in {self.directory} ({reason}). "
            f"Once it can, {resumes}"
        ) from error

    def _remove_unfinished(self) -> None:
        """Removes what there is of a save that failed: it takes space of a full disk."""
        if multihost.is_main_process():
            shutil.rmtree(self.directory / f"{self._newest}{TEMPORARY}", ignore_errors=True)

    def _move(self, step: int, aside: Path) -> None:
        """Moves a checkpoint into a folder, so that the step can be saved again."""
        if multihost.is_main_process():
            files.make_directory(aside)
            target = aside / str(step)
            if target.exists():  # moved there before, too
                shutil.rmtree(target)
            os.replace(self.directory / str(step), target)
        self._steps = [other for other in self._steps if other != step]
        self._damaged.discard(step)
        self._scores.pop(step, None)

    def _saved_scores(self) -> dict[int, float]:
        scores = {}
        for step in self._steps:
            try:
                scores[step] = float(read_record(self.directory / str(step))["metrics"][self.best])
            except Exception:  # a damaged checkpoint is no candidate; restoring it says so
                continue
        return scores
