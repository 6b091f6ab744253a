"""Runs in trouble go back to before it, go on with changes, and resume bit for bit."""

import contextlib
import dataclasses
import io
import json
import os
import signal

import jax
import jax.numpy as jnp
import pytest

from gan_jax.errors import UserError
from gan_jax.experiment import (
    call_loop,
    checkpoint_diagnosis,
    executors,
    opening,
    roll_backs,
    stage_building,
    training_loop,
)
from gan_jax.experiment.builder import build
from gan_jax.experiment.checkpoint import Checkpoints, checksums
from gan_jax.experiment.config_files import load_settings
from gan_jax.experiment.executors import make_executor
from gan_jax.experiment.loading import load
from gan_jax.experiment.overrides import apply_overrides
from gan_jax.experiment.row_watch import RowWatch
from gan_jax.experiment.run_directory import has_ended, read_settings
from gan_jax.experiment.signals import StoppedBySignal
from gan_jax.loggers import json_lines

RUN = [
    "networks=mlp(latent_size=4, generator_widths=(8,), discriminator_widths=(8,))",
    "generator_optimizer=adam(learning_rate=0.004)",
    "discriminator_optimizer=sgd(learning_rate=0.008) + clip_weights(bound=0.5)",
    "batch_size=16",
    "steps=80",
    "steps_per_call=5",
    "log_every=10",
    "checkpoint_every=10",
    "sample_every=80",
    "evaluate_every=80",
    "metrics=",
    "num_samples=20",
    "keep_checkpoints=6",
]
HALVES = "on_trouble=roll_back(learning_rate_factor=0.5)"
KEY_OF_ROLL_BACKS = 2**21
SLOW = pytest.mark.slow


def settings(root, *overrides):
    return load_settings(str(root / "configs" / "ring.py:vanilla"), [*RUN, *overrides])


def state(run_dir):
    run = load(run_dir)
    return run.step, checksums(run.state)


def records(run_dir):
    lines = (run_dir / roll_backs.FILE).read_text().splitlines()
    return [json.loads(line) for line in lines]


def ill_from(monkeypatch, step, until):
    """Rows from a step on show a collapse, as long as ``until`` does not hold for the settings.

    Nothing else is measured: that is compiled quickly.
    """
    run_step = executors.SingleRun.step

    def planted(self, chunk, state, batch):
        state, metrics = run_step(self, chunk, state, batch)
        is_ill = chunk.end >= step and not until(self.experiment.settings)
        return state, {**metrics, "health/diversity": jnp.asarray(0.1 if is_ill else 0.9)}

    def measure(state, batch, rng):
        return {"health/diversity": jnp.ones(())}

    monkeypatch.setattr(executors.SingleRun, "step", planted)
    monkeypatch.setattr(stage_building, "health", lambda *_, **__: measure)


def is_slow(settings):
    return settings.generator_optimizer[0].settings["learning_rate"] < 0.0015


@pytest.fixture(scope="module")
def untouched(root, tmp_path_factory):
    """The directory of a run that was rolled back twice, and what it printed."""
    run_dir, output = tmp_path_factory.mktemp("untouched") / "run", io.StringIO()
    with pytest.MonkeyPatch.context() as patch, contextlib.redirect_stdout(output):
        ill_from(patch, 50, until=is_slow)
        training_loop.run(settings(root, HALVES), run_dir)
    return run_dir, output.getvalue()


def test_a_run_goes_back_to_before_the_trouble_and_goes_on_with_smaller_rates(root, untouched):
    (run_dir, output), halves = untouched, settings(root, HALVES)
    # Seen at 60 from the rows of 40, 50 and 60, so that all was well at 30.
    said = "step 60: trouble: mode collapse; back to step 30, with another key; "
    assert f"{said}generator_optimizer.adam.learning_rate=0.002; " in output
    assert f"{said}generator_optimizer.adam.learning_rate=0.001; " in output
    assert [record["step"] for record in records(run_dir)] == [30, 30]
    assert records(run_dir)[1]["changes"] == [
        "generator_optimizer.adam.learning_rate=0.001",
        "discriminator_optimizer.sgd.learning_rate=0.002",
    ]
    assert read_settings(run_dir) == halves and load(run_dir).sample(4).shape == (4, 2)
    for number in ("1", "2"):
        aside = run_dir / "checkpoints.rolled_back" / number
        assert sorted(int(path.name) for path in aside.iterdir()) == [40, 50, 60]

    # The same by hand: 50 more steps with a quarter of the rates and another key.
    by_hand = load(run_dir, step=30).state
    rates = ("generator_optimizer.adam.learning_rate=0.001",)
    rates += ("discriminator_optimizer.sgd.learning_rate=0.002",)
    executor = make_executor(settings(root, *rates))
    key = jax.random.fold_in(jax.random.fold_in(executor.key(0), KEY_OF_ROLL_BACKS), 2)
    executor._key = key
    for chunk in executor.experiment.chunks(30, 80):
        by_hand, _ = executor.step(chunk, by_hand, executor.batch(chunk))
    assert checksums(by_hand) == state(run_dir)[1]


class Killed(Exception):
    pass


def kill_before(monkeypatch, owner, name, when=lambda *_: True):
    """The second call for which ``when`` holds, at the last roll-back, raises and is not made."""
    call, matches = getattr(owner, name), []

    def killing(*arguments, **named):
        if when(*arguments):
            matches.append(arguments)
            if len(matches) == 2:
                raise Killed
        return call(*arguments, **named)

    monkeypatch.setattr(owner, name, killing)


KILLS = {
    "before checkpoints are set aside": (Checkpoints, "set_aside_after"),
    "after one of them is": (
        *(Checkpoints, "_move"),
        lambda self, step, aside: step == 50,
    ),
    "before the record": (roll_backs.RollBacks, "add"),
    "after the record": (opening, "_state", lambda *arguments: bool(arguments[1][0].roll_backs)),
    "after some steps": (
        *(call_loop.Loop, "_call"),
        lambda self, chunk, *_: chunk.first == 45 and bool(self.writers[0].roll_backs),
    ),
}


@pytest.mark.parametrize(
    "when",
    [when if when == "after the record" else pytest.param(when, marks=SLOW) for when in KILLS],
)
def test_a_run_that_is_killed_around_a_roll_back_ends_with_the_same_bits(
    root, tmp_path, monkeypatch, untouched, when
):
    ill_from(monkeypatch, 50, until=is_slow)
    halves = settings(root, HALVES)
    with monkeypatch.context() as patch:
        kill_before(patch, *KILLS[when])
        with pytest.raises(Killed):
            training_loop.run(halves, tmp_path / "cut")
    training_loop.run(halves, tmp_path / "cut")
    assert state(tmp_path / "cut") == state(untouched[0])
    assert records(tmp_path / "cut") == records(untouched[0])


@pytest.mark.slow
@pytest.mark.parametrize("step", [35, 55, 60])
def test_a_run_that_a_signal_stops_rolls_back_like_an_untouched_one(
    root, tmp_path, monkeypatch, untouched, step
):
    ill_from(monkeypatch, 50, until=is_slow)
    halves = settings(root, HALVES)
    call = call_loop.Loop._call

    def stopping(self, chunk, *rest, **named):
        if chunk.end == step and not self.writers[0].roll_backs:
            os.kill(os.getpid(), signal.SIGTERM)
        return call(self, chunk, *rest, **named)

    with monkeypatch.context() as patch:
        patch.setattr(call_loop.Loop, "_call", stopping)
        with pytest.raises(StoppedBySignal):
            training_loop.run(halves, tmp_path / "cut")
    training_loop.run(halves, tmp_path / "cut")
    assert state(tmp_path / "cut") == state(untouched[0])


def test_a_run_that_roll_backs_do_not_help_ends_with_a_line(root, tmp_path, monkeypatch, capsys):
    ill_from(monkeypatch, 50, until=lambda _: False)
    for _ in range(2):  # the second start has nothing left to do
        training_loop.run(settings(root, "on_trouble=roll_back"), tmp_path / "run")
        assert [record["step"] for record in records(tmp_path / "run")] == [30, 30, 30]
    says = "stopped at step 60: trouble: mode collapse; 3 roll-backs to step 30 did not help"
    assert capsys.readouterr().out.count(says) == 2
    assert state(tmp_path / "run")[0] == 60 and has_ended(tmp_path / "run", 80) == "finished"


@pytest.mark.slow
def test_a_changed_objective_is_that_of_the_diagnosis(root, tmp_path, monkeypatch):
    ill_from(monkeypatch, 10, until=lambda settings: settings.unroll == 2)
    changed = "objective=wasserstein + gradient_penalty(weight=3.0)"
    change = f'on_trouble=roll_back(change="unroll=2; {changed}")'
    training_loop.run(settings(root, change, "steps=50"), tmp_path / "run")
    # Ill from the first row on: back to the start.
    assert records(tmp_path / "run") == [
        {"step": 0, "reason": "step 30: trouble: mode collapse", "changes": ["unroll=2", changed]}
    ]
    built = []
    monkeypatch.setattr(
        checkpoint_diagnosis, "build", lambda *given: built.append(given[0]) or build(*given)
    )
    assert len(checkpoint_diagnosis.measure_health(load(tmp_path / "run"))) == 3
    assert built == [settings(root, change, "steps=50", "unroll=2", changed)]


@pytest.mark.parametrize(
    ("overrides", "says"),
    [
        (["on_trouble=roll_back(learning_rate_factor=0.0)"], "learning_rate_factor above 0"),
        (["on_trouble=roll_back(change='unroll')"], "change='path=value; other.path=value'"),
        (["on_trouble=roll_back(change='unrol=5')"], "unknown config key config.unrol"),
        (["on_trouble=roll_back(change='networks=dcgan')"], "cannot change config.networks"),
        (["on_trouble=roll_back(change='steps=90')"], "cannot change config.steps"),
        (
            ["on_trouble=roll_back(change='generator_optimizer=sgd(learning_rate=0.1)')"],
            "the state would have other parts than a checkpoint holds",
        ),
        (
            [
                HALVES,
                "generator_optimizer=adam(learning_rate=cosine_decay_schedule(init_value=1e-3, "
                "decay_steps=10))",
            ],
            "needs a learning_rate in config.generator_optimizer that is a number",
        ),
        (
            [
                HALVES,
                "generator_optimizer=adam(learning_rate=1e-3, b1=cosine_decay_schedule("
                "init_value=0.5, decay_steps=10))",
            ],
            "the numbers of config.generator_optimizer are part of the state",
        ),
        ([HALVES, "population.seed=0,1"], "config.on_trouble=roll_back goes with a run alone"),
        ([HALVES, "keep_checkpoints=3"], "must be at least 3 * config.log_every, 30, not 20"),
    ],
)
def test_what_cannot_be_changed_is_refused_before_anything_is_written(
    root, tmp_path, overrides, says
):
    with pytest.raises(UserError) as refused:
        training_loop.run(settings(root, *overrides), tmp_path / "run")
    assert says in str(refused.value) and "\n" not in str(refused.value)
    assert not (tmp_path / "run").exists()


def asked(root, values, checkpoints=range(0, 10_000, 10), **columns):
    """What a watch asks about rows of `diversity` at 10, 20, ...: the last good step."""
    rows = [
        {"step": 10 * (index + 1), "health/diversity": value}
        | {name.replace("__", "/"): column[index] for name, column in columns.items()}
        for index, value in enumerate(values)
    ]
    asks = []

    def answer(good, is_well):
        asks.append((good, [step for step in checkpoints if step <= good and is_well(step)]))
        return 0

    watch = RowWatch(settings(root, HALVES), rows, answer)
    assert watch.step_to_go_back_to() == (0 if asks else None)
    return asks[0] if asks else None


def test_the_last_good_step_is_before_all_rows_that_show_the_trouble(root):
    assert asked(root, [0.9, 0.9, 0.9]) is None
    assert asked(root, [0.1, 0.1, 0.1]) == (0, [0])
    assert asked(root, [0.9, 0.9, 0.9, 0.1, 0.9, 0.1]) == (30, [0, 10, 20, 30])
    # Found as late as a run may be resumed with another response.
    assert asked(root, [0.9, 0.9, 0.9, 0.9, *[0.1] * 80])[0] == 30
    # In trouble twice: checkpoints in the first one do not count.
    twice = [0.9, 0.9, 0.9, 0.1, 0.1, 0.1, 0.9, 0.9, 0.9, 0.1, 0.1]
    assert asked(root, twice) == (80, [0, 10, 20, 30, 40, 80])
    # Gradients that explode at the 31st of 31 rows: the fewest rows that the rule judges are 10.
    norms = [1.0] * 30 + [1e6]
    assert asked(root, [0.9] * 31, generator__gradient_norm=norms)[0] == 210


def test_rows_between_those_of_log_every_are_not_judged(root):
    rows = [{"step": step, "health/diversity": 0.9} for step in (10, 20, 30)]
    rows += [{"step": step, "health/diversity": 0.1} for step in (31, 32, 33)]
    assert RowWatch(settings(root, HALVES), rows).step_to_go_back_to() is None


def test_changes_add_up_and_are_of_the_steps_after_them(root, tmp_path):
    backs = roll_backs.RollBacks(tmp_path)
    backs.add(roll_backs.RollBack(30, "why", ("unroll=2",)))
    backs.add(roll_backs.RollBack(60, "why"))
    backs.add(roll_backs.RollBack(60, "why", ("unroll=5", "batch_size=32")))
    backs = roll_backs.RollBacks(tmp_path)
    assert backs.changes(30) == () and backs.changes(60) == ("unroll=2",)
    now = apply_overrides(settings(root), backs.changes())
    assert now == dataclasses.replace(settings(root), unroll=5, batch_size=32)
    assert json_lines.files.read_json_lines(tmp_path / roll_backs.FILE)[1]["changes"] == []
