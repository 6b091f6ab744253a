"""Where the time of a call goes, operation by operation, as JAX's profiler saw it."""

import collections
import gzip
import json
import re
import tempfile
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import jax


class Operation(NamedTuple):
    """What XLA calls one operation of a compiled program, how often it ran, and the seconds of all these times together."""

    name: str
    times: int
    seconds: float


def operations(call: Callable[[], Any]) -> list[Operation]:
    """Plays the call, which waits for its result, and returns its operations, longest first; none where none are traced.

    An operation's time is that from its start to the start of the next, in the order of all threads: on a CPU long
    convolutions and products are handed to other threads, and their own entry ends at once. So the times sum to the whole;
    where two operations ran side by side, the later one's count.
    """
    with tempfile.TemporaryDirectory() as folder:
        with jax.profiler.trace(folder):
            call()
        files = Path(folder).rglob("*.trace.json.gz")
        events = [
            event
            for file in files
            for event in json.loads(gzip.decompress(file.read_bytes()))["traceEvents"]
        ]
    return attributed(events)


def attributed(events: Iterable[dict[str, Any]]) -> list[Operation]:
    """The operations among a trace's events (``ph``, ``ts`` and ``dur`` in microseconds, ``args`` with ``hlo_op``)."""
    found = [
        event for event in events if event.get("ph") == "X" and "hlo_op" in event.get("args", {})
    ]
    found = [
        event for event in found if not event["args"]["hlo_op"].startswith(("while", "call"))
    ]  # which hold others
    found.sort(key=lambda event: event["ts"])
    seconds: collections.Counter[str] = collections.Counter()
    times: collections.Counter[str] = collections.Counter()
    for index, event in enumerate(found):
        name, start = event["args"]["hlo_op"], event["ts"]
        after = found[index + 1]["ts"] if index + 1 < len(found) else start + event["dur"]
        seconds[name] += (after - start) / 1e6
        times[name] += 1
    return [Operation(name, times[name], took) for name, took in seconds.most_common()]


def kinds(found: Sequence[Operation]) -> list[Operation]:
    """Operations whose names differ by their number alone, together."""
    groups: dict[str, list[Operation]] = collections.defaultdict(list)
    for operation in found:
        groups[re.sub(r"[.\d]+$", "", operation.name)].append(operation)
    sums = [
        Operation(name, sum(o.times for o in group), sum(o.seconds for o in group))
        for name, group in groups.items()
    ]
    return sorted(sums, key=lambda operation: -operation.seconds)


def table(found: Sequence[Operation], steps: int, most: int = 15) -> str:
    """Markdown: the longest kinds of operations, then the longest operations, in milliseconds a step and shares."""
    total = sum(operation.seconds for operation in found)
    if not total:
        return "The profiler saw no operation on this platform."
    lines = [f"{1e3 * total / steps:.4g} ms a step."]
    for title, rows in (("kind", kinds(found)), ("operation", found)):
        lines += [
            "",
            f"| {title} | times a step | ms a step | share |",
            "| --- | --- | --- | --- |",
        ]
        for name, times, seconds in rows[:most]:
            lines.append(
                f"| {name} | {times / steps:g} | {1e3 * seconds / steps:.3g} | {seconds / total:.1%} |"
            )
        if rest := rows[most:]:
            seconds = sum(operation.seconds for operation in rest)
            lines.append(
                f"| {len(rest)} others | | {1e3 * seconds / steps:.3g} | {seconds / total:.1%} |"
            )
    return "\n".join(lines)
