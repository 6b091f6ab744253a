"""Inference by optimisation: which training images generators that look ahead K steps can make.

    python experiments/reproduce.py inference_by_optimisation --seeds=1  # 1.5 hours; then --seeds=2
    python experiments/reproduce.py inference_by_optimisation --scale=short --seeds=1  # 10 minutes

Times are of 2 CPU cores, estimated from 20 steps/s with K = 0, 12 with K = 1 and 3 with K = 10, and
0.4 CPU seconds of search per image: 9 minutes for a generator. It can be stopped and resumed. Seeds
that are added one by one take less time than three that train as one population, as in
stacked_images. The short form has 600 of the 4,000 steps of K = 0 and K = 10, and 256 images.

Source: Metz et al., "Unrolled Generative Adversarial Networks" (2017), section 3.4, inference via
optimization and pairwise distances. A generator that has left a part of the data out cannot make
it: for each of 1,280 training images L-BFGS searches the latents that make the image most alike it,
50 steps from each of 3 random starts, the best of which counts. Metz et al. have CIFAR-10,
larger networks and more steps; here the runs are those of stacked_images whose discriminator has
1/4 of the generator's channels, trained on stacked Fashion-MNIST. Errors are mean squares of pixels
in [-1, 1], and the range of the paper's is not known to us. So the published numbers, printed
beside ours, are not comparable; only their order is.

The share of images that each K reconstructs best: errors are first averaged over seeds, image by
image, and the smallest of all K wins. The published shares seem to be made so, as they are those of
8, 294, 196 and 782 of 1,280 images. Distances are l2, of all pairs of 1,000 samples, and of as many
training images. A seed that diverged counts as one that makes black images alone: their errors, and
no distance between them. A ratio of distances below 1/100 counts as 1/100.

To be met, set before any run: by means over seeds, K = 10 has a lower mean squared error than
K = 0, and a median distance between samples that is nearer to the data's, in |log ratio|; and
K = 10 reconstructs more images best than K = 0.
"""

import math
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

import _image_runs as images
import numpy as np
from _comparisons import diverged, mean_above
from _reconstructions import (
    EDGES,
    PAPER_SIZES,
    SHORT_SIZES,
    SHOWN,
    SMOKE_SIZES,
    Sizes,
    black_images,
    distances_of_pairs,
    searched,
)
from _stacked_image_runs import DATASET, LOOK_AHEAD, STEPS, unrolled
from _stacked_image_runs import RUNS as STACKED

from gan_jax.reproduction import Claim, page, to_json_value

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

NAMES = {k: f"K = {k}" for k in LOOK_AHEAD}
# Modes are scored in stacked_images.
RUNS = {
    name: STACKED[unrolled(k)]._replace(overrides=(*STACKED[unrolled(k)].overrides, "metrics="))
    for k, name in NAMES.items()
}
NONE, MOST = NAMES[0], NAMES[10]
SEEDS = 3
SHORT_STEPS = 600
SHORT = dict.fromkeys((NONE, MOST), images.every(SHORT_STEPS, 1))
NOT_RUN_SHORT = (
    f"all but {SHORT_STEPS} of the {STEPS:,} steps, all but {SHORT_SIZES.images} of the "
    f"{PAPER_SIZES.images:,} images, and {len(RUNS) - len(SHORT)} of {len(RUNS)} runs"
)
SMOKE_RUNS, SMOKE_SEEDS, SMOKE = (NONE, MOST), 1, images.SMOKE
NOT_RUN = (
    f"{len(RUNS) - len(SMOKE_RUNS)} of {len(RUNS)} runs, all steps but 4, and all but "
    f"{SMOKE_SIZES.images} images: this only shows that it works"
)

ERROR, BEST = "mean squared error", "share of images reconstructed best"
RATIO = "median distance over the data's"
SMALLEST_RATIO = 0.01
_PUBLISHED = {
    NAMES[0]: ("0.0231 ± 0.0024", "0.63%"),
    NAMES[1]: ("0.0195 ± 0.0021", "22.97%"),
    NAMES[5]: ("0.0200 ± 0.0023", "15.31%"),
    NAMES[10]: ("0.0181 ± 0.0018", "61.09%"),
}
"""Mean squared error on CIFAR-10 and share of images reconstructed best, of 5 seeds."""
_PUBLISHED_RATIO = "below 1 with K = 0; nearer to 1 as K grows"
_NOT_COMPARABLE = "not comparable: CIFAR-10, other networks and more steps"

Numbers = Mapping[str, Any]


# ------------------------------------------------------------------------------------- measurement


def measure(runs: Mapping[str, Mapping[int, Path]], smoke: bool) -> dict[str, Any]:
    """Returns a row per run and seed: errors by image, and distances; and those of real images."""
    from gan_jax import data
    from gan_jax.data import samples_at

    seeds = [(name, seed, runs[name][seed]) for name in runs for seed in runs[name]]
    rows = [images.row_of(*seed, ()) for seed in seeds]
    sizes = sizes_of(rows[0]["steps"], smoke)
    dataset = getattr(data, DATASET)()
    real = samples_at(dataset, np.arange(max(sizes.images, sizes.samples)))["real"]
    targets = real[: sizes.images]
    for row, (name, seed, directory) in zip(rows, seeds, strict=True):
        row |= black_images(targets) if row["diverged"] else searched(directory, targets, sizes)
        print(f"{name}, seed {seed}: mean squared error {np.mean(row['errors']):.4f}", flush=True)
        if seed != min(runs[name]):
            row.pop("strip", None)
    mean = np.mean(targets, axis=0, keepdims=True)
    of_data = {
        **distances_of_pairs(real[: sizes.samples]),
        "mean image": float(np.mean(np.square(targets - mean))),
        "strip": images.to_png(images.side_by_side(images.pixels(targets[:SHOWN]))),
    }
    numbers: dict[str, Any] = to_json_value({"rows": rows, "data": of_data}, 5)
    return numbers


def sizes_of(steps: int, smoke: bool) -> Sizes:
    """Returns how much is measured of runs of so many steps."""
    if smoke:
        return SMOKE_SIZES
    return PAPER_SIZES if steps >= STEPS else SHORT_SIZES


# ------------------------------------------------------------------------------------------ claims


def rows_of(numbers: Numbers, run: str) -> list[Mapping[str, Any]]:
    """Returns the rows of a run's seeds, also of those that diverged."""
    return [row for row in numbers["rows"] if row["run"] == run]


def mean_errors(numbers: Numbers, run: str) -> list[float]:
    """Returns the mean squared error of each seed of a run."""
    return [float(np.mean(row["errors"])) for row in rows_of(numbers, run)]


def median_ratios(numbers: Numbers, run: str) -> list[float]:
    """Returns each seed's median distance between samples over that between training images."""
    real = numbers["data"]["median"]
    return [max(row["median"] / real, SMALLEST_RATIO) for row in rows_of(numbers, run)]


def log_ratios(numbers: Numbers, run: str) -> list[float]:
    """Returns the |log| of each of a run's `median_ratios`."""
    return [abs(math.log(ratio)) for ratio in median_ratios(numbers, run)]


def best_shares(numbers: Numbers) -> dict[str, float]:
    """Returns the share of images of which each run has the smallest error, mean over its seeds."""
    runs = images.names(numbers)
    errors = [np.mean([row["errors"] for row in rows_of(numbers, run)], axis=0) for run in runs]
    best = np.argmin(errors, axis=0)
    return {run: float(np.mean(best == i)) for i, run in enumerate(runs)}


def claims(numbers: Numbers) -> list[Claim]:
    """Returns what looking 10 steps ahead is to change, and the scores of each run and of data."""
    shares = best_shares(numbers)
    none, most = ([shares[run]] if run in shares else [] for run in (NONE, MOST))
    made: list[Claim] = []
    for score, higher, lower, of_higher, of_lower in (
        (ERROR, NONE, MOST, mean_errors(numbers, NONE), mean_errors(numbers, MOST)),
        (f"|log| of the {RATIO}", NONE, MOST, log_ratios(numbers, NONE), log_ratios(numbers, MOST)),
        (BEST, MOST, NONE, most, none),
    ):
        name, note = f"{score}: {higher} minus {lower}", diverged(numbers, *shares)
        made += mean_above(name, of_higher, of_lower, "published order", note)
    for run, share in shares.items():
        note = "; ".join(filter(None, (_NOT_COMPARABLE, images.divergence_note(numbers, run))))
        error, best = _PUBLISHED[run]
        for score, values, published in (
            (ERROR, mean_errors(numbers, run), error),
            (BEST, [share], best),
            (RATIO, median_ratios(numbers, run), _PUBLISHED_RATIO),
        ):
            made.append(Claim(f"{run}: {score}", tuple(values), published, None, None, note))
    real = numbers["data"]
    return [
        *made,
        images.to_be_shown("training images: median distance", [real["median"]]),
        images.to_be_shown(f"mean of the training images: {ERROR}", [real["mean image"]]),
    ]


# ----------------------------------------------------------------------------------------- drawing


def draw(numbers: Numbers) -> "Figure":
    """Draws errors by K, distances between samples and between images, and reconstructions."""
    figure = page.canvas(4.4)
    upper, lower = figure.subfigures(2, 1, height_ratios=(1, 1.1))
    errors, distances = upper.subplots(1, 2)
    strips = lower.subplots()
    _draw_errors(errors, numbers)
    _draw_distances(distances, numbers)
    _draw_strips(strips, numbers)
    page.letter([errors, distances, strips])
    return figure


def _draw_errors(ax: "Axes", numbers: Numbers) -> None:
    """Draws the mean squared error by K: seeds as dots, the line of means, and the mean image."""
    values = {k: mean_errors(numbers, name) for k, name in NAMES.items()}
    values = {k: of_seeds for k, of_seeds in values.items() if of_seeds}
    for k, of_seeds in values.items():
        ax.plot([k] * len(of_seeds), of_seeds, ".", color=page.BLUE, alpha=0.6)
    means = [float(np.mean(of_seeds)) for of_seeds in values.values()]
    ax.plot(list(values), means, color=page.BLUE, label="mean over seeds")
    baseline = numbers["data"]["mean image"]
    ax.axhline(baseline, color="0.6", linewidth=0.6, label="mean of the images")
    ax.set(xlabel="look-ahead steps K", ylabel=ERROR, xticks=LOOK_AHEAD)
    ax.set_title("reconstructions of training images: seeds, and their mean")
    ax.legend(loc="best")


def _draw_distances(ax: "Axes", numbers: Numbers) -> None:
    """Draws histograms of distances, means over seeds, with medians as triangles above."""
    real = numbers["data"]
    curves = {"data": (page.BLACK, np.asarray(real["histogram"]), real["median"])}
    for name, colour in zip(NAMES.values(), page.CYCLE, strict=False):
        if rows := rows_of(numbers, name):
            shares = np.mean([row["histogram"] for row in rows], axis=0)
            curves[name] = (colour, shares, float(np.mean([row["median"] for row in rows])))
    farthest = 0
    for name, (colour, shares, median) in curves.items():
        ax.stairs(shares / shares.max(), EDGES, color=colour, label=name)
        ax.plot(median, 1.08, "v", color=colour, alpha=0.8)
        farthest = max(farthest, EDGES[np.flatnonzero(shares)[-1] + 1])
    ax.set(xlim=(0, 1.3 * farthest), ylim=(0, 1.16))  # the legend is beyond the last bin
    ax.set(xlabel="distance, l2", ylabel="pairs; fullest bin = 1")
    ax.set_title("pairs of samples, and of training images; triangles: medians")
    ax.legend(loc="upper right")


def _draw_strips(ax: "Axes", numbers: Numbers) -> None:
    """Draws training images above what the first seed of each run makes most alike to them."""
    shares = best_shares(numbers)
    strips = {"training images": numbers["data"]["strip"]}
    for row in numbers["rows"]:
        if row.get("strip"):
            strips.setdefault(f"{row['run']}: best for {shares[row['run']]:.1%}", row["strip"])
    images.draw_pictures(ax, strips)
    ax.set_title("training images, and what seed 0 makes most alike to each of them")
