"""Modes of stacked images: look-ahead by K steps, packs, penalties, and a relativistic loss.

    python experiments/reproduce.py stacked_images --seeds=1    # 2 hours; then --seeds=2, --seeds=3
    python experiments/reproduce.py stacked_images --scale=short --seeds=1  # 10 minutes

Times are of 2 CPU cores, estimated from 30 steps of K = 0, 11 steps of 128 per CPU second, and of
K = 10 with the larger discriminator, 2.6. Seeds that are added one by one take a third of the CPU
time of three that train as one population, as convolutions do there. It can be stopped and resumed.
The short form has 600 of the 4,000 steps of three runs, and 300 of the residual networks'.

Source: Metz et al., "Unrolled Generative Adversarial Networks" (2017), section 3.3.1 and table 1;
Lin et al., "PacGAN" (2018), section 4.2 and table 3; Huang et al., "The GAN is dead; long live the
GAN!" (2024), table 1. Three images of Fashion-MNIST are the channels of one, so there are 1000
modes, triples of the classes that a LeNet assigns to the channels of 25,600 samples. The papers
stack digits of MNIST and train up to 125 times as long, so that their numbers, printed beside ours,
are not comparable. For digits: python -m gan_jax.metrics.lenet FOLDER lenet_mnist.npz, and add
--config.dataset=stacked_mnist and
"--config.metrics=stacked_modes(samples=25600, weights=lenet_mnist.npz)".

Unrolled GAN, plain GAN (K = 0) and PacGAN: the tiny networks of Metz et al. as PacGAN's code has
them: 8, 16, 32 and 64 channels in the generator, and 1/4 or 1/2 as many in the discriminator;
non-saturating, Adam (b1 0.5, b2 0.99) of 1e-4 for the generator and 2e-4 for the discriminator,
and batches of 64, half of theirs. WGAN-GP: the same with LayerNorm in the critic, which has 5
updates per step, and Adam 1e-4 (0.5, 0.9). The last three rows have small residual networks without
norms, Adam 2e-4 (0, 0.99) and gamma 1: the relativistic loss (RpGAN) or the non-saturating one
(GAN) with R1 and R2, and the relativistic loss with R1 alone.

KL is from the samples' histogram over modes to even modes, in nats; that of N samples spread evenly
over 1000 modes is about 999 / (2 N), not 0. A seed that diverged counts as one with no mode and the
KL of a single one, log 1000.

To be met, set before any run, by means over seeds. Discriminator of 1/4: K = 10 covers more modes
than K = 0 and has a lower KL; packs of 2 cover more modes than single images and have a lower KL.
Residual networks: both the non-saturating loss with R1 and R2, and the relativistic one with R1
alone, have a higher KL than the relativistic loss with R1 and R2. KL and not modes, as both losses
may cover all 1000.
"""

import math
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

import _image_runs as images
import numpy as np
from _comparisons import diverged, mean_above
from _stacked_image_runs import (
    DATASET,
    FRACTIONS,
    LOOK_AHEAD,
    RELATIVISTIC,
    RUNS,
    SAMPLES,
    STEPS,
    WGAN_GP,
    metric,
    pack,
    unrolled,
)

from gan_jax.errors import UserError
from gan_jax.reproduction import Claim, page, to_json_value

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

    from gan_jax.experiment.settings import Part

SEEDS = 3
SHORT_STEPS, RESIDUAL_SHORT_STEPS = 600, 300
SHORT = {
    name: images.every(RESIDUAL_SHORT_STEPS if name in RELATIVISTIC else SHORT_STEPS, 2)
    for name in (unrolled(0), unrolled(10), pack(2), *RELATIVISTIC)
}
NOT_RUN_SHORT = (
    f"all but {SHORT_STEPS} of the {STEPS:,} steps ({RESIDUAL_SHORT_STEPS} of the residual "
    f"networks), and {len(RUNS) - len(SHORT)} of {len(RUNS)} runs"
)
SMOKE_SAMPLES = 100
SMOKE_RUNS, SMOKE_SEEDS = (unrolled(0), pack(2)), 1
SMOKE = (*images.SMOKE, metric(SMOKE_SAMPLES))
NOT_RUN = (
    f"{len(RUNS) - len(SMOKE_RUNS)} of {len(RUNS)} runs, all steps but 4, and all but "
    f"{SMOKE_SAMPLES} samples: this only shows that it works"
)

MODES, KL = "modes", "KL"
SCORES = {MODES: "modes of 1000", KL: "KL, nats"}
DIVERGED = {MODES: 0.0, KL: math.log(1000)}
"""What a seed that diverged counts as."""

DRAWS = 10
_PUBLISHED = {
    unrolled(0): ("30.6 ± 20.7 (Metz), 78.5 ± 17.6 (PacGAN)", "5.99 ± 0.42, 5.21 ± 0.19"),
    unrolled(1): ("65.4 ± 34.8", "5.91 ± 0.14"),
    unrolled(5): ("236.4 ± 63.3", "4.67 ± 0.43"),
    unrolled(10): ("327.2 ± 74.7", "4.66 ± 0.46"),
    unrolled(0, "1/2"): ("628.0 ± 140.9 (Metz), 487.7 ± 34.6 (PacGAN)", "2.58 ± 0.75, 2.24 ± 0.15"),
    unrolled(1, "1/2"): ("523.6 ± 55.8", "2.44 ± 0.26"),
    unrolled(5, "1/2"): ("732.0 ± 45.0", "1.66 ± 0.09"),
    unrolled(10, "1/2"): ("817.4 ± 37.9", "1.43 ± 0.12"),
    pack(2): ("484.5 ± 33.0", "2.61 ± 0.22"),
    pack(4): ("667.4 ± 29.0", "1.81 ± 0.15"),
    pack(2, "1/2"): ("840.7 ± 15.9", "1.00 ± 0.05"),
    pack(4, "1/2"): ("820.2 ± 25.5", "1.15 ± 0.14"),
    WGAN_GP: ("640.1 ± 136.3 (Karras et al. 2018)", "1.97"),
    "RpGAN + R1 + R2": ("1000", "0.0781"),
    "GAN + R1 + R2": ("693", "0.9270"),
    "RpGAN + R1": ("diverges", "diverges"),
}
"""Modes and KL on stacked MNIST as their sources print them."""

_OF_OTHERS = {DATASET: "digits and more steps", "stacked_mnist": "more steps"}
"""What the published numbers have, by the dataset of ours."""

Numbers = Mapping[str, Any]


# ------------------------------------------------------------------------------------- measurement


def measure(runs: Mapping[str, Mapping[int, Path]], smoke: bool) -> dict[str, Any]:
    """Returns a row per run and seed: modes and KL over training, and samples; and real triples."""
    from gan_jax.experiment.run_directory import read_settings

    settings = read_settings(next(iter(next(iter(runs.values())).values())))
    arguments = settings.metrics[0].settings
    samples = arguments["samples"]
    made = images.rows(
        runs,
        f"stacked_modes{samples}/covered",
        f"stacked_modes{samples}/reverse_kl",
        samples=8,
    )
    for row in made:
        row["curves"] = dict(zip(SCORES, row["curves"].values(), strict=True))
    real = real_triples(settings.dataset, arguments.get("weights", ""), samples)
    numbers: dict[str, Any] = to_json_value(
        {"rows": made, "real": real, "dataset": settings.dataset.name}, 5
    )
    return numbers


def real_triples(stacked: "Part", lenet: str, samples: int) -> dict[str, float]:
    """Returns the accuracy of the classifier on test images, and the scores of test triples.

    Args:
      stacked: the dataset of the runs, whose single images are tested.
      lenet: the file of the classifier's weights; empty for those that are shipped.
      samples: triples of random test images.

    Raises:
      UserError: the dataset is not made of single images with labels.
    """
    from gan_jax import data
    from gan_jax.evaluation.protocols.extractors import classify, load_classifier

    if not stacked.name.startswith("stacked_"):
        raise UserError(
            "this figure needs the labels of single test images: choose --config.dataset="
            f"stacked_fashion_mnist or stacked_mnist, not {stacked.name}"
        )
    dataset = getattr(data, stacked.name.removeprefix("stacked_"))
    folder = {key: value for key, value in stacked.settings.items() if key == "data_dir"}
    test = dataset("test", labels=True, **folder).arrays
    labels = np.asarray(test["label"])
    pixels = images.decoded(np.asarray(test["real"]))
    found = classify(load_classifier("lenet", lenet), pixels)
    scores = {"accuracy": float(np.mean(found == labels))}
    for name, classes in (("classified", found), ("labelled", labels)):
        of_triples = scores_of_triples(classes, samples)
        scores |= {f"{name} {score}": value for score, value in of_triples.items()}
    return scores


def scores_of_triples(classes: np.ndarray, samples: int) -> dict[str, float]:
    """Returns modes and KL of triples of random images, means over draws.

    Args:
      classes: of the images, ``[n]``.
      samples: triples per draw.
    """
    from gan_jax import metrics

    rng = np.random.default_rng(0)
    draws = [
        metrics.label_coverage(classes[rng.integers(0, len(classes), (samples, 3))])
        for _ in range(DRAWS)
    ]
    return {
        MODES: float(np.mean([draw.modes for draw in draws])),
        KL: float(np.mean([draw.reverse_kl for draw in draws])),
    }


# ------------------------------------------------------------------------------------------ claims


def last_scores(numbers: Numbers, run: str, score: str) -> list[float]:
    """Returns the last value of a score of each seed of a run; see `DIVERGED`."""
    return [
        DIVERGED[score] if row["diverged"] else float(row["curves"][score]["value"][-1])
        for row in numbers["rows"]
        if row["run"] == run
    ]


def claims(numbers: Numbers) -> list[Claim]:
    """Returns differences of mean scores between runs, and the scores of each run and of data."""
    made: list[Claim] = []
    for better, worse, score in (
        (unrolled(10), unrolled(0), MODES),
        (unrolled(10), unrolled(0), KL),
        (pack(2), unrolled(0), MODES),
        (pack(2), unrolled(0), KL),
        ("RpGAN + R1 + R2", "GAN + R1 + R2", KL),
        ("RpGAN + R1 + R2", "RpGAN + R1", KL),
    ):
        high, low = (better, worse) if score == MODES else (worse, better)
        made += mean_above(
            f"mean {score}: {high} minus {low}",
            last_scores(numbers, high, score),
            last_scores(numbers, low, score),
            "published order",
            diverged(numbers, high, low),
        )
    for name in images.names(numbers):
        for score, published in zip(SCORES, _PUBLISHED[name], strict=True):
            others = _OF_OTHERS.get(numbers.get("dataset", DATASET), "digits and more steps")
            parts = (f"not comparable: {others}", images.divergence_note(numbers, name))
            note = "; ".join(filter(None, parts))
            values = images.last_values(numbers, name, score)
            made.append(Claim(f"{name}: {score}", values, published, None, None, note))
    return [*made, *_real_claims(numbers["real"])]


def _real_claims(real: Mapping[str, float]) -> list[Claim]:
    """Returns the claims, which are not judged, that show what the scores of data are."""
    floor = f"{999 / (2 * SAMPLES):.4f} of {SAMPLES:,} triples if even"
    shown = (
        ("test images: accuracy of the LeNet", "accuracy", "reported only"),
        ("test triples: modes by the LeNet", f"classified {MODES}", "1000 are there"),
        ("test triples: KL by the LeNet", f"classified {KL}", floor),
        ("test triples: KL by their labels", f"labelled {KL}", floor),
    )
    return [Claim(name, (real[key],), text, None, None) for name, key, text in shown]


# ----------------------------------------------------------------------------------------- drawing


def draw(numbers: Numbers) -> "Figure":
    """Draws modes and KL by K, those of the other runs, and samples."""
    figure = page.canvas(6.6)
    upper, middle, lower = figure.subfigures(3, 1, height_ratios=(1, 1.15, 1.2))
    by_k, others, strips = (part.subplots(1, 2) for part in (upper, middle, lower))
    for ax, score in zip(by_k, SCORES, strict=True):
        _draw_by_k(ax, numbers, score)
    by_k[0].legend(loc="best")
    rest = _only(numbers, [name for name in images.names(numbers) if not name.startswith("K = ")])
    styles = {name: _style(numbers, name) for name in images.names(rest)}
    for ax, score in zip(others, SCORES, strict=True):
        images.draw_last(ax, rest, score, styles)
        ax.set(xlabel=SCORES[score])
        ax.set_title("other runs: seeds, and their mean")
    others[1].set_yticklabels([])
    others[1].axvline(numbers["real"][f"classified {KL}"], color="0.6", linewidth=0.6)
    names = images.names(numbers)
    half = -(-len(names) // 2)
    for ax, part in zip(strips, (names[:half], names[half:]), strict=True):
        images.draw_strips(ax, _only(numbers, part))
        ax.set_title("first samples of seed 0")
    page.letter([*by_k, *others, *strips])
    return figure


def _only(numbers: Numbers, runs: list[str]) -> dict[str, Any]:
    """Returns the rows of some runs."""
    return {"rows": [row for row in numbers["rows"] if row["run"] in runs]}


def _style(numbers: Numbers, run: str) -> dict[str, str]:
    """Returns the colour of a run's dots, and its name with how many seeds have none."""
    without = sum(row["diverged"] for row in numbers["rows"] if row["run"] == run)
    label = f"{run} ({without} diverged)" if without else run
    return {"color": page.BLUE, "label": label}


def _draw_by_k(ax: "Axes", numbers: Numbers, score: str) -> None:
    """Draws a score by K for each discriminator: seeds as dots, and the line of their means."""
    for fraction, colour in zip(FRACTIONS, (page.BLUE, page.ORANGE), strict=True):
        values = {k: last_scores(numbers, unrolled(k, fraction), score) for k in LOOK_AHEAD}
        values = {k: of_seeds for k, of_seeds in values.items() if of_seeds}
        if not values:
            continue
        for k, of_seeds in values.items():
            ax.plot([k] * len(of_seeds), of_seeds, ".", color=colour, alpha=0.6)
        means = [float(np.mean(of_seeds)) for of_seeds in values.values()]
        ax.plot(list(values), means, color=colour, label=f"D = {fraction} of G")
    if score == KL:
        floor = numbers["real"][f"classified {KL}"]
        ax.axhline(floor, color="0.6", linewidth=0.6)
    ax.set(xlabel="look-ahead steps K", ylabel=SCORES[score], xticks=LOOK_AHEAD)
    ax.set_ylim(bottom=0)
    ax.set_title(f"{SCORES[score]}, by K")
