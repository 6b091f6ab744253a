"""W&B: what is written is read back, and whatever W&B does wrong costs a run nothing."""

import contextlib
import http.server
import os
import socket
import subprocess
import sys
import threading
import time
from pathlib import Path

import numpy as np
import pytest
from wandb_files import HEADER, files, read, read_finished

from gan_jax.loggers import json_lines
from gan_jax.loggers import wandb as wandb_logger

SETTINGS = {
    "config": {"seed": 0, "objective": "wasserstein + gradient_penalty(weight=10)"},
    "name": "a name",
    "mode": "offline",
    "project": "gan_jax",
    "group": "a group",
    "tags": ("a", "b"),
}


@pytest.fixture(autouse=True)
def no_agent(monkeypatch):
    for name in [name for name in os.environ if name.startswith("WANDB_")]:
        monkeypatch.delenv(name)


def logger(run_dir, **changes):
    return wandb_logger.WandbLogger(run_dir, **(SETTINGS | changes))


@pytest.fixture(scope="module")
def written(tmp_path_factory):
    """A run directory with the files of two loggers, one after the other, as of a resumed run."""
    from gan_jax.loggers.images import save_image

    run_dir = tmp_path_factory.mktemp("wandb")
    save_image(run_dir / "grid.png", np.zeros((4, 4, 3), np.uint8))
    rows = json_lines.JsonLines(run_dir / "metrics.jsonl")
    for values in ((0.25, 0.75), (0.5, float("nan"))):
        log = logger(run_dir, best_metric="modes/high_quality", best_mode="max")
        for step, value in enumerate(values, 1):
            metrics = {
                "modes/high_quality": value,
                "generator/gradient_norm": 1.0,
                "steps_per_second": 9.0,
            }
            rows.scalars(step, metrics)
            log.scalars(step, metrics)
        log.image(2, "samples", run_dir / "grid.png")
        log.histograms(2, {"histograms/real_scores": np.array([0.0, 1.0, 1.0, np.nan])})
        log.close()
    rows.close()
    return run_dir, [read_finished(path) for path in files(run_dir)]


def test_a_resumed_run_is_the_same_run(written):
    run_dir, (first, second) = written
    run_id = (run_dir / "wandb_run_id").read_text().strip()
    assert run_id == first["run"].run_id == second["run"].run_id
    assert first["exit"] and second["exit"]


def test_how_a_run_is_filed(written):
    run = written[1][0]["run"]
    assert (run.display_name, run.project, run.run_group) == ("a name", "gan_jax", "a group")
    assert sorted(run.tags) == ["a", "b"]


def test_the_config_is_written_as_it_is(written):
    config = written[1][0]["config"]
    assert {name: value for name, value in config.items() if name != "_wandb"} == SETTINGS["config"]


def test_rows_pictures_and_histograms_are_in_the_history(written):
    rows = written[1][0]["rows"]
    assert [row["train/step"] for row in rows[:2]] == [1, 2]
    assert [row["modes/high_quality"] for row in rows[:2]] == [0.25, 0.75]
    assert [row["generator/gradient_norm"] for row in rows[:2]] == [1.0, 1.0]
    assert rows[2]["train/step"] == 2
    assert (rows[2]["samples/_type"], rows[2]["samples/width"]) == ("image-file", 4)
    assert rows[3]["histograms/real_scores/_type"] == "histogram"
    counts, edges = rows[3]["histograms/real_scores/values"], rows[3]["histograms/real_scores/bins"]
    assert sum(counts) == 3 and (edges[0], edges[-1]) == (0, 1) and counts[-1] == 2
    assert list(written[0].glob("wandb/offline-run-*/files/media/images/samples_*.png"))


def test_the_step_is_the_axis_and_scores_keep_their_least_and_greatest_values(written):
    metrics = written[1][0]["metrics"]
    assert metrics["*"].step_metric == "train/step"
    summary = metrics["modes/high_quality"].summary
    assert (summary.min, summary.max, summary.last) == (True, True, True)
    assert "generator/gradient_norm" not in metrics and "steps_per_second" not in metrics
    assert written[1][0]["summary"]["modes/high_quality"] == {
        "last": 0.75,
        "max": 0.75,
        "min": 0.25,
    }


def test_the_best_value_is_that_of_the_whole_run(written):
    first, second = (found["summary"] for found in written[1])
    assert (first["best/modes/high_quality"], first["best/step"]) == (0.75, 2)
    # Of step 1 of the second part, as step 2 was run again and has no finite value now.
    assert (second["best/modes/high_quality"], second["best/step"]) == (0.5, 1)


def test_an_agent_gives_the_run_its_id_and_wants_it_online(tmp_path, monkeypatch):
    import wandb

    asked = {}

    def init(**arguments):
        asked.update(arguments)
        raise RuntimeError("enough")

    monkeypatch.setattr(wandb, "init", init)
    monkeypatch.setattr(wandb_logger, "_probe", lambda _: None)
    monkeypatch.setenv("WANDB_SWEEP_ID", "s1")
    monkeypatch.setenv("WANDB_RUN_ID", "r1")
    (tmp_path / "wandb_run_id").write_text("old")
    logger(tmp_path).close()
    assert (asked["mode"], asked["id"]) == ("online", "r1")


def test_wandb_that_cannot_be_reached_is_logged_offline(tmp_path, monkeypatch, capsys):
    import wandb

    true_init = wandb.init

    def unreachable(**arguments):
        if arguments["mode"] == "online":
            raise wandb.errors.CommError("no route\nto host")
        return true_init(**arguments)

    monkeypatch.setattr(wandb, "init", unreachable)
    monkeypatch.setattr(wandb_logger, "_probe", lambda _: None)
    log = logger(tmp_path, mode="online")
    log.scalars(1, {"loss": 1.0})
    log.image(1, "samples", tmp_path / "missing.png")
    log.scalars(2, {"loss": 1.0})
    log.close()
    said = capsys.readouterr().out
    assert "not reachable (no route)" in said and said.count("warning") == 2
    rows = read_finished(files(tmp_path)[0])["rows"]
    assert [row["train/step"] for row in rows] == [1]  # the missing picture ends it


def test_wandb_that_breaks_in_the_middle_is_dropped(tmp_path, monkeypatch, capsys):
    import wandb

    class Broken:
        id, tried = "x", 0

        def define_metric(self, *_, **__):
            pass

        def log(self, *_, **__):
            self.tried += 1
            raise OSError("disk full")

    broken = Broken()
    monkeypatch.setattr(wandb, "init", lambda **_: broken)
    log = logger(tmp_path)
    log.scalars(1, {"loss": 1.0})
    log.scalars(2, {"loss": 1.0})
    log.close()
    assert capsys.readouterr().out.count("disk full") == broken.tried == 1


class OnlyPages(http.server.BaseHTTPRequestHandler):
    """Answers GET, and never POST."""

    def do_GET(self) -> None:
        self.send_response(200)
        self.end_headers()

    def do_POST(self) -> None:
        self.server.stop.wait(30)

    def log_message(self, *_) -> None:
        pass


@contextlib.contextmanager
def server(kind: str):
    """Yields a port that refuses, one that accepts and never answers, or one that answers GET."""
    if kind == "pages":
        with http.server.ThreadingHTTPServer(("127.0.0.1", 0), OnlyPages) as pages:
            pages.daemon_threads, pages.stop = True, threading.Event()
            threading.Thread(target=pages.serve_forever, daemon=True).start()
            yield pages.server_port
            pages.stop.set()
            pages.shutdown()
        return
    with socket.create_server(("127.0.0.1", 0), backlog=64) as listening:
        port = listening.getsockname()[1]
        if kind == "refused":
            listening.close()
            yield port
        else:
            yield port
            listening.settimeout(1)
            listening.accept()  # it was asked


@pytest.mark.parametrize("kind", ["refused", "silent", "pages"])
def test_a_server_that_does_not_answer_costs_the_run_nothing(kind, tmp_path, monkeypatch, capsys):
    monkeypatch.setattr(wandb_logger, "INIT_SECONDS", 5)
    monkeypatch.setattr(wandb_logger, "FINISH_SECONDS", 2)
    monkeypatch.setenv("WANDB_API_KEY", "0" * 40)
    with server(kind) as port:
        monkeypatch.setenv("WANDB_BASE_URL", f"http://127.0.0.1:{port}")
        began = time.perf_counter()
        log = logger(tmp_path, mode="online")
        for step in range(1000):
            log.scalars(step, {"loss": float(step)})
        logged = time.perf_counter() - began
        log.close()
        closed = time.perf_counter() - began
    # Below INIT_SECONDS; the import of W&B in the other thread may hold the interpreter.
    assert logged < 5, "the train loop waited for W&B"
    assert closed < 30, "the end of the run waited for W&B"
    assert capsys.readouterr().out.count("warning: W&B is not reachable") == 1
    rows = read_finished(files(tmp_path)[-1])["rows"]  # `wandb sync` sends them
    assert [row["train/step"] for row in rows] == list(range(1000))


def test_a_kill_loses_a_second_at_most(root, tmp_path):
    code = f"""
import time
from gan_jax.loggers import WandbLogger
log = WandbLogger({str(tmp_path)!r}, **{SETTINGS!r})
for step in range(1000):
    log.scalars(step, {{"loss": 1.0}})
    time.sleep(0.02)
"""
    process = subprocess.Popen([sys.executable, "-c", code], cwd=root)
    end, seen = time.monotonic() + 60, 0
    while seen < 20:
        assert process.poll() is None and time.monotonic() < end, (
            "nothing was put on disk while the run went on"
        )
        time.sleep(0.1)
        if files(tmp_path) and files(tmp_path)[0].stat().st_size > HEADER:
            seen = len(read(files(tmp_path)[0])["rows"])
    process.kill()
    process.wait()
    found = read(files(tmp_path)[0])
    assert (
        len(found["rows"]) >= seen and not found["exit"] and found["run"].display_name == "a name"
    )


def test_a_queue_that_is_full_drops_rows_and_does_not_block(tmp_path, monkeypatch):
    import wandb

    release, hung = threading.Event(), threading.Event()

    def hang(**_):
        hung.set()
        release.wait(120)
        hung.clear()
        raise RuntimeError("hung")

    monkeypatch.setattr(wandb, "init", hang)
    log = logger(tmp_path)
    log.scalars(0, {"loss": 1.0})
    assert hung.wait(60)
    for step in range(1, 20_000):
        log.scalars(step, {"loss": 1.0})
    assert hung.is_set()  # a call that waits for room would have waited until that is over
    release.set()
    log.close()


def test_the_folder_of_wandb_and_the_command_that_uploads_it_are_named():
    alone = wandb_logger.describe_folders([Path("runs/x")], "offline")
    assert alone == (
        "W&B logs offline in runs/x/wandb; `wandb sync runs/x/wandb/offline-run-*` uploads what "
        "was logged offline"
    )
    members = [Path("runs/x/members/000"), Path("runs/x/members/001")]
    together = wandb_logger.describe_folders(members, "online")
    assert "`wandb sync runs/x/members/*/wandb/offline-run-*`" in together
