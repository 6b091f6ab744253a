"""The command that runs a sweep, with real training."""

import importlib.util
import os
import runpy
import shutil
import signal
import subprocess
import sys
import time
from collections import Counter
from pathlib import Path

import pytest
import yaml
from sweep_cases import RATE, SEEDS, TINY, UNROLLS, FakeTraining, read_csv, read_results
from wandb_files import files, read

from gan_jax.experiment import training_loop

needs_submitit = pytest.mark.skipif(
    importlib.util.find_spec("submitit") is None, reason="needs the extra slurm"
)


def command(root: Path, workdir: Path, sweep: dict, *flags: str) -> list[str]:
    """The command line of a sweep that is written to a YAML file next to ``workdir``."""
    file = workdir.parent / f"{workdir.name}.yaml"
    file.write_text(yaml.safe_dump(sweep, sort_keys=False))
    overrides = [f"--config.{text}" for text in TINY if not text.startswith("steps=")]
    return [
        sys.executable,
        str(root / "experiments" / "sweep.py"),
        f"--config={root / 'configs' / 'ring.py:unrolled'}",
        f"--sweep={file}",
        f"--workdir={workdir}",
        *overrides,
        *flags,
    ]


@pytest.mark.parametrize(
    ("change", "flags", "message"),
    [
        ({"method": "bayes"}, (), "needs W&B's server"),
        ({"metric": {"name": "fid"}}, (), "the sweep's metric is 'fid'"),
        pytest.param(
            {},
            ("--slurm.cluster=debug", "--slurm.partitoin=a"),
            "did you mean partition",
            marks=needs_submitit,
        ),
    ],
)
def test_bad_input_is_refused_in_one_line_with_exit_code_2(change, flags, message, root, tmp_path):
    sweep = {
        "method": "grid",
        "metric": {"name": "modes/covered", "goal": "maximize"},
        "parameters": SEEDS,
    } | change
    line = command(root, tmp_path / "s", sweep, *flags)
    ran = subprocess.run(line, capture_output=True, text=True, timeout=120)
    assert ran.returncode == 2, ran.stderr
    assert ran.stderr.startswith("error: ") and ran.stderr.count("\n") == 1, ran.stderr
    assert message in ran.stderr
    assert not (tmp_path / "s" / "runs").exists()


@pytest.mark.parametrize(("mode", "best"), [("min", "unroll=0_seed=0"), ("max", "unroll=1_seed=1")])
def test_a_sweep_without_a_metric_uses_the_best_metric_of_the_config(
    mode, best, root, tmp_path, monkeypatch, capsys
):
    monkeypatch.setattr(training_loop, "run", FakeTraining())
    line = command(
        root,
        tmp_path / "s",
        {"method": "grid", "parameters": UNROLLS | SEEDS},
        "--config.steps=20",
        "--config.best_metric=modes/high_quality",
        f"--config.best_mode={mode}",
    )
    run = runpy.run_path(line[1])["sweep"]
    assert run(line[2:]) == 0
    assert f"of {best}\n" in capsys.readouterr().out


@pytest.mark.slow
def test_a_killed_sweep_resumes_and_trains_each_run_once(root, tmp_path):
    """Eight runs in two groups: killed in the second, resumed, and then one run is lost."""
    workdir = tmp_path / "sweep"
    sweep = {
        "method": "grid",
        "metric": {"name": "generator/loss", "goal": "minimize"},
        "parameters": UNROLLS | {RATE: {"values": [1e-4, 1e-3]}} | SEEDS,
    }
    line = command(
        root,
        workdir,
        sweep,
        "--config.steps=2000",
        "--config.sample_every=1000",
        *(f"--config.{name}_every=200" for name in ("checkpoint", "evaluate", "log")),
        "--config.wandb.use",
    )
    environment = {
        name: value for name, value in os.environ.items() if not name.startswith("WANDB_")
    }

    _kill_in_the_second_group(line, environment, workdir)
    times = {
        path: path.stat().st_mtime_ns
        for path in workdir.glob("runs/unroll=0*/**/*")
        if path.is_file()
    }

    resumed = subprocess.run(line, capture_output=True, text=True, env=environment, timeout=300)
    assert resumed.returncode == 0, resumed.stdout + resumed.stderr
    assert "4 of 8 runs have ended before" in resumed.stdout
    assert "resuming at step" in resumed.stdout
    assert {path: path.stat().st_mtime_ns for path in times} == times, "a finished run was touched"
    results = read_results(workdir)
    assert len(results) == 8 == len({row["name"] for row in results})
    assert {(row["status"], row["step"]) for row in results} == {("finished", "2000")}
    assert "what moves generator/loss" in resumed.stdout
    assert {row["parameter"] for row in read_csv(workdir / "sensitivity.csv")} == {
        "config.unroll",
        RATE,
        "(seeds)",
    }
    assert (workdir / "heat_maps.png").exists()
    _check_wandb(workdir)

    shutil.rmtree(workdir / "runs" / results[0]["name"])
    again = subprocess.run(line, capture_output=True, text=True, env=environment, timeout=300)
    assert again.returncode == 0 and "run 8 of 8: " in again.stdout, again.stdout + again.stderr
    metric = float(read_results(workdir)[0]["metric"])
    assert metric == pytest.approx(float(results[0]["metric"]), rel=1e-3)


def _kill_in_the_second_group(line: list[str], environment: dict[str, str], workdir: Path) -> None:
    """Starts the sweep, and kills it when each run of the second group has a checkpoint."""

    def runs_with_checkpoints() -> set[str]:
        checkpoints = workdir.glob("runs/unroll=1*/checkpoints/*")
        return {path.parts[-3] for path in checkpoints if path.name.isdecimal()}

    process = subprocess.Popen(
        line, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, env=environment
    )
    deadline = time.monotonic() + 240
    while len(runs_with_checkpoints()) < 4:
        ended_early = process.poll() is not None or time.monotonic() > deadline
        assert not ended_early, "the sweep ended, or hung, before it was to be killed"
        time.sleep(0.05)
    process.kill()
    output = process.communicate(timeout=60)[0]
    assert process.returncode == -signal.SIGKILL, output
    finished = Counter(path.parts[-3][:8] for path in workdir.glob("runs/*/checkpoints/2000"))
    assert finished == {"unroll=0": 4}, output


def _check_wandb(workdir: Path) -> None:
    """Each run is one run of W&B's, even if it was killed and resumed, with all that it logged."""
    names: dict[str, str] = {}
    for run in (workdir / "runs").iterdir():
        was_killed = run.name.startswith("unroll=1")
        assert len(files(run)) == (2 if was_killed else 1)
        # The last second before a kill may be lost.
        parts = [part for part in map(read, files(run)) if part["run"]]
        assert len({part["run"].run_id for part in parts}) == 1
        assert {part["run"].display_name for part in parts} == {run.name}
        last = parts[-1]
        assert (last["run"].run_group, list(last["run"].tags)) == ("sweep", ["sweep"])
        assert last["rows"][-1]["train/step"] == 2000 and last["exit"]
        assert "histogram" in {row.get("histograms/real_scores/_type") for row in last["rows"]}
        assert "image-file" in {row.get("samples/_type") for row in last["rows"]}
        names[last["run"].run_id] = run.name
    assert len(names) == 8
