"""Forty networks drawn at random, each trained as a GAN and as WGAN-GP: which of them work.

    python experiments/reproduce.py random_architectures                # 5 hours
    python experiments/reproduce.py random_architectures --scale=short  # 10 minutes

Times are of 2 CPU cores, estimated from 13 steps/s of DCGAN and 2.8 of WGAN-GP with 32 channels. It
can be stopped and resumed, network by network. The short form has 200 of the 1,000 steps of the
first 4 networks.

Source: Gulrajani et al., "Improved Training of Wasserstein GANs" (2017), section 5.1, tables 1 and
2, as a small form on Fashion-MNIST. Each network is a generator and a discriminator, drawn one by
one from the same lists: nonlinearity relu, leaky relu, (softplus(2x + 2)) / 2 - 1 or tanh; 2, 3 or
4 strided convolutions (the paper: 4, 8, 12 or 20 layers); with norms or without; 8, 16 or 32
channels next to the image (32, 64 or 128), which each halving doubles. A norm is BatchNorm, and
LayerNorm in the critic of WGAN-GP. GAN: non-saturating, Adam 2e-4 (0.5, 0.999). WGAN-GP: 5 updates
of the critic per step, Adam 1e-4 (0, 0.9). No weight decay; batch 64; 1,000 steps of the generator
(100,000). Sampled is the moving average of the generator. The networks are trained with one seed.

A network works if the score of its last samples is above a minimum. The score is that of Salimans
et al. (2016), of 5,000 samples in 5 parts, under a LeNet with 10 classes, which is at most 10 and
not an Inception score; the paper's is of 1,000 classes, at minima of 1, 3, 5, 7 and 9. A run that
diverged works at none.

To be met, set before any run: at the minimum of 5, half of the most possible, networks that work
with WGAN-GP alone outnumber those that work with the GAN alone, with p < 0.01 in the exact
one-sided sign test over networks.
"""

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

import _image_runs as images
import numpy as np
from _random_networks import Net, draw_nets, override

from gan_jax.reproduction import Claim, Run, page, to_json_value

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

NETS = draw_nets(40, seed=0)
STEPS, SHORT_STEPS, SHORT_NETS = 1_000, 200, 4
MINIMA, JUDGED, LARGEST_P = (3.0, 4.0, 5.0, 6.0, 7.0), 5.0, 0.01
GAN, WGAN_GP = "GAN", "WGAN-GP"
METRIC, SMOKE_METRIC = "cs_lenet_5k/mean", "cs_lenet_20/mean"
CONFIG = "configs/fashion_mnist.py:dcgan"
COMMON = (
    *images.every(STEPS, 2),
    "metrics=inception_score(extractor='lenet', samples=5000, splits=5)",
)
OBJECTIVES = {
    GAN: (
        "objective=non_saturating",
        "generator_optimizer=adam(learning_rate=2e-4, b1=0.5, b2=0.999)",
        "discriminator_optimizer=adam(learning_rate=2e-4, b1=0.5, b2=0.999)",
    ),
    WGAN_GP: (
        "objective=wasserstein + gradient_penalty(weight=10.0)",
        "discriminator_steps=5",
        "generator_optimizer=adam(learning_rate=1e-4, b1=0.0, b2=0.9)",
        "discriminator_optimizer=adam(learning_rate=1e-4, b1=0.0, b2=0.9)",
    ),
}
_NORMS = {GAN: "batch", WGAN_GP: "layer"}


def run_name(index: int, objective: str) -> str:
    """Returns the name of the run of one network with one objective."""
    return f"{objective}, network {index:02d}"


def _run(net: Net, objective: str) -> Run:
    networks = override(net, _NORMS[objective])
    return Run(CONFIG, (*COMMON, networks, *OBJECTIVES[objective]))


RUNS = {
    run_name(index, objective): _run(net, objective)
    for index, net in enumerate(NETS)
    for objective in OBJECTIVES
}
SEEDS = 1
SHORT = {
    run_name(index, objective): images.every(SHORT_STEPS, 2)
    for index in range(SHORT_NETS)
    for objective in OBJECTIVES
}
NOT_RUN_SHORT = (
    f"{len(NETS) - SHORT_NETS} of {len(NETS)} networks, and "
    f"{STEPS - SHORT_STEPS} of the {STEPS:,} steps"
)
SMOKE_RUNS, SMOKE_SEEDS = tuple(run_name(0, objective) for objective in OBJECTIVES), 1
SMOKE = (*images.SMOKE, "metrics=inception_score(extractor='lenet', samples=20, splits=2)")
NOT_RUN = (
    f"{len(NETS) - 1} of {len(NETS)} networks, and all steps but 4: this only shows that it works"
)

PICTURES = 6
"""Networks of which samples are shown."""

_PUBLISHED = {
    1.0: (0, 8, 192, 0),
    3.0: (1, 88, 110, 1),
    5.0: (0, 147, 42, 11),
    7.0: (1, 104, 5, 90),
    9.0: (0, 0, 0, 200),
}
"""Networks of 200 that work with GAN alone, WGAN-GP alone, both, neither, by minimum."""

OUTCOMES = ("GAN alone", "WGAN-GP alone", "both", "neither")

Numbers = Mapping[str, Any]


# ------------------------------------------------------------------------------------- measurement


def measure(runs: Mapping[str, Mapping[int, Path]], smoke: bool) -> dict[str, Any]:
    """Returns the rows of `_image_runs.rows`, with samples of the first networks."""
    made = images.rows(runs, SMOKE_METRIC if smoke else METRIC, samples=8)
    pictured = {run_name(index, name) for index in range(PICTURES) for name in OBJECTIVES}
    for row in made:
        (curve,) = row["curves"].values()
        row["curves"] = {METRIC: curve}
        if row["run"] not in pictured:
            row.pop("strip", None)
    numbers: dict[str, Any] = to_json_value({"rows": made}, 5)
    return numbers


# ------------------------------------------------------------------------------------------ claims


def scores(numbers: Numbers) -> np.ndarray:
    """Returns the last scores ``[networks, 2]``, with GAN and with WGAN-GP; 0 if it diverged."""
    found = []
    for index in range(len(NETS)):
        names = [run_name(index, objective) for objective in OBJECTIVES]
        if set(names) <= set(images.names(numbers)):
            values = [images.last_values(numbers, name, METRIC) for name in names]
            found.append([of_run[0] if of_run else 0.0 for of_run in values])
    return np.array(found).reshape(-1, 2)


def outcomes(of_networks: np.ndarray, minimum: float) -> tuple[int, int, int, int]:
    """Returns how many networks have each of the `OUTCOMES`.

    Args:
      of_networks: scores ``[networks, 2]``.
      minimum: the score above which a network works.
    """
    gan, wgan_gp = (of_networks > minimum).T
    counts = (gan & ~wgan_gp, wgan_gp & ~gan, gan & wgan_gp, ~gan & ~wgan_gp)
    first, second, third, fourth = (int(np.sum(count)) for count in counts)
    return first, second, third, fourth


def sign_test(less: int, more: int) -> float:
    """Returns the probability of as many signs of the second kind or more, if both are as likely.

    Args:
      less: signs of the first kind.
      more: of the second kind.
    """
    from scipy.stats import binomtest

    total = less + more
    return float(binomtest(more, total, alternative="greater").pvalue) if total else 1.0


def claims(numbers: Numbers) -> list[Claim]:
    """Returns the p-value of the sign test, and the outcomes at each minimum."""
    of_networks = scores(numbers)
    gan_alone, wgan_gp_alone, *_ = outcomes(of_networks, JUDGED)
    made = [
        Claim(
            f"p of the sign test at a minimum of {JUDGED:g}",
            (sign_test(gan_alone, wgan_gp_alone),),
            f"WGAN-GP trains more networks; asked < {LARGEST_P:g}",
            None,
            LARGEST_P * (1 - 1e-9),
            f"{wgan_gp_alone} networks work with WGAN-GP alone, {gan_alone} with GAN alone",
        )
    ]
    for minimum in MINIMA:
        note = f"{', '.join(OUTCOMES)}, of {len(of_networks)} networks"
        counts = outcomes(of_networks, minimum)
        made.append(images.to_be_shown(f"score above {minimum:g}", [*map(float, counts)], note))
    for minimum, printed in _PUBLISHED.items():
        made.append(
            Claim(
                f"published, Inception score above {minimum:g}",
                (),
                ", ".join(map(str, printed)),
                None,
                None,
                f"{', '.join(OUTCOMES)}, of 200 networks on 32x32 ImageNet: not comparable",
            )
        )
    diverged = [row["run"] for row in numbers["rows"] if row["diverged"]]
    for objective in OBJECTIVES:
        count = sum(name.startswith(f"{objective},") for name in diverged)
        made.append(images.to_be_shown(f"{objective}: networks that diverged", [float(count)]))
    return made


# ----------------------------------------------------------------------------------------- drawing


def draw(numbers: Numbers) -> "Figure":
    """Draws both scores of each network, how many work at each minimum, and samples."""
    figure = page.canvas(4.9)
    upper, lower = figure.subfigures(2, 1, height_ratios=(1.25, 1))
    by_network, by_minimum = upper.subplots(1, 2)
    of_networks = scores(numbers)
    _draw_scores(by_network, of_networks)
    _draw_outcomes(by_minimum, of_networks)
    strips = lower.subplots(1, 2)
    for ax, objective in zip(strips, OBJECTIVES, strict=True):
        rows = [row for row in numbers["rows"] if row["run"].startswith(f"{objective},")]
        labels = {row["run"]: row["run"].removeprefix(f"{objective}, ") for row in rows}
        images.draw_strips(ax, {"rows": rows}, labels)
        ax.set_title(f"{objective}: first samples")
    page.letter([by_network, by_minimum, *strips])
    return figure


def _draw_scores(ax: "Axes", of_networks: np.ndarray) -> None:
    """Draws a dot for each network: its score with WGAN-GP over that with GAN."""
    ax.plot([0, 10], [0, 10], color="0.6", linewidth=0.6)
    for at in (ax.axvline, ax.axhline):
        at(JUDGED, color="0.6", linewidth=0.6, linestyle="--")
    ax.plot(of_networks[:, 0], of_networks[:, 1], "o", color=page.BLUE, alpha=0.7)
    ax.set(xlim=(-0.3, 10.3), ylim=(-0.3, 10.3), xlabel="score, GAN", ylabel="score, WGAN-GP")
    ax.set_title("a dot is a network; 0: diverged")


def _draw_outcomes(ax: "Axes", of_networks: np.ndarray) -> None:
    """Draws the outcomes at each minimum as stacked bars."""
    counts = np.array([outcomes(of_networks, minimum) for minimum in MINIMA])
    colours = (page.VERMILLION, page.BLUE, page.GREEN, "0.85")
    left = np.zeros(len(MINIMA))
    for outcome, colour, count in zip(OUTCOMES, colours, counts.T, strict=True):
        ax.barh(range(len(MINIMA)), count, left=left, color=colour, label=outcome)
        left += count
    ax.set_yticks(range(len(MINIMA)), [f"> {minimum:g}" for minimum in MINIMA])
    ax.set(xlabel="networks", ylabel="score")
    ax.set_ylim(-0.6, len(MINIMA) + 0.7)  # room for the legend
    ax.legend(loc="upper center", ncols=2)
    ax.set_title("which networks work")
