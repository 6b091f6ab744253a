"""Eight objectives on Fashion-MNIST with the same networks and one setting each.

    python experiments/reproduce.py objectives_on_images                          # 6 hours
    python experiments/reproduce.py objectives_on_images --scale=short --seeds=1  # 15 minutes

Times are of 2 CPU cores. It can be stopped and resumed, and --seeds=N with a larger N adds seeds.
The short form has 900 of the 3,000 steps, 300 of WGAN and WGAN-GP, and no unrolled GAN.

Source: Lucic et al., "Are GANs Created Equal? A Large-Scale Study" (2018), table 2: FID on
Fashion-MNIST of the best of 100 random settings of each objective, mean and standard deviation of
50 seeds, 20 epochs. Beside it are the unrolled GAN (Metz et al., 2017, K = 5) and R3GAN's
objective (Huang et al., 2024). The study's networks, those of InfoGAN, with half of its channels
and an eighth of its dense units; 3,000 steps, 3.2 epochs; no search. Adam 2e-4 with b1 = 0.5 and
one discriminator step, except for WGAN and WGAN-GP, which have the optimizers of their papers and
five. Without BatchNorm in the discriminator are WGAN-GP, DRAGAN and R3GAN, whose penalties are of
each sample's slope; the first has LayerNorm.

No number here is FID, so ours and the study's cannot be compared, only their orders. FD is the
Fréchet distance and KD the kernel distance times 1,000 of 10,000 samples from the test images under
a LeNet; precision, recall, density and coverage are of 2,000 samples under its features; FD_e is
the Fréchet distance of 2,000 samples under EfficientNet-Lite0, if its weights are installed. For
who has Inception's weights, FID of a run in runs/figures/paper/objectives_on_images:

    python experiments/evaluate.py --workdir=RUN --metrics=fid10k --weights=inception.npz

To be met, set before any run: minimax has a higher mean FD than the non-saturating loss, as in the
study, and so has WGAN with clipping than WGAN-GP, against it: in 3,000 steps clipping is slower.
How the order agrees with the study's is shown and not judged.
"""

import importlib.util
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import _image_runs as images
import numpy as np
from _comparisons import mean_above

from gan_jax.reproduction import Claim, Run, cached, page, to_json_value

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

    from gan_jax.evaluation.protocol import Protocol

METRIC = "fd_lenet_2k"
STEPS, SHORT_STEPS, SHORT_CRITIC_STEPS = 3_000, 900, 300
CONFIG = "configs/fashion_mnist.py:dcgan"
COMMON = (*images.every(STEPS, 6), "metrics=fd_lenet(samples=2000)")


def _networks(norm: str = "batch") -> str:
    return f"networks=infogan(width=32, hidden=128, discriminator_norm='{norm}')"


def _run(objective: str, norm: str = "batch", *others: str, variant: str = "dcgan") -> Run:
    settings = (*COMMON, _networks(norm), f"objective={objective}", *others)
    return Run(f"configs/fashion_mnist.py:{variant}", settings)


_ADAM = "adam(learning_rate=2e-4, b1=0.5, eps_root=1e-14)"
RUNS = {
    "MM GAN": _run("minimax"),
    "NS GAN": _run("non_saturating"),
    "LSGAN": _run("least_squares"),
    "WGAN": _run("wasserstein", variant="wgan"),
    "WGAN-GP": _run("wasserstein + gradient_penalty(weight=10.0)", "layer", variant="wgan_gp"),
    "DRAGAN": _run("non_saturating + dragan(weight=10.0)", "none"),
    "R3GAN": _run("relativistic + r1(gamma=1.0) + r2(gamma=1.0)", "none"),
    "UGAN": _run(
        "minimax",
        "batch",
        "unroll=5",
        f"generator_optimizer={_ADAM}",
        f"discriminator_optimizer={_ADAM}",
    ),
}
PUBLISHED = {
    "MM GAN": (29.6, 1.6),
    "NS GAN": (26.5, 1.6),
    "LSGAN": (30.7, 2.2),
    "WGAN": (21.5, 1.6),
    "WGAN-GP": (24.5, 2.1),
    "DRAGAN": (27.7, 1.2),
}
"""FID in the study's table 2: mean and standard deviation of 50 seeds."""
SEEDS = 3
SHORT = {
    name: images.every(SHORT_CRITIC_STEPS if name.startswith("WGAN") else SHORT_STEPS, 3)
    for name in RUNS
    if name != "UGAN"
}
NOT_RUN_SHORT = (
    f"{STEPS - SHORT_STEPS:,} of the {STEPS:,} steps, {STEPS - SHORT_CRITIC_STEPS:,} of WGAN and "
    "WGAN-GP; UGAN"
)
SMOKE_RUNS, SMOKE_SEEDS, SMOKE = ("NS GAN", "R3GAN"), 1, images.SMOKE
NOT_RUN = "six of eight objectives, and all steps but 4: this only shows that it works"
SCORES = ("FD", "KD", "precision", "recall", "density", "coverage", "FD_e")
"""What is measured at the end of each run; FD_e only if the weights are installed."""

_COLOURS = (*page.CYCLE[:-1], "0.55")  # yellow lines are hard to see
_STYLES = {name: {"color": colour} for name, colour in zip(RUNS, _COLOURS, strict=True)}

Numbers = Mapping[str, Any]


# ------------------------------------------------------------------------------------- measurement


def measure(runs: Mapping[str, Mapping[int, Path]], smoke: bool) -> dict[str, Any]:
    """Returns the rows of `_image_runs.rows`, with `SCORES` at the end."""
    from gan_jax import evaluation
    from gan_jax.experiment.loading import load

    chosen = protocols(100, False) if smoke else protocols()
    rows = images.rows(runs, METRIC)
    for row in rows:
        if not row["diverged"]:
            directory = runs[row["run"]][row["seed"]]
            run = load(directory)

            def score(run: Any = run) -> list[float]:
                real = run.experiment.real_samples()
                return list(evaluation.evaluate(run.sampler, real, chosen).values())

            names = [protocol.name for protocol in chosen]
            values = cached(directory / "scores.json", {"names": names, "step": run.step}, score)
            row["scores"] = dict(zip(SCORES, without_spread(values), strict=False))
            print(f"{row['run']}, seed {row['seed']}: FD {values[0]:.1f}", flush=True)
    numbers: dict[str, Any] = to_json_value({"rows": rows}, 5)
    return numbers


def protocols(samples: int = 10_000, with_efficientnet: bool = True) -> "list[Protocol]":
    """Returns the protocols that give `SCORES`, in order, and the spread of KD."""
    from gan_jax.evaluation import protocols
    from gan_jax.metrics import efficientnet

    few = min(samples, 2_000)
    chosen = [
        protocols.fd_lenet(samples=samples),
        protocols.kernel(samples=samples, subset_size=min(samples, 1_000)),
        protocols.precision_recall(samples=few),
        protocols.density_coverage(samples=few),
    ]
    if with_efficientnet and importlib.util.find_spec(efficientnet.PACKAGE):
        chosen.append(protocols.fd_effnetlite0(samples=few))
    return chosen


def without_spread(values: Sequence[float]) -> list[float]:
    """Returns the scores without KD's standard deviation over subsets, and KD times 1,000."""
    return [values[0], 1_000 * values[1], *values[3:]]


# ------------------------------------------------------------------------------------------ claims


def scores(numbers: Numbers, run: str, score: str) -> tuple[float, ...]:
    """Returns a score of each seed of a run that did not diverge."""
    rows = images.rows_named(numbers, run)
    return tuple(float(row["scores"][score]) for row in rows if score in row["scores"])


def rank_correlation(numbers: Numbers, score: str = "FD") -> float:
    """Returns Spearman's correlation of mean scores with the published FIDs; NaN of under 3."""
    from scipy.stats import spearmanr

    both = [name for name in PUBLISHED if scores(numbers, name, score)]
    if len(both) < 3:
        return float("nan")
    ours = [np.mean(scores(numbers, name, score)) for name in both]
    return float(spearmanr(ours, [PUBLISHED[name][0] for name in both]).statistic)


def claims(numbers: Numbers) -> list[Claim]:
    """Returns the two differences that are judged, each run's scores, and the order's agreement."""
    made: list[Claim] = []
    for high, low in (("MM GAN", "NS GAN"), ("WGAN", "WGAN-GP")):
        published = PUBLISHED[high][0] - PUBLISHED[low][0]
        made += mean_above(
            f"mean FD: {high} minus {low}",
            scores(numbers, high, "FD"),
            scores(numbers, low, "FD"),
            f"FID {published:+.1f}",
        )
    for name in images.names(numbers):
        published = "FID {:.1f} ± {:.1f}".format(*PUBLISHED[name]) if name in PUBLISHED else ""
        others = [
            f"{score} {np.mean(scores(numbers, name, score)):.3g}"
            for score in SCORES[1:]
            if scores(numbers, name, score)
        ]
        notes = ["means: " + ", ".join(others), images.divergence_note(numbers, name)]
        note = "; ".join(filter(None, notes))
        text = published or "reported only"
        made.append(Claim(f"{name}: FD", scores(numbers, name, "FD"), text, None, None, note))
    if np.isfinite(agreement := rank_correlation(numbers)):
        made.append(
            images.to_be_shown("rank correlation of mean FD with the study's FID", (agreement,))
        )
    return made


# ----------------------------------------------------------------------------------------- drawing


def draw(numbers: Numbers) -> "Figure":
    """Draws FD over training, FD beside the published FID, and samples."""
    figure = page.canvas(5.4)
    upper, lower = figure.subfigures(2, 1, height_ratios=(1, 1.15))
    over_training, beside = upper.subplots(1, 2)
    images.draw_curves(over_training, numbers, METRIC, _STYLES)
    over_training.set(yscale="log", ylabel="FD of 2,000 samples, LeNet")
    over_training.set_title("FD over training")
    page.plain_ticks(over_training)
    _draw_beside_published(beside, numbers)
    beside.legend(*over_training.get_legend_handles_labels(), loc="upper left", ncols=2)
    strips = lower.subplots()
    images.draw_strips(strips, numbers)
    strips.set_title("the first samples of seed 0")
    page.letter([over_training, beside, strips])
    return figure


def _draw_beside_published(ax: "Axes", numbers: Numbers) -> None:
    """Draws FD of each seed against the published FID, or at the left if none was published."""
    left = 19.0
    for name in images.names(numbers):
        values = scores(numbers, name, "FD")
        x, error = PUBLISHED.get(name, (left, 0.0))
        marker = "o" if name in PUBLISHED else "s"
        ax.plot([x] * len(values), values, marker, color=_STYLES[name]["color"])
        if values and error:
            ax.errorbar(x, np.mean(values), xerr=error, color=_STYLES[name]["color"], linewidth=0.6)
    ax.axvline(left + 1, color="0.7", linewidth=0.6)
    ax.set(xlabel="published FID", ylabel="FD at the end, LeNet")
    ax.set(yscale="log", xlim=(left - 1, 34))
    ax.set_xticks([left, 22, 26, 30, 34], ["none", "22", "26", "30", "34"])
    low, high = ax.get_ylim()
    ax.set_ylim(top=high * (high / low) ** 0.9)  # room for the legend
    page.plain_ticks(ax)
    ax.set_title("FD beside the study's FID")
