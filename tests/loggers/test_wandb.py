"""W&B: what is written, read back; and that W&B cannot hurt a run."""

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
from wandb_files import files, read

from gan_jax.experiment import config as configs
from gan_jax.loggers import json_lines
from gan_jax.loggers import wandb as wandb_logger

SETTINGS = {"mode": "offline", "project": "gan_jax", "group": "a group", "tags": ("a", "b")}


@pytest.fixture(autouse=True)
def no_agent(monkeypatch):
    for name in [name for name in os.environ if name.startswith("WANDB_")]:
        monkeypatch.delenv(name)


def config(*overrides: str) -> dict:
    path = Path(__file__).parents[2] / "configs" / "ring.py"
    return configs.to_dict(configs.load(f"{path}:wgan_gp", overrides))


@pytest.fixture(scope="module")
def written(tmp_path_factory):
    """Two writers in one workdir, as of a run that was stopped and resumed, and what each wrote."""
    from gan_jax.loggers.plots import save_image

    workdir = tmp_path_factory.mktemp("wandb")
    save_image(workdir / "grid.png", np.zeros((4, 4, 3), np.uint8))
    settings = config("best_metric=modes/high_quality", "best_mode=max")
    rows = json_lines.JsonLines(workdir / "metrics.jsonl")
    for values in ((0.25, 0.75), (0.5, float("nan"))):
        log = wandb_logger.WandB(workdir, settings, "a name", SETTINGS)
        for step, value in enumerate(values, 1):
            for writer in (rows, log):
                writer.scalars(
                    step,
                    {
                        "modes/high_quality": value,
                        "generator/gradient_norm": 1.0,
                        "steps_per_second": 9.0,
                    },
                )
        log.image(2, "samples", workdir / "grid.png")
        log.histograms(2, {"histograms/real_scores": np.array([0.0, 1.0, 1.0, np.nan])})
        log.close()
    rows.close()
    return workdir, [read(path) for path in files(workdir)]


def test_a_resumed_run_is_the_same_run(written):
    workdir, (first, second) = written
    assert (
        first["run"].run_id
        == second["run"].run_id
        == (workdir / "wandb_run_id").read_text().strip()
    )
    assert first["exit"] and second["exit"]


def test_how_a_run_is_filed(written):
    run = written[1][0]["run"]
    assert (run.display_name, run.project, run.run_group, sorted(run.tags)) == (
        "a name",
        "gan_jax",
        "a group",
        ["a", "b"],
    )


def test_the_config_is_flat_and_readable(written):
    found = written[1][0]["config"]
    assert found["objective"] == "gradient_penalty(weight=0.1) + wasserstein"
    assert found["objective.gradient_penalty.weight"] == 0.1
    assert found["discriminator_optimizer.adam.learning_rate"] == 1e-4
    assert found["seed"] == 0
    assert not [
        name for name, value in found.items() if isinstance(value, dict) and name != "_wandb"
    ]
    assert not [name for name in found if name.startswith("wandb.")]


def test_rows_pictures_and_histograms_are_in_the_history(written):
    rows = written[1][0]["rows"]
    assert [(row["train/step"], row["modes/high_quality"], row["generator/gradient_norm"]) for row in rows[:2]] == [
        (1, 0.25, 1.0), (2, 0.75, 1.0),
    ]  # fmt: skip
    assert (rows[2]["train/step"], rows[2]["samples/_type"], rows[2]["samples/width"]) == (
        2,
        "image-file",
        4,
    )
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


def test_an_agent_gives_the_run_its_name_and_wants_it_online(tmp_path, monkeypatch):
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
    wandb_logger.WandB(tmp_path, config(), "a", SETTINGS).close()
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
    log = wandb_logger.WandB(tmp_path, config(), "a", SETTINGS | {"mode": "online"})
    log.scalars(1, {"loss": 1.0})
    log.image(1, "samples", tmp_path / "missing.png")
    log.scalars(2, {"loss": 1.0})
    log.close()
    said = capsys.readouterr().out
    assert "not reachable (no route)" in said and said.count("warning") == 2
    assert [row["train/step"] for row in read(files(tmp_path)[0])["rows"]] == [
        1
    ]  # the missing picture ends it


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
    log = wandb_logger.WandB(tmp_path, config(), "a", SETTINGS)
    log.scalars(1, {"loss": 1.0})
    log.scalars(2, {"loss": 1.0})
    log.close()
    assert capsys.readouterr().out.count("disk full") == broken.tried == 1


class OnlyPages(http.server.BaseHTTPRequestHandler):
    """Answers whoever looks, and never what a run sends."""

    def do_GET(self) -> None:
        self.send_response(200)
        self.end_headers()

    def do_POST(self) -> None:
        self.server.stop.wait(30)

    def log_message(self, *_) -> None:
        pass


@contextlib.contextmanager
def server(kind: str):
    """A port that refuses, one that accepts and never answers, or one that answers a first look alone."""
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
        log = wandb_logger.WandB(tmp_path, config(), "a", SETTINGS | {"mode": "online"})
        for step in range(1000):
            log.scalars(step, {"loss": float(step)})
        logged = time.perf_counter() - began
        log.close()
        closed = time.perf_counter() - began
    assert logged < 5, (
        "the train loop waited for W&B"
    )  # INIT_SECONDS; importing W&B beside it may take the interpreter
    assert closed < 30, "the end of the run waited for W&B"
    assert capsys.readouterr().out.count("warning: W&B is not reachable") == 1
    assert [row["train/step"] for row in read(files(tmp_path)[-1])["rows"]] == list(
        range(1000)
    )  # `wandb sync` sends them


def test_a_kill_loses_a_second_at_most(root, tmp_path):
    code = f"""
import time
from gan_jax import wandb_writer
log = wandb_writer.WandB({str(tmp_path)!r}, {{"seed": 0}}, "a", {SETTINGS!r})
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
        seen = (
            len(read(files(tmp_path)[0])["rows"])
            if files(tmp_path) and files(tmp_path)[0].stat().st_size > 7
            else 0
        )
    process.kill()
    process.wait()
    found = read(files(tmp_path)[0])
    assert len(found["rows"]) >= seen and not found["exit"] and found["run"].display_name == "a"


def test_a_queue_that_is_full_drops_rows_and_does_not_block(tmp_path, monkeypatch):
    import wandb

    release = threading.Event()

    def hang(**_):
        release.wait(20)
        raise RuntimeError("hung")

    monkeypatch.setattr(wandb, "init", hang)
    log = wandb_logger.WandB(tmp_path, config(), "a", SETTINGS)
    began = time.perf_counter()
    for step in range(20_000):
        log.scalars(step, {"loss": 1.0})
    assert time.perf_counter() - began < 5
    release.set()
    log.close()
