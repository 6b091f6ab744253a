"""Times two sides of the same work in turns, and says how they compare without fooling anyone.

Both sides run in one process, one after the other, the first one alternating, so that a change of the machine's load falls
on both. A matrix product around each round tells how much of the machine was free: rounds in which it was under 80% of the
best are left out, on both sides alike.
"""

import importlib.metadata
import json
import os
import platform
import statistics
import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from gan_jax.errors import UserError

FREE = 0.8  # of the best canary: rounds below are left out
AGREE = 1.25  # between the ratio of medians and that of minima: beyond, there is no ratio to report


class Contest(NamedTuple):
    """One piece of work, done by both sides. A call ends when the work has: wait for what a device computes."""

    name: str
    ours: Callable[[], Any]  # returns its result as a number, or None where there is nothing to compare
    peers: Mapping[str, Callable[[], Any]]  # settings of the other side; the quickest is the opponent
    tolerance: float = 0.0  # relative, to which the results must agree
    goal: float = 1.0  # the ratio to reach


class Result(NamedTuple):
    """What a contest took. Ratios are peer / gan_jax: above 1, gan_jax is faster."""

    name: str
    peer: str
    seconds: float  # median
    peer_seconds: float
    ratio: float | None  # median over the rounds; None where it is not stable
    quartiles: tuple[float, float]
    goal: float
    rounds: int  # that count
    left_out: int
    difference: float | None  # relative, between the results


def timed(contest: Contest, rounds: int) -> Result:
    """Runs a contest. Raises AssertionError where the two sides do not compute the same."""
    sides = {"": contest.ours, **contest.peers}
    results = {name: call() for name, call in sides.items()}  # compiles, and warms the caches up
    difference = _difference(contest, results)
    seconds: dict[str, list[float]] = {name: [] for name in sides}
    canaries = []
    for i in range(rounds):
        before = _canary()
        for name in list(sides)[:: 1 if i % 2 == 0 else -1]:
            start = time.perf_counter()
            sides[name]()
            seconds[name].append(time.perf_counter() - start)
        canaries.append(max(before, _canary()))
    kept = [i for i, canary in enumerate(canaries) if canary <= min(canaries) / FREE]
    clean = {name: [times[i] for i in kept] for name, times in seconds.items()}
    medians = {name: statistics.median(times) for name, times in clean.items()}
    peer = min(contest.peers, key=lambda name: medians[name])
    ratios = [theirs / ours for ours, theirs in zip(clean[""], clean[peer], strict=True)]
    ratio, of_minima = statistics.median(ratios), min(clean[peer]) / min(clean[""])
    stable = len(kept) >= min(rounds, 3) and 1 / AGREE <= ratio / of_minima <= AGREE
    low, _, high = statistics.quantiles(ratios, n=4, method="inclusive") if len(ratios) > 1 else ratios * 3
    return Result(
        contest.name,
        peer,
        medians[""],
        medians[peer],
        ratio if stable else None,
        (low, high),
        contest.goal,
        len(kept),
        rounds - len(kept),
        difference,
    )


def _difference(contest: Contest, results: Mapping[str, Any]) -> float | None:
    ours, largest = results[""], None
    for name, theirs in results.items():
        if name and ours is not None and theirs is not None:
            difference = abs(float(ours) - float(theirs)) / max(abs(float(theirs)), 1e-300)
            assert difference <= contest.tolerance, f"{contest.name}: {ours} here and {theirs} from {name} are not the same"
            largest = max(largest or 0.0, difference)
    return largest


def _canary() -> float:
    """Seconds for a matrix product, the best of three: longer where something else wants the machine."""
    x = np.ones((1024, 1024), np.float32)
    times = []
    for _ in range(3):
        start = time.perf_counter()
        x @ x
        times.append(time.perf_counter() - start)
    return min(times)


def run(contests: Iterable[Contest], rounds: int, only: str = "") -> list[Result]:
    """All contests (those with ``only`` in their names), printed as they end. Raises UserError where there are none."""
    results: list[Result] = []
    for contest in contests:
        if only.lower() in contest.name.lower():
            if not results:
                print(_line(COLUMNS), flush=True)
            results.append(timed(contest, rounds))
            print(_line(_row(results[-1])), flush=True)
    if not results:
        raise UserError(f"no contest has {only!r} in its name")
    return results


COLUMNS = ("work", "against", "gan_jax", "peer", "times as fast", "quartiles", "goal", "rounds", "difference")
WIDTHS = (42, 28, 10, 10, 13, 14, 5, 14, 10)


def _row(result: Result) -> tuple[str, ...]:
    return (
        result.name,
        result.peer,
        f"{result.seconds:.4g} s",
        f"{result.peer_seconds:.4g} s",
        "unstable" if result.ratio is None else f"{result.ratio:.2f}",
        f"{result.quartiles[0]:.2f} to {result.quartiles[1]:.2f}",
        f"{result.goal:g}",
        f"{result.rounds}" + (f", {result.left_out} left out" if result.left_out else ""),
        "" if result.difference is None else f"{result.difference:.0e}",
    )


def _line(cells: Sequence[str]) -> str:
    return "  ".join(cell.ljust(width) for cell, width in zip(cells, WIDTHS, strict=True)).rstrip()


def save(results: Sequence[Result], path: str | Path, title: str, packages: Sequence[str]) -> None:
    """Writes a table as ``path``: ``.json`` or ``.md``, both where it has no such ending."""
    path = Path(path)
    kinds = [path.suffix] if path.suffix in (".json", ".md") else [".json", ".md"]
    path.parent.mkdir(parents=True, exist_ok=True)
    facts = {"title": title, "machine": f"{os.cpu_count()} CPU cores, {platform.machine()}", "packages": _versions(packages)}
    for kind in kinds:
        target = path if path.suffix == kind else path.with_name(path.name + kind)
        if kind == ".json":
            text = json.dumps(facts | {"results": [result._asdict() for result in results]}, indent=2)
        else:
            rows = [COLUMNS, ("---",) * len(COLUMNS), *map(_row, results)]
            versions = ", ".join(f"{name} {version}" for name, version in _versions(packages).items())
            text = "\n".join([f"{title}\n\n{facts['machine']}; {versions}.\n", *(f"| {' | '.join(row)} |" for row in rows)])
        target.write_text(text + "\n", encoding="utf-8")


def _versions(packages: Sequence[str]) -> dict[str, str]:
    found = {"python": platform.python_version()}
    for name in ("jax", "numpy", *packages):
        found[name] = importlib.metadata.version(name)
    return found
