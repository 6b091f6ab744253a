"""Parzen likelihoods of GANs, and of models that are no GANs and score higher.

    python experiments/reproduce.py parzen_likelihood                          # 1 hour
    python experiments/reproduce.py parzen_likelihood --scale=short --seeds=1  # 10 minutes

Times are of 2 CPU cores, estimated from the multiplications: 30 steps/s, and 50 s of distances for
each likelihood. It can be stopped and resumed, and --seeds=N with a larger N adds seeds. The short
form has a fifth of the steps.

Source: Goodfellow et al., "Generative Adversarial Nets" (2014), table 1: 225 ± 2 nats for MNIST,
and Mirza and Osindero (2014): 132 ± 1.8 with labels. Theis et al., "A note on the evaluation of
generative models" (2016), section 3.3: k-means centres score higher than the data themselves. Ours
are of Fashion-MNIST, and not comparable. Networks of 2014: z uniform, 100 numbers, a generator
1200-1200 of ReLUs, a discriminator of 240-240 maxout units with 5 pieces and dropout (0.2 of
pixels, 0.5 of units), batches of 100, non-saturating; but Adam (2e-4, 0.5) and 10,000 steps, a
tenth of theirs, and labels one-hot at the input of both networks.

A likelihood is that of the first 2,000 test images under Gaussian windows around 10,000 samples,
pixels in [0, 1]; the width of the windows is the best of ten from 0.1 to 1 for the next 500 images.
No GAN are: centres of 10,000 clusters of the 60,000 training images, after 5 rounds of k-means from
a random start; 10,000 training images in their first 40 principal components; and the images
themselves. FD is the Fréchet distance of 5,000 samples from the test images under a LeNet, never
FID.

To be met, set before any run: the likelihood under k-means centres is above the mean over seeds
under the GAN at the end, above that under the conditional GAN, and above that under training
images.
"""

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

import _image_runs as images
import numpy as np
from _comparisons import diverged, mean_above
from _models_of_pixels import as_images, k_means, projected

from gan_jax.reproduction import Claim, Run, cached, page, to_json_value

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

METRIC = "fd_lenet_5k"
STEPS, SHORT_STEPS = 10_000, 2_000
EVALUATIONS, SHORT_EVALUATIONS = 5, 2
COMMON = (
    *images.every(STEPS, EVALUATIONS),
    f"keep_checkpoints={EVALUATIONS}",
    "metrics=fd_lenet(samples=5000)",
    "networks=_dropout_mlp:dropout_mlp",
    "batch_size=100",
    "ema_decay=0",
)
GAN, CONDITIONAL = "GAN", "conditional GAN"
RUNS = {
    GAN: Run("configs/fashion_mnist.py:dcgan", COMMON),
    CONDITIONAL: Run("configs/fashion_mnist.py:conditional", COMMON),
}
SEEDS = 3
SHORT = images.every(SHORT_STEPS, SHORT_EVALUATIONS)
NOT_RUN_SHORT = f"{STEPS - SHORT_STEPS:,} of the {STEPS:,} steps"
SMOKE_RUNS, SMOKE_SEEDS = (GAN, CONDITIONAL), 1
SMALL = "_dropout_mlp:dropout_mlp(generator_widths=(32,), discriminator_widths=(16,))"
SMOKE = (*images.SMOKE, f"networks={SMALL}")
NOT_RUN = "all steps but 4, and all images but a few: this only shows that it works"
CENTRES, COMPONENTS, DATA = "k-means centres", "40 components", "training images"
_COLOURS = {
    GAN: page.BLUE,
    CONDITIONAL: page.SKY,
    CENTRES: page.VERMILLION,
    COMPONENTS: page.ORANGE,
    DATA: page.BLACK,
}
SHOWN = 16
"""Samples in a strip."""

Numbers = Mapping[str, Any]


class Sizes(NamedTuple):
    """How many images are used.

    Attributes:
      train: images that models which are no GAN are made from.
      samples: of a model.
      validation: images for which the width of the windows is chosen.
      test: images whose likelihood is computed.
      rounds: of k-means.
    """

    train: int
    samples: int
    validation: int
    test: int
    rounds: int


PAPER_SIZES = Sizes(train=60_000, samples=10_000, validation=500, test=2_000, rounds=5)
SMOKE_SIZES = Sizes(train=400, samples=100, validation=20, test=50, rounds=1)


# ------------------------------------------------------------------------------------- measurement


def measure(runs: Mapping[str, Mapping[int, Path]], smoke: bool) -> dict[str, Any]:
    """Returns a row per run and seed, with FD and likelihood over training; and other models."""
    from gan_jax import data

    sizes = SMOKE_SIZES if smoke else PAPER_SIZES
    train, test = (data.fashion_mnist(split).arrays["real"][:] for split in ("train", "test"))
    rows = images.rows(runs, METRIC, samples=SHOWN)
    for row in rows:
        directory = runs[row["run"]][row["seed"]]
        row["curves"]["likelihood"] = likelihood_curve(directory, row, test, sizes)
    others = {}
    for name, picture in other_models(train[: sizes.train], sizes).items():
        strip = images.to_png(images.side_by_side(picture[:SHOWN]))
        others[name] = scores(picture, train, test, sizes) | {"strip": strip}
        print(f"{name}: {others[name]['likelihood']:.0f} nats", flush=True)
    numbers: dict[str, Any] = to_json_value({"rows": rows, "others": others}, 6)
    return numbers


def likelihood_curve(
    directory: Path, row: Mapping[str, Any], test: np.ndarray, sizes: Sizes
) -> dict[str, list[float]]:
    """Returns the likelihoods of a run at its evaluations, with errors and widths of windows."""
    from gan_jax.evaluation.generated_samples import evaluation_key
    from gan_jax.experiment.loading import load

    curve: dict[str, list[float]] = {"step": [], "value": [], "error": [], "sigma": []}
    if row["diverged"]:
        return curve
    for step in row["curves"][METRIC]["step"]:

        def parzen(step: int = step) -> dict[str, float]:
            sampler = load(directory, step).sampler
            samples = images.pixels(sampler(evaluation_key(0), sizes.samples))
            return likelihood(samples, test, sizes)

        found = cached(directory / f"parzen_{step}.json", {"sizes": sizes}, parzen)
        print(f"{row['run']}, step {step}: {found['likelihood']:.0f} nats", flush=True)
        for key, value in zip(curve, (step, *found.values()), strict=True):
            curve[key].append(value)
    return curve


def likelihood(samples: np.ndarray, test: np.ndarray, sizes: Sizes) -> dict[str, float]:
    """Returns the mean log-likelihood of test images in nats, its standard error, and the width.

    The width of the windows is chosen for the images that follow those that are tested.
    """
    from gan_jax import metrics

    centres = images.flat(samples)
    tested, validation = np.split(images.flat(test[: sizes.test + sizes.validation]), [sizes.test])
    sigma = metrics.parzen_sigma(centres, validation)
    values = metrics.parzen_log_likelihoods(centres, tested, sigma)
    error = float(values.std(ddof=1) / np.sqrt(len(values)))
    return {"likelihood": float(values.mean()), "error": error, "sigma": sigma}


def scores(
    samples: np.ndarray, train: np.ndarray, test: np.ndarray, sizes: Sizes
) -> dict[str, float]:
    """Returns `likelihood` of images as samples, and their FD."""
    from gan_jax import evaluation
    from gan_jax.evaluation import protocols

    chosen = [protocols.fd_lenet(samples=min(len(samples), 5_000))]
    (fd,) = evaluation.evaluate(samples, {"train": train, "test": test}, chosen).values()
    return likelihood(samples, test, sizes) | {"fd": fd}


def other_models(train: np.ndarray, sizes: Sizes) -> dict[str, np.ndarray]:
    """Returns what models that are no GAN give for samples, images ``[n, 28, 28, 1]`` uint8."""
    chosen = np.random.default_rng(0).permutation(len(train))[: sizes.samples]
    pixels = images.flat(train)
    return {
        CENTRES: as_images(k_means(pixels, pixels[chosen], sizes.rounds)),
        COMPONENTS: as_images(projected(pixels, pixels[chosen], 40)),
        DATA: train[chosen],
    }


# ------------------------------------------------------------------------------------------ claims


def claims(numbers: Numbers) -> list[Claim]:
    """Returns the likelihood of k-means centres above that of others, and all likelihoods."""
    others = numbers["others"]
    centres = [others[CENTRES]["likelihood"]]
    names = images.names(numbers)
    made = []
    for name in names:
        made += mean_above(
            f"nats: {CENTRES} minus {name}",
            centres,
            images.last_values(numbers, name, "likelihood"),
            "the measure prefers what is no GAN",
            diverged(numbers, name),
        )
    data = [others[DATA]["likelihood"]]
    made += mean_above(f"nats: {CENTRES} minus {DATA}", centres, data, "above the data themselves")
    published = {GAN: "225 ± 2", CONDITIONAL: "132 ± 1.8"}
    for name in names:
        errors = [row["curves"]["likelihood"]["error"] for row in images.rows_named(numbers, name)]
        spread = ", ".join(f"{error[-1]:.2g}" for error in errors if error)
        note = (
            f"published for MNIST {published[name]}, not comparable; "
            f"standard errors over test images {spread}"
        )
        if lost := images.divergence_note(numbers, name):
            note = f"{note}; {lost}"
        values = images.last_values(numbers, name, "likelihood")
        made += [
            images.to_be_shown(f"{name}: log-likelihood in nats", values, note),
            images.shown(numbers, name, METRIC, "FD"),
        ]
    for name, model in others.items():
        note = f"standard error over test images {model['error']:.2g}, width {model['sigma']:.2g}"
        made += [
            images.to_be_shown(f"{name}: log-likelihood in nats", [model["likelihood"]], note),
            images.to_be_shown(f"{name}: FD", [model["fd"]]),
        ]
    return made


# ----------------------------------------------------------------------------------------- drawing


def draw(numbers: Numbers) -> "Figure":
    """Draws likelihood and FD over training, one against the other, and samples."""
    figure = page.canvas(4.2)
    upper, lower = figure.subfigures(2, 1, height_ratios=(1.1, 0.9))
    likelihoods, fds, both = upper.subplots(1, 3)
    _draw_over_training(likelihoods, numbers, "likelihood", "likelihood")
    likelihoods.set(ylabel="nats")
    likelihoods.set_title("likelihood over training")
    _draw_over_training(fds, numbers, METRIC, "fd")
    fds.set(yscale="log", ylabel="FD, LeNet")
    fds.set_title("FD over training")
    page.plain_ticks(fds)
    _draw_both(both, numbers)
    lines, labels = both.get_legend_handles_labels()
    upper.legend(lines, labels, loc="outside upper center", ncols=len(_COLOURS), columnspacing=1)
    strips = lower.subplots()
    pictures = {row["run"]: row["strip"] for row in numbers["rows"] if row.get("strip")}
    pictures |= {name: model["strip"] for name, model in numbers["others"].items()}
    images.draw_pictures(strips, pictures)
    strips.set_title("the first samples, of GANs with seed 0")
    page.letter([likelihoods, fds, both, strips])
    return figure


def _draw_over_training(ax: "Axes", numbers: Numbers, metric: str, score: str) -> None:
    """Draws a curve of each GAN, and a dashed line of each other model."""
    styles = {name: {"color": colour} for name, colour in _COLOURS.items()}
    images.draw_curves(ax, numbers, metric, styles)
    for name, model in numbers["others"].items():
        ax.axhline(model[score], color=_COLOURS[name], linestyle="--")


def _draw_both(ax: "Axes", numbers: Numbers) -> None:
    """Draws FD at the end against likelihood, a dot for each seed or model."""
    points = {
        name: (
            images.last_values(numbers, name, "likelihood"),
            images.last_values(numbers, name, METRIC),
        )
        for name in images.names(numbers)
    }
    points |= {
        name: ((model["likelihood"],), (model["fd"],)) for name, model in numbers["others"].items()
    }
    for name, (nats, fd) in points.items():
        ax.plot(nats, fd, "o" if name in RUNS else "s", color=_COLOURS[name], label=name)
    ax.set(yscale="log", xlabel="nats", ylabel="FD, LeNet")
    ax.set_title("FD against likelihood")
    page.plain_ticks(ax)
