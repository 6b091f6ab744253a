"""What a run writes about itself."""

import json
import math

import pytest

from gan_jax import writers

SETTINGS = {"mode": "offline", "project": "gan_jax", "group": "g", "tags": ("a",)}


def test_rows_come_back_by_step_and_later_ones_win(tmp_path):
    path = tmp_path / "metrics.jsonl"
    log = writers.JsonLines(path)
    log.scalars(2, {"a": 1.0})
    log.scalars(4, {"a": 2.0, "b": float("nan")})
    log.close()
    log = writers.JsonLines(path)  # resumed from step 2 after a crash
    log.scalars(4, {"a": 3.0})
    log.scalars(6, {"a": 4.0})
    log.close()
    assert writers.read_metrics(path) == [
        {"step": 2, "a": 1.0},
        {"step": 4, "a": 3.0, "b": None},
        {"step": 6, "a": 4.0},
    ]
    for line in path.read_text().splitlines():
        json.loads(line, parse_constant=pytest.fail)  # no NaN: it is not JSON


def test_a_line_cut_short_spoils_no_other(tmp_path):
    path = tmp_path / "metrics.jsonl"
    path.write_text('{"step": 1, "a": 1}\n{"step": 2, "a"')
    log = writers.JsonLines(path)
    log.scalars(3, {"a": 3})
    log.close()
    assert [row["step"] for row in writers.read_metrics(path)] == [1, 3]


def test_durations():
    shown = {0: "0s", 59.9: "59s", 75: "1m15s", 3660: "1h01m", math.inf: "277777h46m"}
    assert {seconds: writers.duration(seconds) for seconds in shown} == shown


def test_progress_shows_step_rate_and_time_left(capsys):
    progress = writers.Progress(100, 0)
    progress._time -= 10.0
    rate = progress.report(50, {"modes/covered": 8.0, "loss": 0.12345})
    line = capsys.readouterr().out
    assert rate == pytest.approx(5.0, rel=0.01)
    assert ("50/100" in line and "steps/s" in line and "9s left" in line) or "10s left" in line
    assert ("modes/covered 8" in line and "loss 0.1235" in line) or "loss 0.1234" in line


def test_wandb_logs_offline_and_resumes_the_same_run(tmp_path):
    ids = []
    for _ in range(2):
        log = writers.WandB(tmp_path, {"seed": 0}, "a name", SETTINGS)
        log.scalars(1, {"loss": 1.0})
        log.scalars(2, {"loss": float("nan")})
        log.close()
        ids.append((tmp_path / "wandb_run_id").read_text())
    assert ids[0] == ids[1]
    assert len(list((tmp_path / "wandb").glob("offline-run-*/run-*.wandb"))) == 2


def test_wandb_never_stops_a_run(tmp_path, monkeypatch, capsys):
    import wandb

    def unreachable(**_):
        raise wandb.errors.CommError("no route\nto host")

    monkeypatch.setattr(wandb, "init", unreachable)
    log = writers.WandB(tmp_path, {}, "a", SETTINGS | {"mode": "online"})
    log.scalars(1, {"loss": 1.0})
    log.image(1, "samples", tmp_path / "missing.png")
    log.close()
    said = capsys.readouterr().out
    assert said.count("warning") == 2 and "no route" in said


def test_wandb_that_breaks_in_the_middle_is_dropped(tmp_path, capsys):
    log = writers.WandB(tmp_path, {}, "a", SETTINGS)
    run = log._run

    class Broken:
        def log(self, *_, **__):
            raise OSError("disk full")

    log._run = Broken()
    log.scalars(1, {"loss": 1.0})
    log.scalars(2, {"loss": 1.0})
    log.close()
    run.finish()
    assert capsys.readouterr().out.count("disk full") == 1
