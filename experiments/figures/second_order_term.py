"""Does the gradient through the look-ahead of an unrolled GAN help to cover a ring?

    python experiments/reproduce.py second_order_term [--seeds=40]   # 2 minutes per seed
    python experiments/reproduce.py second_order_term --scale=smoke   # 1 minute

Source: ours. To be met.
"""

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

import unrolled_ring_ablation as ablation
import unrolled_ring_rates

from gan_jax.reproduction import Claim

if TYPE_CHECKING:
    from matplotlib.figure import Figure

FULL, STOPPED = "full, half the rate", "stopped, half the rate"
RUNS = {name: unrolled_ring_rates.RUNS[name] for name in (FULL, STOPPED)}
FIRST_SEED, SEEDS = 30, 40
NOT_RUN = (
    "the full form: 2 runs of 40 seeds of 25,000 steps. "
    "This one shows that it works, and nothing about GANs"
)
SMOKE_RUNS, SMOKE_SEEDS = (FULL, STOPPED), 2
SMOKE = ablation.SMOKE

Numbers = Mapping[str, Any]


def measure(runs: Mapping[str, Mapping[int, Path]], smoke: bool) -> dict[str, Any]:
    """Measures as `unrolled_ring_ablation.measure` does."""
    return ablation.measure(runs, smoke)


def claims(numbers: Numbers) -> list[Claim]:
    """Returns the claim."""
    return ablation.term_claims(numbers, "x", full=FULL, stopped=STOPPED, level=0.025)


def draw(numbers: Numbers) -> "Figure":
    """Draws."""
    return ablation.draw(numbers)
