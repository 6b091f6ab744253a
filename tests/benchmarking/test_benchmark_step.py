"""What makes a call of many steps fast, and can be checked without a clock."""

import re
import subprocess
import sys
from pathlib import Path

import jax
import pytest

from gan_jax.experiment.config_files import load_settings
from gan_jax.experiment.executors import SingleRun

ROOT = Path(__file__).resolve().parents[2]


@pytest.fixture(scope="module")
def run():
    """A small unrolled ring GAN: its executor, the states around three calls, and a batch."""
    settings = load_settings(
        f"{ROOT}/configs/ring.py:unrolled",
        [
            "networks=mlp(latent_size=2, generator_widths=(8,), discriminator_widths=(8,))",
            "batch_size=8",
            "unroll=2",
            "steps=9",
            "steps_per_call=3",
            "log_every=3",
            "sample_every=9",
            "evaluate_every=9",
            "checkpoint_every=9",
        ],
    )
    executor = SingleRun(settings)
    states = [executor.init()]
    for chunk in executor.experiment.chunks(0, 9):
        batch = executor.batch(chunk)
        states.append(executor.step(chunk, states[-1], batch)[0])
    return executor, states, batch


def compiled_step(executor, state, batch):
    return executor._programs[0].lower(state, batch, executor.key(0)).compile()


def test_many_calls_are_compiled_once(run):
    executor, states, _ = run
    assert len(states) == 1 + 3 and int(states[-1].step) == 9
    assert executor._programs[0]._cache_size() == 1


def test_the_memory_of_a_state_is_reused_for_the_next(run):
    executor, states, batch = run
    for state in states[:-1]:
        assert all(leaf.is_deleted() for leaf in jax.tree.leaves(state))
    assert not any(leaf.is_deleted() for leaf in jax.tree.leaves(states[-1]))
    compiled = compiled_step(executor, states[-1], batch)
    state_bytes = sum(leaf.nbytes for leaf in jax.tree.leaves(states[-1]))  # each device has a copy
    assert compiled.memory_analysis().alias_size_in_bytes >= state_bytes


def test_a_call_never_waits_for_the_host(run):
    executor, states, batch = run
    text = compiled_step(executor, states[-1], batch).as_text()
    assert "while" in text  # the steps are a loop on the device
    assert not re.findall(r"callback|infeed|outfeed|\bsend\b|\brecv\b", text)


TIME_IMPORTS = """
import time
start = time.process_time()
import jax
jax_imported = time.process_time()
import gan_jax
print(time.process_time() - jax_imported, end=" ")
gan_jax.adversarial, gan_jax.unrolled, gan_jax.fused
gan_jax.objectives.losses, gan_jax.objectives.penalties, gan_jax.training.data_parallel
print(time.process_time() - jax_imported, jax_imported - start)
"""


def test_importing_gan_jax_takes_little_time_compared_to_jax(root):
    """Measures CPU time of the process itself, so that other processes do not count."""
    command = [sys.executable, "-c", TIME_IMPORTS]
    times = []
    for _ in range(2):
        run = subprocess.run(command, capture_output=True, text=True, cwd=root, check=True)
        times.append([float(number) for number in run.stdout.split()])
    bare, used, jax_alone = (min(column) for column in zip(*times, strict=True))
    assert bare < 0.05 * jax_alone
    assert used < 0.6 * jax_alone
