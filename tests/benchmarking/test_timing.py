"""How both sides of a comparison are timed."""

import sys
import time
import types

import pytest

from gan_jax.benchmarking import Comparison, SelfTimed, compare, timing


@pytest.fixture
def clock(monkeypatch):
    """Time that passes only when a side says so, on a machine that is free."""
    now = [0.0]
    monkeypatch.setattr(time, "perf_counter", lambda: now[0])
    monkeypatch.setattr(time, "sleep", lambda seconds: None)
    monkeypatch.setattr(timing, "_probe", lambda: 1.0)

    def work(*seconds, result=None):
        left = [0.0, *seconds]  # the first call warms up

        def call():
            now[0] += left.pop(0) if len(left) > 1 else left[0]
            return result

        return call

    return work


def test_the_fastest_peer_is_compared_with(clock):
    peers = {"slow": clock(9.0), "quick": clock(5.0)}
    result = compare(Comparison("a", clock(2.0), peers), 4)
    assert (result.peer, result.seconds, result.peer_seconds) == ("quick", 2.0, 5.0)
    assert result.ratio == 2.5 and result.quartiles == (2.5, 2.5)
    assert (result.rounds, result.rounds_left_out, result.difference) == (4, 0, None)
    assert result.peer_medians == {"slow": 9.0, "quick": 5.0}


def test_rounds_on_a_busy_machine_are_left_out(clock, monkeypatch):
    probes = iter([1.0, 1.0, 1.0, 1.3, 1.9, 1.4, 1.0, 1.2, 1.1, 1.0])  # the third round waits twice
    monkeypatch.setattr(timing, "_probe", lambda: next(probes))
    waits = []

    def sleep(seconds):
        if seconds == timing.RECHECK_SECONDS:
            waits.append(seconds)

    monkeypatch.setattr(time, "sleep", sleep)
    ours, peer = clock(1.0, 50.0, 1.0, 1.0), clock(2.9, 2.0, 3.1, 3.0)
    result = compare(Comparison("a", ours, {"peer": peer}), 4)
    assert (result.rounds, result.rounds_left_out, len(waits)) == (3, 1, 2)
    assert result.ratio == 3.0


def test_a_ratio_that_depends_on_how_it_is_taken_is_not_reported(clock):
    peer = clock(1.0, 2.0, 2.0, 2.0)
    result = compare(Comparison("a", clock(1.0), {"peer": peer}), 4)
    assert result.ratio is None and result.ratio_of_minima == 1.0


def test_sides_whose_results_differ_are_not_compared(clock):
    peers = {"peer": clock(1.0, result=1.1)}
    comparison = Comparison("a", clock(1.0, result=1.0), peers, tolerance=0.05)
    with pytest.raises(AssertionError, match=r"a: gan_jax computes 1\.0 and peer computes 1\.1"):
        compare(comparison, 1)
    result = compare(comparison._replace(tolerance=0.1), 1)
    assert result.difference == pytest.approx(1 / 11)


def test_times_are_per_step_and_a_side_may_time_itself(clock, monkeypatch):
    peaks = iter([4.0, 3.0])  # the second on a machine that is less free
    monkeypatch.setattr(timing, "peak_rate", lambda: next(peaks))
    ours = lambda: SelfTimed(2.0)  # of 4 steps, by a clock of its own
    comparison = Comparison(
        "a",
        ours,
        {"peer": clock(4.0)},
        steps=4,
        flops=1.0,
        max_rounds=3,
    )
    result = compare(comparison, 9)
    assert (result.seconds, result.peer_seconds, result.ratio) == (0.5, 1.0, 2.0)
    assert (result.steps, result.rounds) == (4, 3)
    assert result.peak_share == 0.5 and result.difference is None


def test_the_peak_is_that_of_the_fastest_library(monkeypatch):
    monkeypatch.setattr(timing, "PEAK_SIZE", 8)
    monkeypatch.setitem(sys.modules, "torch", types.SimpleNamespace(from_numpy=lambda x: x))
    seconds = iter([4.0, 2.0, 8.0])  # NumPy's, XLA's, PyTorch's
    monkeypatch.setattr(timing, "_shortest", lambda call: next(seconds))
    assert timing.peak_rate() == 2 * 8**3 / 2.0
    assert next(seconds, None) is None


def test_without_a_peer_there_is_a_time_and_no_ratio(clock):
    result = compare(Comparison("a", clock(2.0), {}), 2)
    assert (result.peer, result.seconds, result.peer_seconds) == ("", 2.0, None)
    assert result.ratio is None and result.quartiles is None and result.ratio_of_minima is None
