"""Labels on Fashion-MNIST: what samples of a class teach a classifier, and what wrong labels cost.

    python experiments/reproduce.py labels_on_images                          # 3 hours
    python experiments/reproduce.py labels_on_images --scale=short --seeds=1  # 20 minutes

Times are of 2 CPU cores, estimated from 4.2 to 20 steps/s of the configs and a minute or two of
scoring for each run. It can be stopped and resumed, and --seeds=N with a larger N adds seeds. The
short form has 400 of the 2,000 steps of five runs.

Source: Radford et al. (2016), tables 1 to 3, Odena et al. (2017), Miyato and Koyama (2018),
Ravuri and Vinyals (2019); wrong labels as in Thekumparampil et al. (2018). Theirs are of MNIST,
SVHN, CIFAR-10 and ImageNet, with which ours are not comparable: on MNIST Radford et al. find a
nearest neighbour among samples of their conditional DCGAN as good as among real images. Here: the
conditional DCGAN and AC-GAN of configs/fashion_mnist.py, the same networks with a projection
discriminator, and the fully connected networks of Goodfellow et al. (2014) without dropout, with
labels. The conditional DCGAN is also trained with 20% or 50% wrong labels, or with 10% of the
labels, where all other images are an eleventh class, "unknown".

1-NN: the accuracy on the 10,000 test images of the label of the nearest of 60,000 samples, in
pixels. CAS: that of a logistic regression on LeNet features, trained on 10,000 samples. Both stand
beside as many training images. Label accuracy: how often LeNet gives a sample the label that it was
made for. Features: logistic regression on the input of the last layer of a DCGAN's discriminator,
which saw no labels, with 100 to 5,000 labelled images, beside pixels and a discriminator that is
not trained. (Radford et al. pool all layers, and fit a linear SVM.)

To be met, set before any run, by means over seeds: 1-NN of the conditional DCGAN is at most 0.03
below that of training images, and at least 0.02 above that of the fully connected networks; CAS of
the conditional DCGAN, of AC-GAN and of projection are below that of training images; label accuracy
falls from right labels to 20% wrong ones, and to 50%; with 1,000 labels features of the DCGAN are
better than pixels.

A generator that has not learned yet what a label means may draw some other class for each: its
scores are then anywhere near chance, 0.1, and also below it.
"""

import itertools
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

import _image_runs as images
import _label_scores as of_labels
import numpy as np
from _comparisons import difference, diverged, mean_above
from _label_scores import CLASSES, Labelled, Sizes

from gan_jax.reproduction import Claim, Run, cached, page, to_json_value

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

    from gan_jax.experiment.loading import LoadedRun

METRIC = "fd_lenet_5k"
STEPS, SHORT_STEPS = 2_000, 400
COMMON = (*images.every(STEPS, 4), "metrics=fd_lenet(samples=5000)")
CONDITIONAL = "configs/fashion_mnist.py:conditional"
FULLY_CONNECTED = (
    "mlp(latent_size=100, latent='standard_uniform', generator_widths=(1200, 1200), "
    "discriminator_widths=(240, 240), pieces=5, init='normal', gain=0.05, input_scale=1.0)"
)


def _with_labels(text: str) -> Run:
    """Returns the conditional DCGAN with labels of `_noisy_labels`."""
    return Run(CONDITIONAL, (*COMMON, f"dataset=_noisy_labels:fashion_mnist({text})"))


UNLABELLED, DCGAN, MLP = "DCGAN, no labels", "conditional DCGAN", "fully connected"
RUNS = {
    UNLABELLED: Run("configs/fashion_mnist.py:dcgan", COMMON),
    DCGAN: Run(CONDITIONAL, COMMON),
    "AC-GAN": Run("configs/fashion_mnist.py:acgan", COMMON),
    "projection": Run(CONDITIONAL, (*COMMON, "networks=dcgan(width=32, labels='projection')")),
    MLP: Run(CONDITIONAL, (*COMMON, f"networks={FULLY_CONNECTED}")),
    "20% wrong": _with_labels("wrong=0.2"),
    "50% wrong": _with_labels("wrong=0.5"),
    "10% known": _with_labels("known=0.1"),
}
WRONG = {0.0: DCGAN, 0.2: "20% wrong", 0.5: "50% wrong"}
SEEDS = 3
_SHORTENED = (UNLABELLED, DCGAN, "AC-GAN", MLP, "50% wrong")
SHORT = dict.fromkeys(_SHORTENED, images.every(SHORT_STEPS, 2))
NOT_RUN_SHORT = (
    f"{STEPS - SHORT_STEPS:,} of the {STEPS:,} steps; projection, 20% wrong labels, 10% known ones"
)
SMOKE_RUNS, SMOKE_SEEDS = (UNLABELLED, "10% known"), 1
SMOKE = (*images.SMOKE, "networks=dcgan(width=8)")
NOT_RUN = "six of eight runs, and all steps but 4: this only shows that it works"
PAPER_SIZES = Sizes(nearest=60_000, classifier=10_000, test=10_000, labelled=(100, 1_000, 5_000))
SMOKE_SIZES = Sizes(nearest=200, classifier=200, test=100, labelled=(20,))
OF_A_CLASS = 2
"""Samples of each class in a strip."""
SCORES = {"nearest": "1-NN accuracy", "cas": "CAS, LeNet", "agree": "label accuracy"}

Numbers = Mapping[str, Any]


# ------------------------------------------------------------------------------------- measurement


def measure(runs: Mapping[str, Mapping[int, Path]], smoke: bool) -> dict[str, Any]:
    """Returns a row per run and seed, with its scores; and those of training images and pixels."""
    from gan_jax.experiment.loading import load

    sizes = SMOKE_SIZES if smoke else PAPER_SIZES
    train, test = of_labels.real_images("train"), of_labels.real_images("test")
    rows = []
    for name, directories in runs.items():
        for seed, directory in directories.items():
            row = images.row_of(name, seed, directory, (METRIC,))
            if not row["diverged"]:
                run = load(directory)
                row |= cached(
                    directory / "labels.json",
                    {"sizes": sizes, "step": run.step},
                    lambda run=run: measured(run, train, test, sizes),
                )
                print(f"{name}, seed {seed}: {row['scores']}{row['features']}", flush=True)
            if seed != min(directories):
                row.pop("strip", None)
            rows.append(row)
    untrained = {}
    if UNLABELLED in runs:
        untrained = untrained_scores(next(iter(runs[UNLABELLED].values())), train, test, sizes)
    numbers: dict[str, Any] = {
        "rows": rows,
        "training images": of_labels.scores(train, test, sizes),
        "pixels": of_labels.pixel_scores(train, test, sizes),
        "untrained": untrained,
    }
    rounded: dict[str, Any] = to_json_value(numbers, 5)
    return rounded


def measured(run: "LoadedRun", train: Labelled, test: Labelled, sizes: Sizes) -> dict[str, Any]:
    """Returns the scores of samples of a run with labels; without labels, of its features."""
    if not run.sampler.takes_labels:
        params = run.state.discriminator.params
        features = of_labels.feature_scores(run, params, train, test, sizes)
        return {"scores": {}, "features": dict(features)}
    samples = of_labels.samples_of(run, sizes.nearest)
    by_class = samples.images[np.argsort(samples.label[: OF_A_CLASS * CLASSES], kind="stable")]
    return {
        "scores": of_labels.scores(samples, test, sizes),
        "features": {},
        "strip": images.to_png(images.side_by_side(by_class)),
    }


def untrained_scores(
    directory: Path, train: Labelled, test: Labelled, sizes: Sizes
) -> dict[str, float]:
    """Returns the scores of the features of a discriminator before its first step."""
    import jax

    from gan_jax.experiment.loading import load

    run = load(directory)
    params = run.experiment.init(jax.random.key(0)).discriminator.params
    return dict(of_labels.feature_scores(run, params, train, test, sizes))


# ------------------------------------------------------------------------------------------ claims


def scores_of(numbers: Numbers, run: str, score: str) -> tuple[float, ...]:
    """Returns a score of the samples of each seed that did not diverge."""
    rows = images.rows_named(numbers, run)
    return tuple(float(row["scores"][score]) for row in rows if score in row["scores"])


def features_of(numbers: Numbers, labels: int) -> tuple[float, ...]:
    """Returns the accuracy of each seed's features with so many labels."""
    rows = images.rows_named(numbers, UNLABELLED)
    return tuple(row["features"][str(labels)] for row in rows if str(labels) in row["features"])


def claims(numbers: Numbers) -> list[Claim]:
    """Returns samples next to training images, right next to wrong labels, and all scores."""
    real = numbers["training images"]
    dcgan, mlp = (scores_of(numbers, run, "nearest") for run in (DCGAN, MLP))
    made = difference(
        f"1-NN: training images minus {DCGAN}",
        [real["nearest"]],
        dcgan,
        "as good; asked <= 0.03",
        high=0.03,
        note=diverged(numbers, DCGAN),
    )
    made += difference(
        f"1-NN: {DCGAN} minus {MLP}",
        dcgan,
        mlp,
        "clearly better; asked >= 0.02",
        low=0.02,
        note=diverged(numbers, DCGAN, MLP),
    )
    for run in (DCGAN, "AC-GAN", "projection"):
        cas, note = scores_of(numbers, run, "cas"), diverged(numbers, run)
        name = f"CAS: training images minus {run}"
        made += mean_above(name, [real["cas"]], cas, "samples teach less", note)
    for fewer, more in itertools.pairwise(WRONG.values()):
        right, wrong = (scores_of(numbers, run, "agree") for run in (fewer, more))
        name = f"label accuracy: {'right labels' if fewer == DCGAN else fewer} minus {more}"
        made += mean_above(name, right, wrong, "wrong labels cost", diverged(numbers, fewer, more))
    made += mean_above(
        "1,000 labels: features of the DCGAN minus pixels",
        features_of(numbers, 1_000),
        [numbers["pixels"]["1000"]] if "1000" in numbers["pixels"] else [],
        "features are better",
        diverged(numbers, UNLABELLED),
    )
    for run in images.names(numbers):
        note = images.divergence_note(numbers, run)
        made.append(images.shown(numbers, run, METRIC, "FD"))
        for score, label in SCORES.items():
            if values := scores_of(numbers, run, score):
                made.append(images.to_be_shown(f"{run}: {label}", values, note))
    made += [
        images.to_be_shown(f"training images: {label}", [real[key]])
        for key, label in SCORES.items()
    ]
    return made


# ----------------------------------------------------------------------------------------- drawing


def draw(numbers: Numbers) -> "Figure":
    """Draws the scores of each run, wrong labels, features by labels, and samples by class."""
    figure = page.canvas(6.3)
    upper, middle, lower = figure.subfigures(3, 1, height_ratios=(1, 1, 1))
    by_score = upper.subplots(1, len(SCORES), sharey=True)
    upper.suptitle("dashed: training images; dotted: chance", fontsize=page.SMALL)
    for ax, score in zip(by_score, SCORES, strict=True):
        _draw_score(ax, numbers, score)
    wrong, features = middle.subplots(1, 2)
    _draw_wrong(wrong, numbers)
    _draw_features(features, numbers)
    strips = lower.subplots()
    images.draw_strips(strips, numbers)
    strips.set_title(f"{OF_A_CLASS} samples of each class in turn, of seed 0")
    page.letter([*by_score, wrong, features, strips])
    return figure


def _draw_score(ax: "Axes", numbers: Numbers, score: str) -> None:
    """Draws a score of each seed as a dot, the mean as a line, and that of training images."""
    shown = [name for name in images.names(numbers) if name != UNLABELLED]
    for i, name in enumerate(shown):
        values = scores_of(numbers, name, score)
        ax.plot(values, [i] * len(values), "o", color=page.BLUE, alpha=0.6)
        if values:
            ax.plot(np.mean(values), i, "|", color=page.BLACK, markersize=10)
    ax.axvline(numbers["training images"][score], color=page.VERMILLION, linestyle="--")
    ax.set_yticks(range(len(shown)), shown)
    ax.axvline(1 / CLASSES, color="0.6", linestyle=":")
    ax.set(xlim=(0, 1), ylim=(len(shown) - 0.5, -0.5), xlabel="accuracy")
    ax.set_title(SCORES[score])


def _draw_wrong(ax: "Axes", numbers: Numbers) -> None:
    """Draws the scores of the conditional DCGAN by the share of wrong labels."""
    for (score, label), colour in zip(SCORES.items(), page.CYCLE, strict=False):
        points = {share: scores_of(numbers, run, score) for share, run in WRONG.items()}
        points = {share: values for share, values in points.items() if values}
        for share, values in points.items():
            ax.plot([share] * len(values), values, "o", color=colour, alpha=0.5)
        ax.plot(list(points), [np.mean(v) for v in points.values()], color=colour, label=label)
    ax.axhline(1 / CLASSES, color="0.6", linestyle=":")
    ax.set(xlabel="share of wrong labels", ylabel="accuracy", ylim=(0, 1.02))
    ax.set_title(f"{DCGAN} with wrong labels")
    ax.legend(loc="lower left")


def _draw_features(ax: "Axes", numbers: Numbers) -> None:
    """Draws the accuracy of linear classifiers by the number of labels that they learn from."""
    for row in images.rows_named(numbers, UNLABELLED):
        accuracy = row["features"]
        ax.plot([int(n) for n in accuracy], list(accuracy.values()), "o-", color=page.BLUE)
    for name, label, style in (
        ("pixels", "pixels", {"color": page.BLACK, "linestyle": "--"}),
        ("untrained", "discriminator, untrained", {"color": page.ORANGE, "linestyle": ":"}),
    ):
        accuracy = numbers[name]
        ax.plot(
            [int(n) for n in accuracy], list(accuracy.values()), marker="s", label=label, **style
        )
    ax.plot([], [], "o-", color=page.BLUE, label="discriminator of DCGAN")
    ax.set(xscale="log", xlabel="labelled images", ylabel="accuracy", ylim=(0, 1.02))
    ax.set_title("logistic regression on features")
    ax.legend(loc="lower right")
