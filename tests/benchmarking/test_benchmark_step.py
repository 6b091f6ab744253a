"""What makes a call of many steps quick, and can be checked without a clock."""

import re
import subprocess
import sys
from pathlib import Path

import jax
import pytest

from gan_jax.experiment import config as configs
from gan_jax.experiment.builder import build
from gan_jax.experiment.executors import SingleRun

ROOT = Path(__file__).resolve().parents[2]


@pytest.fixture(scope="module")
def played():
    """The program of a small unrolled ring GAN, the states before and after each of three calls, and a batch."""
    settings = {"mlp": {"latent_size": 2, "generator_widths": (8,), "discriminator_widths": (8,)}}
    shipped = configs.to_dict(configs.load(f"{ROOT}/configs/ring.py:unrolled"))
    config = {**shipped, "networks": settings, "batch_size": 8, "unroll": 2}
    experiment = build(config)
    program = SingleRun(config, experiment)
    states = [program.init()]
    for chunk in experiment.chunks(0, 9, 3):
        batch = program.batch(chunk)
        states.append(program(chunk, states[-1], batch)[0])
    return program, states, batch


def test_many_calls_are_one_compilation(played):
    program, states, _ = played
    assert int(states[-1].step) == 9 and program.programs[0]._cache_size() == 1


def test_a_state_that_was_given_is_used_up_and_its_memory_with_it(played):
    program, states, batch = played
    for state in states[:-1]:
        assert all(leaf.is_deleted() for leaf in jax.tree.leaves(state))
    assert not any(leaf.is_deleted() for leaf in jax.tree.leaves(states[-1]))
    compiled = program.programs[0].lower(states[-1], batch, program.key).compile()
    own = sum(leaf.nbytes for leaf in jax.tree.leaves(states[-1]))  # each device has a copy
    assert compiled.memory_analysis().alias_size_in_bytes >= own


def test_nothing_in_a_call_asks_the_host(played):
    program, states, batch = played
    text = program.programs[0].lower(states[-1], batch, program.key).compile().as_text()
    assert "while" in text  # the steps are a loop on the device
    assert not re.findall(r"callback|infeed|outfeed|\bsend\b|\brecv\b", text)


def test_imports_cost_little_beside_that_of_jax(root):
    """Time of this process's own CPU, so that what else runs does not count."""
    use = "gan_jax.adversarial, gan_jax.unrolled, gan_jax.fused, gan_jax.objectives.losses, gan_jax.objectives.penalties, gan_jax.training.data_parallel"
    code = f"""
import time
start = time.process_time()
import jax
mid = time.process_time()
import gan_jax
print(time.process_time() - mid, end=" ")
{use}
print(time.process_time() - mid, mid - start)"""
    command = [sys.executable, "-c", code]
    runs = [
        subprocess.run(command, capture_output=True, text=True, cwd=root, check=True)
        for _ in range(2)
    ]
    bare, used, whole = (
        min(column)
        for column in zip(*[map(float, run.stdout.split()) for run in runs], strict=True)
    )
    assert bare < 0.05 * whole
    assert used < 0.6 * whole
