"""Times two sides of the same work in turns, and says how they compare without fooling anyone.

Both sides run in one process, one after the other, the first one alternating, so that a change of the machine's load falls
on both. A matrix product around each round tells how much of the machine was free: a round waits a while until it is, and
rounds in which it was under 80% of the best are left out, on both sides alike.
"""

import contextlib
import importlib.metadata
import json
import os
import platform
import statistics
import textwrap
import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from gan_jax.errors import UserError

FREE = 0.8  # of the best canary: rounds below are left out
REST = 0.2  # seconds before a side's turn: threads of BLAS and OpenMP that have done their work spin on for a while
AGREE = 1.25  # between the ratio of medians and that of minima: beyond, there is no ratio to report


class Contest(NamedTuple):
    """One piece of work, done by both sides. A call ends when the work has: wait for what a device computes."""

    name: str
    ours: Callable[
        [], Any
    ]  # returns its result as a number, or None where there is nothing to compare, or Seconds
    peers: Mapping[
        str, Callable[[], Any]
    ]  # settings of the other side; the quickest is the opponent. May be empty
    tolerance: float = 0.0  # relative, to which the results must agree
    goal: float = 1.0  # the ratio to reach
    steps: int = 1  # in a call: times are those of one step
    flops: float = 0.0  # of one step's matrix products and convolutions, where they are known
    most: int = 0  # rounds at most, where a call takes long; 0: as many as asked for


class Seconds(float):
    """What a side returns that has timed itself, in a process of its own, say: this counts in place of the call's time."""


class Result(NamedTuple):
    """What a contest took. Ratios are peer / gan_jax: above 1, gan_jax is faster. Times are medians, of one step."""

    name: str
    peer: str  # empty where there was none
    seconds: float
    peer_seconds: float | None
    ratio: float | None  # median over the rounds; None where it is not stable
    quartiles: tuple[float, float] | None
    goal: float
    rounds: int  # that count
    left_out: int
    difference: float | None  # relative, between the results
    steps: int = 1  # in a call
    minimum: float | None = None  # the ratio of the least times
    of_peak: float | None = (
        None  # share of what the machine's matrix product reached in the same rounds
    )
    settings: Mapping[str, float] | None = None  # the medians of all settings of the other side


def timed(contest: Contest, rounds: int, patience: float = 20.0) -> Result:
    """Runs a contest; a round waits ``patience`` seconds at most for a free machine.

    Raises AssertionError where the two sides do not compute the same.
    """
    rounds = min(rounds, contest.most or rounds)
    sides = {"": contest.ours, **contest.peers}
    results = {name: call() for name, call in sides.items()}  # compiles, and warms the caches up
    difference = _difference(contest, results)
    seconds: dict[str, list[float]] = {name: [] for name in sides}
    canaries: list[float] = []
    for i in range(rounds):
        before = _quiet(min(canaries, default=np.inf), patience)
        for name in list(sides)[:: 1 if i % 2 == 0 else -1]:
            time.sleep(REST)
            start = time.perf_counter()
            result = sides[name]()
            took = time.perf_counter() - start
            seconds[name].append(
                (float(result) if isinstance(result, Seconds) else took) / contest.steps
            )
        canaries.append(max(before, _canary()))
    kept = [i for i, canary in enumerate(canaries) if canary <= min(canaries) / FREE]
    clean = {name: [times[i] for i in kept] for name, times in seconds.items()}
    medians = {name: statistics.median(times) for name, times in clean.items()}
    peak = CANARY_FLOPS / min(canaries)
    result = Result(
        contest.name,
        "",
        medians[""],
        None,
        None,
        None,
        contest.goal,
        len(kept),
        rounds - len(kept),
        difference,
        contest.steps,
        of_peak=contest.flops / medians[""] / peak if contest.flops else None,
        settings={name: medians[name] for name in contest.peers},
    )
    if not contest.peers:
        return result
    peer = min(contest.peers, key=lambda name: medians[name])
    ratios = [theirs / ours for ours, theirs in zip(clean[""], clean[peer], strict=True)]
    ratio, of_minima = statistics.median(ratios), min(clean[peer]) / min(clean[""])
    stable = len(kept) >= min(rounds, 3) and 1 / AGREE <= ratio / of_minima <= AGREE
    low, _, high = (
        statistics.quantiles(ratios, n=4, method="inclusive") if len(ratios) > 1 else ratios * 3
    )
    return result._replace(
        peer=peer,
        peer_seconds=medians[peer],
        ratio=ratio if stable else None,
        quartiles=(low, high),
        minimum=of_minima,
    )


def _difference(contest: Contest, results: Mapping[str, Any]) -> float | None:
    ours, largest = results[""], None
    for name, theirs in results.items():
        if name and not any(
            value is None or isinstance(value, Seconds) for value in (ours, theirs)
        ):
            difference = abs(float(ours) - float(theirs)) / max(abs(float(theirs)), 1e-300)
            assert difference <= contest.tolerance, (
                f"{contest.name}: {ours} here and {theirs} from {name} are not the same"
            )
            largest = max(largest or 0.0, difference)
    return largest


def _quiet(best: float, patience: float) -> float:
    """A canary, as soon as the machine is as free as ``best`` says that it can be; the last one where that takes too long."""
    canary = _canary()
    for _ in range(int(patience / WAIT)):
        if canary <= best / FREE:
            break
        time.sleep(WAIT)
        canary = _canary()
    return canary


WAIT = 0.5  # seconds between two looks at the machine
CANARY = 1024
CANARY_FLOPS = 2.0 * CANARY**3


def _canary() -> float:
    """Seconds for a matrix product, the best of eight: longer where something else wants the machine."""
    x = np.ones((CANARY, CANARY), np.float32)
    times = []
    for _ in range(8):
        start = time.perf_counter()
        x @ x
        times.append(time.perf_counter() - start)
    return min(times)


def run(
    contests: Iterable[Contest], rounds: int, only: str = "", patience: float = 20.0
) -> list[Result]:
    """All contests (those with ``only`` in their names), printed as they end. Raises UserError where there are none."""
    results: list[Result] = []
    for contest in contests:
        if only.lower() in contest.name.lower():
            if not results:
                print(_line(COLUMNS), flush=True)
            results.append(timed(contest, rounds, patience))
            print(_line(_row(results[-1])), flush=True)
    if not results:
        raise UserError(f"no contest has {only!r} in its name")
    return results


COLUMNS = (
    "work", "against", "gan_jax", "peer", "times as fast", "quartiles", "of minima", "goal", "of peak", "steps a call",
    "rounds", "difference",
)  # fmt: skip
WIDTHS = (50, 28, 10, 10, 13, 14, 9, 5, 7, 12, 14, 10)


def _row(result: Result) -> tuple[str, ...]:
    against = (
        result.quartiles is not None
        and result.peer_seconds is not None
        and result.minimum is not None
    )
    return (
        result.name,
        result.peer or "none",
        _time(result.seconds),
        _time(result.peer_seconds) if result.peer_seconds is not None else "",
        "" if not against else "unstable" if result.ratio is None else f"{result.ratio:.2f}",
        f"{result.quartiles[0]:.2f} to {result.quartiles[1]:.2f}" if result.quartiles else "",
        f"{result.minimum:.2f}" if result.minimum is not None else "",
        f"{result.goal:g}" if against else "",
        "" if result.of_peak is None else f"{result.of_peak:.0%}",
        str(result.steps),
        f"{result.rounds}" + (f", {result.left_out} left out" if result.left_out else ""),
        "" if result.difference is None else f"{result.difference:.0e}",
    )


def _time(seconds: float) -> str:
    return f"{seconds:.4g} s" if seconds >= 0.1 else f"{1e3 * seconds:.4g} ms"


def _line(cells: Sequence[str]) -> str:
    return "  ".join(cell.ljust(width) for cell, width in zip(cells, WIDTHS, strict=True)).rstrip()


KINDS = (".json", ".md", ".png")


def save(
    results: Sequence[Result], path: str | Path, title: str, packages: Sequence[str], command: str
) -> None:
    """Writes ``path``: a table as ``.json`` or ``.md``, a plot as ``.png``; all three where it has no such ending.

    ``command``: what makes the table again.
    """
    path = Path(path)
    kinds = [path.suffix] if path.suffix in KINDS else KINDS
    path.parent.mkdir(parents=True, exist_ok=True)
    machine = f"{os.cpu_count()} CPU cores, {platform.machine()}"
    facts = {
        "title": title,
        "command": command,
        "machine": machine,
        "packages": _versions(packages),
    }
    for kind in kinds:
        target = path if path.suffix == kind else path.with_name(path.name + kind)
        if kind == ".png":
            if drawn := [result for result in results if result.quartiles]:
                draw(drawn, title.splitlines()[0], f"{machine}; {_said(packages)}").savefig(
                    target, dpi=150
                )
            continue
        if kind == ".json":
            text = json.dumps(
                facts | {"results": [result._asdict() for result in results]}, indent=2
            )
        else:
            rows = [COLUMNS, ("---",) * len(COLUMNS), *map(_row, results)]
            lines = [
                f"{title}\n\n`{command}`; {machine}; {_said(packages)}.\n",
                *(f"| {' | '.join(row)} |" for row in rows),
            ]
            for result in results:
                if len(result.settings or {}) > 1:
                    each = ", ".join(
                        f"{name} {_time(seconds)}"
                        for name, seconds in (result.settings or {}).items()
                    )
                    lines.append(f"\n{result.name}: {each}.")
            text = "\n".join(lines)
        target.write_text(text + "\n", encoding="utf-8")


def draw(results: Sequence[Result], title: str, remark: str) -> Any:
    """A matplotlib figure: how many times as fast gan_jax was in each contest that had an opponent."""
    from gan_jax.loggers import plots

    drawing, axes = plots.figure(1, 1, (8.5, 1.5 + 0.42 * len(results)))
    ax, places = axes[0, 0], list(range(len(results)))[::-1]
    for at, result in zip(places, results, strict=True):
        low, high = result.quartiles or (0.0, 0.0)
        ax.plot(
            [low, high],
            [at, at],
            color="tab:blue" if result.ratio else "0.7",
            linewidth=4,
            solid_capstyle="butt",
        )
        if result.ratio:
            ax.plot(result.ratio, at, "o", color="tab:blue")
        ax.plot(result.minimum, at, "|", color="black", markersize=10)
        ax.plot(result.goal, at, "x", color="tab:red")
        text = f"{result.ratio:.2f}" if result.ratio else "unstable"
        ax.annotate(f"{text}  {result.peer}", (max(high, result.goal, result.minimum or 0), at), (8, 0), fontsize=7,
                    textcoords="offset points", va="center")  # fmt: skip
    ax.plot([], [], "o-", color="tab:blue", linewidth=4, label="median ratio, quartiles")
    ax.plot([], [], "|", color="black", linestyle="none", markersize=10, label="of the least times")
    ax.plot([], [], "x", color="tab:red", linestyle="none", label="goal")
    ax.axvline(1, color="0.6", linewidth=0.8)
    ax.set_xscale("log")
    left, right = ax.get_xlim()
    right *= max(right / left, 4) ** 0.5  # room for the names
    ticks = [
        tick
        for tick in (0.1, 0.2, 0.5, 1, 2, 5, 10, 20, 50, 100, 200, 500)
        if left <= tick <= right
    ]
    ax.set_xticks(ticks, [f"{tick:g}" for tick in ticks])
    ax.minorticks_off()
    ax.set_xlim(left, right)
    ax.set_yticks(places, [result.name for result in results], fontsize=8)
    ax.set_xlabel("times as fast as the quickest opponent", fontsize=9)
    ax.set_title(textwrap.fill(title, 90) + "\n" + textwrap.fill(remark, 90), fontsize=8)
    drawing.legend(fontsize=7, loc="outside lower center", ncols=3)
    return drawing


def _said(packages: Sequence[str]) -> str:
    return ", ".join(f"{name} {version}" for name, version in _versions(packages).items())


def _versions(packages: Sequence[str]) -> dict[str, str]:
    found = {"python": platform.python_version()}
    for name in ("jax", "numpy", *packages):
        with contextlib.suppress(importlib.metadata.PackageNotFoundError):
            found[name] = importlib.metadata.version(name)
    return found
