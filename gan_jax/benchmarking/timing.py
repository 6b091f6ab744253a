"""Timing of two implementations of the same work, side by side.

Both sides run in one process, one after the other, and alternate in who goes first, so that a
change in the machine's load affects both. A matrix product timed before and after each round, the
probe, tells how much of the machine was free. A round waits for a free machine for a limited time,
and rounds in which the probe ran at less than 80% of its best speed are left out, for both sides
alike.
"""

import statistics
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from typing import NamedTuple

import jax
import jax.numpy as jnp
import numpy as np

MIN_PROBE_SPEED = 0.8
"""Share of the probe's best speed below which a round is left out."""

PAUSE_SECONDS = 0.2
"""Pause before each call: threads of BLAS and OpenMP spin for a while after their work is done."""

RECHECK_SECONDS = 0.5
"""Time between two probes of a machine that is busy."""

MAX_DISAGREEMENT = 1.25
"""Factor between the ratios of medians and of minima beyond which a ratio is unstable."""

PROBE_SIZE = 1024

PEAK_SIZE = 2048
"""Rows and columns of the matrices whose product tells the machine's peak."""

OURS = ""
"""Key of gan_jax's side of a comparison; the other keys are the names of the peers."""

Call = Callable[[], float | None]
"""One side of a comparison: does the work, waits for its end, and returns its result, if any."""


class SelfTimed(float):
    """Seconds that a side returns if it measures itself; they replace the time of the call."""


class Comparison(NamedTuple):
    """One piece of work that both sides do.

    A call must not return before its work is done: it has to wait for what a device computes.

    Attributes:
      name: what the work is.
      ours: gan_jax's side. Returns its result as a number, None if there is nothing to compare, or
        `SelfTimed` seconds.
      peers: the other side, by the name of its settings; may be empty. The fastest settings are
        compared with.
      tolerance: relative difference up to which the results of both sides must agree.
      goal: the ratio to reach.
      steps: steps per call; reported times are those of one step.
      flops: operations of the matrix products and convolutions of one step, 0 if unknown.
      max_rounds: upper limit of rounds, for calls that take long; 0 is no limit.
    """

    name: str
    ours: Call
    peers: Mapping[str, Call]
    tolerance: float = 0.0
    goal: float = 1.0
    steps: int = 1
    flops: float = 0.0
    max_rounds: int = 0


class Result(NamedTuple):
    """The outcome of a comparison.

    Times are medians over the rounds, per step. Ratios are peer / gan_jax: above 1, gan_jax is
    faster.

    Attributes:
      name: that of the comparison.
      peer: the fastest settings of the other side; empty if there is no other side.
      seconds: gan_jax's time.
      peer_seconds: the peer's time.
      ratio: median of the ratios of the rounds; None if it is unstable.
      quartiles: first and third quartile of these ratios.
      goal: that of the comparison.
      rounds: number of rounds that count.
      rounds_left_out: number of rounds that were left out because the machine was busy.
      difference: largest relative difference between the results of both sides.
      steps: steps per call.
      ratio_of_minima: ratio of the shortest times.
      peak_share: gan_jax's rate of operations as a share of the machine's: see `peak_rate`.
      peer_medians: the times of all settings of the other side.
    """

    name: str
    peer: str
    seconds: float
    peer_seconds: float | None
    ratio: float | None
    quartiles: tuple[float, float] | None
    goal: float
    rounds: int
    rounds_left_out: int
    difference: float | None
    steps: int = 1
    ratio_of_minima: float | None = None
    peak_share: float | None = None
    peer_medians: Mapping[str, float] = {}


def compare(comparison: Comparison, rounds: int, patience: float = 20.0) -> Result:
    """Times both sides of a comparison.

    Args:
      comparison: the work and its two sides.
      rounds: number of rounds; in each, every side is called once.
      patience: the longest time in seconds that a round waits for a free machine.

    Returns:
      The times and their ratio.

    Raises:
      AssertionError: if the results of the two sides differ by more than the tolerance.
    """
    rounds = min(rounds, comparison.max_rounds or rounds)
    sides = {OURS: comparison.ours, **comparison.peers}
    outcomes = {name: call() for name, call in sides.items()}  # compiles, and warms caches up
    difference = _largest_difference(comparison, outcomes)
    peak = peak_rate() if comparison.flops else None
    seconds, probes = _time_rounds(sides, comparison.steps, rounds, patience)
    kept = [i for i, probe in enumerate(probes) if probe <= min(probes) / MIN_PROBE_SPEED]
    kept_seconds = {name: [times[i] for i in kept] for name, times in seconds.items()}
    medians = {name: statistics.median(times) for name, times in kept_seconds.items()}
    peak_share = None
    if peak is not None:
        peak_share = comparison.flops / medians[OURS] / max(peak, peak_rate())
    result = Result(
        name=comparison.name,
        peer="",
        seconds=medians[OURS],
        peer_seconds=None,
        ratio=None,
        quartiles=None,
        goal=comparison.goal,
        rounds=len(kept),
        rounds_left_out=rounds - len(kept),
        difference=difference,
        steps=comparison.steps,
        peak_share=peak_share,
        peer_medians={name: medians[name] for name in comparison.peers},
    )
    if not comparison.peers:
        return result
    peer = min(comparison.peers, key=lambda name: medians[name])
    ratios = [theirs / ours for ours, theirs in zip(kept_seconds[OURS], kept_seconds[peer])]
    ratio = statistics.median(ratios)
    ratio_of_minima = min(kept_seconds[peer]) / min(kept_seconds[OURS])
    agree = 1 / MAX_DISAGREEMENT <= ratio / ratio_of_minima <= MAX_DISAGREEMENT
    stable = agree and len(kept) >= min(rounds, 3)
    return result._replace(
        peer=peer,
        peer_seconds=medians[peer],
        ratio=ratio if stable else None,
        quartiles=_quartiles(ratios),
        ratio_of_minima=ratio_of_minima,
    )


def _time_rounds(
    sides: Mapping[str, Call], steps: int, rounds: int, patience: float
) -> tuple[dict[str, list[float]], list[float]]:
    """Returns the seconds per step of each side, and the slower of the two probes, by round."""
    seconds: dict[str, list[float]] = {name: [] for name in sides}
    probes: list[float] = []
    for i in range(rounds):
        probe_before = _wait_until_free(min(probes, default=np.inf), patience)
        order = list(sides)
        if i % 2 == 1:
            order.reverse()
        for name in order:
            time.sleep(PAUSE_SECONDS)
            start = time.perf_counter()
            outcome = sides[name]()
            elapsed = time.perf_counter() - start
            if isinstance(outcome, SelfTimed):
                elapsed = float(outcome)
            seconds[name].append(elapsed / steps)
        probes.append(max(probe_before, _probe()))
    return seconds, probes


def peak_rate() -> float:
    """Returns the operations per second of float32 matrix products, the best of all libraries here.

    They are NumPy's, XLA's and, if PyTorch is imported, PyTorch's: which is fastest depends on the
    processor.
    """
    x = np.ones((PEAK_SIZE, PEAK_SIZE), np.float32)
    on_device, product = jnp.asarray(x), jax.jit(jnp.matmul)
    calls: list[Callable[[], object]] = [
        lambda: x @ x,
        lambda: product(on_device, on_device).block_until_ready(),
    ]
    if torch := sys.modules.get("torch"):
        tensor = torch.from_numpy(x)
        calls.append(lambda: tensor @ tensor)
    seconds = []
    for call in calls:
        call()  # compiles
        time.sleep(PAUSE_SECONDS)
        seconds.append(_shortest(call))
    return 2.0 * PEAK_SIZE**3 / min(seconds)


def _largest_difference(
    comparison: Comparison, outcomes: Mapping[str, float | None]
) -> float | None:
    """Returns the largest relative difference between our result and those of the peers, if any."""
    ours, largest = outcomes[OURS], None
    for name in comparison.peers:
        theirs = outcomes[name]
        if ours is None or theirs is None:
            continue
        if isinstance(ours, SelfTimed) or isinstance(theirs, SelfTimed):
            continue
        difference = abs(float(ours) - float(theirs)) / max(abs(float(theirs)), 1e-300)
        if not difference <= comparison.tolerance:  # NaN fails, too
            raise AssertionError(
                f"{comparison.name}: gan_jax computes {ours} and {name} computes {theirs}, which "
                f"differ by more than {comparison.tolerance:g}"
            )
        largest = max(largest or 0.0, difference)
    return largest


def _quartiles(ratios: Sequence[float]) -> tuple[float, float]:
    if len(ratios) == 1:
        return ratios[0], ratios[0]
    first, _, third = statistics.quantiles(ratios, n=4, method="inclusive")
    return first, third


def _wait_until_free(best: float, patience: float) -> float:
    """Waits until the machine is as free as it was at its ``best``, or ``patience`` runs out.

    Returns the last probe.
    """
    probe = _probe()
    for _ in range(int(patience / RECHECK_SECONDS)):
        if probe <= best / MIN_PROBE_SPEED:
            break
        time.sleep(RECHECK_SECONDS)
        probe = _probe()
    return probe


def _probe() -> float:
    """Returns the seconds of a matrix product, best of eight; longer on a busy machine."""
    x = np.ones((PROBE_SIZE, PROBE_SIZE), np.float32)
    return _shortest(lambda: x @ x)


def _shortest(call: Callable[[], object]) -> float:
    """Returns the seconds of a call, the best of eight."""
    times = []
    for _ in range(8):
        start = time.perf_counter()
        call()
        times.append(time.perf_counter() - start)
    return min(times)
