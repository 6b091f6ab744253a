"""Five practical tips for GANs on images, each left out alone.

    python experiments/reproduce.py practical_tips                          # 2 hours
    python experiments/reproduce.py practical_tips --scale=short --seeds=1  # 5 minutes

Times are of 2 CPU cores. It can be stopped and resumed, and --seeds=N with a larger N adds seeds.
The short form has 500 of the 2,000 steps.

Source: Chintala et al., "How to Train a GAN? Tips and tricks to make GANs work" (2016), tips 1 to 4
and 16, of which Radford et al. (2016) and Goodfellow's "NIPS 2016 Tutorial" have most. They give no
numbers. The conditional DCGAN of configs/fashion_mnist.py with all of them: images in [-1, 1] and a
tanh, the non-saturating loss, normal latents, BatchNorm, and labels. Left out are, one at a time:
the range (images in [0, 1] and a sigmoid), the loss (minimax), the latents (uniform on [-1, 1]),
the norm (none in either network), and the labels. FD is the Fréchet distance of 5,000 samples from
the test images under a LeNet, never FID.

To be met, set before any run: with each of the five left out, the mean FD over seeds is higher than
with all.
"""

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

import _image_runs as images
from _comparisons import mean_above

from gan_jax.reproduction import Claim, Run, page, to_json_value

if TYPE_CHECKING:
    from matplotlib.figure import Figure

METRIC = "fd_lenet_5k"
STEPS, SHORT_STEPS = 2_000, 500
NETWORKS = "networks=dcgan(width=32, latent='normal')"
COMMON = (*images.every(STEPS, 4), "metrics=fd_lenet(samples=5000)", NETWORKS)
CONFIG = "configs/fashion_mnist.py:conditional"
ALL = "all tips"
RUNS = {
    ALL: Run(CONFIG, COMMON),
    "images in [0, 1]": Run(
        CONFIG, (*COMMON, "networks=_unit_range:dcgan(width=32, latent='normal')")
    ),
    "saturating loss": Run(CONFIG, (*COMMON, "objective=minimax")),
    "uniform latents": Run(CONFIG, (*COMMON, "networks=dcgan(width=32, latent='uniform')")),
    "no normalisation": Run(
        CONFIG,
        (
            *COMMON,
            "networks=dcgan(width=32, latent='normal', norm='none', discriminator_norm='none')",
        ),
    ),
    "no labels": Run(CONFIG, (*COMMON, "dataset=fashion_mnist")),
}
SEEDS = 3
SHORT = images.every(SHORT_STEPS, 5)
NOT_RUN_SHORT = f"{STEPS - SHORT_STEPS:,} of the {STEPS:,} steps"
SMOKE_RUNS, SMOKE_SEEDS = (ALL, "images in [0, 1]"), 1
SMOKE = images.SMOKE
NOT_RUN = "four of six runs, and all steps but 4: this only shows that it works"
_STYLES = {
    name: {"color": colour, "linestyle": "-" if name == ALL else "--"}
    for name, colour in zip(RUNS, page.CYCLE, strict=False)
}

Numbers = Mapping[str, Any]


def measure(runs: Mapping[str, Mapping[int, Path]], smoke: bool) -> dict[str, Any]:
    """Returns the rows of `_image_runs.rows`."""
    numbers: dict[str, Any] = to_json_value({"rows": images.rows(runs, METRIC)}, 5)
    return numbers


def claims(numbers: Numbers) -> list[Claim]:
    """Returns how much higher the mean FD is without each tip, and the FDs of each seed."""
    made: list[Claim] = []
    complete = images.last_values(numbers, ALL, METRIC)
    for name in images.names(numbers):
        if name != ALL:
            made += mean_above(
                f"mean FD: {name} minus {ALL}",
                images.last_values(numbers, name, METRIC),
                complete,
                "the tip helps",
                images.divergence_note(numbers, name),
            )
    made += [images.shown(numbers, name, METRIC, "FD") for name in images.names(numbers)]
    return made


def draw(numbers: Numbers) -> "Figure":
    """Draws FD over training and at the end, and samples."""
    figure = page.canvas(4.6)
    upper, lower = figure.subfigures(2, 1, height_ratios=(1, 1.15))
    over_training, at_end = upper.subplots(1, 2)
    images.draw_curves(over_training, numbers, METRIC, _STYLES)
    over_training.set(yscale="log", ylabel="FD, LeNet")
    over_training.set_title("FD over training; colours as at the right")
    page.plain_ticks(over_training)
    images.draw_last(at_end, numbers, METRIC, _STYLES)
    at_end.set(xlabel="FD, LeNet")
    at_end.set_title("at the end: seeds, and their mean")
    strips = lower.subplots()
    images.draw_strips(strips, numbers)
    strips.set_title("the first samples of seed 0")
    page.letter([over_training, at_end, strips])
    return figure
