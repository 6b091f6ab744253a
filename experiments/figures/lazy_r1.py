"""Lazy regularisation: R1 at every step, at every 4th, 8th and 16th, and none.

    python experiments/reproduce.py lazy_r1                          # 3 hours
    python experiments/reproduce.py lazy_r1 --scale=short --seeds=1  # 10 minutes

Times are of 2 CPU cores, estimated from 2.8 steps/s of configs/fashion_mnist.py:wgan_gp, which has
five such discriminator steps in one. It can be stopped and resumed, and --seeds=N with a larger N
adds seeds. The short form has a quarter of the steps, and R1 at every step, at every 16th, or not.

Source: Karras et al., "Analyzing and Improving the Image Quality of StyleGAN" (2020), section 3.1
and appendix B, who compute R1 of Mescheder et al. (2018) at every 16th step on faces, "no harm" to
FID, which is not comparable with ours. Here: the non-saturating DCGAN of configs/fashion_mnist.py
with LayerNorm in the discriminator, as for WGAN-GP there, since R1 is a slope of each sample. gamma
is 1, between StyleGAN2's 10 and the 0.0025 of StyleGAN2-ADA's rule for 28 pixels. R1 at every n-th
step is n times as strong, and Adam (2e-4, 0.5, 0.999) of the discriminator is then corrected as in
StyleGAN2, by c = n / (n + 1): the rate times c, the decays to the power of c. StyleGAN2 takes an
optimizer step of its own for R1; here R1 is part of the loss of its step. FD is the Fréchet
distance of 5,000 samples from the test images under a LeNet, never FID.

The seeds of a run train as one program, in which nothing can be skipped. The time of a step is
therefore measured on each run's first seed alone, in two rounds over all runs; wall clock is steps
times the mean time of a step, without compilation and evaluation.

To be met, set before any run: with R1 at every 16th step the mean FD over seeds at the end is at
most 10% above that with R1 at every step, and a step takes less time. The run without R1 is shown.
"""

import dataclasses
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import _image_runs as images
import numpy as np
from _comparisons import diverged

from gan_jax.reproduction import Claim, Run, cached, page, to_json_value

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

METRIC, RATE = "fd_lenet_5k", "pace/samples_per_second"
STEPS, SHORT_STEPS = 4_000, 1_000
TIMED_STEPS, TIMED_EVERY, ROUNDS = 300, 100, 2
SHOWN = 16
"""Samples in a strip."""
COMMON = (
    *images.every(STEPS, 8),
    "metrics=fd_lenet(samples=5000)",
    "networks=dcgan(width=32, discriminator_norm='layer')",
)
R1 = "r1(gamma=1.0)"


def _run(objective: str, interval: int = 1) -> Run:
    """Returns the run whose R1 acts at every ``interval``-th step."""
    lazy = f"lazy_adam(learning_rate=2e-4, every={interval}, b1=0.5, b2=0.999)"
    optimizer = (f"discriminator_optimizer={lazy}",) if interval > 1 else ()
    return Run("configs/fashion_mnist.py:dcgan", (*COMMON, f"objective={objective}", *optimizer))


NONE, EVERY_STEP, LAZIEST = "no R1", "every step", "every 16th"
RUNS = {
    NONE: _run("non_saturating"),
    EVERY_STEP: _run(f"non_saturating + {R1}"),
    **{f"every {n}th": _run(f"non_saturating + every(n={n}, term={R1})", n) for n in (4, 8, 16)},
}
SEEDS = 3
SHORT = dict.fromkeys((NONE, EVERY_STEP, LAZIEST), images.every(SHORT_STEPS, 5))
NOT_RUN_SHORT = f"{STEPS - SHORT_STEPS:,} of the {STEPS:,} steps; R1 at every 4th and 8th step"
SMOKE_RUNS, SMOKE_SEEDS = (EVERY_STEP, LAZIEST), 1
SMOKE = (*images.SMOKE, "networks=dcgan(width=8, discriminator_norm='layer')")
NOT_RUN = "three of five runs, and all steps but 4: this only shows that it works"
_STYLES = {
    NONE: {"color": page.BLACK, "linestyle": ":"},
    EVERY_STEP: {"color": page.BLUE, "linestyle": "-"},
    "every 4th": {"color": page.SKY, "linestyle": "-"},
    "every 8th": {"color": page.ORANGE, "linestyle": "--"},
    LAZIEST: {"color": page.VERMILLION, "linestyle": "--"},
}

Numbers = Mapping[str, Any]


# ------------------------------------------------------------------------------------- measurement


def measure(runs: Mapping[str, Mapping[int, Path]], smoke: bool) -> dict[str, Any]:
    """Returns the rows of `_image_runs.rows`, and the seconds of a step of each run alone."""
    rows = images.rows(runs, METRIC, samples=SHOWN)
    steps = (4, 2, 1) if smoke else (TIMED_STEPS, TIMED_EVERY, ROUNDS)
    seconds = seconds_per_step({name: next(iter(of.values())) for name, of in runs.items()}, *steps)
    numbers: dict[str, Any] = to_json_value({"rows": rows, "seconds": seconds}, 5)
    return numbers


def seconds_per_step(
    directories: Mapping[str, Path], steps: int, log_every: int, rounds: int
) -> dict[str, list[float]]:
    """Returns the seconds of a step of each run, trained alone, several times.

    Args:
      directories: a run directory of each run, by name. Next to it the timed ones are made.
      steps: that each is trained for.
      log_every: the steps of one measurement. The first one of several is left out.
      rounds: how often each run is timed, in turns.
    """
    seconds: dict[str, list[float]] = {name: [] for name in directories}
    for turn in range(rounds):
        for name, directory in directories.items():
            folder = directory.parent / f"alone_{turn}"
            seconds[name] += cached(
                folder / "seconds.json",
                {"steps": steps, "log_every": log_every},
                lambda directory=directory, folder=folder: time_alone(
                    directory, folder / "run", steps, log_every
                ),
            )
    return seconds


def time_alone(directory: Path, folder: Path, steps: int, log_every: int) -> list[float]:
    """Trains the run of a directory anew in ``folder``, and returns its seconds per step."""
    from gan_jax.experiment import training_loop
    from gan_jax.experiment.run_directory import read_settings

    settings = read_settings(directory)
    intervals = dict.fromkeys(("checkpoint_every", "sample_every", "evaluate_every"), steps)
    alone = dataclasses.replace(settings, steps=steps, log_every=log_every, metrics=(), **intervals)
    training_loop.run(alone, folder)
    return seconds_of(images.curve(folder, RATE)["value"], settings.batch_size)


def seconds_of(samples_per_second: Sequence[float], batch_size: int) -> list[float]:
    """Returns the seconds of a step at these rates, without the first one of several."""
    return [batch_size / rate for rate in samples_per_second[1:] or samples_per_second]


# ------------------------------------------------------------------------------------------ claims


def step_time(numbers: Numbers, run: str) -> float:
    """Returns the mean seconds of a step of a run."""
    return float(np.mean(numbers["seconds"][run]))


def claims(numbers: Numbers) -> list[Claim]:
    """Returns the FD and time of the laziest R1 over those of R1 at every step, and all values."""
    every, lazy = (images.last_values(numbers, name, METRIC) for name in (EVERY_STEP, LAZIEST))
    made = []
    if every and lazy:
        made.append(
            Claim(
                f"mean FD: R1 at {LAZIEST} step over R1 at {EVERY_STEP}",
                (float(np.mean(lazy) / np.mean(every)),),
                "no harm; asked at most 1.1",
                None,
                1.1,
                diverged(numbers, EVERY_STEP, LAZIEST),
            )
        )
    if {EVERY_STEP, LAZIEST} <= set(numbers["seconds"]):
        made.append(
            Claim(
                f"time of a step: R1 at {LAZIEST} step over R1 at {EVERY_STEP}",
                (step_time(numbers, LAZIEST) / step_time(numbers, EVERY_STEP),),
                "it takes less time; asked < 1",
                None,
                1 - 1e-9,
            )
        )
    made += [images.shown(numbers, name, METRIC, "FD") for name in images.names(numbers)]
    made += [
        images.to_be_shown(f"{name}: milliseconds of a step", [1000 * second for second in seconds])
        for name, seconds in numbers["seconds"].items()
    ]
    return made


# ----------------------------------------------------------------------------------------- drawing


def by_wall_clock(numbers: Numbers) -> dict[str, Any]:
    """Returns the rows with the minutes of wall clock in place of the steps of FD."""
    rows = []
    for row in numbers["rows"]:
        fd = row["curves"][METRIC]
        minutes = [step * step_time(numbers, row["run"]) / 60 for step in fd["step"]]
        rows.append({**row, "curves": {METRIC: {"step": minutes, "value": fd["value"]}}})
    return {"rows": rows}


def draw(numbers: Numbers) -> "Figure":
    """Draws FD by steps and by wall clock, the time of a step, FD at the end, and samples."""
    figure = page.canvas(5.4)
    upper, middle, lower = figure.subfigures(3, 1, height_ratios=(1.25, 0.75, 1))
    steps, clock = upper.subplots(1, 2, sharey=True)
    images.draw_curves(steps, numbers, METRIC, _STYLES)
    steps.set(yscale="log", ylabel="FD, LeNet")
    steps.set_title("FD over steps")
    images.draw_curves(clock, by_wall_clock(numbers), METRIC, _STYLES)
    clock.set(xlabel="minutes, each run alone")
    clock.set_title("FD over wall clock")
    page.plain_ticks(steps)
    lines, labels = steps.get_legend_handles_labels()
    upper.legend(lines, labels, loc="outside upper center", ncols=5, title="R1")
    time, at_end = middle.subplots(1, 2)
    _draw_times(time, numbers)
    images.draw_last(at_end, numbers, METRIC, _STYLES)
    at_end.set(xlabel="FD, LeNet")
    at_end.set_xlim(0, 1.05 * at_end.get_xlim()[1])
    at_end.set_title("FD at the end: seeds, and their mean")
    strips = lower.subplots()
    images.draw_strips(strips, numbers)
    strips.set_title("the first samples of seed 0")
    page.letter([steps, clock, time, at_end, strips])
    return figure


def _draw_times(ax: "Axes", numbers: Numbers) -> None:
    """Draws each measured time of a step as a dot, and the mean as a line."""
    shown = images.names(numbers)
    for i, name in enumerate(shown):
        milliseconds = 1000 * np.array(numbers["seconds"][name])
        ax.plot(milliseconds, [i] * len(milliseconds), "o", color=_STYLES[name]["color"], alpha=0.7)
        ax.plot(milliseconds.mean(), i, "|", color=page.BLACK, markersize=10)
    ax.set_yticks(range(len(shown)), shown)
    ax.set(xlabel="milliseconds of a step", ylim=(len(shown) - 0.5, -0.5))
    ax.set_xlim(left=0)
    ax.set_title("time of a step")
