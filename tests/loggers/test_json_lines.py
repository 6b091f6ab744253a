"""What a run writes about itself."""

import json
import math

import pytest

from gan_jax.loggers import json_lines, progress


def test_rows_come_back_by_step_and_later_ones_win(tmp_path):
    path = tmp_path / "metrics.jsonl"
    log = json_lines.JsonLines(path)
    log.scalars(2, {"a": 1.0})
    log.scalars(4, {"a": 2.0, "b": float("nan")})
    log.close()
    log = json_lines.JsonLines(path)  # resumed from step 2 after a crash
    log.scalars(4, {"a": 3.0})
    log.scalars(6, {"a": 4.0})
    log.close()
    assert json_lines.read_metrics(path) == [
        {"step": 2, "a": 1.0},
        {"step": 4, "a": 3.0, "b": None},
        {"step": 6, "a": 4.0},
    ]
    for line in path.read_text().splitlines():
        json.loads(line, parse_constant=pytest.fail)  # no NaN: it is not JSON


def test_rows_of_protocols_are_kept_by_name_and_seed(tmp_path):
    path = tmp_path / "metrics.jsonl"
    log = json_lines.JsonLines(path)
    rows = [
        {"protocol": "fid10k", "seed": 0, "fid10k": 9.0},
        {"protocol": "fid10k", "seed": 1, "fid10k": 8.0},
    ]
    rows += [{"protocol": "kid50k", "seed": 0, "kid50k/mean": 1.0}]
    for row in [
        rows[2],
        rows[1],
        rows[0] | {"fid10k": 7.0},
        {"loss": 1.0},
        rows[0],
    ]:  # the last: computed again
        log.scalars(4, row)
    log.close()
    assert json_lines.read_metrics(path) == [{"step": 4, "loss": 1.0}] + [
        {"step": 4} | row for row in rows
    ]


def test_a_line_cut_short_spoils_no_other(tmp_path):
    path = tmp_path / "metrics.jsonl"
    path.write_text('{"step": 1, "a": 1}\n{"step": 2, "a"')
    log = json_lines.JsonLines(path)
    log.scalars(3, {"a": 3})
    log.close()
    assert [row["step"] for row in json_lines.read_metrics(path)] == [1, 3]


def test_durations():
    shown = {0: "0s", 59.9: "59s", 75: "1m15s", 3660: "1h01m", math.inf: "277777h46m"}
    assert {seconds: progress.format_duration(seconds) for seconds in shown} == shown


def test_progress_shows_step_rate_and_time_left(capsys):
    shown = progress.Progress(100, 0)
    shown._time -= 10.0
    rate = shown.report(50, [{"modes/covered": 8.0, "loss": 0.12345}])
    line = capsys.readouterr().out
    assert rate == pytest.approx(5.0, rel=0.01)
    assert "50/100" in line and "steps/s" in line and ("9s left" in line or "10s left" in line)
    assert "modes/covered 8" in line and ("loss 0.1235" in line or "loss 0.1234" in line)
    shown.report(
        60, [{"loss": 3.0}, {"loss": 1.0}, {"loss": 2.0}]
    )  # of the members of a population
    assert "loss 2 [1, 3]" in capsys.readouterr().out


def test_the_best_value_is_the_first_of_equals_and_finite():
    rows = [
        {"step": 1, "a": None},
        {"step": 2, "a": 3.0},
        {"step": 3, "a": 3.0},
        {"step": 4, "a": 1.0},
    ]
    assert json_lines.best(rows, "a", highest=True) == (2, 3.0)
    assert json_lines.best(rows, "a", highest=False) == (4, 1.0)
    assert (
        json_lines.best(rows, "b", highest=False) is None
        and json_lines.best(rows[:1], "a", highest=True) is None
    )
