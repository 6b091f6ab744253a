"""Images of all variants of Fashion-MNIST: samples, training images near them, interpolations.

    python experiments/reproduce.py fashion_mnist_samples                          # 5 to 7 hours
    python experiments/reproduce.py fashion_mnist_samples --scale=short --seeds=1  # an hour

Times are of 2 CPU cores. It can be stopped and resumed, and --seeds=N with a larger N adds seeds.
The short form has a third to a half of the steps of five variants, and leaves out the others.

Source: ours, on Fashion-MNIST: Radford et al. (2016), Arjovsky et al. (2017), Gulrajani et al.
(2017), Odena et al. (2017), Karras et al. (2018), Chen et al. (2016), Karras et al. (2020) and
Huang et al. (2024) show such images of other data. The configs fashion_mnist, infogan, r3gan and
stylegan2 of this repository, with their steps and, if they have one, their moving average of the
generator. The networks are small: the papers' train for days.

Shown are samples 0 to 29 of seed 0, none is chosen; below the first ten the training images that
are nearest to them in pixels (28x28, Euclidean); and ten points on the arc between the latents of
samples 0 and 1. With labels, a column is a class. The real images are the first of the test split,
and what they have for an interpolation is a blend of two images. FD is the Fréchet distance of
10,000 samples from the test images under a LeNet, never FID; precision and recall are of 2,000
samples under the same features; "closer" is how often a sample lies nearer in pixels to the
training images than a test image does, of 1,000 each: near 1 if samples are copies, or smoother
than images.

To be met by the means over seeds, after the configs' own pages had shown it for seed 0: the label
that the conditional GAN and AC-GAN are given lowers FD below that of DCGAN, of the same networks
and steps; and WGAN-GP has a lower FD than WGAN with clipping, with fewer steps.
"""

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

import _image_runs as of_images
import numpy as np
from _image_runs import SIDE, flat, from_png, pixels, to_png

from gan_jax.reproduction import Claim, Run, cached, page

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

    from gan_jax.experiment.loading import LoadedRun

UNSCORED = ("metrics=",)
RUNS = {
    "DCGAN": Run("configs/fashion_mnist.py:dcgan", UNSCORED),
    "conditional GAN": Run("configs/fashion_mnist.py:conditional", UNSCORED),
    "AC-GAN": Run("configs/fashion_mnist.py:acgan", UNSCORED),
    "WGAN": Run("configs/fashion_mnist.py:wgan", UNSCORED),
    "WGAN-GP": Run("configs/fashion_mnist.py:wgan_gp", UNSCORED),
    "ProGAN": Run("configs/fashion_mnist.py:progan", UNSCORED),
    "InfoGAN": Run("configs/infogan.py:fashion_mnist", UNSCORED),
    "StyleGAN2": Run("configs/stylegan2.py:fashion_mnist", UNSCORED),
    "R3GAN": Run("configs/r3gan.py:fashion_mnist", UNSCORED),
}
SEEDS = 3
SHORT: dict[str, tuple[str, ...]] = {
    "DCGAN": ("steps=1000",),
    "conditional GAN": ("steps=1000",),
    "AC-GAN": ("steps=1000",),
    "WGAN": ("steps=1000",),
    "WGAN-GP": ("steps=500",),
}
NOT_RUN_SHORT = (
    "2,000 of the 3,000 steps of DCGAN, conditional GAN and AC-GAN, 1,000 of 2,000 of WGAN, 1,000 "
    "of 1,500 of WGAN-GP; ProGAN, InfoGAN, StyleGAN2 and R3GAN"
)
SMOKE_RUNS, SMOKE_SEEDS = ("DCGAN", "conditional GAN"), 1
SMOKE = of_images.SMOKE
NOT_RUN = "seven of nine variants, and all steps but 4: this only shows that it works"

COLUMNS, ROWS = 10, 3
REAL = "test images"
SCORES = ("fd", "precision", "recall", "closer")
ROW_NAMES = ("samples", "nearest", "samples", "", "between")
"""What the rows of a block show: the second has the training images nearest to the first."""

Numbers = Mapping[str, Any]


# ------------------------------------------------------------------------------------- measurement


def measure(runs: Mapping[str, Mapping[int, Path]], smoke: bool) -> dict[str, Any]:
    """Returns a row per run and seed, with scores and, of seed 0, a picture; and real images."""
    from gan_jax import data
    from gan_jax.experiment.loading import load
    from gan_jax.experiment.run_directory import has_ended, read_settings

    samples = 100 if smoke else 10_000
    train = data.fashion_mnist("train").arrays["real"][:]
    test = data.fashion_mnist("test").arrays["real"][:]
    rows = []
    for name, directories in runs.items():
        for seed, directory in directories.items():
            steps = read_settings(directory).steps
            row: dict[str, Any] = {"run": name, "seed": seed, "steps": steps}
            row["diverged"] = has_ended(directory, steps) == "diverged"
            if not row["diverged"]:
                run = load(directory)
                row |= cached(
                    directory / "scores_and_picture.json",
                    {"samples": samples, "step": run.step, "picture": seed == 0},
                    lambda run=run, seed=seed: measured_run(run, train, test, samples, seed == 0),
                )
                print(f"{name}, seed {seed}: {title_of_scores(row)}", flush=True)
            rows.append(row)
    return {"rows": rows, REAL: real_images(train, test, samples)}


def measured_run(
    run: "LoadedRun", train: np.ndarray, test: np.ndarray, samples: int, has_picture: bool
) -> dict[str, Any]:
    """Returns the scores of a run, and a picture if it should have one.

    Args:
      run: the run.
      train: training images ``[n, 28, 28, 1]`` uint8.
      test: those of the test split.
      samples: how many are scored.
      has_picture: whether to draw.
    """
    from gan_jax import evaluation, metrics
    from gan_jax.evaluation import protocols
    from gan_jax.evaluation.generated_samples import evaluation_key
    from gan_jax.training import latent_walks

    chosen = [
        protocols.fd_lenet(samples=samples),
        protocols.precision_recall(samples=min(samples, 2_000)),
    ]
    values = evaluation.evaluate(run.sampler, run.experiment.real_samples(), chosen).values()
    key = evaluation_key(0)
    shown = pixels(run.sampler(key, max(COLUMNS * ROWS, min(samples, 1_000))))
    copying = metrics.memorisation(flat(train), flat(test[: len(shown)]), flat(shown))
    found: dict[str, Any] = dict(zip(SCORES, (*values, copying.closer), strict=True))
    if has_picture:
        path = latent_walks.walk(run.sampler.latents(key, 2), COLUMNS - 1)
        label = np.zeros(COLUMNS, int) if run.sampler.takes_labels else None
        between = pixels(run.sampler.generate(path, label, np.zeros(COLUMNS, int)))
        found["picture"] = to_png(block(shown, between, train))
    return found


def real_images(train: np.ndarray, test: np.ndarray, samples: int) -> dict[str, Any]:
    """Returns the scores of training images, as if they were generated, and a picture of others."""
    from gan_jax import evaluation
    from gan_jax.evaluation import protocols

    chosen = [
        protocols.fd_lenet(samples=samples),
        protocols.precision_recall(samples=min(samples, 2_000)),
    ]
    order = np.random.default_rng(0).permutation(len(train))[:samples]
    values = evaluation.evaluate(train[order], {"train": train, "test": test}, chosen).values()
    weights = np.linspace(0, 1, COLUMNS)[:, None, None, None]
    blend = np.rint((1 - weights) * test[0] + weights * test[1]).astype(np.uint8)
    scores = dict(zip(SCORES[:3], values, strict=True))
    return scores | {"picture": to_png(block(test, blend, train))}


def block(shown: np.ndarray, between: np.ndarray, train: np.ndarray) -> np.ndarray:
    """Returns one picture of samples, their nearest training images, and what is between two.

    Args:
      shown: images of 28 pixels, of which `COLUMNS` * `ROWS` are drawn.
      between: `COLUMNS` images.
      train: images, of which the nearest to the first `COLUMNS` of ``shown`` are drawn.

    Returns:
      ``[rows * 28, COLUMNS * 28]`` uint8.
    """
    from gan_jax import metrics

    first = shown[:COLUMNS]
    nearest = train[metrics.nearest_neighbours(flat(first), flat(train)).indices]
    images = np.concatenate([first, nearest, shown[COLUMNS : COLUMNS * ROWS], between])
    grid = images.reshape(len(ROW_NAMES), COLUMNS, SIDE, SIDE)
    return grid.transpose(0, 2, 1, 3).reshape(len(ROW_NAMES) * SIDE, COLUMNS * SIDE)


# ------------------------------------------------------------------------------------------ claims


def claims(numbers: Numbers) -> list[Claim]:
    """Returns differences of FD between runs, and the scores of each run with all seeds."""
    names = list(dict.fromkeys(row["run"] for row in numbers["rows"]))
    made = []
    for high, low, why in (
        ("DCGAN", "conditional GAN", "labels help"),
        ("DCGAN", "AC-GAN", "labels help"),
        ("WGAN", "WGAN-GP", "the penalty trains better than clipping"),
    ):
        if high in names and low in names:
            apart = np.mean(values_of(numbers, high, "fd")) - np.mean(values_of(numbers, low, "fd"))
            made.append(
                Claim(
                    f"mean FD: {high} minus {low}",
                    (float(apart),),
                    f"{why}; asked > 0",
                    low=1e-9,
                    high=None,
                )
            )
    labels = ("FD", "precision", "recall", "nearer to training images than test images are")
    for name in names:
        diverged = sum(row["diverged"] for row in numbers["rows"] if row["run"] == name)
        note = f"{diverged} seeds diverged" if diverged else ""
        made += [
            Claim(
                f"{name}: {label}",
                tuple(values_of(numbers, name, score)),
                "reported only",
                None,
                None,
                note,
            )
            for score, label in zip(SCORES, labels, strict=True)
        ]
    real = numbers[REAL]
    made += [
        Claim(f"training images: {label}", (real[score],), "reported only", None, None)
        for score, label in zip(SCORES[:3], labels, strict=False)
    ]
    return made


def values_of(numbers: Numbers, run: str, score: str) -> list[float]:
    """Returns a score of a run, of each seed that did not diverge."""
    rows = [row for row in numbers["rows"] if row["run"] == run and not row["diverged"]]
    return [float(row[score]) for row in rows]


# ----------------------------------------------------------------------------------------- drawing


def title_of_scores(row: Mapping[str, Any]) -> str:
    """Returns FD, precision and recall as text."""
    precision, recall = (f"{name} {row[name]:.2f}" for name in ("precision", "recall"))
    return f"FD {row['fd']:.0f}, {precision}, {recall}"


def draw(numbers: Numbers) -> "Figure":
    """Draws a block of images of each run with its mean scores over seeds, and of real images."""
    pictures = {REAL: numbers[REAL]["picture"]} | {
        row["run"]: row["picture"] for row in numbers["rows"] if row.get("picture")
    }
    rows = -(-len(pictures) // 2)
    figure, axes = page.panels(rows, 2, 1.62 * rows)
    for ax, (name, picture) in zip(axes.flat, pictures.items(), strict=False):
        _draw_block(ax, picture)
        ax.set_title(_title(numbers, name))
    for ax in axes.flat[len(pictures) :]:
        ax.set_axis_off()
    for row in axes:
        row[0].set_yticks([(i + 0.5) * SIDE for i in range(len(ROW_NAMES))], ROW_NAMES)
    page.letter(axes.flat[: len(pictures)])
    return figure


def _title(numbers: Numbers, name: str) -> str:
    """Returns the name of a run, its steps, and its mean scores over seeds."""
    if name == REAL:
        return f"{REAL}; scores of training images:\n{title_of_scores(numbers[REAL])}"
    steps = next(row["steps"] for row in numbers["rows"] if row["run"] == name)
    means = {score: float(np.mean(values_of(numbers, name, score))) for score in SCORES}
    return f"{name}, {steps:,} steps:\n{title_of_scores(means)}"


def _draw_block(ax: "Axes", picture: str) -> None:
    """Draws a block in its own pixels, and lines around the row of nearest training images."""
    images = from_png(picture)
    ax.imshow(images, cmap="gray", vmin=0, vmax=255, interpolation="none")
    ax.set(xticks=[], yticks=[])
    ax.tick_params(length=0)
    for side in ax.spines.values():
        side.set_visible(False)
    for end in (SIDE, 2 * SIDE):
        ax.axhline(end - 0.5, color=page.ORANGE, linewidth=1.2)
    ax.axhline((len(ROW_NAMES) - 1) * SIDE - 0.5, color=page.SKY, linewidth=1.2)
