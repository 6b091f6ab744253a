"""Fashion-MNIST with ever fewer training images, without augmentation, with DiffAugment, and ADA.

    python experiments/reproduce.py limited_data                          # 5 hours
    python experiments/reproduce.py limited_data --scale=short --seeds=1  # 10 minutes

Times are of 2 CPU cores, estimated from 13 to 20 steps/s of configs/fashion_mnist.py:dcgan. It can
be stopped and resumed, and --seeds=N with a larger N adds seeds. The short form has the smallest
and the largest set, and a quarter of the steps.

Source: Karras et al., "Training Generative Adversarial Networks with Limited Data" (2020), figures
1 and 7, and Zhao et al., "Differentiable Augmentation for Data-Efficient GAN Training" (2020). They
train StyleGAN2 and BigGAN on faces and CIFAR-10 and report FID, with which ours is not comparable.
Here: the DCGAN of configs/fashion_mnist.py, batches of 64, on the first n of 60,000 training
images. DiffAugment: colour, translation and cutout, always. ADA: the same three, each with the
probability p that keeps the mean sign of the scores of real images at 0.6; p moves by 64 / 500,000
a step, as in the paper, and so can reach 0.77 at most in 6,000 steps. (The paper has 18
augmentations.) FD is the Fréchet distance of 5,000 samples from the test images under a LeNet,
never FID; "closer" is how often a sample lies nearer in pixels to the n training images than a test
image does, of 1,000 each: near 1 if samples are copies, or smoother than images.

To be met, set before any run, by means over seeds: without augmentation FD at the end is higher
with 500 images than with 60,000; with 500 images the lowest FD of a run is lower with DiffAugment
than without augmentation, and lower with ADA than without.
"""

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import _image_runs as images
import numpy as np
from _comparisons import diverged, mean_above

from gan_jax.reproduction import Claim, Run, cached, page, to_json_value

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

    from gan_jax.experiment.loading import LoadedRun

METRIC, STRENGTH = "fd_lenet_5k", "augmentation/strength"
SIZES = (60_000, 10_000, 2_000, 500)
AUGMENTATIONS = "color + translation + cutout"
METHODS: dict[str, tuple[str, ...]] = {
    "none": (),
    "DiffAugment": ("augmentation=diff_augment",),
    "ADA": (f"augmentation={AUGMENTATIONS}", "augmentation_target=0.6"),
}
STEPS, SHORT_STEPS = 6_000, 1_500
RUNS = {
    f"{n:,}, {method}": Run(
        "configs/fashion_mnist.py:dcgan",
        (
            *images.every(STEPS, 12),
            "metrics=fd_lenet(samples=5000)",
            f"dataset=fashion_mnist(split='train[:{n}]')",
            *overrides,
        ),
    )
    for n in SIZES
    for method, overrides in METHODS.items()
}
SEEDS = 3
_SHORTENED = ("60,000, none", "60,000, DiffAugment", "500, none", "500, DiffAugment", "500, ADA")
SHORT = {name: images.every(SHORT_STEPS, 6) for name in _SHORTENED}
NOT_RUN_SHORT = (
    f"{STEPS - SHORT_STEPS:,} of the {STEPS:,} steps; 10,000 and 2,000 images; ADA with 60,000"
)
SMOKE_RUNS, SMOKE_SEEDS = ("500, none", "500, ADA"), 1
SMOKE = images.SMOKE
NOT_RUN = "ten of twelve runs, and all steps but 4: this only shows that it works"
SHOWN = 20
"""Samples in a strip."""
STRIPS = {"strip": "", "nearest": ", nearest"}
"""The strips of a row, and what their names have after that of the method."""
_STYLES = {
    "none": {"color": page.BLUE, "linestyle": "-"},
    "DiffAugment": {"color": page.ORANGE, "linestyle": "--"},
    "ADA": {"color": page.GREEN, "linestyle": ":"},
}

Numbers = Mapping[str, Any]


# ------------------------------------------------------------------------------------- measurement


def measure(runs: Mapping[str, Mapping[int, Path]], smoke: bool) -> dict[str, Any]:
    """Returns a row per run and seed: FD and ADA's strength over training, and how it copies."""
    from gan_jax import data
    from gan_jax.experiment.loading import load

    samples = 50 if smoke else 1_000
    test = data.fashion_mnist("test").arrays["real"][:samples]
    rows = []
    for name, directories in runs.items():
        for seed, directory in directories.items():
            row = images.row_of(name, seed, directory, (METRIC, STRENGTH))
            if not row["diverged"]:
                run = load(directory)
                row |= cached(
                    directory / "copying.json",
                    {"samples": samples, "step": run.step},
                    lambda run=run: copying_of(run, test, samples),
                )
            if seed != min(directories):
                row = {key: value for key, value in row.items() if key not in STRIPS}
            rows.append(row)
    numbers: dict[str, Any] = to_json_value({"rows": rows}, 5)
    return numbers


def copying_of(run: "LoadedRun", test: np.ndarray, samples: int) -> dict[str, Any]:
    """Returns `copying` of a run's first samples and of all images that it was trained on."""
    from gan_jax.evaluation.generated_samples import evaluation_key

    arrays = run.dataset.arrays
    assert arrays is not None
    shown = images.pixels(run.sampler(evaluation_key(0), samples))
    return copying(shown, arrays["real"][:], test)


def copying(shown: np.ndarray, train: np.ndarray, test: np.ndarray) -> dict[str, Any]:
    """Returns how near samples are to the training images, and a picture of both.

    Args:
      shown: samples ``[m, 28, 28, 1]`` uint8.
      train: training images.
      test: images that were not trained on.

    Returns:
      "closer" of `metrics.memorisation`; "distance", the median distance of a sample from its
      nearest training image over that of a test image; the "strip" of the first samples, and that
      of the training images that are "nearest" to them.
    """
    from gan_jax import metrics

    found = metrics.memorisation(images.flat(train), images.flat(test), images.flat(shown))
    first = shown[:SHOWN]
    nearest = train[metrics.nearest_neighbours(images.flat(first), images.flat(train)).indices]
    return {
        "closer": found.closer,
        "distance": float(np.median(found.fake_distances) / np.median(found.test_distances)),
        "strip": images.to_png(images.side_by_side(first)),
        "nearest": images.to_png(images.side_by_side(nearest)),
    }


# ------------------------------------------------------------------------------------------ claims


def run_name(n: int, method: str) -> str:
    """Returns the name of the run on n images."""
    return f"{n:,}, {method}"


def lowest(numbers: Numbers, run: str) -> tuple[float, ...]:
    """Returns the lowest FD over training of each seed that did not diverge."""
    curves = [row["curves"][METRIC]["value"] for row in images.rows_named(numbers, run)]
    return tuple(min(values) for values in curves if values)


def scores_of(numbers: Numbers, run: str, score: str) -> tuple[float, ...]:
    """Returns a score of each seed that did not diverge."""
    return tuple(float(row[score]) for row in images.rows_named(numbers, run))


def claims(numbers: Numbers) -> list[Claim]:
    """Returns how FD depends on the number of images and on augmentation, and all scores."""
    most, fewest = SIZES[0], SIZES[-1]
    few, many = run_name(fewest, "none"), run_name(most, "none")
    made = mean_above(
        f"mean FD at the end, no augmentation: {fewest} images minus {most:,}",
        images.last_values(numbers, few, METRIC),
        images.last_values(numbers, many, METRIC),
        "fewer images are worse",
        diverged(numbers, few, many),
    )
    for method in ("DiffAugment", "ADA"):
        augmented = run_name(fewest, method)
        made += mean_above(
            f"mean lowest FD, {fewest} images: none minus {method}",
            lowest(numbers, few),
            lowest(numbers, augmented),
            "augmentation helps",
            diverged(numbers, few, augmented),
        )
    for name in images.names(numbers):
        note = images.divergence_note(numbers, name)
        made += [
            images.shown(numbers, name, METRIC, "FD at the end"),
            images.to_be_shown(f"{name}: lowest FD", lowest(numbers, name), note),
            images.to_be_shown(
                f"{name}: nearer to its training images than test images are",
                scores_of(numbers, name, "closer"),
                note,
            ),
        ]
    return made


# ----------------------------------------------------------------------------------------- drawing


def draw(numbers: Numbers) -> "Figure":
    """Draws FD over training by method, the scores by the number of images, and copies."""
    figure = page.canvas(5.8)
    upper, middle, lower = figure.subfigures(3, 1, height_ratios=(1.1, 1, 0.9))
    by_method = upper.subplots(1, len(METHODS), sharey=True)
    for ax, method in zip(by_method, METHODS, strict=True):
        _draw_method(ax, numbers, method)
    by_method[0].set(ylabel="FD, LeNet")
    lines, labels = by_method[0].get_legend_handles_labels()
    upper.legend(lines, labels, loc="outside upper center", ncols=len(SIZES))
    best, copies, strength = middle.subplots(1, 3)
    _draw_by_size(best, numbers, lowest)
    best.set(ylabel="FD, LeNet", yscale="log")
    page.plain_ticks(best)
    best.set_title("lowest FD over training")
    best.legend()
    _draw_by_size(copies, numbers, lambda of, run: scores_of(of, run, "closer"))
    copies.set(ylabel="share of samples", ylim=(-0.05, 1.05))
    copies.set_title("closer: samples nearer than test images")
    _draw_strength(strength, numbers)
    pictures = lower.subplots()
    images.draw_pictures(pictures, strips_of_fewest(numbers))
    pictures.set_title(f"trained on {SIZES[-1]} images: samples, and the images nearest to them")
    page.letter([*by_method, best, copies, strength, pictures])
    return figure


def strips_of_fewest(numbers: Numbers) -> dict[str, str]:
    """Returns the strips of the smallest set, by their names."""
    return {
        method + suffix: row[key]
        for method in METHODS
        for row in numbers["rows"]
        if row["run"] == run_name(SIZES[-1], method) and row.get("strip")
        for key, suffix in STRIPS.items()
    }


def _colours() -> dict[int, str]:
    return dict(zip(SIZES, (page.BLACK, page.SKY, page.ORANGE, page.VERMILLION), strict=True))


def _draw_method(ax: "Axes", numbers: Numbers, method: str) -> None:
    """Draws FD over training of one method, a colour for each number of images."""
    styles = {
        run_name(n, method): {"color": colour, "label": f"{n:,} images"}
        for n, colour in _colours().items()
    }
    rows = [row for row in numbers["rows"] if row["run"] in styles]
    images.draw_curves(ax, {"rows": rows}, METRIC, styles)
    ax.set(yscale="log")
    page.plain_ticks(ax)
    ax.set_title(method if method in ("DiffAugment", "ADA") else "no augmentation")


def _draw_by_size(
    ax: "Axes", numbers: Numbers, score: Callable[[Numbers, str], Sequence[float]]
) -> None:
    """Draws a score by the number of images: dots of seeds, and a line of their means."""
    for method, style in _STYLES.items():
        values = {n: score(numbers, run_name(n, method)) for n in SIZES}
        values = {n: of_seeds for n, of_seeds in values.items() if of_seeds}
        for n, of_seeds in values.items():
            ax.plot([n] * len(of_seeds), of_seeds, "o", color=style["color"], alpha=0.5)
        means = [np.mean(of_seeds) for of_seeds in values.values()]
        ax.plot(list(values), means, label=method, **style)
    ax.set(xscale="log", xlabel="training images")


def _draw_strength(ax: "Axes", numbers: Numbers) -> None:
    """Draws ADA's probability over training, a colour for each number of images."""
    for n, colour in _colours().items():
        for row in images.rows_named(numbers, run_name(n, "ADA")):
            curve = row["curves"][STRENGTH]
            ax.plot(curve["step"], curve["value"], color=colour, linewidth=0.8)
    ax.set(xlabel="generator steps", ylabel="p", ylim=(-0.02, 1.02))
    ax.set_title("ADA's probability p, colours as in (a)")
