"""Runs whose numbers are no longer finite: they stop, skip or roll back, and say what went bad."""

import json
import os
import signal
from pathlib import Path

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from gan_jax.errors import UserError
from gan_jax.experiment import call_loop, executors, roll_backs, training_loop
from gan_jax.experiment.builder import Experiment, build
from gan_jax.experiment.checkpoint import checksums
from gan_jax.experiment.config_files import load_settings
from gan_jax.experiment.loading import load
from gan_jax.experiment.nonfinite import describe_nonfinite, interval_metrics
from gan_jax.experiment.settings import dumps, loads
from gan_jax.experiment.signals import StoppedBySignal
from gan_jax.game import Player
from gan_jax.loggers import json_lines
from gan_jax.training.nonfinite import SKIPPED_UPDATES
from gan_jax.training.steps import TrainState, fused

RUN = [
    "networks=mlp(latent_size=4, generator_widths=(8,), discriminator_widths=(8,))",
    "batch_size=16",
    "steps=40",
    "steps_per_call=5",
    "log_every=10",
    "health=false",
    "checkpoint_every=10",
    "sample_every=40",
    "evaluate_every=40",
    "num_samples=20",
    "keep_checkpoints=10",
]


def settings(root, *overrides):
    return load_settings(str(root / "configs" / "ring.py:vanilla"), [*RUN, *overrides])


def state(run_dir: Path):
    run = load(run_dir)
    return run.step, checksums(run.state)


def rows(run_dir: Path):
    return json_lines.read_metrics(run_dir / "metrics.jsonl")


def bad_at(monkeypatch, *steps, seeds=(0,)):
    """Makes a real sample NaN at some steps, in the stream of some seeds."""
    batch = Experiment.batch

    def with_bad(self, chunk, samples=slice(None), seed=None):
        made = batch(self, chunk, samples, seed)
        own = self.settings.seed if seed is None else seed
        for step in steps:
            if own in seeds and chunk.first <= step < chunk.end:
                made["real"] = made["real"].at[step - chunk.first, 0, 3].set(jnp.nan)
        return made

    monkeypatch.setattr(Experiment, "batch", with_bad)


def with_bad_key(monkeypatch, step, keys):
    """Makes numbers bad at a step if its key is one of the first: what other draws avoid."""
    run_step, seen = executors.SingleRun.step, []

    def checked(self, chunk, state, batch):
        key = np.asarray(jax.random.key_data(self.key(0))).tobytes()
        if key not in seen:
            seen.append(key)
        state, metrics = run_step(self, chunk, state, batch)
        if chunk.first <= step < chunk.end and seen.index(key) < keys:
            metrics = metrics | {"generator/loss": metrics["generator/loss"].at[-1].set(jnp.nan)}
        return state, metrics

    monkeypatch.setattr(executors.SingleRun, "step", checked)
    return seen


def test_by_default_a_run_stops_and_names_the_term_and_the_parameter(root, tmp_path, monkeypatch):
    bad_at(monkeypatch, 23)
    with pytest.raises(training_loop.TrainingDiverged) as stopped:
        training_loop.run(settings(root), tmp_path / "run")
    says = str(stopped.value)
    assert says.startswith("discriminator/minimax is not finite from step 24 on; the first bad ")
    assert "leaf of the state is discriminator/params/" in says
    assert f"(the newest checkpoint is of step 20 in {tmp_path / 'run'})" in says
    assert (tmp_path / "run" / "diverged").read_text().strip() == says


def test_a_state_that_is_not_finite_is_not_saved(root, tmp_path, monkeypatch):
    """The last update of a call may spoil it after all metrics were computed."""
    run_step = executors.SingleRun.step

    def spoiled(self, chunk, state, batch):
        state, metrics = run_step(self, chunk, state, batch)
        if chunk.end == 20:
            ema = jax.tree.map(lambda leaf: leaf * jnp.nan, state.generator_ema)
            state = state._replace(generator_ema=ema)
        return state, metrics

    monkeypatch.setattr(executors.SingleRun, "step", spoiled)
    with pytest.raises(training_loop.TrainingDiverged, match=r"generator_ema/\S+ is not finite"):
        training_loop.run(settings(root), tmp_path / "run")
    assert state(tmp_path / "run")[0] == 10


def test_skipped_updates_are_counted_and_the_run_goes_on(root, tmp_path, monkeypatch, capsys):
    bad_at(monkeypatch, 23, 24)
    training_loop.run(settings(root, "nonfinite=skip"), tmp_path / "run")
    assert [row["skipped_updates"] for row in rows(tmp_path / "run")] == [0, 0, 2, 0]
    assert all(np.isfinite(row["discriminator/loss"]) for row in rows(tmp_path / "run"))
    output = capsys.readouterr().out
    assert output.count("warning: 2 updates up to step 30 were not finite and were skipped") == 1
    assert state(tmp_path / "run")[0] == 40


@pytest.mark.slow
def test_a_run_that_stopped_may_go_on_by_skipping(root, tmp_path, monkeypatch):
    bad_at(monkeypatch, 23)
    with pytest.raises(training_loop.TrainingDiverged):
        training_loop.run(settings(root), tmp_path / "run")
    training_loop.run(settings(root, "nonfinite=skip"), tmp_path / "run")
    assert state(tmp_path / "run")[0] == 40
    assert [row.get("skipped_updates") for row in rows(tmp_path / "run")] == [None, None, 1, 0]


def test_a_roll_back_goes_on_with_another_key_and_resumes_bit_for_bit(
    root, tmp_path, monkeypatch, capsys
):
    keys = with_bad_key(monkeypatch, 23, keys=2)
    rolling = settings(root, "nonfinite=roll_back")
    training_loop.run(rolling, tmp_path / "run")
    output = capsys.readouterr().out
    assert output.count("generator/loss is not finite from step 25 on; all parameters are fi") == 2
    assert output.count("; back to step 20, with another key") == 2
    assert len(keys) == 3 and state(tmp_path / "run")[0] == 40
    assert [row.get("roll_backs") for row in rows(tmp_path / "run")] == [None, None, 2, 2]
    records = (tmp_path / "run" / roll_backs.FILE).read_text().splitlines()
    assert [json.loads(line)["step"] for line in records] == [20, 20]
    assert not (tmp_path / "run" / "diverged").exists()

    # Stopped after both roll-backs, and resumed by a process that has the file alone.
    call = call_loop.Loop._call

    def stopping(self, chunk, *rest, **named):
        if chunk.end == 35 and len(self.writers[0].roll_backs) == 2:
            os.kill(os.getpid(), signal.SIGTERM)
        return call(self, chunk, *rest, **named)

    with monkeypatch.context() as patch:
        patch.setattr(call_loop.Loop, "_call", stopping)
        keys.clear()
        with pytest.raises(StoppedBySignal):
            training_loop.run(rolling, tmp_path / "cut")
    assert state(tmp_path / "cut")[0] == 35
    training_loop.run(rolling, tmp_path / "cut")
    assert state(tmp_path / "cut") == state(tmp_path / "run")


def test_the_tries_from_one_checkpoint_are_bounded(root, tmp_path, monkeypatch):
    keys = with_bad_key(monkeypatch, 3, keys=100)
    for _ in range(2):  # also over several starts
        with pytest.raises(training_loop.TrainingDiverged, match="3 other keys were tried from s"):
            training_loop.run(settings(root, "nonfinite=roll_back"), tmp_path / "run")
        assert len(keys) == 1 + roll_backs.TRIES


@pytest.mark.slow
def test_a_population_rolls_back_together_and_its_other_members_keep_their_bits(
    root, tmp_path, monkeypatch, capsys
):
    members = ("population.seed=0,1", "nonfinite=roll_back")
    training_loop.run(settings(root, *members), tmp_path / "whole")
    bad_at(monkeypatch, 23, seeds=(1,))  # whatever its key is
    training_loop.run(settings(root, *members), tmp_path / "run")
    assert "member 1: diverged: discriminator/minimax" in capsys.readouterr().out
    first, second = (tmp_path / "run" / "members" / name for name in ("000", "001"))
    assert state(first) == state(tmp_path / "whole" / "members" / "000")
    assert not (first / roll_backs.FILE).exists()
    assert len((second / roll_backs.FILE).read_text().splitlines()) == roll_backs.TRIES
    assert "3 other keys were tried from step 20" in (second / "diverged").read_text()


def test_roll_backs_to_steps_that_were_lost_are_met_again(tmp_path):
    backs = roll_backs.RollBacks(tmp_path)
    for step in (20, 20, 50):
        backs.add(roll_backs.RollBack(step, "why"))
    (tmp_path / roll_backs.FILE).open("a").write('{"step": "x"}\n{"st')
    backs = roll_backs.RollBacks(tmp_path)
    assert len(backs) == 3 and backs.may_try_again(20)
    backs.forget_after(20)
    assert len(backs) == len(roll_backs.RollBacks(tmp_path)) == 2
    backs.add(roll_backs.RollBack(20, "why"))
    assert not backs.may_try_again(20) and backs.may_try_again(30)


def test_the_first_bad_term_is_named_before_what_is_made_from_it():
    good = np.ones(5)
    bad = np.array([1, 1, 1, np.nan, 1])
    calls = [
        {"discriminator/gradient_norm": bad, "discriminator/loss": bad, "discriminator/r1": bad},
        {"discriminator/gradient_norm": good, "discriminator/loss": good, "discriminator/r1": bad},
    ]
    player = Player({"w": np.ones(2)}, ())
    state = TrainState(np.array(104), player, player, {})
    says = describe_nonfinite(calls, 110, lambda: state)
    assert says == "discriminator/r1 is not finite from step 104 on; all parameters are finite"
    skipped = [call | {SKIPPED_UPDATES: np.isnan(bad).astype(float)} for call in calls]
    assert describe_nonfinite(skipped, 110, lambda: state) == ""
    row = interval_metrics(skipped)
    assert row[SKIPPED_UPDATES] == 2 and row["discriminator/loss"] == 1


def test_only_skipping_changes_the_program(root):
    programs = {}
    for choice in ("stop", "roll_back", "skip"):
        experiment = build(settings(root, f"nonfinite={choice}"))
        (stage,), (chunk, *_) = experiment.stages, experiment.chunks(0, 5)
        step = fused(stage.make_step({}), stage.prepare)
        arguments = (jax.eval_shape(experiment.init, jax.random.key(0)), experiment.batch(chunk))
        programs[choice] = str(jax.make_jaxpr(step)(*arguments, jax.random.key(0)))
    assert programs["stop"] == programs["roll_back"] and "is_finite" not in programs["stop"]
    assert "is_finite" in programs["skip"]


def test_a_config_from_before_the_field_is_read_and_a_wrong_value_refused(root, tmp_path):
    old = json.loads(dumps(settings(root)))
    assert old.pop("nonfinite") == "stop"
    assert loads(json.dumps(old)) == settings(root)
    with pytest.raises(
        UserError, match=r"config\.nonfinite is 'stop' or 'skip' or 'roll_back', not"
    ):
        training_loop.run(settings(root, "nonfinite=skipp"), tmp_path / "run")
