"""What measuring health costs: runs with it, next to the same runs without it.

Both take as many steps in a call as are between two rows of metrics, config.log_every, and health
is measured once at the end of each call, so that the ratio is that of a whole run. It is 1 if
health costs nothing, and 0.97 if it costs 3% of a step. Times are seconds of the CPU: other
programs that share the cores change a ratio near 1 more than health does.
"""

import dataclasses
import time
from collections.abc import Iterator
from pathlib import Path

from _sides import TrainingRun, noise_images

from gan_jax.benchmarking import Call, Comparison, SelfTimed
from gan_jax.experiment.config_files import load_settings

PACKAGES = ("flax", "optax")
CONFIGS = Path(__file__).resolve().parents[2] / "configs"
COSTS = {"ring.py:vanilla": 0.03, "fashion_mnist.py": 0.01}
"""The largest share of a step that health may cost."""


class MonitoredRun(TrainingRun):
    """A run that measures its health at the end of each call."""

    measures_health = True


def in_cpu_time(run: TrainingRun) -> Call:
    """Returns a call that measures the seconds that all threads of this process compute."""

    def call() -> SelfTimed:
        start = time.process_time()
        run()
        return SelfTimed(time.process_time() - start)

    return call


def comparisons(small: bool = False) -> Iterator[Comparison]:
    """Yields the ring, and Fashion-MNIST with noise for images; ``small``: 10 steps."""
    for config, cost in COSTS.items():
        settings = load_settings(str(CONFIGS / config))
        steps = 10 if small else settings.log_every
        if small:
            settings = dataclasses.replace(settings, batch_size=16)
        dataset = None if config.startswith("ring") else noise_images(28, channels=1)
        yield Comparison(
            f"health on {config}, every {steps} steps",
            ours=in_cpu_time(MonitoredRun(settings, steps, dataset)),
            peers={"without health": in_cpu_time(TrainingRun(settings, steps, dataset))},
            goal=1 - cost,
            steps=steps,
            max_rounds=9,
        )
