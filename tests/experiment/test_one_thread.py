"""Programs are started from one thread: runs on several CPU devices do not hang.

When a second thread drew data while the sampler gathered its samples from all devices, each waited
for the other, for ever: within 40 evaluations in every try on 2 cores.
"""

import dataclasses
import os
import subprocess
import sys
import threading

import pytest

from gan_jax.experiment.call_loop import Loop
from gan_jax.experiment.config_files import load_settings
from gan_jax.experiment.executors import SingleRun
from gan_jax.experiment.signals import StopSignals
from gan_jax.experiment.watchdog import Watchdog

EVERY = [f"--config.{name}_every=50" for name in ("log", "evaluate")]
SHORT = ["--config.steps=2000", "--config.steps_per_call=50", *EVERY]
RARE = ["--config.checkpoint_every=1000", "--config.sample_every=1000"]


@pytest.mark.slow
@pytest.mark.parametrize(("flags", "devices"), [(["--config.population.seed=1,2,3,4"], 0), ([], 2)])
def test_forty_evaluations_on_several_devices_end(flags, devices, root, tmp_path):
    environment = {name: value for name, value in os.environ.items() if name != "XLA_FLAGS"}
    if devices:
        environment["XLA_FLAGS"] = f"--xla_force_host_platform_device_count={devices}"
    train = [sys.executable, str(root / "experiments" / "train.py"), "--config=configs/ring.py"]
    for attempt in range(3):
        command = [*train, f"--workdir={tmp_path / str(attempt)}", *flags, *SHORT, *RARE]
        ran = subprocess.run(
            command, cwd=root, env=environment, capture_output=True, text=True, timeout=300
        )
        assert ran.returncode == 0, ran.stdout + ran.stderr


def test_batches_of_drawn_data_are_made_in_the_thread_that_trains(root, monkeypatch):
    """And those of host arrays in a thread of their own, which starts no program."""
    settings = load_settings(str(root / "configs" / "ring.py"), ["steps=500", "batch_size=16"])
    for finite in ("", "finite=100"):
        part = settings.dataset.updated({"finite": 100} if finite else {})
        executor = SingleRun(dataclasses.replace(settings, dataset=part))
        threads = set()

        def batch(chunk, make=executor.batch, threads=threads):
            threads.add(threading.current_thread() is threading.main_thread())
            return make(chunk)

        monkeypatch.setattr(executor, "batch", batch)
        signals, watchdog = StopSignals(), Watchdog()
        loop = Loop(executor.members[0], executor, [], [], None, signals, watchdog, 30.0)
        for _ in loop.batches(0):
            pass
        assert threads == {not finite}
