"""Running a sweep: each run once, whatever happens in between. Training is faked."""

import shutil

import pytest
from sweep_cases import SEEDS, UNROLLS, FakeTraining, make_plan, read_results

from gan_jax.errors import UserError
from gan_jax.experiment import training_loop
from gan_jax.sweeps import plan, runner


@pytest.fixture
def fake_training(monkeypatch):
    """Replaces training by `FakeTraining`, which it returns; ``ends`` says how runs end."""

    def replace(**ends):
        training = FakeTraining(**ends)
        monkeypatch.setattr(training_loop, "run", training)
        return training

    return replace


def test_each_run_is_trained_once(tmp_path, fake_training, capsys):
    training = fake_training()
    sweep_plan = make_plan(tmp_path, UNROLLS | SEEDS)
    assert runner.run_sweep(sweep_plan) == 0
    names = ["unroll=0_seed=0", "unroll=0_seed=1", "unroll=1_seed=0", "unroll=1_seed=1"]
    assert training.trained == names
    printed = capsys.readouterr().out
    assert "runs 1 to 2 of 4, together: unroll=0_seed=0 ..." in printed
    assert "2 of 4 runs done" in printed
    assert "best so far modes/high_quality 0.11 (unroll=1_seed=1)" in printed
    assert "0s left" in printed
    again = fake_training()
    assert runner.run_sweep(sweep_plan) == 0
    assert again.trained == []
    assert "4 of 4 runs have ended before" in capsys.readouterr().out


def test_only_the_unfinished_runs_of_a_group_are_trained(tmp_path, fake_training):
    fake_training()
    sweep_plan = make_plan(tmp_path, {"config.seed": {"min": 0, "max": 3}})
    runner.run_sweep(sweep_plan)
    for seed in (1, 3):
        shutil.rmtree(tmp_path / "runs" / f"seed={seed}")
    training = fake_training()
    assert runner.run_sweep(sweep_plan) == 0
    assert training.trained == ["seed=1", "seed=3"]
    shutil.rmtree(tmp_path / "runs" / "seed=2")
    assert runner.run_sweep(sweep_plan) == 0
    assert training.trained[2:] == ["seed=2"]


def test_a_diverged_run_is_recorded_and_never_trained_again(tmp_path, fake_training, capsys):
    fake_training(unroll0="diverge")
    sweep_plan = make_plan(tmp_path, UNROLLS)
    assert runner.run_sweep(sweep_plan) == 0
    results = read_results(tmp_path)
    assert [row["status"] for row in results] == ["diverged", "finished"]
    assert results[0]["metric"] == ""
    again = fake_training()
    runner.run_sweep(sweep_plan)
    assert again.trained == []
    assert "2 of 2 runs have ended before" in capsys.readouterr().out


def test_a_failed_run_is_recorded_and_trained_again(tmp_path, fake_training, capsys):
    fake_training(unroll0=MemoryError("no memory"))
    sweep_plan = make_plan(tmp_path, UNROLLS)
    assert runner.run_sweep(sweep_plan) == 1
    assert [row["status"] for row in read_results(tmp_path)] == ["failed", "finished"]
    assert "MemoryError: no memory" in (tmp_path / "failures" / "unroll=0.txt").read_text()
    printed = capsys.readouterr().out
    assert "failed: MemoryError: no memory" in printed
    assert "1 runs failed" in printed
    again = fake_training()
    assert runner.run_sweep(sweep_plan) == 0
    assert again.trained == ["unroll=0"]
    assert [row["status"] for row in read_results(tmp_path)] == ["finished", "finished"]


def test_an_interrupt_stops_the_sweep(tmp_path, fake_training):
    fake_training(unroll0=KeyboardInterrupt())
    sweep_plan = make_plan(tmp_path, UNROLLS)
    with pytest.raises(KeyboardInterrupt):
        runner.run_sweep(sweep_plan)
    statuses = [plan.run_status(tmp_path, trial) for trial in sweep_plan.trials]
    assert statuses == ["started", "waiting"]


@pytest.mark.parametrize(
    ("flags", "metric", "message"),
    [
        (["batch_size=-4"], "modes/covered", "batch_size must be at least 1"),
        (["objective=auxiliary_classifier + hinge"], "modes/covered", "auxiliary_classifier needs"),
        ([], "modes/cuvered", "did you mean modes/covered"),
        ([], "generatr/loss", "which no metric of this config gives"),
        (["metrics="], "fid", "config.metrics is empty"),
    ],
)
def test_runs_that_cannot_work_are_refused_before_training(flags, metric, message, tmp_path):
    sweep_plan = make_plan(tmp_path, SEEDS, *flags, metric={"name": metric, "goal": "maximize"})
    with pytest.raises(UserError) as caught:
        runner.check_groups(sweep_plan)
    assert message in str(caught.value)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    ("goal", "best_run", "best_value", "best_step"),
    [("minimize", "2 (seed=0)", "2.0", "20"), ("maximize", "2.01 (seed=1)", "3.0", "10")],
)
def test_a_loss_can_be_the_metric_of_a_sweep(
    goal, best_run, best_value, best_step, tmp_path, fake_training, capsys
):
    """No protocol gives it: it is accepted, and runs are compared by what they have logged."""
    sweep_plan = make_plan(tmp_path, SEEDS, metric={"name": "generator/loss", "goal": goal})
    runner.check_groups(sweep_plan)
    fake_training()
    assert runner.run_sweep(sweep_plan) == 0
    results = read_results(tmp_path)
    assert [row["metric"] for row in results] == ["2.0", "2.01"]
    assert (results[0]["best"], results[0]["best_step"]) == (best_value, best_step)
    assert f"best so far generator/loss {best_run}" in capsys.readouterr().out


def test_a_key_in_an_error_is_in_no_file_and_no_output(tmp_path, fake_training, capsys):
    key = "0123456789abcdef0123456789abcdef01234567"
    sweep_plan = make_plan(tmp_path, {"config.unroll": {"values": [0]}})
    fake_training(unroll0=RuntimeError(f"the server refuses {key}"))
    assert runner.run_sweep(sweep_plan) == 1
    (failure,) = (tmp_path / "failures").iterdir()
    for text in (failure.read_text(), capsys.readouterr().out):
        assert "the server refuses ***" in text and key not in text
