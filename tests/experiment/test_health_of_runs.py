"""Health in runs: in the rows where it is due, and nowhere else."""

import dataclasses
from pathlib import Path

import jax
import numpy as np
import pytest

from gan_jax import data
from gan_jax.errors import UserError
from gan_jax.experiment import training_loop
from gan_jax.experiment.builder import build
from gan_jax.experiment.checkpoint_diagnosis import describe_health, measure_health
from gan_jax.experiment.config_files import load_settings
from gan_jax.experiment.health_samples import SAMPLES, held_out_batch
from gan_jax.experiment.loading import load
from gan_jax.experiment.run_directory import has_ended
from gan_jax.experiment.settings import Settings
from gan_jax.loggers import json_lines

TINY = [
    "networks=mlp(latent_size=4, generator_widths=(8,), discriminator_widths=(8,))",
    "batch_size=16",
    "steps=30",
    "steps_per_call=5",
    "log_every=10",
    "checkpoint_every=15",
    "sample_every=30",
    "evaluate_every=30",
    "metrics=",
    "num_samples=20",
    "keep_checkpoints=10",
]


def tiny(root: Path, *overrides: str, variant: str = "vanilla") -> Settings:
    return load_settings(str(root / "configs" / f"ring.py:{variant}"), [*TINY, *overrides])


def rows(run_dir: Path) -> dict[int, dict]:
    return {row["step"]: row for row in json_lines.read_metrics(run_dir / "metrics.jsonl")}


def of_health(row):
    return {name: value for name, value in row.items() if name.startswith("health/")}


def without_time(row):
    timed = ("time", "steps_per_second", "pace/")
    return {name: row[name] for name in row if not name.startswith(timed)}


@pytest.mark.slow
def test_rows_at_log_every_have_health_and_all_else_is_as_without(root, tmp_path):
    measured, plain = tmp_path / "measured", tmp_path / "plain"
    training_loop.run(tiny(root), measured)
    training_loop.run(tiny(root, "health=false"), plain)
    assert [step for step, row in rows(measured).items() if of_health(row)] == [10, 20, 30]
    last = of_health(rows(measured)[30])
    assert {"health/diversity", "health/mode_share", "health/gradient_ratio"} <= set(last)
    for step, row in rows(plain).items():
        assert not of_health(row)
        with_health = without_time(rows(measured)[step])
        assert without_time(row) == {n: v for n, v in with_health.items() if "health/" not in n}


@pytest.mark.slow
def test_a_resumed_run_has_the_health_of_an_untouched_one(root, tmp_path):
    settings = tiny(root, "checkpoint_every=10")
    training_loop.run(settings, tmp_path / "whole")
    stopped = tmp_path / "stopped"
    training_loop.run(dataclasses.replace(settings, steps=20), stopped)
    training_loop.run(settings, stopped)
    assert of_health(rows(stopped)[30]) == of_health(rows(tmp_path / "whole")[30])


@pytest.mark.slow
@pytest.mark.parametrize(
    "overrides",
    [
        ("population.seed=0,1",),
        ("objective=wasserstein + gradient_penalty", "accumulation_steps=2"),
    ],
)
def test_no_number_of_training_depends_on_health(root, tmp_path, overrides):
    found = []
    for health in ("true", "false"):
        run_dir = tmp_path / health
        training_loop.run(tiny(root, *overrides, f"health={health}"), run_dir)
        member = run_dir / "members" / "001" if "population" in overrides[0] else run_dir
        found.append(rows(member))
    for step, row in found[1].items():
        for name, value in without_time(row).items():
            np.testing.assert_equal(found[0][step][name], value, err_msg=f"{name} at {step}")
    assert of_health(found[0][30])


def test_a_run_ends_when_its_rule_says_so_and_goes_on_without_it(root, tmp_path, capsys):
    rule = "stop_when=reached(metric='generator/loss', value=1e9)"
    settings = tiny(root, "health=false", rule)
    seen = []
    run_dir = tmp_path / "run"
    training_loop.run(settings, run_dir, on_step=lambda step, row: seen.append((step, dict(row))))
    assert [step for step, _ in seen] == [10] == sorted(rows(run_dir))
    assert seen[0][1]["generator/loss"] == rows(run_dir)[10]["generator/loss"]
    assert has_ended(run_dir, settings.steps) == "finished"
    assert "stopped at step 10: generator/loss is" in capsys.readouterr().out
    measured = measure_health(load(run_dir))
    assert len(measured) == 3 and all(0 < row["health/diversity"] < 10 for row in measured)
    assert any(line.startswith("fine: dead latents") for line in describe_health(measured))
    training_loop.run(settings, run_dir)
    assert "is done: stopped at step 10" in capsys.readouterr().out
    training_loop.run(dataclasses.replace(settings, stop_when=()), run_dir)
    assert max(rows(run_dir)) == 30 and not (run_dir / "stopped.json").exists()


@pytest.mark.slow
def test_members_of_a_population_end_one_by_one(root, tmp_path):
    settings = tiny(
        root,
        "health=false",
        "population.seed=0,1",
        "stop_when=reached(metric='scores/fake', value=0)",
    )
    training_loop.run(settings, tmp_path / "probe")
    last = [max(rows(tmp_path / "probe" / "members" / f"{i:03d}")) for i in range(2)]
    for index, step in enumerate(last):
        scores = rows(tmp_path / "probe" / "members" / f"{index:03d}")
        assert step == 30 or scores[step]["scores/fake"] <= 0
        assert all(row["scores/fake"] > 0 for at, row in scores.items() if at < step)


@pytest.mark.slow
def test_a_run_in_trouble_says_so_and_stops_if_it_is_told_to(root, tmp_path, capsys):
    collapsed = (
        "networks=mlp(latent_size=4, generator_widths=(8,), discriminator_widths=(8,), "
        "init='he_uniform')",
        "generator_optimizer=sgd(learning_rate=0.0)",
        "dataset=ring(radius=200.0)",
    )
    training_loop.run(tiny(root, *collapsed, "steps=50"), tmp_path / "warned")
    printed = capsys.readouterr().out
    assert "health at step 30: mode collapse (" in printed and "config.unroll" in printed
    assert printed.count("mode collapse") == 1
    training_loop.run(tiny(root, *collapsed, "steps=50", "on_trouble=stop"), tmp_path / "stopped")
    assert max(rows(tmp_path / "stopped")) == 30
    assert "stopped at step 30: trouble: " in capsys.readouterr().out


def test_unknown_metrics_and_choices_are_refused(root, tmp_path):
    for overrides, message in (
        (["stop_when=patience(metric='fidd', evaluations=2)"], "config.stop_when is 'fidd'"),
        (["stop_when=patience(evaluations=2)"], "patience"),
        (["on_trouble=panic"], "config.on_trouble names 'panic'"),
    ):
        with pytest.raises(UserError, match=message.replace("(", r"\(")):
            training_loop.run(tiny(root, *overrides), tmp_path / "run")


def test_held_out_points_are_drawn_also_where_a_population_traces_its_step(root):
    stage = build(tiny(root, "dataset=ring(finite=64)", "health=true")).stages[0]
    assert stage.make_health is not None
    jax.eval_shape(lambda number: (stage.make_health({}), number)[1], 0.0)


@pytest.mark.parametrize("finite", [16, 64, 1000])
def test_held_out_points_are_none_that_are_trained_on(root, finite):
    settings = tiny(root, f"dataset=ring(finite={finite})")
    dataset = data.ring(finite=finite)
    held_out = held_out_batch(settings, dataset, lambda batch: batch)
    assert held_out is not None
    points = np.asarray(held_out({})["real"])
    assert len(points) == SAMPLES
    trained = {tuple(point) for point in np.asarray(dataset.arrays["real"])}
    assert not any(tuple(point) in trained for point in points)
