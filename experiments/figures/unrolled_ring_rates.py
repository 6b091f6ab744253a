"""Unrolled GANs on a ring with half and twice the discriminator's step size, beside a look-ahead without gradient.

    python experiments/reproduce.py unrolled_ring_rates [--seeds=10]   # half an hour of one core; stop it and resume it at will
    python experiments/reproduce.py unrolled_ring_rates --scale=smoke   # 1 minute: 2 runs, 2 seeds, 40 steps

Source: ours, on the settings of Metz et al., "Unrolled Generative Adversarial Networks" (2017), figure 2. The figure
unrolled_ring has one step size of the discriminator, 1e-4, which the look-ahead takes too. Here K = 3, through which the
gradient comes or is stopped, has half and twice of it; everything else, and all numbers, are that figure's.

To be met: as its A1c; that the second-order term helps may be said only where full covers all modes in more seeds with p < 0.05
(Fisher's exact test, one-sided, each rate by itself).
"""

from pathlib import Path

import unrolled_ring

from gan_jax.reproduction import Claim, Run

RATES = {"half": 5e-5, "twice": 2e-4}
RUNS = {
    f"{kind}, {name} the rate": Run(
        unrolled_ring.CONFIG,
        (*unrolled_ring.EVERY, "unroll=3", f"discriminator_optimizer.adam.learning_rate={rate}", *more),
    )
    for name, rate in RATES.items()
    for kind, more in (("full", ()), ("stopped", ("unroll_stop_gradient=true",)))
}
SEEDS = 10
NOT_RUN = "the full form: 4 runs of 10 seeds of 25,000 steps. This one shows that it works, and nothing about GANs"
SMOKE_RUNS, SMOKE_SEEDS = ("full, half the rate", "stopped, half the rate"), 2
SMOKE = unrolled_ring.SMOKE


def measure(runs: dict[str, dict[int, Path]], smoke: bool) -> dict:
    """As `unrolled_ring.measure`."""
    return unrolled_ring.measure(runs, smoke)


def claims(numbers: dict) -> list[Claim]:
    found = []
    for name in RATES:
        found += unrolled_ring.against(
            numbers, f"K = 3, {name} the rate", f"full, {name} the rate", f"stopped, {name} the rate", 0.05
        )
    return found


def draw(numbers: dict):
    return unrolled_ring.draw(numbers)
