"""A GAN that unrolls its discriminator covers a ring of 8 Gaussians, and one that does not rotates.

    python experiments/reproduce.py unrolled_ring [--seeds=10]   # 10 to 30 minutes per seed
    python experiments/reproduce.py unrolled_ring --scale=short --seeds=1   # 5 to 20 minutes
    python experiments/reproduce.py unrolled_ring --scale=smoke   # 1 minute

It can be stopped and resumed. The short form has 15,000 of the 25,000 steps, the smoke form 2 seeds
and 40 steps.

Source: Metz et al., "Unrolled Generative Adversarial Networks" (2017), figure 2, section 3.1 and
appendix A; settings as in configs/ring.py. As in the paper, the rows are K = 10 look-ahead steps
and K = 0, the columns are the generator's samples after 0, 5,000, ..., 25,000 steps, and the last
column is the data. Other K, and a look-ahead without its gradient, are in unrolled_ring_ablation.

Numbers and claims are those of unrolled_ring_ablation. To be met: K = 10 covers 8 modes at the end
in 9 of 10 seeds, with a median share of high quality of 0.80 or more; K = 0 is near 2 modes or
fewer, with 0.10 of high quality or less, in the second half of its checkpoints in 9 of 10 seeds,
and the leading mode changes. Fewer seeds are not judged.

Measured with seed 0 alone: K = 10 covers 8 modes from step 15,000 on and ends with 0.89 of high
quality; K = 0 is near 2 modes or fewer at each picture and covers none. Ten seeds of the same
settings are in unrolled_ring_ablation.
"""

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import unrolled_ring_ablation as ablation
from _history import smoothed_histogram

from gan_jax.experiment.run_directory import samples_over_training
from gan_jax.reproduction import Claim, Run, page

if TYPE_CHECKING:
    from matplotlib.figure import Figure

EVERY = 5_000
"""Steps between two pictures."""

SCHEDULE = (
    f"sample_every={EVERY}",
    f"evaluate_every={EVERY}",
    f"log_every={EVERY}",
    f"checkpoint_every={EVERY}",
    "num_samples=2500",
    "keep_checkpoints=2",
)
RUNS = {f"K = {k}": Run(ablation.CONFIG, (*SCHEDULE, f"unroll={k}")) for k in (10, 0)}
SEEDS = 10
NOT_RUN = (
    "the full form: 2 runs of 10 seeds of 25,000 steps. "
    "This one shows that it works, and nothing about GANs"
)
SHORT = ("steps=15000",)
NOT_RUN_SHORT = "10,000 of the 25,000 steps"
SMOKE_RUNS, SMOKE_SEEDS = tuple(RUNS), 2
SMOKE = ablation.SMOKE

Numbers = Mapping[str, Any]


def measure(runs: Mapping[str, Mapping[int, Path]], smoke: bool) -> dict[str, Any]:
    """Measures as `unrolled_ring_ablation.measure` does, with pictures from step 0, and the data.

    The pictures are of the first seed.
    """
    from gan_jax.experiment.builder import build
    from gan_jax.experiment.run_directory import read_settings

    numbers = ablation.measure(runs, smoke)
    pictures, target = {}, None
    for name, directories in runs.items():
        seed, directory = next(iter(directories.items()))
        settings = read_settings(directory)
        dataset = build(settings).dataset
        extent = 1.5 * float(np.abs(dataset.centres).max())
        shown = [
            {"step": step, "counts": smoothed_histogram(samples, extent)}
            for step, samples in samples_over_training(directory)
        ]
        pictures[name] = {"seed": seed, "extent": extent, "shown": shown}
        data = np.asarray(dataset.draw(0, np.arange(settings.num_samples))["real"])
        target = smoothed_histogram(data, extent)
    steps = max(density["step"] for density in shown)
    return numbers | {"pictures": pictures, "target": target, "steps": steps}


def claims(numbers: Numbers) -> list[Claim]:
    """Returns the claims about K = 10 and about K = 0."""
    claims = []
    if rows := ablation.rows_of(numbers, "K = 10"):
        claims += ablation.full_claims(rows)
    if rows := ablation.rows_of(numbers, "K = 0"):
        claims += ablation.vanilla_claims(rows)
    return claims


def draw(numbers: Numbers) -> "Figure":
    """Draws samples over training, one row per K, and the data."""
    pictures = numbers["pictures"]
    columns = 1 + max(len(picture["shown"]) for picture in pictures.values())
    figure, axes = page.panels(len(pictures), columns, 0.9 * len(pictures) + 0.4)
    for row, (name, picture) in zip(axes, pictures.items(), strict=True):
        densities = [density["counts"] for density in picture["shown"]]
        for ax, counts in zip(row, [*densities, numbers["target"]], strict=True):
            ax.imshow(counts, origin="lower", cmap="Greens", vmin=0)
            ax.set(xticks=[], yticks=[])
        row[0].set_ylabel(name)
        for ax, density in zip(row, picture["shown"], strict=False):
            ax.set_title(f"step {density['step']:,}", loc="center")
        row[-1].set_title("data", loc="center")
    return figure
