"""The report of a sweep: results, the table of what moves the metric, and pictures."""

import pytest
from sweep_cases import SEEDS, UNROLLS, FakeTraining, make_plan, read_csv, read_results

from gan_jax.experiment import training_loop
from gan_jax.sweeps import report, runner


@pytest.fixture
def finished_plan(tmp_path, monkeypatch):
    """A sweep over unrolled steps and seeds that has run."""
    monkeypatch.setattr(training_loop, "run", FakeTraining())
    sweep_plan = make_plan(tmp_path, UNROLLS | SEEDS)
    assert runner.run_sweep(sweep_plan) == 0
    return sweep_plan


def test_results_have_one_row_per_run(finished_plan, tmp_path):
    report.write_report(finished_plan)
    columns = ("index", "name", "config.unroll", "seed", "status", "step")
    assert [tuple(row[name] for name in columns) for row in read_results(tmp_path)] == [
        ("0", "unroll=0_seed=0", "0", "0", "finished", "20"),
        ("1", "unroll=0_seed=1", "0", "1", "finished", "20"),
        ("2", "unroll=1_seed=0", "1", "0", "finished", "20"),
        ("3", "unroll=1_seed=1", "1", "1", "finished", "20"),
    ]


def test_results_have_the_last_the_best_and_the_extreme_values_of_the_metric(
    finished_plan, tmp_path
):
    rows = read_results(tmp_path)
    last = ["0.0", "0.01", "0.1", "0.11"]
    assert [row["modes/high_quality"] for row in rows] == last
    assert [row["metric"] for row in rows] == last
    assert (rows[3]["best"], rows[3]["best_step"]) == ("0.22", "10")
    assert rows[3]["modes/high_quality.max"] == "0.22"
    assert rows[3]["modes/high_quality.min"] == "0.11"


def test_the_report_says_what_moves_the_metric(finished_plan, tmp_path, capsys):
    report.write_report(finished_plan)
    effects = {row["parameter"]: row for row in read_csv(tmp_path / "sensitivity.csv")}
    assert float(effects["config.unroll"]["share"]) == pytest.approx(0.01 / 0.0101)
    assert float(effects["(seeds)"]["share"]) == pytest.approx(0.0001 / 0.0101)
    printed = capsys.readouterr().out
    assert "best: modes/high_quality 0.11 of unroll=1_seed=1" in printed
    (line,) = [line for line in printed.splitlines() if line.startswith("unroll ")]
    assert "99%" in line
    assert (tmp_path / "parallel_coordinates.png").stat().st_size > 5000


def test_pairs_of_parameters_are_drawn_as_heat_maps(tmp_path, monkeypatch):
    monkeypatch.setattr(training_loop, "run", FakeTraining())
    parameters = UNROLLS | SEEDS | {"config.discriminator_steps": {"values": [1, 2]}}
    sweep_plan = make_plan(tmp_path, parameters)
    runner.run_sweep(sweep_plan)
    report.write_report(sweep_plan)
    assert (tmp_path / "heat_maps.png").stat().st_size > 5000


def test_nothing_is_compared_if_no_run_has_finished(tmp_path, capsys):
    report.write_report(make_plan(tmp_path, SEEDS))
    printed = capsys.readouterr().out
    assert "2 runs: 2 waiting" in printed
    assert "no finished run gives modes/high_quality: nothing to compare" in printed


def test_two_runs_are_too_few_to_say_what_moves_the_metric(tmp_path, monkeypatch, capsys):
    monkeypatch.setattr(training_loop, "run", FakeTraining())
    sweep_plan = make_plan(tmp_path, UNROLLS)
    runner.run_sweep(sweep_plan)
    report.write_report(sweep_plan)
    assert "cannot tell what moves modes/high_quality: too few runs" in capsys.readouterr().out
    assert not (tmp_path / "sensitivity.csv").exists()
