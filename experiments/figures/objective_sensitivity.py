"""How much luck a good result takes: seven objectives on a ring, 150 random draws of each.

    python experiments/reproduce.py objective_sensitivity                 # 1 to 2 hours
    python experiments/reproduce.py objective_sensitivity --scale=smoke   # 2 minutes

Times are of 2 CPU cores. The full form can be stopped and resumed; the smoke form has 2 objectives,
3 draws of each of their 4 groups, and 40 steps.

Source: Lucic et al., "Are GANs Created Equal? A Large-Scale Study" (2018), sections 4 and 5, with
the ranges of its code. Wide, 100 draws: learning rate of both networks log-uniform in 1e-5 .. 1e-2,
Adam's b1 uniform in 0 .. 1, 1 or 5 discriminator steps, BatchNorm in the discriminator or not,
penalty weight log-uniform in 0.1 .. 100, bound of clipped weights log-uniform in 1e-3 .. 1. Narrow,
50 draws: 1e-4 .. 1e-3, b1 0.5, 1 discriminator step, BatchNorm drawn but for WGAN-GP and DRAGAN,
which have none, weight 0.1 .. 10, bound 0.01 .. 1. The seven are theirs, except for BEGAN, whose
discriminator is an autoencoder: hinge takes its place. Each run has 10,000 updates of the
discriminator, as their budgets are counted in those, and batches of 64.

Theirs are images and FID; here the data are the 8 Gaussians of configs/ring.py (radius 2, std
0.02), the networks those of loss_penalty_unroll_rule, and the score is the exact Wasserstein-1
distance between 1000 generated and 1000 real points. A run that diverges, or ends farther off,
scores 2, the score of a point in the middle of the ring. A mode is covered with 20 of 2,500
samples.

Half of the wide draws have 1 discriminator step and half 5, and half of either BatchNorm. Each draw
has one run. The draw of each objective whose run has the smallest distance is trained again with 10
fresh seeds, and judged by those: the run that chose it flatters it. Curves are the expected best
score of n of the draws, all choices of n being equally likely.

To be met, U. The paper finds that most models can reach similar scores with enough optimisation of
their hyperparameters: on fresh seeds the mean distance of no objective is more than twice that of
the best objective, and the median run of each objective's draw covers all 8 modes. It also finds
that improvements come from the budget more than from the algorithm: on the logarithm of the
distance, going from 5 wide draws to all gains more (for the middle objective) than going from the
middle objective to the best one, with all wide draws tried. These were set before any run of this
form, but after one with other networks, without BatchNorm and without fresh seeds, where the best
distances of 6 of 7 objectives lay within 1.6 times each other. Much depends on the 5, so the
claim's note has other numbers of draws too. Its interval is a bootstrap of best scores, for which
that is rough.

Measured: the objectives do not reach similar scores. On fresh seeds MM GAN, WGAN-GP and DRAGAN are
within a factor of 2 of the best, WGAN-GP; WGAN misses it by one seed of ten; LSGAN is 6.3 times as
far off. The run that chose a draw flatters it 1.6 to 3.3 times: chosen by such runs the best seven
lie within 3.3 times each other. No run with BatchNorm in the discriminator is the best of its
objective, and 6 of 7 best draws are from the narrow ranges. From 5 wide draws to 100 the middle
objective's distance falls by 70%, from there to the best objective by 37%. Whether more updates
would bring the others nearer has not been tried.
"""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from _best_of_draws import (
    WORST,
    best_row,
    bootstrap,
    by_objective,
    distances,
    expected_best,
    gains,
    ratio_of_gains,
)
from _draws_of_settings import (
    DRAWS,
    GROUPS,
    NARROW,
    RUNS,
    WIDE,
    numbers_of,
    rerun,
    steps,
)
from _history import MIN_SAMPLES, last_samples

from gan_jax.reproduction import Claim, Run, cached, page

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

__all__ = ["RUNS"]

SEEDS, UNIT = DRAWS, "draws of each group"
FOLLOW_UP_SEEDS = range(100, 110)
NOT_RUN = (
    "7 objectives, 150 draws, 10,000 updates. This one shows that it works, and nothing about GANs"
)
SMOKE_RUNS = tuple(
    name
    for name, group in GROUPS.items()
    if group.objective in ("NS GAN", "WGAN") and group.discriminator_steps == 1
)
SMOKE_SEEDS = 3
SMOKE = (
    *steps(40),
    "steps_per_call=10",
    "num_samples=500",
    "networks.mlp.generator_widths=(32, 32)",
    "networks.mlp.discriminator_widths=(32,)",
)
MODES, POINTS, REAL_SEED = 8, 1_000, 1
FEW_DRAWS, BOOTSTRAPS, FACTOR = 5, 1_000, 2.0

Numbers = Mapping[str, Any]
Rows = Sequence[Mapping[str, Any]]
Directories = Mapping[str, Mapping[int, Path]]


# ------------------------------------------------------------------------------------- measurement


def follow_up(runs: Directories, smoke: bool) -> dict[str, Run]:
    """Returns the run of each objective's best draw, whose name says which that is."""
    made = {}
    for objective, rows in by_objective(draw_rows(runs)).items():
        best = best_row(rows)
        run = rerun(best["group"], best["draw"])
        made[f"{objective}, draw {best['draw']} of {best['group']}"] = (
            run._replace(overrides=(*run.overrides, "health=false", *SMOKE)) if smoke else run
        )
    return made


def measure(runs: Directories, smoke: bool) -> dict[str, Any]:
    """Returns a row per draw, a row per objective and fresh seed, and the floor of the distance."""
    from gan_jax import metrics

    draws = {name: of_name for name, of_name in runs.items() if name in RUNS}
    fresh = [
        {"objective": name.split(",")[0], "seed": seed, **scores(directory)}
        for name, directories in runs.items()
        if name not in RUNS
        for seed, directory in directories.items()
    ]
    directory = next(iter(next(iter(runs.values())).values()))
    floor = metrics.wasserstein_1(*(_real_points(directory, REAL_SEED + i) for i in range(2)))
    return {"rows": draw_rows(draws), "fresh": fresh, "floor": floor}


def draw_rows(runs: Directories) -> list[dict[str, Any]]:
    """Returns a row per draw: its group and settings, and the scores of its last samples."""
    rows = []
    for name, directories in runs.items():
        group, numbers = GROUPS[name], numbers_of(GROUPS[name])
        for draw, directory in directories.items():
            row = {"group": name, "draw": draw, **group._asdict(), **scores(directory)}
            row["numbers"] = {field: of_draws[draw] for field, of_draws in numbers.items()}
            rows.append(row)
    return rows


def scores(directory: Path) -> Mapping[str, Any]:
    """Returns what `measured` does; it is kept in the run's directory, as it takes a second."""
    settings = {"points": POINTS, "minimum": MIN_SAMPLES, "seed": REAL_SEED}
    kept: Mapping[str, Any] = cached(
        directory / "scores.json", settings, lambda: measured(directory)
    )
    return kept


def measured(directory: Path) -> dict[str, Any]:
    """Returns the distance, covered modes and high quality of a run's last samples."""
    from gan_jax import metrics
    from gan_jax.experiment.builder import build
    from gan_jax.experiment.run_directory import read_settings

    samples = last_samples(directory)
    if samples is None:
        return {"diverged": True, "distance": None, "covered": 0, "high_quality": 0.0}
    dataset = build(read_settings(directory)).dataset
    coverage = metrics.mode_coverage(samples, dataset.centres, dataset.std, minimum=MIN_SAMPLES)
    points = samples[:POINTS]
    return {
        "diverged": False,
        "distance": metrics.wasserstein_1(points, _real_points(directory)[: len(points)]),
        "covered": coverage.modes,
        "high_quality": coverage.high_quality,
    }


def _real_points(directory: Path, seed: int = REAL_SEED) -> np.ndarray:
    from gan_jax.experiment.builder import build
    from gan_jax.experiment.run_directory import read_settings

    dataset = build(read_settings(directory)).dataset
    return np.asarray(dataset.draw(seed, np.arange(POINTS))["real"])


# ------------------------------------------------------------------------------------------ claims


def claims(numbers: Numbers) -> list[Claim]:
    """Returns the claims about the best draws on fresh seeds, and about budget and algorithm."""
    fresh = by_objective(numbers["fresh"])
    wide = [distances(rows) for rows in by_objective(numbers["rows"], WIDE).values()]
    made = [_similarity_claim(fresh), _coverage_claim(fresh)]
    if len(wide) > 1:
        made.append(_budget_claim(wide))
    for name, rows in by_objective(numbers["rows"]).items():
        made.append(_objective_claim(name, rows, fresh[name]))
    return made


def _similarity_claim(fresh: Mapping[str, Rows]) -> Claim:
    means = {name: float(np.mean(distances(rows))) for name, rows in fresh.items()}
    best = min(means.values())
    errors = {
        name: float(np.std(distances(rows), ddof=1) / np.sqrt(len(rows)))
        for name, rows in fresh.items()
    }
    return Claim(
        "mean distance of each objective's best draw on fresh seeds, over the smallest of them",
        measured=tuple(mean / best for mean in means.values()),
        published="most models can reach similar scores",
        low=1,
        high=FACTOR,
        note="; ".join(f"{name} {means[name]:.3g} ± {errors[name]:.2g}" for name in means),
    )


def _coverage_claim(fresh: Mapping[str, Rows]) -> Claim:
    covered = {name: [row["covered"] for row in rows] for name, rows in fresh.items()}
    notes = [
        f"{name} all in {sum(modes == MODES for modes in of_runs)} of {len(of_runs)}"
        for name, of_runs in covered.items()
    ]
    return Claim(
        "modes that each objective's best draw covers on fresh seeds, median",
        measured=tuple(float(np.median(of_runs)) for of_runs in covered.values()),
        published="most models can reach similar scores",
        low=MODES,
        high=MODES,
        note="; ".join(notes),
    )


def _budget_claim(scores: Sequence[np.ndarray]) -> Claim:
    budget, algorithm = gains(scores, FEW_DRAWS)
    low, high = bootstrap(scores, FEW_DRAWS, BOOTSTRAPS)
    others = ", ".join(f"{n} {ratio_of_gains(scores, n):.2g}" for n in (1, 10, 20, 30))
    return Claim(
        f"gain in log distance from {FEW_DRAWS} draws to all, over that from the middle objective "
        "to the best",
        measured=(ratio_of_gains(scores, FEW_DRAWS),),
        published="the budget matters more than the algorithm",
        low=1,
        high=None,
        note=f"distances fall by {1 - np.exp(-budget):.0%} and {1 - np.exp(-algorithm):.0%}; "
        f"95% of {BOOTSTRAPS} bootstraps over draws between {low:.2g} and {high:.2g}; in place of "
        f"{FEW_DRAWS} from {others}",
    )


def _objective_claim(name: str, rows: Rows, fresh: Rows) -> Claim:
    best = best_row(rows)
    again = float(np.mean(distances(fresh)))
    medians = ", ".join(
        f"{stage} {np.median(distances(of_stage)):.3g}"
        for stage in (WIDE, NARROW)
        if (of_stage := [row for row in rows if row["stage"] == stage])
    )
    complete = sum(row["covered"] == MODES for row in rows)
    numbers = ", ".join(
        f"{field.removeprefix('discriminator_optimizer.')} {value:.2g}"
        for field, value in best["numbers"].items()
        if not field.startswith("generator_optimizer")
    )
    return Claim(
        f"{name}: distance of the best draw, by the run that chose it and on fresh seeds",
        measured=(float(distances([best])[0]), again),
        published="reported only",
        low=None,
        high=None,
        note=f"medians: {medians}; {sum(row['diverged'] for row in rows)} of {len(rows)} diverged; "
        f"{complete} cover all modes; the best: {best['group']}, {numbers}",
    )


# ----------------------------------------------------------------------------------------- drawing


def draw(numbers: Numbers) -> "Figure":
    """Draws the distances of all draws, the best of n draws, and the best draws on fresh seeds."""
    figure = page.canvas(5.4)
    panels = figure.subplot_mosaic([["draws", "draws"], ["best", "fresh"]])
    draws, best, fresh = panels.values()
    _draw_draws(draws, numbers)
    figure.legend(*draws.get_legend_handles_labels(), loc="outside upper center", ncols=3)
    _draw_best(best, numbers)
    _draw_fresh(fresh, numbers)
    page.letter([draws, best, fresh])
    return figure


_KINDS = (
    (WIDE, 1, page.BLUE, "wide, 1 discriminator step"),
    (WIDE, 5, page.ORANGE, "wide, 5 discriminator steps"),
    (NARROW, 1, page.GREEN, "narrow"),
)


def _draw_draws(ax: "Axes", numbers: Numbers) -> None:
    """Draws the distance of each draw: filled with BatchNorm, hollow without."""
    objectives = by_objective(numbers["rows"])
    for i, rows in enumerate(objectives.values()):
        for k, (stage, count, colour, _) in enumerate(_KINDS):
            kind = [
                row for row in rows if (row["stage"], row["discriminator_steps"]) == (stage, count)
            ]
            for norm, fill in (("none", "none"), ("batch", colour)):
                values = distances([row for row in kind if row["norm"] == norm])
                x = i + 0.27 * (k - 1) + np.linspace(-0.1, 0.1, len(values))
                ax.plot(x, values, "o", color=colour, markerfacecolor=fill, markersize=2.2, mew=0.5)
            if kind:
                x, median = i + 0.27 * (k - 1), float(np.median(distances(kind)))
                ax.plot([x - 0.12, x + 0.12], [median] * 2, color="black", linewidth=1.2)
    for *_, colour, label in _KINDS:
        ax.plot([], [], "o", color=colour, markersize=3, label=label)
    ax.plot(
        [], [], "o", color="0.4", markerfacecolor="none", markersize=3, label="without BatchNorm"
    )
    ax.axhline(
        numbers["floor"], color="0.5", linestyle=":", linewidth=0.9, label="real against real"
    )
    ax.set_xticks(range(len(objectives)), list(objectives))
    ax.set(ylabel="Wasserstein-1 distance to the data", yscale="log")
    ax.set_title(
        f"all draws, one run each; diverged or farther than {WORST:g}: {WORST:g}; lines: medians"
    )


def _draw_best(ax: "Axes", numbers: Numbers) -> None:
    for stage, style in ((WIDE, "-"), (NARROW, "--")):
        for i, rows in enumerate(by_objective(numbers["rows"], stage).values()):
            curve = expected_best(distances(rows)) if rows else np.array([])
            ax.plot(np.arange(1, len(curve) + 1), curve, style, color=f"C{i}", linewidth=1.0)
    ax.axhline(numbers["floor"], color="0.5", linestyle=":", linewidth=0.9)
    ax.set(xlabel="draws tried", ylabel="expected distance of the best", xscale="log", yscale="log")
    ax.set_title("best of so many draws (dashed: narrow); colours as in (c)")


def _draw_fresh(ax: "Axes", numbers: Numbers) -> None:
    """Draws the runs of each objective's best draw with fresh seeds, and the run that chose it."""
    fresh = by_objective(numbers["fresh"])
    for i, (name, rows) in enumerate(fresh.items()):
        values = distances(rows)
        chosen = distances([best_row(by_objective(numbers["rows"])[name])])
        ax.plot([i] * len(values), values, ".", color=f"C{i}", alpha=0.7)
        ax.plot(i, np.mean(values), "_", color="black", markersize=12)
        ax.plot(i, chosen[0], "x", color="black", markersize=5)
    ax.axhline(numbers["floor"], color="0.5", linestyle=":", linewidth=0.9)
    ax.set_xticks(range(len(fresh)), list(fresh), rotation=30, ha="right")
    ax.set(ylabel="Wasserstein-1 distance", yscale="log")
    ax.set_title("best draws: fresh seeds, their mean (bar), and the run that chose the draw (x)")
