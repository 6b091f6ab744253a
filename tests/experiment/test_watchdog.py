"""The watchdog: a run that stands still ends and says where; one that is suspended goes on."""

import os
import signal
import subprocess
import sys
import threading
import time

import pytest

from gan_jax.experiment import executors, training_loop, watchdog
from gan_jax.experiment.config_files import load_settings
from gan_jax.experiment.watchdog import RunningClock, Watchdog

RUN = [
    "networks=mlp(latent_size=4, generator_widths=(8,), discriminator_widths=(8,))",
    "batch_size=16",
    "steps_per_call=5",
    "log_every=100",
    "health=false",
    "checkpoint_every=100",
    "sample_every=100",
    "evaluate_every=100",
    "num_samples=20",
]


class Hands:
    """A clock that is moved by hand."""

    def __init__(self):
        self.time = 0.0

    def __call__(self):
        return self.time


def test_a_suspended_process_counts_no_time():
    hands = Hands()
    clock = RunningClock(hands)
    for _ in range(10):
        hands.time += watchdog.TICK_SECONDS
        clock.tick()
    assert clock.tick() == pytest.approx(10 * watchdog.TICK_SECONDS)
    hands.time += 3600  # SIGSTOP, or a closed laptop
    assert clock.tick() == pytest.approx(12 * watchdog.TICK_SECONDS)


@pytest.fixture
def stalls(monkeypatch):
    """A watchdog that looks all the time, on a clock that is moved by hand, and what it says."""
    hands, said = Hands(), []
    monkeypatch.setattr(watchdog, "TICK_SECONDS", 1e-3)

    class Clock:
        tick = staticmethod(hands)

    dog = Watchdog(said.append)
    dog._clock = Clock()
    looks = dog._closed.wait
    looked = threading.Semaphore(0)

    def wait(seconds):
        looked.release()
        return looks(seconds)

    dog._closed.wait = wait

    def work(kind, seconds, **how):
        with dog.watch(kind, f"work of {seconds} s", **how):
            hands.time += seconds
            while looked.acquire(blocking=False):
                pass
            for _ in range(3):  # the watching thread has looked in between
                while not said and not looked.acquire(timeout=0.1):
                    pass
        return list(said)

    with dog:
        work.now = hands
        yield work


def test_the_limit_is_measured_by_kind_and_the_first_work_has_none(stalls):
    floor, factor = watchdog.FLOOR_SECONDS, watchdog.FACTOR
    assert not stalls("steps", 100 * floor)  # compiles
    assert not stalls("steps", floor - 1)
    assert not stalls("evaluation", 1000 * floor)
    assert not stalls("steps", factor * (floor - 1) - 1)  # much slower, and now the measure
    assert not stalls("steps", factor * (floor - 1) + 1)
    assert not stalls("evaluation", 1000 * floor)  # its own kind
    (line,) = stalls("steps", factor**2 * floor + 1)
    assert "no progress for" in line and f"work of {factor**2 * floor + 1} s" in line


def test_short_work_has_the_floor_as_its_limit(stalls):
    assert not stalls("steps", 1.0) and not stalls("steps", 0.1)
    assert not stalls("steps", watchdog.FLOOR_SECONDS - 1)


def test_the_first_work_says_nothing_of_the_third(stalls):
    stalls("steps", 1000.0)
    stalls("steps", 0.1)
    (line,) = stalls("steps", watchdog.FLOOR_SECONDS + 1)
    assert "no progress for 5m0" in line and "0.1 s at most before" in line


@pytest.mark.parametrize("where", ["in its start", "in the start of the next", "in the wait"])
def test_a_call_that_takes_long_on_a_busy_machine_is_none_that_stands_still(stalls, where):
    """Calls of 400 s, then of 4000 s, whose time passes at another place on each backend."""
    ended, running = 0.0, None

    def wait():
        nonlocal ended, running
        if running:
            began, seconds, late = running
            left = seconds if where == "in the wait" or late else 0.0
            assert not stalls("call", left, since=max(began, ended))
            ended, running = stalls.now(), None

    for number in range(30):
        seconds, began = (400.0 if number < 20 else 4000.0), stalls.now()
        spent = {"in its start": seconds, "in the start of the next": running[1] if running else 0}
        behind = "call" if running else None
        assert not stalls("call", spent.get(where, 0.0), behind=behind, is_whole=False)
        if running:
            running = (*running[:2], False)
        wait()
        running = began, seconds, where == "in the start of the next"
        if number % 10 == 9 or not number:  # a row of metrics, or the call that compiled
            wait()
    limit = watchdog.FACTOR * 8000.0
    (line,) = stalls("call", limit + 1, is_whole=False)
    assert "no progress for" in line


def test_work_that_waits_for_other_work_gets_the_time_of_both(stalls):
    floor = watchdog.FLOOR_SECONDS
    for _ in range(3):
        assert not stalls("call", floor) and not stalls("batch", 0.1)
    assert not stalls("batch", 20 * floor, behind="call")
    assert not stalls("new", 1e9, behind="never measured")


def test_a_device_that_blocks_ends_the_run_with_one_line(root, tmp_path, monkeypatch):
    settings = load_settings(str(root / "configs" / "ring.py:vanilla"), [*RUN, "steps=300"])
    hands = Hands()

    class Clock:
        tick = staticmethod(hands)

    monkeypatch.setattr(watchdog, "RunningClock", Clock)
    monkeypatch.setattr(watchdog, "TICK_SECONDS", 0.01)
    ended, said = threading.Event(), []

    def end(line):
        said.append(line)
        ended.set()

    class Stuck(Exception):
        pass

    step = executors.SingleRun.step

    def blocking(self, chunk, state, batch):
        if chunk.first == 200:
            hands.time += watchdog.FLOOR_SECONDS + 1
            assert ended.wait(300)
            raise Stuck
        assert not said
        return step(self, chunk, state, batch)

    monkeypatch.setattr(watchdog, "_end_process", end)
    monkeypatch.setattr(executors.SingleRun, "step", blocking)
    with pytest.raises(Stuck):
        training_loop.run(settings, tmp_path / "run")
    assert len(said) == 1
    assert "no progress for" in said[0] and "in starting steps 200 to 205" in said[0]
    assert said[0].endswith("the same command resumes from the newest checkpoint")
    assert "\n" not in said[0]


START = """
import sys
from gan_jax.experiment import executors, watchdog
floor, stuck, *sys.argv = sys.argv[1:]
watchdog.FLOOR_SECONDS, watchdog.TICK_SECONDS = float(floor), 0.1
step = executors.SingleRun.step
def blocking(self, chunk, state, batch):
    if chunk.first == int(stuck):
        import threading
        threading.Event().wait()
    return step(self, chunk, state, batch)
executors.SingleRun.step = blocking
exec(compile(open(sys.argv[0]).read(), sys.argv[0], "exec"))
"""


def start(root, run_dir, steps, floor, stuck=-1):
    overrides = [f"--config.{override}" for override in [*RUN, f"steps={steps}"]]
    return subprocess.Popen(
        [
            sys.executable,
            "-c",
            START,
            str(floor),
            str(stuck),
            str(root / "experiments" / "train.py"),
            f"--config={root / 'configs' / 'ring.py:vanilla'}",
            f"--workdir={run_dir}",
            *overrides,
        ],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        env=os.environ | {"PYTHONFAULTHANDLER": "0"},
    )


@pytest.mark.slow
def test_a_run_that_stands_still_exits_with_its_code_and_resumes(root, tmp_path):
    process = start(root, tmp_path / "run", 300, 5, stuck=200)
    _, errors = process.communicate(timeout=300)
    assert process.returncode == watchdog.EXIT_CODE == 75, errors
    lines = errors.splitlines()
    line = next(line for line in lines if line.startswith("error: no progress for"))
    assert "in starting steps 200 to 205" in line and "All stacks follow" in line
    assert "in blocking" in errors  # the stack of the thread that waits
    process = start(root, tmp_path / "run", 300, 1000)
    output, errors = process.communicate(timeout=300)
    assert process.returncode == 0 and "resuming at step 200" in output, errors


@pytest.mark.slow
def test_a_suspended_run_goes_on(root, tmp_path):
    """For longer than anything may take: the seconds of a suspension do not count."""
    floor = 5.0
    process = start(root, tmp_path / "run", 100_000, floor)
    checkpoints = tmp_path / "run" / "checkpoints"
    end = time.monotonic() + 240
    while not (checkpoints / "200").is_dir():
        assert process.poll() is None and time.monotonic() < end
        time.sleep(0.02)
    for _ in range(3):
        process.send_signal(signal.SIGSTOP)
        time.sleep(2 * floor)
        process.send_signal(signal.SIGCONT)
        time.sleep(0.5)
    assert process.poll() is None
    process.send_signal(signal.SIGTERM)
    output, errors = process.communicate(timeout=120)
    assert process.returncode == 143, output + errors
