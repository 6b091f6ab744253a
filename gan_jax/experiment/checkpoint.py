"""Checkpoints through Orbax: whole states with a checksum of each leaf, the newest few kept beside the best."""

import os
import warnings
import zlib
from pathlib import Path
from typing import Any, Self

import jax
import numpy as np
import orbax.checkpoint as ocp
from absl import logging as absl_logging
from orbax.checkpoint import checkpoint_managers as managers

from gan_jax.errors import UserError


def checksums(tree: Any) -> dict[str, list]:
    """``{leaf path: [crc32, shape, dtype]}``: Orbax does not notice a flipped bit in an array, this does."""

    def entry(leaf: Any) -> list:
        array = np.asarray(jax.device_get(leaf))
        return [
            zlib.crc32(np.ascontiguousarray(array).tobytes()),
            list(array.shape),
            str(array.dtype),
        ]

    return {_name(path): entry(leaf) for path, leaf in jax.tree_util.tree_leaves_with_path(tree)}


def _name(path: Any) -> str:
    return jax.tree_util.keystr(path, simple=True, separator="/")


class Checkpoints:
    """The checkpoints of one run, in ``directory/<step>``. A context manager: leaving it waits for pending saves.

    ``best``: the metric by which one more checkpoint is kept, ``highest`` or lowest; a value that is not finite never
    counts. Saving is asynchronous, and atomic: a save that was interrupted is not seen.
    """

    def __init__(
        self, directory: str | Path, keep: int = 2, best: str = "", highest: bool = False
    ) -> None:
        absl_logging.set_verbosity(absl_logging.ERROR)  # orbax reports each save at length
        self.directory, self.best, self.highest = Path(os.path.abspath(directory)), best, highest
        policy = managers.AnyPreservationPolicy([managers.LatestN(keep), _Best(self)])
        self._manager = ocp.CheckpointManager(
            self.directory, options=ocp.CheckpointManagerOptions(preservation_policy=policy)
        )
        self._scores: dict[int, float] = {}
        for step in self.steps() if best else ():
            try:
                score = self._record(step)["metrics"].get(best)
            except Exception:  # a damaged checkpoint is no candidate; restoring it says so
                continue
            if score is not None:
                self._scores[step] = score

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: Any) -> None:
        self.close()

    def close(self) -> None:
        """Waits until all is on disk."""
        self._manager.close()

    def steps(self) -> list[int]:
        """Steps of the checkpoints on disk, in order."""
        return sorted(self._manager.all_steps())

    def save(self, step: int, state: Any, metrics: dict[str, float] | None = None) -> None:
        """Saves ``state`` as ``step``, unless that step is there already. The state may be donated right after."""
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
        """The step of the best checkpoint by the chosen metric; None where none has one."""
        scores = {
            step: score for step, score in self._scores.items() if step in self._manager.all_steps()
        }
        return (max if self.highest else min)(scores, key=scores.__getitem__) if scores else None

    def _record(self, step: int) -> dict[str, Any]:
        """What was saved beside the state of ``step``: its leaves' checksums and the metrics."""
        return self._manager.restore(step, args=ocp.args.Composite(record=ocp.args.JsonRestore()))[
            "record"
        ]

    def restore(self, like: Any, step: int | None = None) -> tuple[int, Any] | None:
        """The newest sound checkpoint as ``(step, state)``, or that of ``step``; None where there are none.

        ``like``: the state as ``jax.eval_shape`` gives it, with shardings where they matter (else: one device). A damaged
        checkpoint is reported and the one before it is tried. Raises UserError where a ``step`` that was asked for is
        missing or damaged, where all are, or where the state saved has another structure.
        """
        steps = self.steps()
        if step is not None and step not in steps:
            known = ", ".join(map(str, steps)) or "none"
            raise UserError(f"no checkpoint of step {step} in {self.directory}: there are {known}")
        candidates = [step] if step is not None else steps[::-1]
        failure = None
        for candidate in candidates:
            try:
                return candidate, self._restore(candidate, like)
            except _OtherStructure as error:
                raise UserError(
                    f"checkpoint {self.directory / str(candidate)} is of another state: {error}"
                ) from error
            except Exception as error:
                reason = (
                    str(error).strip().splitlines()[0]
                    if str(error).strip()
                    else type(error).__name__
                )
                failure = f"checkpoint {self.directory / str(candidate)} is damaged ({reason})"
                if step is None:
                    print(f"warning: {failure}; trying the one before it", flush=True)
        if failure:
            raise UserError(
                failure if step is not None else f"all checkpoints are damaged; the last: {failure}"
            )
        return None

    def _restore(self, step: int, like: Any) -> Any:
        saved = self._record(step)["checksums"]
        wanted = {
            _name(path): [list(leaf.shape), str(leaf.dtype)]
            for path, leaf in jax.tree_util.tree_leaves_with_path(like)
        }
        for name in sorted(saved.keys() | wanted.keys()):
            there, here = saved.get(name, [0, "missing"])[1:], wanted.get(name, ["missing"])
            if there != here:
                raise _OtherStructure(f"{name} is {there} there and {here} here")
        place = jax.sharding.SingleDeviceSharding(jax.local_devices()[0])
        like = jax.tree.map(  # without a place of its own Orbax wants the devices that the state was saved from
            lambda leaf: jax.ShapeDtypeStruct(
                leaf.shape, leaf.dtype, sharding=getattr(leaf, "sharding", None) or place
            ),
            like,
        )
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            state = self._manager.restore(
                step, args=ocp.args.Composite(state=ocp.args.StandardRestore(like))
            )["state"]
        wrong = [name for name, entry in checksums(state).items() if entry != saved[name]]
        if wrong:
            raise ValueError(f"checksum of {', '.join(wrong[:3])} does not match")
        return state


class _Best(managers.PreservationPolicy):
    """Keeps the best checkpoint. Orbax's own policy forgets the metrics of an earlier process."""

    def __init__(self, checkpoints: Checkpoints) -> None:
        self._checkpoints = checkpoints

    def should_preserve(self, checkpoints: Any, *, context: Any) -> list[bool]:
        best = self._checkpoints.best_step()
        return [info.step == best for info in checkpoints]


class _OtherStructure(Exception):
    """The checkpoint holds other leaves than the state that is wanted."""
