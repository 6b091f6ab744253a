"""Reading checkpoints, also while another process saves and removes them."""

import logging
import re
import sys
import warnings
import zlib
from collections.abc import Mapping
from pathlib import Path
from typing import Any, NamedTuple

import jax
import numpy as np
import orbax.checkpoint as ocp
from absl import logging as absl_logging

from gan_jax.distributed import multihost
from gan_jax.distributed.mesh import on_host
from gan_jax.errors import UserError, first_line, storage_failure
from gan_jax.experiment.checkpoint_files import STATE, read_record, saved_steps

Checksum = list[Any]
"""``[crc32, shape, dtype]`` of a leaf."""

MANY_REMOVED = 10
"""So many checkpoints in a row that were removed before they were read are worth a line."""


class Restored(NamedTuple):
    """A checkpoint that was read.

    Attributes:
      step: of the checkpoint.
      state: what was saved.
      record: what was saved next to it: ``checksums``, ``metrics`` and ``config``.
      damaged: the steps of newer checkpoints that are damaged.
    """

    step: int
    state: Any
    record: Mapping[str, Any]
    damaged: frozenset[int]


class DamagedCheckpoints(UserError):
    """No checkpoint could be read: all that were tried are damaged."""

    def __init__(self, message: str, steps: frozenset[int]) -> None:
        super().__init__(message)
        self.steps = steps


def restore(directory: Path, like: Any, step: int | None = None) -> Restored | None:
    """Restores a checkpoint; a damaged one is reported, and the one before it is tried.

    Another process may save and remove checkpoints meanwhile. Nothing is changed or removed here.

    Args:
      directory: of the checkpoints.
      like: the state as ``jax.eval_shape`` gives it, with shardings if they matter (else the
        state is placed on one device).
      step: of which checkpoint; None: the newest that is sound.

    Returns:
      The checkpoint; None if there is none.

    Raises:
      UserError: a ``step`` that was asked for is missing or damaged, all checkpoints are
        damaged, or the saved state has another structure.
    """
    if step is not None:
        return _restore_step(directory, like, step)
    damaged: dict[int, str] = {}
    removed = 0
    # Ends: a checkpoint that cannot be read is damaged, and not tried again, or it was removed,
    # and then another one was saved.
    while True:
        steps = saved_steps(directory)
        damaged = {step: failure for step, failure in damaged.items() if step in steps}
        if len(damaged) == len(steps):
            break
        candidate = max(set(steps) - damaged.keys())
        try:
            state, record = _read(directory / str(candidate), like)
        except _Removed:
            removed += 1
            if removed == MANY_REMOVED:
                print(
                    f"the checkpoints in {directory} are removed before they can be read; still "
                    "trying: a larger --config.keep_checkpoints of the run would keep them longer",
                    flush=True,
                )
            continue
        except _Damaged as error:
            damaged[candidate] = str(error)
            if len(damaged) < len(steps):
                print(f"warning: {error}; trying the one before it", flush=True)
            continue
        return Restored(candidate, state, record, frozenset(damaged))
    if damaged:
        last = damaged[min(damaged)]
        raise DamagedCheckpoints(
            f"all checkpoints are damaged; the last: {last}", frozenset(damaged)
        )
    return None


def _restore_step(directory: Path, like: Any, step: int) -> Restored:
    was_there = step in saved_steps(directory)
    try:
        if was_there:
            state, record = _read(directory / str(step), like)
            return Restored(step, state, record, frozenset())
    except _Removed:
        pass
    except _Damaged as error:
        raise DamagedCheckpoints(str(error), frozenset((step,))) from error
    known = ", ".join(map(str, saved_steps(directory))) or "none"
    if was_there:
        raise UserError(
            f"checkpoint {directory / str(step)} was removed while it was read: there are {known}. "
            "A larger --config.keep_checkpoints of the run keeps it longer"
        )
    raise UserError(f"no checkpoint of step {step} in {directory}: there are {known}")


class _Removed(Exception):
    """The checkpoint was removed while it was read."""


class _Damaged(Exception):
    """The checkpoint cannot be read."""


def _read(path: Path, like: Any) -> tuple[Any, dict[str, Any]]:
    """Reads one checkpoint. Raises _Removed, _Damaged, or UserError for another structure."""
    before = _identity(path)
    state, record, failure = None, {}, None
    try:
        record = read_record(path)
        _check_structure(path, record["checksums"], like)
        state = _read_state(path, like)
    except UserError:
        raise
    except Exception as error:
        failure = error
    # Of a state that is divided over processes each reads its part, but all of them go on alike.
    if multihost.any_process(failure is not None):
        failure = failure or ValueError("another process cannot read its part")
    else:
        failure = _mismatch(state, record["checksums"])
    if failure is not None:
        if before is None or _identity(path) != before:
            raise _Removed from failure
        raise _Damaged(f"checkpoint {path} is damaged ({_reason(failure)})") from failure
    return state, record


def _reason(error: Exception) -> str:
    """One line, without TensorStore's account of its own settings."""
    return re.split(r" \[tensorstore_spec|\s*See full TensorStore details", first_line(error))[0]


def _identity(path: Path) -> tuple[int, int] | None:
    """Tells a directory from another one of the same name; None if there is none."""
    try:
        status = path.stat()
    except OSError:
        return None
    return status.st_dev, status.st_ino


def _read_state(path: Path, like: Any) -> Any:
    # Without a sharding of its own Orbax wants the devices that the state was saved from.
    one_device = jax.sharding.SingleDeviceSharding(jax.local_devices()[0])
    placed = jax.tree.map(
        lambda leaf: jax.ShapeDtypeStruct(
            leaf.shape, leaf.dtype, sharding=getattr(leaf, "sharding", None) or one_device
        ),
        without_empty_fields(like),
    )
    silence_orbax()
    # Each process reads for itself: at a barrier all would wait for one that cannot read its part.
    alone = ocp.options.MultiprocessingOptions(
        primary_host=jax.process_index(), active_processes={jax.process_index()}
    )
    handler = ocp.CompositeCheckpointHandler(
        composite_options=ocp.CompositeOptions(multiprocessing_options=alone)
    )
    with (
        warnings.catch_warnings(),
        ocp.Checkpointer(handler, multiprocessing_options=alone) as reader,
    ):
        warnings.simplefilter("ignore")
        items = ocp.args.Composite(**{STATE: ocp.args.StandardRestore(placed)})
        read = reader.restore(path, args=items)[STATE]
    leaves = {_name(path): leaf for path, leaf in jax.tree_util.tree_leaves_with_path(read)}
    return jax.tree_util.tree_map_with_path(lambda path, _: leaves[_name(path)], like)


def _mismatch(state: Any, saved: Mapping[str, Checksum]) -> ValueError | None:
    """Says which leaves are not those that were saved, if any."""
    wrong = [name for name, checksum in checksums(state).items() if checksum != saved[name]]
    return ValueError(f"checksum of {', '.join(wrong[:3])} does not match") if wrong else None


def without_empty_fields(state: Any) -> Any:
    """Returns what is saved of a state: a named tuple without its empty fields, as a dict.

    Orbax takes a field that holds nothing for part of the structure: checkpoints could not be read
    any more once a state gets such a field.
    """
    fields: dict[str, Any] | None = getattr(state, "_asdict", dict)()
    if not fields:
        return state
    return {name: value for name, value in fields.items() if jax.tree.leaves(value)}


def silence_orbax() -> None:
    """Keeps Orbax's log of each save and of each error off the terminal.

    Errors are raised too, and said in one line.
    """
    absl_logging.set_verbosity(absl_logging.FATAL)
    logging.getLogger("asyncio").addFilter(_is_news)  # the same function again is not added
    if sys.unraisablehook is not _unraisable:
        global _unraisable_before
        _unraisable_before, sys.unraisablehook = sys.unraisablehook, _unraisable


def _is_news(record: logging.LogRecord) -> bool:
    """Returns whether a message of asyncio is not of Orbax's unfinished calls."""
    error = record.exc_info[1] if record.exc_info else None
    is_of_orbax = "orbax" in record.getMessage() or (error and storage_failure(error))
    return error is None or not is_of_orbax


_unraisable_before = sys.unraisablehook


def _unraisable(unraisable: Any) -> None:
    """Drops what Orbax's unfinished calls have to say once another one of them has failed."""
    error, code = unraisable.exc_value, getattr(unraisable.object, "cr_code", None)
    is_late = isinstance(error, RuntimeError) and str(error) == "Event loop is closed"
    if not is_late and not (code and "orbax" in code.co_filename):
        _unraisable_before(unraisable)


def checksums(tree: Any) -> dict[str, Checksum]:
    """Computes the checksum of each leaf: Orbax does not notice a flipped bit in an array.

    It is that of the whole leaf, on however many devices it lies. Of a state that is divided over
    processes all of them gather one leaf after the other.
    """

    def checksum(leaf: Any) -> Checksum:
        array = on_host(leaf)
        crc = zlib.crc32(np.ascontiguousarray(array).tobytes())
        return [crc, list(array.shape), str(array.dtype)]

    return {_name(path): checksum(leaf) for path, leaf in jax.tree_util.tree_leaves_with_path(tree)}


def _check_structure(path: Path, saved: Mapping[str, Checksum], like: Any) -> None:
    """Raises UserError if a checkpoint holds other leaves than those that are wanted."""
    wanted = {
        _name(leaf_path): [list(leaf.shape), str(leaf.dtype)]
        for leaf_path, leaf in jax.tree_util.tree_leaves_with_path(like)
    }
    for name in sorted(saved.keys() | wanted.keys()):
        there, here = saved.get(name, [0, "missing"])[1:], wanted.get(name, ["missing"])
        if there != here:
            raise UserError(
                f"checkpoint {path} is of another state: {name} is {there} there and {here} here"
            )


def _name(path: Any) -> str:
    return jax.tree_util.keystr(path, simple=True, separator="/")
