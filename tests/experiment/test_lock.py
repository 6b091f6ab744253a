"""One writer per directory, also where the file system has no locks."""

import contextlib
import errno
import fcntl
import json
import os
import subprocess
import sys
import time

import pytest

from gan_jax.errors import StorageError, UserError
from gan_jax.experiment import holders, lock, training_loop
from gan_jax.experiment.checkpoint_files import saved_steps
from gan_jax.experiment.config_files import load_settings
from gan_jax.experiment.holders import Holder
from gan_jax.experiment.run_writer import RunWriter
from gan_jax.loggers.json_lines import read_metrics

WHAT = "run directory runs/x"


@pytest.fixture
def no_flock(monkeypatch):
    """A file system without locks, such as some that come over the network."""

    monkeypatch.setattr(fcntl, "flock", _raise_enolck)


def _raise_enolck(handle, operation):
    raise OSError(errno.ENOLCK, "No locks available")


class Clock:
    """Time that passes when it is slept; ``meanwhile`` is called at each sleep."""

    def __init__(self, meanwhile=lambda now: None):
        self.now, self.meanwhile = 0.0, meanwhile
        self.strftime = time.strftime

    def monotonic(self):
        return self.now

    def sleep(self, seconds):
        self.now += seconds
        self.meanwhile(self.now)


def set_time(monkeypatch, clock):
    for module in (lock, holders):
        monkeypatch.setattr(module, "time", clock)


def write_holder(directory, **changes):
    """A lock file as another process leaves it."""
    holder = {
        "host": "node17",
        "machine": "another",
        "pid": 4711,
        "began": "12345",
        "since": "2026-01-02 03:04:05",
        "flock": False,
        "token": "0123456789abcdef",
        "renewals": "000000000003",
    } | changes
    (directory / lock.LOCK_FILE).write_text(json.dumps(holder) + "\n")


def test_a_held_directory_is_refused_with_host_process_and_time(tmp_path):
    with lock.locked(tmp_path, WHAT):
        holder = json.loads((tmp_path / lock.LOCK_FILE).read_text())
        assert holder["pid"] == os.getpid() and holder["flock"]
        who = rf"process {os.getpid()} on {holder['host']}, since {holder['since']}"
        with (
            pytest.raises(UserError, match=rf"{WHAT} is being written by another .*{who}"),
            lock.locked(tmp_path, WHAT),
        ):
            pass
        lock.confirm(tmp_path)  # the refused call has changed nothing
        assert json.loads((tmp_path / lock.LOCK_FILE).read_text()) == holder
    assert not list(tmp_path.iterdir())


HOLDER = """
import contextlib, fcntl, sys, time
from pathlib import Path
from gan_jax.experiment import lock
if sys.argv[2] == "lease":
    def flock(handle, operation):
        raise OSError(37, "No locks available")
    fcntl.flock = flock
with lock.locked(Path(sys.argv[1]), "it"):
    print("held", flush=True)
    sys.stdin.read()
"""


@contextlib.contextmanager
def other_process(directory, kind):
    process = subprocess.Popen(
        [sys.executable, "-c", HOLDER, str(directory), kind],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )
    try:
        assert process.stdout.readline() == "held\n"
        yield process
    finally:
        process.kill()
        process.communicate()


@pytest.mark.parametrize("kind", ["flock", "lease"])
def test_the_lock_of_a_killed_process_on_this_machine_is_free_at_once(tmp_path, kind, monkeypatch):
    if kind == "lease":
        monkeypatch.setattr(fcntl, "flock", _raise_enolck)
    with other_process(tmp_path, kind) as process:
        with pytest.raises(UserError, match=f"process {process.pid} on"), _locked(tmp_path):
            pass
        process.kill()  # nobody has waited for it yet
        os.waitid(os.P_PID, process.pid, os.WEXITED | os.WNOWAIT)
        assert (tmp_path / lock.LOCK_FILE).exists()
        clock = Clock()
        set_time(monkeypatch, clock)
        with _locked(tmp_path):
            lock.confirm(tmp_path)
        assert clock.now <= holders.SETTLING_SECONDS  # and not the time that a lease lasts


def _locked(directory):
    return lock.locked(directory, WHAT)


def test_another_process_with_the_number_of_the_holder_is_no_holder(
    tmp_path, no_flock, monkeypatch
):
    set_time(monkeypatch, Clock())
    this = Holder.this_process(has_flock=False)
    write_holder(tmp_path, machine=this.machine, pid=this.pid, began="1")
    with _locked(tmp_path):
        lock.confirm(tmp_path)
    write_holder(tmp_path, machine=this.machine, pid=this.pid, began=this.began)
    with pytest.raises(UserError, match=f"process {this.pid} on node17"), _locked(tmp_path):
        pass


def test_a_lease_that_is_renewed_elsewhere_is_refused(tmp_path, no_flock, monkeypatch, capsys):
    write_holder(tmp_path)

    def renew(now):
        if now >= holders.RENEWED_SECONDS:
            write_holder(tmp_path, renewals="000000000004")

    set_time(monkeypatch, Clock(renew))
    with (
        pytest.raises(UserError, match="process 4711 on node17, since 2026-01-02 03:04:05"),
        _locked(tmp_path),
    ):
        pass
    assert "watching for up to 90 seconds" in capsys.readouterr().out
    assert json.loads((tmp_path / lock.LOCK_FILE).read_text())["renewals"] == "000000000004"


def test_a_lease_that_is_not_renewed_is_taken_over_after_its_time(tmp_path, no_flock, monkeypatch):
    write_holder(tmp_path)
    clock = Clock()
    set_time(monkeypatch, clock)
    with _locked(tmp_path):
        lock.confirm(tmp_path)
        assert json.loads((tmp_path / lock.LOCK_FILE).read_text())["pid"] == os.getpid()
    assert (
        holders.EXPIRY_SECONDS <= clock.now <= holders.EXPIRY_SECONDS + 2 * holders.SETTLING_SECONDS
    )
    assert not list(tmp_path.iterdir())


def test_of_two_that_take_over_a_lease_one_gives_way(tmp_path, no_flock, monkeypatch):
    write_holder(tmp_path)

    def overtake(now):
        if now > holders.EXPIRY_SECONDS:
            write_holder(tmp_path, host="node18", token="another")

    set_time(monkeypatch, Clock(overtake))
    with pytest.raises(UserError, match="process 4711 on node18"), _locked(tmp_path):
        pass
    assert json.loads((tmp_path / lock.LOCK_FILE).read_text())["host"] == "node18"


def test_of_two_that_start_at_once_one_gives_way(tmp_path, no_flock, monkeypatch):
    check_holder = lock._check_holder

    def check_and_be_overtaken(*arguments):
        expired = check_holder(*arguments)
        write_holder(tmp_path)
        return expired

    monkeypatch.setattr(lock, "_check_holder", check_and_be_overtaken)
    with pytest.raises(UserError, match="process 4711 on node17"), _locked(tmp_path):
        pass


def test_a_lock_of_the_system_that_this_machine_cannot_see_is_not_taken_over(tmp_path, no_flock):
    write_holder(tmp_path, flock=True)
    file = tmp_path / lock.LOCK_FILE
    with (
        pytest.raises(UserError, match=f"if the process is gone, remove {file}"),
        _locked(tmp_path),
    ):
        pass


@pytest.mark.parametrize("content", ["of a process that is gone", ""])
def test_a_free_lock_of_the_system_says_that_its_holder_is_gone(tmp_path, monkeypatch, content):
    write_holder(tmp_path, flock=True)
    if not content:  # as a loss of power may leave it
        (tmp_path / lock.LOCK_FILE).write_text("")
    clock = Clock()
    set_time(monkeypatch, clock)
    with _locked(tmp_path):
        assert json.loads((tmp_path / lock.LOCK_FILE).read_text())["pid"] == os.getpid()
    assert clock.now == 0


def test_a_process_that_lost_its_lease_stops_without_writing(tmp_path, no_flock):
    with _locked(tmp_path):
        write_holder(tmp_path)  # another process, while this one was suspended
        with pytest.raises(StorageError, match="taken over by process 4711 on node17") as caught:
            lock.confirm(tmp_path)
        assert "\n" not in str(caught.value)
    assert json.loads((tmp_path / lock.LOCK_FILE).read_text())["pid"] == 4711  # left alone


def test_a_lease_is_renewed_and_only_ones_own(tmp_path, no_flock, monkeypatch):
    monkeypatch.setattr(holders, "RENEWED_SECONDS", 0.001)
    file = tmp_path / lock.LOCK_FILE

    def renewals(file):
        return int(json.loads(file.read_text())["renewals"])

    with _locked(tmp_path):
        while renewals(file) < 2:
            time.sleep(0.001)
        assert len(file.read_bytes().splitlines()) == 1
        os.replace(file, tmp_path / "old")
        write_holder(tmp_path)  # a process that takes over replaces the file
        before = renewals(tmp_path / "old")
        while renewals(tmp_path / "old") < before + 2:
            time.sleep(0.001)
        assert renewals(file) == 3


def test_a_run_that_lost_its_lease_writes_nothing_more(tmp_path, no_flock, root, monkeypatch):
    run_dir = tmp_path / "run"
    settings = load_settings(
        str(root / "configs" / "ring.py"),
        [
            "networks=mlp(latent_size=4, generator_widths=(8,), discriminator_widths=(8,))",
            *("steps=40", "steps_per_call=5", "log_every=5", "checkpoint_every=10"),
            "health=false",
            *("sample_every=10", "evaluate_every=40", "num_samples=4", "batch_size=16"),
        ],
    )
    log = RunWriter.log

    def suspended_at_25(self, step, values):
        if step == 25:
            os.replace(run_dir / lock.LOCK_FILE, tmp_path / "old")
            write_holder(run_dir)
        log(self, step, values)

    monkeypatch.setattr(RunWriter, "log", suspended_at_25)
    with pytest.raises(StorageError, match="taken over by process 4711 on node17"):
        training_loop.run(settings, run_dir)
    assert [row["step"] for row in read_metrics(run_dir / "metrics.jsonl")] == [5, 10, 15, 20]
    assert saved_steps(run_dir / "checkpoints") == [10, 20]
    assert not (run_dir / "samples" / "step_00000030.npy").exists()
    assert "4711" in (run_dir / lock.LOCK_FILE).read_text()
