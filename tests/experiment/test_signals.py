"""Signals: a run saves itself at once, also within an evaluation, and resumes bit for bit."""

import os
import pty
import signal
import subprocess
import sys
import threading

import numpy as np
import pytest

from gan_jax.experiment import run_directory, run_writer, signals, training_loop
from gan_jax.experiment.call_loop import Loop
from gan_jax.experiment.calls import Calls
from gan_jax.experiment.checkpoint import checksums
from gan_jax.experiment.config_files import load_settings
from gan_jax.experiment.loading import load
from gan_jax.experiment.signals import StoppedBySignal, StopSignals
from gan_jax.loggers import json_lines

RUN = [
    "networks=mlp(latent_size=4, generator_widths=(8,), discriminator_widths=(8,))",
    "batch_size=16",
    "steps=40",
    "steps_per_call=5",
    "log_every=10",
    "health=false",
    "checkpoint_every=20",
    "sample_every=10",
    "evaluate_every=10",
    "num_samples=20",
    "keep_checkpoints=10",
    "metrics=modes(samples=4000)",
]


def settings(root, *overrides):
    return load_settings(str(root / "configs" / "ring.py:vanilla"), [*RUN, *overrides])


def state(run_dir):
    run = load(run_dir)
    return run.step, checksums(run.state)


def rows(run_dir):
    """What a row says of a state: a row's means are over the steps since the one before."""
    return [
        {name: row.get(name) for name in ("step", "modes/covered", "modes/high_quality")}
        for row in json_lines.read_metrics(run_dir / "metrics.jsonl")
        if not row["step"] % 10
    ]


@pytest.fixture(autouse=True)
def not_ignored():
    """Tests may run under nohup, or in the background of a shell, where signals are ignored."""
    numbers = [getattr(signal, name) for name in signals.STOP_SIGNALS]
    before = {number: signal.signal(number, lambda *_: None) for number in numbers}
    yield
    for number, handler in before.items():
        signal.signal(number, handler)


@pytest.fixture(scope="module")
def whole(tmp_path_factory):
    from conftest import ROOT

    run_dir = tmp_path_factory.mktemp("runs") / "whole"
    training_loop.run(settings(ROOT), run_dir)
    return run_dir


def send_when(monkeypatch, owner, name, condition, number=signal.SIGTERM):
    """Sends this process a signal at the first call of a method for which a condition holds."""
    method, sent = getattr(owner, name), []

    def sending(self, *arguments, **keywords):
        if not sent and condition(*arguments):
            sent.append(True)
            os.kill(os.getpid(), number)
        return method(self, *arguments, **keywords)

    monkeypatch.setattr(owner, name, sending)


@pytest.mark.parametrize(
    "step", [pytest.param(20, marks=pytest.mark.slow), pytest.param(30, marks=pytest.mark.slow), 40]
)
def test_a_signal_ends_an_evaluation_which_the_next_start_makes(
    step, whole, root, tmp_path, monkeypatch, capsys
):
    """A checkpoint is due at 20, none at 30; 40 is the last step."""
    run_dir, drawn = tmp_path / "run", []

    class Counting(run_writer.InterruptibleSampler):
        def __call__(self, rng, n, label=None, first=0):
            samples = super().__call__(rng, n, label, first)
            drawn.append(n)
            if len(drawn) == 4 * step // 10 - 2:  # the second of four batches
                os.kill(os.getpid(), signal.SIGTERM)
            return samples

    monkeypatch.setattr(run_writer, "InterruptibleSampler", Counting)
    with pytest.raises(StoppedBySignal) as stopped:
        training_loop.run(settings(root), run_dir)
    assert stopped.value.exit_code == 143
    assert len(drawn) == 4 * step // 10 - 2  # no batch after the signal
    assert f"stopped by SIGTERM at step {step}, saved" in capsys.readouterr().out
    assert state(run_dir)[0] == step
    assert run_directory.has_ended(run_dir, 40) is None
    assert not (run_dir / "samples" / f"step_{step:08d}.npy").exists()
    assert rows(run_dir)[-1] == {"step": step, "modes/covered": None, "modes/high_quality": None}

    training_loop.run(settings(root), run_dir)
    assert state(run_dir) == state(whole)
    assert rows(run_dir) == rows(whole)
    assert run_directory.has_ended(run_dir, 40) == "finished"
    for sampled in (0, 10, 20, 30, 40):
        name = f"samples/step_{sampled:08d}.npy"
        np.testing.assert_array_equal(np.load(run_dir / name), np.load(whole / name))
    training_loop.run(settings(root), run_dir)
    assert "is done: 40 steps" in capsys.readouterr().out


def test_after_a_signal_in_a_call_nothing_is_evaluated_or_drawn(whole, root, tmp_path, monkeypatch):
    send_when(monkeypatch, Loop, "_call", lambda chunk, *_: chunk.end == 30)
    evaluated = []
    evaluate = run_writer.RunWriter.evaluate
    monkeypatch.setattr(
        run_writer.RunWriter,
        "evaluate",
        lambda *arguments: evaluated.append(arguments[4]) or evaluate(*arguments),
    )
    with pytest.raises(StoppedBySignal):
        training_loop.run(settings(root), tmp_path / "run")
    assert state(tmp_path / "run")[0] == 30 and evaluated == [10, 20]
    training_loop.run(settings(root), tmp_path / "run")
    assert evaluated == [10, 20, 30, 40]
    assert state(tmp_path / "run") == state(whole) and rows(tmp_path / "run") == rows(whole)


@pytest.mark.slow
def test_the_best_checkpoint_may_be_one_whose_evaluation_came_later(root, tmp_path, monkeypatch):
    """Its score is not saved with it, and counts all the same, in later starts too."""
    best = ("best_metric=modes/high_quality", "best_mode=min", "keep_checkpoints=1")
    send_when(monkeypatch, Loop, "_call", lambda chunk, *_: chunk.end == 20)
    monkeypatch.setattr(
        run_writer.RunWriter,
        "evaluate",
        lambda self, protocols, real, state, step, check: {"modes/high_quality": abs(step - 20.0)},
    )
    for steps, raises in ((40, True), (40, False), (60, False)):
        run = lambda steps=steps: training_loop.run(
            settings(root, *best, f"steps={steps}"), tmp_path / "run"
        )
        if raises:
            with pytest.raises(StoppedBySignal):
                run()
        else:
            run()
    assert sorted(int(p.name) for p in (tmp_path / "run" / "checkpoints").iterdir()) == [20, 60]


@pytest.mark.slow
def test_a_population_stops_within_an_evaluation_and_resumes(root, tmp_path, monkeypatch):
    members = ("population.seed=0,1", "sample_every=20")
    training_loop.run(settings(root, *members), tmp_path / "whole")
    send_when(monkeypatch, run_writer.RunWriter, "evaluate", lambda *given: given[3] == 30)
    with pytest.raises(StoppedBySignal):
        training_loop.run(settings(root, *members), tmp_path / "cut")
    training_loop.run(settings(root, *members), tmp_path / "cut")
    for member in ("members/000", "members/001"):
        assert state(tmp_path / "cut" / member) == state(tmp_path / "whole" / member)
        assert rows(tmp_path / "cut" / member) == rows(tmp_path / "whole" / member)


@pytest.mark.parametrize(
    ("name", "code"), [("SIGINT", 130), ("SIGTERM", 143), ("SIGHUP", 129), ("SIGUSR1", 138)]
)
def test_each_signal_is_noted_and_has_its_exit_code(name, code):
    number = getattr(signal, name)
    before = signal.getsignal(number)
    with StopSignals(quiet=True) as stop:
        os.kill(os.getpid(), number)
        assert stop.number == number
    assert StoppedBySignal(stop.number).exit_code == code
    assert signal.getsignal(number) == before


def test_signals_that_were_ignored_still_are():
    """As by nohup: a run goes on after its terminal is closed."""
    before = signal.signal(signal.SIGHUP, signal.SIG_IGN)
    try:
        with StopSignals() as stop:
            os.kill(os.getpid(), signal.SIGHUP)
            assert not stop.number
    finally:
        signal.signal(signal.SIGHUP, before)


@pytest.mark.slow
def test_a_run_whose_terminal_is_closed_is_saved(root, tmp_path):
    """No line can be printed then, neither that of a row nor that the run is saved."""
    overrides = [f"--config.{override}" for override in [*RUN, "steps=100000", "metrics="]]
    process, terminal = pty.fork()
    if not process:
        train = [str(root / "experiments" / "train.py"), f"--workdir={tmp_path / 'run'}"]
        config = f"--config={root / 'configs' / 'ring.py:vanilla'}"
        os.execv(sys.executable, [sys.executable, *train, config, *overrides])
    output = b""
    while b"/100000" not in output:
        output += os.read(terminal, 1000)
    os.close(terminal)
    assert os.waitstatus_to_exitcode(os.waitpid(process, 0)[1]) == 129, output
    step = max(row["step"] for row in json_lines.read_metrics(tmp_path / "run" / "metrics.jsonl"))
    assert state(tmp_path / "run")[0] == step > 0


@pytest.mark.parametrize(
    ("sent", "pause", "leaves"),
    [
        (("SIGTERM", "SIGTERM"), True, True),
        (("SIGINT", "SIGTERM"), True, True),
        (("SIGTERM", "SIGTERM"), False, False),  # sent to the process and to its group
        (("SIGUSR1", "SIGTERM"), True, False),  # SLURM's warning, and its end
    ],
)
def test_a_second_signal_leaves_unless_it_is_the_first_of_its_kind(
    sent, pause, leaves, monkeypatch
):
    left, noticed, now = [], threading.Event(), [100.0]
    monkeypatch.setattr(signals, "_leave", lambda *given: left.append(given))
    monkeypatch.setattr(signals.time, "monotonic", lambda: noticed.set() or now[0])
    with StopSignals(quiet=True) as stop:
        for name in sent:
            noticed.clear()
            os.kill(os.getpid(), getattr(signal, name))
            assert noticed.wait(60)
            now[0] += 2 if pause else 0.1
    assert stop.number == getattr(signal, sent[0])
    assert left == ([(getattr(signal, sent[-1]), sent[-1])] if leaves else [])


def test_a_second_signal_ends_a_process_whose_main_thread_does_not_return():
    """Python handles signals in the main thread, which may wait for a device for ever."""
    code = """
import ctypes
from gan_jax.experiment import signals
signals.REPEAT_SECONDS = 0.0
with signals.StopSignals():
    print("ready", flush=True)
    libc, mutex = ctypes.CDLL(None), ctypes.create_string_buffer(256)
    libc.pthread_mutex_lock(mutex)
    libc.pthread_mutex_lock(mutex)  # waits for itself
"""
    process = subprocess.Popen(
        [sys.executable, "-c", code], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    )
    assert process.stdout.readline() == "ready\n"
    process.send_signal(signal.SIGTERM)
    assert "SIGTERM: saving" in process.stderr.readline()
    process.send_signal(signal.SIGTERM)
    _, errors = process.communicate(timeout=120)
    assert process.returncode == 143
    assert errors.startswith("SIGTERM again: leaving at once, steps since the newest checkpoint")


def test_a_run_whose_calls_are_too_long_for_the_time_after_a_signal_says_so_once(
    root, tmp_path, capsys
):
    training_loop.run(settings(root), tmp_path / "run", preemption_seconds=1e-6)
    assert capsys.readouterr().out.count("more than the 1e-06 s of --preemption_seconds") == 1
    training_loop.run(settings(root), tmp_path / "other", preemption_seconds=1e6)
    assert "preemption_seconds" not in capsys.readouterr().out


def test_at_most_one_call_waits_behind_the_running_one(root, tmp_path, monkeypatch):
    """However rarely metrics are read: what waits on the device cannot be stopped."""
    waiting, most = [0], []
    wait = Calls.wait

    def counting(self, *arguments):
        waiting[0] += 1
        most.append(waiting[0])
        return call(self, *arguments)

    def waited(self):
        if self._running is not None:
            waiting[0] -= 1
        wait(self)

    call = type(training_loop.make_executor(settings(root))).step
    monkeypatch.setattr(type(training_loop.make_executor(settings(root))), "step", counting)
    monkeypatch.setattr(Calls, "wait", waited)
    rare = [f"{name}_every=100" for name in ("log", "evaluate", "sample", "checkpoint")]
    training_loop.run(settings(root, "steps=100", *rare), tmp_path / "run")
    assert len(most) == 20 and max(most) == 2


def test_what_killed_processes_left_is_removed_under_the_lock(root, tmp_path):
    run_dir = tmp_path / "run"
    training_loop.run(settings(root, "steps=20"), run_dir)
    other = tmp_path / f".{'0' * 16}.part"  # of somebody else
    stale = [run_dir / f".{'a' * 16}.part", run_dir / "checkpoints" / "7.orbax-checkpoint-tmp"]
    kept = [other, run_dir / ".notes.part", run_dir / "checkpoints" / "my.orbax-checkpoint-tmp"]
    for path in [*stale, *kept]:
        path.mkdir() if path.name.endswith("tmp") else path.write_text("x")
    with (
        run_directory.opened(run_dir, settings(root)),
        pytest.raises(ValueError, match=r"another process|this process"),
        run_directory.opened(run_dir, settings(root)),
    ):
        pass
    assert not any(path.exists() for path in stale) and all(path.exists() for path in kept)
