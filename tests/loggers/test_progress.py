"""Progress lines."""

import math

import pytest

from gan_jax.loggers import progress


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
    # Of the members of a population: the median, the lowest and the highest.
    shown.report(60, [{"loss": 3.0}, {"loss": 1.0}, {"loss": 2.0}])
    assert "loss 2 [1, 3]" in capsys.readouterr().out


def test_what_is_undefined_is_said_in_words():
    assert progress.format_number(math.nan) == "undefined"
    assert progress.format_values([math.nan]) == "undefined"
    assert progress.format_values([math.nan, math.nan]) == "undefined"
    assert progress.format_values([3.0, math.nan, 1.0]) == "2 [1, 3] (2 defined)"


def test_lines_of_a_population_say_that_they_show_medians(capsys):
    shown = progress.Progress(100, 0)
    shown.report(60, [{"loss": 3.0}, {"loss": 1.0}, {"loss": 2.0}])
    assert "median [lowest, highest] of 3:  loss 2 [1, 3]" in capsys.readouterr().out
