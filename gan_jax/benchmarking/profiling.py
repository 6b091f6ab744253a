"""Where the time of a call goes, operation by operation, as seen by JAX's profiler."""

import collections
import gzip
import json
import re
import tempfile
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import jax

Event = dict[str, Any]
"""An event of a trace: ``ph``, ``ts`` and ``dur`` in microseconds, ``args`` with ``hlo_op``."""


class Operation(NamedTuple):
    """One operation of a compiled program.

    Attributes:
      name: XLA's name.
      runs: how often it ran.
      seconds: the time of all its runs together.
    """

    name: str
    runs: int
    seconds: float


def profile(call: Callable[[], Any]) -> list[Operation]:
    """Profiles a call that waits for its result, and returns its operations, longest first.

    The time of an operation lasts from its start to the start of the next, in the order of all
    threads: on a CPU, long convolutions and products are handed to other threads, and their own
    events end at once. So the times add up to the whole; if two operations ran side by side, the
    time is counted for the later one.

    Args:
      call: what to profile.

    Returns:
      The operations; none if the platform traces none.
    """
    with tempfile.TemporaryDirectory() as folder:
        with jax.profiler.trace(folder):
            call()
        events: list[Event] = []
        for path in Path(folder).rglob("*.trace.json.gz"):
            events += json.loads(gzip.decompress(path.read_bytes()))["traceEvents"]
    return operations_in(events)


def operations_in(events: Iterable[Event]) -> list[Operation]:
    """Returns the operations among the events of a trace, longest first."""
    starts = sorted(filter(_is_operation, events), key=lambda event: float(event["ts"]))
    seconds: collections.Counter[str] = collections.Counter()
    runs: collections.Counter[str] = collections.Counter()
    for index, event in enumerate(starts):
        end = event["ts"] + event["dur"]
        if index + 1 < len(starts):
            end = starts[index + 1]["ts"]
        name = event["args"]["hlo_op"]
        seconds[name] += (end - event["ts"]) / 1e6
        runs[name] += 1
    return [Operation(name, runs[name], total) for name, total in seconds.most_common()]


def _is_operation(event: Event) -> bool:
    """Whether an event is a run of an operation that contains no others, as loops and calls do."""
    name = event.get("args", {}).get("hlo_op")
    return event.get("ph") == "X" and name is not None and not name.startswith(("while", "call"))


def by_kind(operations: Sequence[Operation]) -> list[Operation]:
    """Adds up operations whose names differ only in their numbers, longest first."""
    kinds: dict[str, list[Operation]] = collections.defaultdict(list)
    for operation in operations:
        kinds[re.sub(r"[.\d]+$", "", operation.name)].append(operation)
    sums = [
        Operation(kind, sum(o.runs for o in members), sum(o.seconds for o in members))
        for kind, members in kinds.items()
    ]
    return sorted(sums, key=lambda operation: -operation.seconds)


def to_markdown(operations: Sequence[Operation], steps: int, max_rows: int = 15) -> str:
    """Returns tables of the longest kinds of operations and of the longest operations.

    Args:
      operations: those of one call, longest first.
      steps: steps per call.
      max_rows: length of each table; what is left over is added up in a last row.

    Returns:
      Markdown, in milliseconds per step and in shares of the whole.
    """
    total = sum(operation.seconds for operation in operations)
    if not total:
        return "The profiler saw no operation on this platform."
    lines = [f"{1e3 * total / steps:.4g} ms per step."]
    for title, rows in (("kind", by_kind(operations)), ("operation", operations)):
        lines += ["", f"| {title} | runs per step | ms per step | share |"]
        lines += ["| --- | --- | --- | --- |"]
        for name, runs, seconds in rows[:max_rows]:
            time = f"{1e3 * seconds / steps:.3g} | {seconds / total:.1%}"
            lines.append(f"| {name} | {runs / steps:g} | {time} |")
        if rest := rows[max_rows:]:
            seconds = sum(operation.seconds for operation in rest)
            time = f"{1e3 * seconds / steps:.3g} | {seconds / total:.1%}"
            lines.append(f"| {len(rest)} others | | {time} |")
    return "\n".join(lines)
