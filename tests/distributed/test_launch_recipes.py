"""The recipes of experiments/launch/ start jobs of two processes under their own environments."""

import os
import shlex
import signal
import stat
import subprocess
import sys
import time
from pathlib import Path

import pytest
import yaml
from test_multihost import SMALL_RUN, environment, free_port, wait_to_end

from gan_jax.loggers import json_lines

ROOT = Path(__file__).resolve().parents[2]
RECIPES = ROOT / "experiments" / "launch"

SRUN = """#!/usr/bin/env bash
# srun as far as JAX and the recipe can tell: two tasks, to which signals are passed on.
for task in 0 1; do
    SLURM_PROCID=$task SLURM_LOCALID=$task "$@" &
    tasks="$tasks $!"
done
trap 'kill -USR1 $tasks' USR1
code=0
for task in $tasks; do
    while kill -0 $task 2>/dev/null; do wait $task; code=$?; done
done
exit $code
"""

TPU_HOST = """
import runpy, sys
from jax._src import cloud_tpu_init
from jax._src.clusters import cloud_tpu_cluster
cloud_tpu_init.running_in_cloud_tpu_vm = cloud_tpu_cluster.running_in_cloud_tpu_vm = True
sys.argv = sys.argv[1:]
runpy.run_path(sys.argv[0], run_name="__main__")
"""
"""Runs a program as on a host whose TPU chips JAX has found."""


def flags(run_dir: Path, *overrides: str) -> list[str]:
    return [
        f"--config={ROOT / 'configs' / 'ring.py:vanilla'}",
        f"--workdir={run_dir}",
        *[f"--config.{override}" for override in (*SMALL_RUN, *overrides)],
    ]


def container(recipe: str) -> dict:
    (job,) = [
        document
        for document in yaml.safe_load_all((RECIPES / recipe).read_text())
        if document["kind"] == "Job"
    ]
    (container,) = job["spec"]["template"]["spec"]["containers"]
    return container


def start(command: list[str], **variables: str) -> subprocess.Popen:
    return subprocess.Popen(
        command,
        cwd=ROOT,
        env=environment() | variables,
        text=True,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
    )


@pytest.mark.slow
def test_a_slurm_job_is_saved_before_its_time_is_over_and_resumes(tmp_path):
    for name, text in (("srun", SRUN), ("scontrol", f"#!/bin/sh\necho $@ >> {tmp_path}/calls\n")):
        program = tmp_path / name
        program.write_text(text)
        program.chmod(program.stat().st_mode | stat.S_IXUSR)
    variables = {
        "PATH": f"{tmp_path}{os.pathsep}{os.environ['PATH']}",
        "PYTHON": sys.executable,
        "SLURM_JOB_ID": str(free_port()),
        "SLURM_STEP_NODELIST": "127.0.0.1",
        "SLURM_NTASKS": "2",
    }
    command = ["bash", str(RECIPES / "slurm.sbatch"), *flags(tmp_path / "run")]

    job = start([*command, "--config.steps=100000"], **variables)
    end = time.monotonic() + 240
    while not (tmp_path / "run" / "checkpoints" / "40").is_dir():
        assert time.monotonic() < end and job.poll() is None, job.communicate()
        time.sleep(0.05)
    job.send_signal(signal.SIGUSR1)
    output, errors = job.communicate(timeout=240)
    assert job.returncode == 0, errors
    assert (tmp_path / "calls").read_text() == f"requeue {variables['SLURM_JOB_ID']}\n"
    saved = max(row["step"] for row in json_lines.read_metrics(tmp_path / "run" / "metrics.jsonl"))

    goal = saved + 40
    again = start([*command, f"--config.steps={goal}"], **variables)
    output, errors = again.communicate(timeout=240)
    assert again.returncode == 0, errors
    assert f"resuming at step {saved}" in output
    assert "4 CPU devices of 2 processes" in output
    assert (tmp_path / "run" / "checkpoints" / str(goal)).is_dir()


@pytest.mark.slow
def test_pods_of_a_kubernetes_job_find_each_other(tmp_path):
    recipe = container("gke_gpu.yaml")
    variables = {entry["name"]: entry["value"] for entry in recipe["env"]}
    assert variables["PROCESSES"] == "2"
    variables |= {"COORDINATOR": f"127.0.0.1:{free_port()}"}
    (script,) = recipe["args"]
    program, _, _ = script.partition(" --config=")
    script = f"{program} {shlex.join(flags(tmp_path / 'run'))}"
    script = script.replace("exec python ", f"exec {shlex.quote(sys.executable)} ")
    job = [
        start([*recipe["command"], script], **variables, JOB_COMPLETION_INDEX=str(index))
        for index in (0, 1)
    ]
    wait_to_end(job)
    assert (tmp_path / "run" / "checkpoints" / "400").is_dir()


@pytest.mark.slow
def test_hosts_of_a_tpu_slice_find_each_other(tmp_path):
    recipe = container("gke_tpu.yaml")
    assert recipe["command"] == ["python", "experiments/train.py"]
    arguments = [flag for flag in recipe["args"] if not flag.startswith(("--config", "--workdir"))]
    # Without those of several slices JAX asks a server of the host.
    command = [sys.executable, "-c", TPU_HOST, *recipe["command"][1:], *arguments]
    job = [
        start(
            [*command, *flags(tmp_path / "run")],
            TPU_WORKER_HOSTNAMES="127.0.0.1,127.0.0.1",
            TPU_WORKER_ID=str(index),
            MEGASCALE_COORDINATOR_ADDRESS="127.0.0.1",
            MEGASCALE_NUM_SLICES="1",
            MEGASCALE_SLICE_ID="0",
        )
        for index in (0, 1)
    ]
    wait_to_end(job)
    assert (tmp_path / "run" / "checkpoints" / "400").is_dir()


def test_the_image_copies_what_exists():
    lines = (RECIPES / "Dockerfile").read_text().splitlines()
    sources = [name for line in lines if line.startswith("COPY ") for name in line.split()[1:-1]]
    assert "gan_jax" in sources
    assert all((ROOT / name).exists() for name in sources)
