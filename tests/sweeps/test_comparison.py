"""Configs side by side: their names, their processes, and the picture of what they have learned."""

import json
import sys

import numpy as np
import pytest
from sweep_cases import RING, TINY

from gan_jax.errors import UserError
from gan_jax.experiment.config_files import load_settings
from gan_jax.experiment.settings import dumps
from gan_jax.sweeps import comparison


def test_runs_are_named_by_variant_or_file():
    specs = ["configs/ring.py:unrolled", "configs/fashion_mnist.py"]
    assert comparison.name_runs(specs) == {"unrolled": specs[0], "fashion_mnist": specs[1]}
    with pytest.raises(UserError, match=r"need different names: a/ring\.py, b/ring\.py"):
        comparison.name_runs(["a/ring.py", "b/ring.py"])


def test_commands_run_in_processes_and_their_lines_are_marked(capsys):
    program = "import sys; print('line of', sys.argv[1]); sys.exit(int(sys.argv[1]))"
    commands = {
        "first": [sys.executable, "-c", program, "0"],
        "b": [sys.executable, "-c", program, "3"],
    }
    assert comparison.run_side_by_side(commands, jobs=1) == {"first": 0, "b": 3}
    lines = set(capsys.readouterr().out.splitlines())
    assert lines == {"[first] line of 0", "[b    ] line of 3"}


def test_points_are_drawn_over_training(tmp_path, capsys):
    settings = load_settings(f"{RING}:vanilla", TINY)
    for name in ("a", "b"):
        directory = tmp_path / name
        (directory / "samples").mkdir(parents=True)
        (directory / "config.json").write_text(dumps(settings))
        metrics = {"step": 2000, "modes/covered": 7.0, "modes/high_quality": 0.5}
        (directory / "metrics.jsonl").write_text(json.dumps(metrics) + "\n")
        for step in (0, 1000, 2000):
            points = np.random.default_rng(step).normal(size=(50, 2))
            np.save(directory / "samples" / f"step_{step:06d}.npy", points)
    picture = comparison.compare_runs(tmp_path, ["a", "b"])
    assert picture == tmp_path / "comparison.png" and picture.stat().st_size > 5000
    lines = capsys.readouterr().out.splitlines()
    assert lines[0] == "a: step 2,000, 7 modes covered, 50.0% high-quality samples"


def test_a_run_without_modes_is_summarized_by_its_step():
    assert comparison.summarize_metrics({"step": 1500, "generator/loss": 1.0}) == "step 1,500"
    metrics = {"step": 9, "time": 1.0, "fd_lenet_10k": 49.25, "generator/loss": 1.0}
    assert comparison.summarize_metrics(metrics) == "step 9, fd_lenet_10k 49.25"
