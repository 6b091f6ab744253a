"""Jobs of two processes give the numbers of one, and end with one line if a process is lost."""

import dataclasses
import os
import re
import signal
import socket
import subprocess
import sys
import time
from pathlib import Path

import jax
import numpy as np
import parallelism_cases
import pytest

from gan_jax.distributed import multihost
from gan_jax.distributed.mesh import device_mesh
from gan_jax.errors import UserError
from gan_jax.experiment import run_directory, training_loop
from gan_jax.experiment.builder import build
from gan_jax.experiment.checkpoint_opening import open_checkpoints
from gan_jax.training.data_parallel import sharded

SMALL_RUN = [
    "networks=mlp(latent_size=4, generator_widths=(8,), discriminator_widths=(8,))",
    "batch_size=16",
    "steps=400",
    "steps_per_call=5",
    "log_every=20",
    "health=false",
    "checkpoint_every=20",
    "sample_every=200",
    "evaluate_every=200",
    "keep_checkpoints=100",
]


def environment(devices: int = 2) -> dict[str, str]:
    """The environment of a process with so many devices."""
    tests = str(Path(__file__).parents[1])
    return os.environ | {
        "XLA_FLAGS": re.sub(r"(device_count)=\d+", rf"\1={devices}", os.environ["XLA_FLAGS"]),
        "NPROC": "32",
        "JAX_PLATFORMS": "cpu",
        "PYTHONPATH": os.pathsep.join([tests, os.environ.get("PYTHONPATH", "")]),
    }


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


def start_job(*arguments: str) -> list[subprocess.Popen]:
    """Starts both processes of a job."""
    job = [f"--coordinator=127.0.0.1:{free_port()}", "--processes=2"]
    return [
        subprocess.Popen(
            [sys.executable, *arguments, *job, f"--process={index}"],
            env=environment(),
            text=True,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
        )
        for index in (0, 1)
    ]


def command(root: Path, run_dir: Path, *overrides: str) -> list[str]:
    return [
        str(root / "experiments" / "train.py"),
        f"--config={root / 'configs' / 'ring.py:vanilla'}",
        f"--workdir={run_dir}",
        *[f"--config.{override}" for override in (*SMALL_RUN, *overrides)],
    ]


def train(root: Path, run_dir: Path) -> list[subprocess.Popen]:
    return start_job(*command(root, run_dir))


def train_alone(root: Path, run_dir: Path, devices: int, *overrides: str) -> subprocess.Popen:
    """Starts the same run in one process."""
    return subprocess.Popen(
        [sys.executable, *command(root, run_dir, *overrides)],
        env=environment(devices),
        text=True,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
    )


def wait_to_end(processes: list[subprocess.Popen]) -> str:
    """Waits until all have ended well, and returns what the main process has printed."""
    outputs = []
    for process in processes:
        output, errors = process.communicate(timeout=300)
        assert process.returncode == 0, errors
        outputs.append(output)
    return outputs[0]


def kill_after_step_40(processes: list[subprocess.Popen], run_dir: Path) -> int:
    """Kills the last process after a checkpoint, and returns the newest step."""
    end = time.monotonic() + 240
    while not (run_dir / "checkpoints" / "40").is_dir():
        assert time.monotonic() < end and all(process.poll() is None for process in processes)
        time.sleep(0.05)
    processes[-1].send_signal(signal.SIGKILL)
    for process in processes:
        process.communicate(timeout=60)
    step = final_state(run_dir)[0]
    assert 40 <= step < 400
    return step


def final_state(run_dir: Path) -> tuple[int, np.ndarray]:
    settings = run_directory.read_settings(run_dir)
    with open_checkpoints(run_dir, settings) as checkpoints:
        step, state = checkpoints.restore(jax.eval_shape(build(settings).init, jax.random.key(0)))
    return step, parallelism_cases.flat(state)


@pytest.mark.slow
def test_two_processes_of_two_devices_give_the_numbers_of_one_device(tmp_path):
    job = start_job(str(Path(__file__).parents[1] / "two_processes.py"), str(tmp_path))
    outputs = [process.communicate(timeout=600) for process in job]
    for number, case in enumerate(parallelism_cases.OF_TWO_PROCESSES):
        expected = parallelism_cases.gradients(
            case, lambda step: sharded(step, device_mesh(jax.devices()[:1]))
        )
        for parallelism in parallelism_cases.MAPPINGS:
            for process in (0, 1):
                file = tmp_path / f"{number}_{parallelism}_{process}.npz"
                assert file.exists(), outputs
                metrics = dict(np.load(file))
                moved = {player: metrics.pop(player) for player in ("generator", "discriminator")}
                parallelism_cases.assert_alike(expected, (moved, metrics))


@pytest.mark.slow
def test_a_killed_process_ends_the_other_and_both_resume(root, tmp_path):
    whole, cut = tmp_path / "whole", tmp_path / "cut"
    wait_to_end(train(root, whole))
    job = train(root, cut)
    end = time.monotonic() + 240
    while not (cut / "checkpoints" / "40").is_dir():
        assert time.monotonic() < end and all(process.poll() is None for process in job)
        time.sleep(0.05)
    job[1].send_signal(signal.SIGKILL)
    killed = time.monotonic()
    _, errors = job[0].communicate(timeout=60)
    assert time.monotonic() - killed < 20
    assert job[0].returncode == 1 and "error: process 0 of 2 has lost another one" in errors
    job[1].communicate()
    assert 40 <= final_state(cut)[0] < 400
    wait_to_end(train(root, cut))
    (step, state), (whole_step, whole_state) = final_state(cut), final_state(whole)
    assert step == whole_step == 400 and np.array_equal(state, whole_state)

    # This process resumes what four devices of two processes wrote.
    settings = run_directory.read_settings(whole)
    training_loop.run(dataclasses.replace(settings, steps=420, log_every=5), whole)
    assert final_state(whole)[0] == 420


@pytest.mark.slow
def test_a_signal_to_one_process_stops_both_at_the_same_step_and_both_resume(root, tmp_path):
    whole, cut = tmp_path / "whole", tmp_path / "cut"
    wait_to_end(train(root, whole))
    job = train(root, cut)
    end = time.monotonic() + 240
    while not (cut / "checkpoints" / "40").is_dir():
        assert time.monotonic() < end and all(process.poll() is None for process in job)
        time.sleep(0.05)
    job[1].send_signal(signal.SIGTERM)
    outputs = [process.communicate(timeout=120) for process in job]
    assert [process.returncode for process in job] == [143, 143], outputs
    assert "stopped by SIGTERM at step" in outputs[0][0] and 40 <= final_state(cut)[0] < 400
    wait_to_end(train(root, cut))
    (step, state), (whole_step, whole_state) = final_state(cut), final_state(whole)
    assert step == whole_step == 400 and np.array_equal(state, whole_state)
    assert not (cut / "postponed").exists()


@pytest.fixture(scope="module")
def whole_run(tmp_path_factory) -> np.ndarray:
    """The last state of a run that one process with one device has trained without a stop."""
    run_dir = tmp_path_factory.mktemp("elastic") / "whole"
    wait_to_end([train_alone(Path(__file__).parents[2], run_dir, 1)])
    return final_state(run_dir)[1]


def assert_ends_like(run_dir: Path, whole_run: np.ndarray) -> None:
    """The same numbers up to rounding, which another split of the batch changes."""
    step, state = final_state(run_dir)
    assert step == 400
    np.testing.assert_allclose(state, whole_run, rtol=1e-4, atol=1e-6)


@pytest.mark.slow
def test_a_job_that_lost_one_of_two_processes_goes_on_with_one(root, tmp_path, whole_run):
    run_dir = tmp_path / "run"
    step = kill_after_step_40(train(root, run_dir), run_dir)
    assert f"resuming at step {step}" in wait_to_end([train_alone(root, run_dir, 2)])
    assert_ends_like(run_dir, whole_run)


@pytest.mark.slow
def test_a_killed_process_alone_goes_on_as_a_job_of_two(root, tmp_path, whole_run):
    run_dir = tmp_path / "run"
    step = kill_after_step_40([train_alone(root, run_dir, 2)], run_dir)
    assert f"resuming at step {step}" in wait_to_end(train(root, run_dir))
    assert_ends_like(run_dir, whole_run)


@pytest.mark.slow
def test_a_run_goes_from_four_devices_to_one_to_two(root, tmp_path, whole_run):
    run_dir = tmp_path / "run"
    for devices, steps, start in ((4, 100, "starting"), (1, 250, "step 100"), (2, 400, "step 250")):
        output = wait_to_end([train_alone(root, run_dir, devices, f"steps={steps}")])
        assert f"{start}, " in output and final_state(run_dir)[0] == steps
    assert_ends_like(run_dir, whole_run)


DIVIDED = "parallelism=fully_sharded(smallest=16)"


@pytest.mark.slow
def test_a_divided_state_goes_from_four_devices_to_two_to_one(root, tmp_path, whole_run):
    run_dir = tmp_path / "run"
    for devices, steps in ((4, 100), (2, 250), (1, 400)):
        wait_to_end([train_alone(root, run_dir, devices, f"steps={steps}", DIVIDED)])
        assert final_state(run_dir)[0] == steps
    assert_ends_like(run_dir, whole_run)


@pytest.mark.slow
def test_processes_agree_that_the_part_of_one_is_damaged(root, tmp_path):
    """Each reads its own part of a divided state: one alone sees what is wrong."""
    run_dir = tmp_path / "run"
    # Large enough that the parts of a leaf lie in files of their processes.
    wide = "networks=mlp(latent_size=4, generator_widths=(128,128), discriminator_widths=(8,))"
    wait_to_end(start_job(*command(root, run_dir, wide, DIVIDED, "steps=60")))
    files = (run_dir / "checkpoints" / "60" / "state" / "ocdbt.process_1" / "d").iterdir()
    os.truncate(max(files, key=lambda file: file.stat().st_size), 50)
    output = wait_to_end(start_job(*command(root, run_dir, wide, DIVIDED, "steps=80")))
    assert "another process cannot read its part" in output and "resuming at step 40" in output
    assert final_state(run_dir)[0] == 80
    # One process with other devices reads what two have written.
    settings = run_directory.read_settings(run_dir)
    training_loop.run(dataclasses.replace(settings, steps=100, log_every=5), run_dir)
    assert final_state(run_dir)[0] == 100


def test_a_job_that_is_half_described_is_refused():
    for arguments in (
        ("127.0.0.1:1", 2, -1),
        ("127.0.0.1:1", 0, 0),
        ("", 2, 1),
        ("127.0.0.1:1", 2, 2),
    ):
        with pytest.raises(UserError, match="--coordinator=HOST:PORT"), multihost.job(*arguments):
            pass


def test_a_single_process_provides_the_whole_batch_and_agrees_with_itself():
    assert multihost.process_slice(8) == slice(0, 8)
    assert multihost.any_process(True) and not multihost.any_process(False)
    assert multihost.is_main_process()
