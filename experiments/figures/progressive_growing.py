"""ProGAN grown from 4x4 to 32x32 against the same networks at 32x32 from the first step on.

    python experiments/reproduce.py progressive_growing                          # 3 hours
    python experiments/reproduce.py progressive_growing --scale=short --seeds=1  # 10 minutes

Times are of 2 CPU cores, estimated from 1.2 steps/s at 32x32, and half the time for a grown run. It
can be stopped and resumed, and --seeds=N with a larger N adds seeds; one by one they train faster
than together. The short form has 300 of the 2,400 steps.

Source: Karras et al., "Progressive Growing of GANs for Improved Quality, Stability, and Variation"
(2018), section 6.2, figure 4 and table 1, as a small form: Fashion-MNIST with a border to 32x32
pixels, and networks of up to 64 channels, as configs/fashion_mnist.py has them. Both runs show
153,600 images in batches of 64; the grown one spends 320, 480, 640 and 960 steps at 4x4, 8x8, 16x16
and 32x32, and fades in each resolution over the first half of its steps. WGAN-GP with drift, Adam
1e-3 (0, 0.99), one update of the critic per step, EMA 0.999. The paper shows 10 million images of
faces.

SWD is the sliced Wasserstein distance of 7x7 patches at two levels of a Laplacian pyramid, of 32
and 16 pixels, times 1,000, between 2,000 samples and as many training images (64 patches per image
and level, 128 directions; the paper has 16,384, 128 and 512). MS-SSIM is of 1,000 pairs of samples.
FD is the Fréchet distance of 5,000 samples from the test images under a LeNet, never FID. While a
run grows, its small images are enlarged and scored. Seconds are those of training, without
compilation, scores and checkpoints, and a seed's share of them if several train together.

To be met, set before any run, by means over seeds. The grown run reaches the mean SWD that the
other has at the end in fewer seconds than the other takes; its own mean SWD at the end is higher by
10% or less.

Measured in the short form, seed 0, where neither run has images to speak of: mean SWD 125 of the
grown run after 113 s, and 99 of the other after 212 s.
"""

import math
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import _image_runs as images
import numpy as np
from _comparisons import diverged

from gan_jax.reproduction import Claim, Run, page, to_json_value

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

CONFIG = "configs/fashion_mnist.py:progan"
BATCH, RESOLUTIONS, SHARES = 64, (4, 8, 16, 32), (2, 3, 4, 6)
"""Images per step, resolutions, and their shares of 15 of the steps."""

STEPS, SHORT_STEPS = 2_400, 300
GROWN, WHOLE = "grown", "not grown"


def schedule(name: str, steps: int) -> str:
    """Returns the override of a run's phases (resolution, batch size, steps, fade steps)."""
    phases = [(RESOLUTIONS[-1], BATCH, steps, 0)]
    if name == GROWN:
        lengths = [steps * share // sum(SHARES) for share in SHARES]
        fades = [0, *(length // 2 for length in lengths[1:])]
        phases = list(zip(RESOLUTIONS, [BATCH] * len(SHARES), lengths, fades, strict=True))
    return f"progressive_growing={tuple(phases)}"


def metrics(distances: int, features: int) -> str:
    """Returns the override of what is scored.

    Args:
      distances: samples for SWD and MS-SSIM.
      features: samples for FD.
    """
    return (
        f"metrics=sliced_wasserstein(samples={distances}, patches=64, directions=128) "
        f"+ ms_ssim(samples={distances}) + fd_lenet(samples={features})"
    )


SAMPLES = (2_000, 5_000)
RUNS = {
    name: Run(
        CONFIG,
        (
            *images.every(STEPS, 10, log_every=40),
            "steps_per_call=20",
            metrics(*SAMPLES),
            schedule(name, STEPS),
        ),
    )
    for name in (GROWN, WHOLE)
}
SEEDS = 3
SHORT = {
    name: (*images.every(SHORT_STEPS, 5, log_every=20), schedule(name, SHORT_STEPS))
    for name in RUNS
}
NOT_RUN_SHORT = f"{STEPS - SHORT_STEPS:,} of the {STEPS:,} steps"
SMOKE_RUNS, SMOKE_SEEDS = (GROWN,), 1
SMOKE_SAMPLES = (40, 200)
SMOKE = (
    "steps=8",
    "steps_per_call=2",
    "log_every=4",
    *images.intervals(4),
    metrics(*SMOKE_SAMPLES),
    "progressive_growing=((4, 8, 8, 0),)",
)
NOT_RUN = (
    "one of two runs, all resolutions above 4x4, and all steps but 8: this only shows that it works"
)

SWD, SIMILARITY, FD = "mean SWD", "MS-SSIM", "FD"
SCORES = {
    SWD: "mean SWD x 1000",
    "SWD at 32": "SWD x 1000 at 32 pixels",
    "SWD at 16": "SWD x 1000 at 16 pixels",
    SIMILARITY: "MS-SSIM",
    FD: "FD, LeNet",
}
ALLOWED = 1.1
"""Times the other's SWD that the grown run may have at the end."""

_STYLES = {GROWN: {"color": page.BLUE}, WHOLE: {"color": page.ORANGE, "linestyle": "--"}}

Numbers = Mapping[str, Any]


# ------------------------------------------------------------------------------------- measurement


def measure(runs: Mapping[str, Mapping[int, Path]], smoke: bool) -> dict[str, Any]:
    """Returns a row per run and seed: scores by step, images shown and seconds; and real images."""
    from gan_jax.evaluation.protocols.naming import counted_name

    distances, features = SMOKE_SAMPLES if smoke else SAMPLES
    logged = (
        *(f"{counted_name('swd', distances)}/{part}" for part in ("mean", "32", "16")),
        counted_name("ms_ssim", distances),
        counted_name("fd_lenet_", features),
    )
    made = images.rows(runs, *logged)
    for row in made:
        directories = runs[row["run"]]
        row["curves"] = dict(zip(SCORES, row["curves"].values(), strict=True))
        for score, curve in row["curves"].items():
            if "SWD" in score:
                curve["value"] = [1000 * value for value in curve["value"]]
        row |= costs(directories[row["seed"]], row["curves"][SWD]["step"])
    real = {SWD: 1000 * real_distance(distances)}
    numbers: dict[str, Any] = to_json_value({"rows": made, "real": real}, 6)
    return numbers


def costs(directory: Path, steps: Sequence[int]) -> dict[str, list[float]]:
    """Returns what a run had cost at some steps: images shown, and seconds of training.

    Args:
      directory: of the run.
      steps: at which the run logged.
    """
    from gan_jax.experiment.run_directory import read_settings
    from gan_jax.loggers.json_lines import read_metrics
    from gan_jax.training.progressive_growing import Phase, images_shown

    phases = [Phase(*phase) for phase in read_settings(directory).progressive_growing]
    logged = read_metrics(directory / "metrics.jsonl")
    paces = {
        row["step"]: row["pace/samples_per_second"]
        for row in logged
        if "pace/samples_per_second" in row
    }
    shown = {step: images_shown(phases, step) for step in paces}
    seconds = seconds_of_training(shown, paces)
    return {"images": [shown[step] for step in steps], "seconds": [seconds[step] for step in steps]}


def seconds_of_training(shown: Mapping[int, int], paces: Mapping[int, float]) -> dict[int, float]:
    """Returns the seconds that a run had trained at each step, its share of those of a population.

    Args:
      shown: images that the run was shown, by step.
      paces: images per second since the step before, of all seeds that train together, by step.
    """
    seconds, before, total = {}, 0, 0.0
    for step in sorted(paces):
        total += (shown[step] - before) / paces[step]
        before = shown[step]
        seconds[step] = total
    return seconds


def real_distance(samples: int) -> float:
    """Returns the SWD between two disjoint sets of training images, as runs are scored."""
    from gan_jax import data
    from gan_jax import metrics as scores

    train = data.fashion_mnist("train", resolution=RESOLUTIONS[-1]).arrays["real"]
    chosen = np.random.default_rng(0).permutation(len(train))[: 2 * samples]
    pixels = images.decoded(np.asarray(train[:])[chosen])
    first, second = pixels[:samples], pixels[samples:]
    return scores.sliced_wasserstein(first, second, patches_per_image=64, directions=128).mean


# ------------------------------------------------------------------------------------------ claims


def mean_curve(numbers: Numbers, run: str, score: str, cost: str) -> tuple[np.ndarray, np.ndarray]:
    """Returns means over seeds that did not diverge: a cost, and a score at that cost."""
    rows = images.rows_named(numbers, run)
    values = [row["curves"][score]["value"] for row in rows]
    return np.mean([row[cost] for row in rows], axis=0), np.mean(values, axis=0)


def first_below(costs: np.ndarray, values: np.ndarray, level: float) -> float:
    """Returns the first cost at which a value is at most this level; infinite if none is."""
    reached = np.flatnonzero(np.asarray(values) <= level)
    return float(costs[reached[0]]) if len(reached) else math.inf


def claims(numbers: Numbers) -> list[Claim]:
    """Returns how soon and how well the grown run ends, and the scores of each run at the end."""
    made = []
    if all(images.rows_named(numbers, run) for run in (GROWN, WHOLE)):
        note = diverged(numbers, GROWN, WHOLE)
        seconds, distances = mean_curve(numbers, GROWN, SWD, "seconds")
        others_seconds, others = mean_curve(numbers, WHOLE, SWD, "seconds")
        reached = first_below(seconds, distances, others[-1])
        made = [
            Claim(
                f"seconds until the mean SWD of {WHOLE} at the end, as a share of its seconds",
                (reached / float(others_seconds[-1]),),
                "faster; asked < 1",
                None,
                1 - 1e-9,
                note,
            ),
            Claim(
                f"mean SWD at the end: {GROWN} / {WHOLE}",
                (float(distances[-1] / others[-1]),),
                f"not worse; asked <= {ALLOWED:g}",
                None,
                ALLOWED,
                note,
            ),
        ]
    for name in images.names(numbers):
        made += [images.shown(numbers, name, score, score) for score in SCORES]
    return [*made, images.to_be_shown("real images: mean SWD", [numbers["real"][SWD]])]


# ----------------------------------------------------------------------------------------- drawing


def draw(numbers: Numbers) -> "Figure":
    """Draws SWD by images and by seconds, its levels, MS-SSIM and FD by images, and samples."""
    figure = page.canvas(5.6)
    upper, middle, lower = figure.subfigures(3, 1, height_ratios=(1, 1, 0.75))
    top, below = upper.subplots(1, 3), middle.subplots(1, 3)
    shown = (
        (top[0], SWD, "images"),
        (top[1], SWD, "seconds"),
        (top[2], FD, "seconds"),
        (below[0], "SWD at 32", "images"),
        (below[1], "SWD at 16", "images"),
        (below[2], SIMILARITY, "images"),
    )
    for ax, score, cost in shown:
        _draw_by_cost(ax, numbers, score, cost)
    for ax in top[:2]:
        ax.axhline(numbers["real"][SWD], color="0.6", linewidth=0.6, label="real images")
    top[0].legend(loc="best")
    strips = lower.subplots()
    images.draw_strips(strips, numbers)
    strips.set_title("first samples of seed 0")
    page.letter([*top, *below, strips])
    return figure


def _draw_by_cost(ax: "Axes", numbers: Numbers, score: str, cost: str) -> None:
    """Draws a score by what it cost: a thin line per seed, and the mean over seeds."""
    scale, label = (1e3, "images shown, 1,000") if cost == "images" else (60, "minutes of training")
    for name in images.names(numbers):
        rows = images.rows_named(numbers, name)
        for row in rows:
            x, y = np.array(row[cost]) / scale, row["curves"][score]["value"]
            ax.plot(x, y, linewidth=0.4, **_STYLES[name])
        if rows:
            x, mean = mean_curve(numbers, name, score, cost)
            ax.plot(x / scale, mean, marker=".", label=name, **_STYLES[name])
    ax.set(xlabel=label, ylabel=SCORES[score])
    if score != SIMILARITY:
        ax.set_yscale("log")
        page.plain_ticks(ax)
    ax.set_title(f"{score}, by {'images' if cost == 'images' else 'time'}")
