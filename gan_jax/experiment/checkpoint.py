"""Checkpoints through Orbax: whole states, with a checksum of each leaf."""

import os
import shutil
import warnings
import zlib
from collections.abc import Sequence
from pathlib import Path
from typing import Any, Self

import jax
import numpy as np
import orbax.checkpoint as ocp
from absl import logging as absl_logging
from orbax.checkpoint import checkpoint_managers as managers

from gan_jax.errors import UserError, first_line

Checksum = list[Any]
"""``[crc32, shape, dtype]`` of a leaf."""


def checksums(tree: Any) -> dict[str, Checksum]:
    """Computes the checksum of each leaf: Orbax does not notice a flipped bit in an array."""

    def checksum(leaf: Any) -> Checksum:
        array = np.asarray(jax.device_get(leaf))
        crc = zlib.crc32(np.ascontiguousarray(array).tobytes())
        return [crc, list(array.shape), str(array.dtype)]

    return {_name(path): checksum(leaf) for path, leaf in jax.tree_util.tree_leaves_with_path(tree)}


class Checkpoints:
    """The checkpoints of one run, in ``directory/<step>``.

    Leaving the context waits for pending saves.

    Saving is asynchronous and atomic: a save that was interrupted is not seen.

    Args:
      directory: made if it does not exist.
      keep: how many of the newest checkpoints are kept.
      best: the metric whose best checkpoint is kept too; empty for none. Values that are not finite
        never count.
      maximize: whether the largest value is the best.
    """

    def __init__(
        self, directory: str | Path, keep: int = 2, best: str = "", maximize: bool = False
    ) -> None:
        absl_logging.set_verbosity(absl_logging.ERROR)  # Orbax reports each save at length
        self.directory = Path(os.path.abspath(directory))
        self.best, self.maximize = best, maximize
        policy = managers.AnyPreservationPolicy([managers.LatestN(keep), _KeepBest(self)])
        options = ocp.CheckpointManagerOptions(preservation_policy=policy)
        self._manager = ocp.CheckpointManager(self.directory, options=options)
        self._scores: dict[int, float] = {}
        self._damaged: set[int] = set()
        if best:
            self._read_scores()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: Any) -> None:
        self.close()

    def close(self) -> None:
        """Waits until everything is on disk."""
        self._manager.close()

    def steps(self) -> list[int]:
        """Returns the steps of the checkpoints on disk, in order."""
        return sorted(self._manager.all_steps())

    def save(self, step: int, state: Any, metrics: dict[str, float] | None = None) -> None:
        """Saves ``state`` as ``step``, unless that step is there; the state may then be donated.

        A checkpoint that was found to be damaged is moved to ``directory.damaged/<step>`` first.
        """
        if step in self._damaged:
            self._move_aside(step)
        if step in self._manager.all_steps():
            return
        finite = {
            name: float(value) for name, value in (metrics or {}).items() if np.isfinite(value)
        }
        if self.best in finite:
            self._scores[step] = finite[self.best]
        record = {"checksums": checksums(state), "metrics": finite}
        items = ocp.args.Composite(
            state=ocp.args.StandardSave(state), record=ocp.args.JsonSave(record)
        )
        self._manager.save(step, args=items, force=True)

    def best_step(self) -> int | None:
        """Returns the step of the best checkpoint; None if no checkpoint has the metric."""
        on_disk = set(self._manager.all_steps())
        scores = {step: score for step, score in self._scores.items() if step in on_disk}
        if not scores:
            return None
        return (max if self.maximize else min)(scores, key=scores.__getitem__)

    def restore(self, like: Any, step: int | None = None) -> tuple[int, Any] | None:
        """Restores a checkpoint; a damaged one is reported, and the one before it is tried.

        Args:
          like: the state as ``jax.eval_shape`` gives it, with shardings if they matter (else the
            state is placed on one device).
          step: of which checkpoint; None: the newest that is sound.

        Returns:
          ``(step, state)``; None if there is no checkpoint.

        Raises:
          UserError: a ``step`` that was asked for is missing or damaged, all checkpoints are
            damaged, or the saved state has another structure.
        """
        steps = self.steps()
        if step is not None and step not in steps:
            known = ", ".join(map(str, steps)) or "none"
            raise UserError(f"no checkpoint of step {step} in {self.directory}: there are {known}")
        failure = None
        for candidate in [step] if step is not None else steps[::-1]:
            path = self.directory / str(candidate)
            try:
                return candidate, self._restore(candidate, like)
            except _OtherStructure as error:
                raise UserError(f"checkpoint {path} is of another state: {error}") from error
            except Exception as error:
                failure = f"checkpoint {path} is damaged ({first_line(error)})"
                self._damaged.add(candidate)
                if step is None:
                    print(f"warning: {failure}; trying the one before it", flush=True)
        if failure and step is None:
            failure = f"all checkpoints are damaged; the last: {failure}"
        if failure:
            raise UserError(failure)
        return None

    def _move_aside(self, step: int) -> None:
        """Moves a damaged checkpoint away, so that the step can be saved again."""
        aside = self.directory.with_name(f"{self.directory.name}.damaged")
        aside.mkdir(exist_ok=True)
        target = aside / str(step)
        if target.exists():  # damaged before, too
            shutil.rmtree(target)
        os.replace(self.directory / str(step), target)
        self._manager.reload()
        self._damaged.discard(step)
        self._scores.pop(step, None)

    def _read_scores(self) -> None:
        for step in self.steps():
            try:
                score = self._record(step)["metrics"].get(self.best)
            except Exception:  # a damaged checkpoint is no candidate; restoring it says so
                continue
            if score is not None:
                self._scores[step] = score

    def _record(self, step: int) -> dict[str, Any]:
        """The checksums of the leaves, and the metrics, that were saved next to a state."""
        record = ocp.args.Composite(record=ocp.args.JsonRestore())
        saved: dict[str, Any] = self._manager.restore(step, args=record)["record"]
        return saved

    def _restore(self, step: int, like: Any) -> Any:
        saved = self._record(step)["checksums"]
        _check_structure(saved, like)
        # Without a sharding of its own Orbax wants the devices that the state was saved from.
        one_device = jax.sharding.SingleDeviceSharding(jax.local_devices()[0])
        placed = jax.tree.map(
            lambda leaf: jax.ShapeDtypeStruct(
                leaf.shape, leaf.dtype, sharding=getattr(leaf, "sharding", None) or one_device
            ),
            like,
        )
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            items = ocp.args.Composite(state=ocp.args.StandardRestore(placed))
            state = self._manager.restore(step, args=items)["state"]
        wrong = [name for name, checksum in checksums(state).items() if checksum != saved[name]]
        if wrong:
            raise ValueError(f"checksum of {', '.join(wrong[:3])} does not match")
        return state


class _KeepBest(managers.PreservationPolicy):  # type: ignore[misc, unused-ignore]
    """Keeps the best checkpoint. Orbax's own policy forgets the metrics of an earlier process."""

    def __init__(self, checkpoints: Checkpoints) -> None:
        self._checkpoints = checkpoints

    def should_preserve(self, checkpoints: Sequence[Any], *, context: Any) -> list[bool]:
        best = self._checkpoints.best_step()
        return [info.step == best for info in checkpoints]


class _OtherStructure(Exception):
    """The checkpoint holds other leaves than the state that is wanted."""


def _check_structure(saved: dict[str, Checksum], like: Any) -> None:
    wanted = {
        _name(path): [list(leaf.shape), str(leaf.dtype)]
        for path, leaf in jax.tree_util.tree_leaves_with_path(like)
    }
    for name in sorted(saved.keys() | wanted.keys()):
        there, here = saved.get(name, [0, "missing"])[1:], wanted.get(name, ["missing"])
        if there != here:
            raise _OtherStructure(f"{name} is {there} there and {here} here")


def _name(path: Any) -> str:
    return jax.tree_util.keystr(path, simple=True, separator="/")
