"""The benchmarks: how both sides are timed, and the command."""

import importlib.util
import json
import runpy
import time

import numpy as np
import pytest
from PIL import Image

from gan_jax import benchmarking
from gan_jax.benchmarking import Contest, Seconds
from gan_jax.errors import UserError


@pytest.fixture
def clock(monkeypatch):
    """Time that passes only where a side says so; the machine is free."""
    now = [0.0]
    monkeypatch.setattr(time, "perf_counter", lambda: now[0])
    monkeypatch.setattr(benchmarking, "_canary", lambda: 1.0)
    monkeypatch.setattr(time, "sleep", lambda seconds: None)

    def work(*seconds, result=None):
        left = [0.0, *seconds]  # the first call warms up

        def call():
            now[0] += left.pop(0) if len(left) > 1 else left[0]
            return result

        return call

    return work


def test_the_quickest_peer_is_the_opponent(clock):
    found = benchmarking.timed(
        Contest("a", clock(2.0), {"slow": clock(9.0), "quick": clock(5.0)}), 4
    )
    assert (found.peer, found.seconds, found.peer_seconds, found.ratio) == ("quick", 2.0, 5.0, 2.5)
    assert found.quartiles == (2.5, 2.5) and (found.rounds, found.left_out, found.difference) == (
        4,
        0,
        None,
    )


def test_rounds_on_a_busy_machine_are_left_out(clock, monkeypatch):
    canaries = iter(
        [1.0, 1.0, 1.0, 1.3, 1.9, 1.4, 1.0, 1.2, 1.1, 1.0]
    )  # the third round waits twice
    monkeypatch.setattr(benchmarking, "_canary", lambda: next(canaries))
    waited = []
    monkeypatch.setattr(
        time,
        "sleep",
        lambda seconds: waited.append(seconds) if seconds == benchmarking.WAIT else None,
    )
    found = benchmarking.timed(
        Contest("a", clock(1.0, 50.0, 1.0, 1.0), {"peer": clock(2.9, 2.0, 3.1, 3.0)}), 4
    )
    assert (found.rounds, found.left_out, len(waited)) == (3, 1, 2) and found.ratio == 3.0


def test_a_ratio_that_depends_on_how_it_is_taken_is_not_one(clock):
    found = benchmarking.timed(Contest("a", clock(1.0), {"peer": clock(1.0, 2.0, 2.0, 2.0)}), 4)
    assert found.ratio is None and "unstable" in benchmarking._row(found)


def test_sides_that_compute_something_else_are_not_compared(clock):
    contest = Contest("a", clock(1.0, result=1.0), {"peer": clock(1.0, result=1.1)}, tolerance=0.05)
    with pytest.raises(AssertionError, match=r"a: 1\.0 here and 1\.1 from peer"):
        benchmarking.timed(contest, 1)
    assert benchmarking.timed(contest._replace(tolerance=0.1), 1).difference == pytest.approx(
        1 / 11
    )


def test_times_are_of_one_step_and_a_side_may_time_itself(clock):
    ours = lambda: Seconds(2.0)  # in 4 steps, as its own clock says, which is not ours
    flops = 0.5 * 0.5 * benchmarking.CANARY_FLOPS  # half of what the canary does in as long
    found = benchmarking.timed(
        Contest("a", ours, {"peer": clock(4.0)}, steps=4, flops=flops, most=3), 9
    )
    assert (found.seconds, found.peer_seconds, found.ratio, found.steps, found.rounds) == (
        0.5,
        1.0,
        2.0,
        4,
        3,
    )
    assert found.of_peak == 0.5 and found.difference is None


def test_without_a_peer_there_is_a_time_and_no_ratio(clock, tmp_path):
    found = benchmarking.timed(Contest("a", clock(2.0), {}), 2)
    assert (found.peer, found.seconds, found.peer_seconds, found.ratio, found.quartiles) == (
        "",
        2.0,
        None,
        None,
        None,
    )
    benchmarking.save([found], tmp_path / "table", "Title", ["no such package"], "make it again")
    table = (tmp_path / "table.md").read_text()
    assert "| a | none | 2 s |" in table and "`make it again`" in table
    assert json.loads((tmp_path / "table.json").read_text())["results"][0]["ratio"] is None
    assert not (tmp_path / "table.png").exists()  # nothing to draw


def test_the_plot_says_what_is_stable_and_what_is_not():
    row = benchmarking.Result("a", "peer", 1.0, 2.0, 2.0, (1.9, 2.1), 1.5, 5, 0, None, 1, 2.0)
    drawing = benchmarking.draw([row, row._replace(name="b", ratio=None)], "Title", "a machine")
    said = [text.get_text() for text in drawing.axes[0].texts]
    assert said == ["2.00  peer", "unstable  peer"]
    assert [label.get_text() for label in drawing.axes[0].get_yticklabels()] == ["a", "b"]


def test_the_command_times_metrics_and_writes_a_table(root, tmp_path, capsys):
    if importlib.util.find_spec("torch_fidelity") is None:
        pytest.skip("pip install -e '.[oracles]'")
    program = runpy.run_path(str(root / "experiments" / "benchmark.py"))["benchmark"]
    target = tmp_path / "made" / "metrics"
    program(["metrics", "--small", "--rounds=2", "--only=kernel", f"--out={target}"])
    assert capsys.readouterr().out.count("torch-fidelity") == 2
    found = json.loads((tmp_path / "made" / "metrics.json").read_text())
    assert len(found["results"]) == 2 and found["packages"]["torch-fidelity"]
    assert (
        found["command"]
        == f"python experiments/benchmark.py metrics --small --rounds=2 --only=kernel --out={target}"
    )
    assert all(
        np.isfinite(result["seconds"]) and result["difference"] < 1e-3
        for result in found["results"]
    )
    table = (tmp_path / "made" / "metrics.md").read_text().splitlines()
    assert len([line for line in table if line.startswith("| kernel distance")]) == 2
    with Image.open(tmp_path / "made" / "metrics.png") as picture:
        assert min(picture.size) > 200


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        ([], "name a case: .*metrics"),
        (["none"], "not 'none'"),
        (["metrics", "--rounds=0"], "at least 1"),
    ],
)
def test_bad_input_is_said_in_one_line(root, arguments, says):
    program = runpy.run_path(str(root / "experiments" / "benchmark.py"))["benchmark"]
    with pytest.raises(UserError, match=says) as error:
        program(arguments)
    assert "\n" not in str(error.value)
