"""Objective, penalty, unrolling and update rule on a ring and a grid: which cover the modes.

    python experiments/reproduce.py loss_penalty_unroll_rule [--seeds=10]   # 26 minutes per seed
    python experiments/reproduce.py loss_penalty_unroll_rule --scale=smoke   # 1 minute

Times are of one core. The smoke form has 4 cells of the ring, 2 seeds and 40 steps.

Source: ours; nobody has published this table. Each of 5 objectives is trained without a penalty,
with WGAN-GP's on interpolates and with R1 on real samples; without looking ahead and with 5
unrolled updates; by alternating, simultaneous and extragradient updates (Gidel et al., 2019): 90
cells on the ring of configs/ring.py (8 Gaussians, radius 2, std 0.02) and on the grid of VEEGAN
(25, spacing 2, std 0.05), the seeds of each as one population. Everything else is the same in all
cells: latents N(0, I_2), generator 2-128-128-2 and discriminator 2-64-64-1 with ReLU and He
initialisation, Adam 1e-3, b1 0.5, for both, batches of 128, 5,000 steps with one discriminator step
each. 2500 samples at the end; a mode is covered with 20 samples or more within 3 standard
deviations (ring), 10 or more (grid; samples spread evenly over its square give 3); a run that
diverged covers none.

Also shown is how much of the variance of the covered share between cells each choice explains: main
effects and interactions of the balanced design, minus what the scatter of the seeds within the
cells contributes to each (so that one may be negative), with the standard errors that this scatter
gives them. To be met, U, on both data sets: the penalty explains more than the objective does ("Are
GANs created equal" finds no objective better than the others; Mescheder et al., 2018, that
convergence depends on penalties); and 5 unrolled updates cover more than none, on average over the
other choices (Metz et al., 2017); each by 2 standard errors or more. This was set before the first
run. Networks and the rate were then chosen by pilots of 8 cells with seeds 100 and 101: with the
networks of configs/ring.py and 5e-4, neither of 2 grid cells covered any mode, nor did 3 of the
ring without unrolling.

Measured: no run diverges, and all additions cover less by then: means of the ring are 5.9 modes
without a penalty, 4.9 with GP and 3.2 with R1, 5.2 without unrolling and 4.2 with it, 4.0 by
extragradient, 5.1 by alternating and 4.8 by simultaneous updates. The penalty explains most on the
ring (35%; the objective 9%). Unrolling helps there without a penalty (6.0 modes against 5.7) and
costs most with R1 (2.0 against 4.5). No cell has all modes with every seed; Wasserstein without a
penalty, unrolled and alternating, comes nearest, 7.9 of 8. On the grid no cell covers more than 8.4
of 25 on average, penalty (29%) and objective (25%) cannot be told apart, and unrolling makes no
difference on average: it helps Wasserstein (3.2 modes against 1.5) and harms least squares (3.0
against 5.5). With 2 of these seeds 10 cells of the ring had all modes: too few seeds flatter the
best. Whether more steps would change any of this has not been tried.

The averages over objectives say little of the method of Metz et al., whose generator minimises
-L_D. Here only minimax without a penalty does, and it covers more modes unrolled (6.9 against 4.8
on the ring, 5.6 against 4.6 on the grid): the figure unrolled_saddle asks for that alone.
"""

import itertools
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np
from _history import last_samples

from gan_jax.reproduction import Claim, Run, page

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

CONFIG = "configs/ring.py:non_saturating"
OBJECTIVES = {
    "minimax": "minimax()",
    "non-saturating": "non_saturating()",
    "least squares": "least_squares()",
    "Wasserstein": "wasserstein()",
    "relativistic": "relativistic()",
}
PENALTIES = {
    "no penalty": "",
    "GP, 1": " + gradient_penalty(weight=1.0)",
    "R1, 1": " + r1(gamma=1.0)",
}
UNROLLS = {"K = 0": 0, "K = 5": 5}
RULES = {
    "alternating": "alternating()",
    "simultaneous": "simultaneous()",
    "extragradient": "extragradient()",
}
DATA = {"ring": "ring()", "grid": "grid()"}
FACTORS = {"objective": OBJECTIVES, "penalty": PENALTIES, "unroll": UNROLLS, "rule": RULES}
ADAM = "adam(learning_rate=1e-3, b1=0.5, b2=0.999, eps_root=1e-14)"
MLP = (
    "mlp(latent_size=2, generator_widths=(128, 128), discriminator_widths=(64, 64), "
    "init='he_uniform', input_scale=1.0)"
)
COMMON = (
    f"networks={MLP}",
    f"generator_optimizer={ADAM}",
    f"discriminator_optimizer={ADAM}",
    "steps=5000",
    "batch_size=128",
    "log_every=1000",
    "evaluate_every=5000",
    "sample_every=5000",
    "checkpoint_every=2500",
    "num_samples=2500",
    "keep_checkpoints=2",
)


def _run(data: str, objective: str, penalty: str, unroll: str, rule: str) -> Run:
    settings = (
        f"dataset={DATA[data]}",
        f"objective={OBJECTIVES[objective]}{PENALTIES[penalty]}",
        f"unroll={UNROLLS[unroll]}",
        f"update_rule={RULES[rule]}",
    )
    return Run(CONFIG, (*COMMON, *settings))


CELLS = list(itertools.product(DATA, *FACTORS.values()))
RUNS = {"; ".join(cell): _run(*cell) for cell in CELLS}
SEEDS = 10
NOT_RUN = (
    "the full form: 180 cells of 10 seeds of 5,000 steps. "
    "This one shows that it works, and nothing about GANs"
)
SMOKE_RUNS = tuple(
    f"ring; {objective}; {penalty}; K = 0; alternating"
    for objective in ("non-saturating", "Wasserstein")
    for penalty in ("no penalty", "R1, 1")
)
SMOKE_SEEDS = 2
SMOKE = (
    "steps=40",
    "steps_per_call=10",
    "log_every=10",
    "evaluate_every=40",
    "sample_every=40",
    "checkpoint_every=40",
    "num_samples=500",
    "networks=mlp(latent_size=16, generator_widths=(32, 32), discriminator_widths=(32,))",
)
MODES, MIN_SAMPLES = {"ring": 8, "grid": 25}, {"ring": 20, "grid": 10}

MOST_EFFECTS = 8
"""Effects that are drawn."""

Numbers = Mapping[str, Any]


# ------------------------------------------------------------------------------------- measurement


def measure(runs: Mapping[str, Mapping[int, Path]], smoke: bool) -> dict[str, Any]:
    """Returns a row per cell and seed: modes and share of high quality of the last samples."""
    from gan_jax import metrics
    from gan_jax.experiment.builder import build
    from gan_jax.experiment.run_directory import read_settings

    rows, datasets = [], {}
    for name, directories in runs.items():
        data, *choices = name.split("; ")
        for seed, directory in directories.items():
            if data not in datasets:
                datasets[data] = build(read_settings(directory)).dataset
            dataset, samples = datasets[data], last_samples(directory)
            row: dict[str, Any] = {"data": data, **dict(zip(FACTORS, choices, strict=True))}
            row |= {"seed": seed, "diverged": samples is None, "covered": 0, "high_quality": 0.0}
            if samples is not None:
                coverage = metrics.mode_coverage(
                    samples, dataset.centres, dataset.std, minimum=MIN_SAMPLES[data]
                )
                row |= {"covered": coverage.modes, "high_quality": coverage.high_quality}
            rows.append(row)
    return {"rows": rows}


def covered_shares(numbers: Numbers, data: str) -> np.ndarray:
    """Returns the covered share of the modes, ``[objective, penalty, unroll, rule, seed]``."""
    levels = _levels(numbers, data)
    rows = [row for row in numbers["rows"] if row["data"] == data]
    seeds = 1 + max(row["seed"] for row in rows)
    cells = np.zeros([*map(len, levels.values()), seeds])
    for row in rows:
        indices = [names.index(row[factor]) for factor, names in levels.items()]
        cells[(*indices, row["seed"])] = row["covered"] / MODES[data]
    return cells


def _levels(numbers: Numbers, data: str) -> dict[str, list[str]]:
    """Returns the choices that there are, by factor; a smoke form has fewer."""
    rows = [row for row in numbers["rows"] if row["data"] == data]
    return {factor: list(dict.fromkeys(row[factor] for row in rows)) for factor in FACTORS}


# ------------------------------------------------------------------------------ analysis of
# variance


class Effects(NamedTuple):
    """What each main effect and interaction explains of the variance between cells.

    Attributes:
      shares: the explained shares, by the names of the factors.
      variances: the variances of what the shares are shares of, over the square of their sum.
    """

    shares: dict[str, float]
    variances: dict[str, float]

    def standard_error(self, name: str, minus: str = "") -> float:
        """Returns the standard error of a share, or of its difference from that of ``minus``.

        Shares are sums of independent parts over their total; the error is linearised.
        """
        difference = self.shares[name] - self.shares.get(minus, 0.0)
        variance = 0.0
        for other in self.shares:
            slope = int(other == name) - int(other == minus) - difference
            variance += slope**2 * self.variances[other]
        return float(np.sqrt(variance))


def explained_variance(cells: np.ndarray) -> Effects:
    """Computes the functional ANOVA of a balanced design.

    ``f_A`` is the mean over all factors outside A, minus all ``f_B`` of B within A. Over N cells
    whose S seeds scatter independently with variance s^2, the mean square of f_A has expectation
    ``V_A + d_A t / N`` and variance ``(2 d_A t^2 + 4 N t V_A) / N^2``, where ``t = s^2 / S`` and
    d_A is the number of degrees of freedom (noncentral chi square). The shares are ``V_A / sum V``.

    Args:
      cells: ``[objective, penalty, unroll, rule, seed]``.

    Returns:
      The effects. Factors with one level are left out; if all cells are alike, the shares are 0.
    """
    factors = [name for name, size in zip(FACTORS, cells.shape, strict=False) if size > 1]
    means = cells.mean(-1).reshape([size for size in cells.shape[:-1] if size > 1])
    count, noise = means.size, within_cell_variance(cells) / cells.shape[-1]
    components: dict[tuple[int, ...], np.ndarray] = {}
    explained, variances = {}, {}
    for axes in _subsets(means.ndim):
        other_axes = tuple(axis for axis in range(means.ndim) if axis not in axes)
        component = means.mean(other_axes, keepdims=True)
        within = [components[subset] for subset in components if set(subset) < set(axes)]
        component = component - sum(within, np.zeros((1,) * means.ndim))
        components[axes] = component
        if not axes:
            continue
        name = " x ".join(factors[axis] for axis in axes)
        freedom = float(np.prod([means.shape[axis] - 1 for axis in axes]))
        explained[name] = float(np.mean(component**2)) - freedom * noise / count
        scatter = 2 * freedom * noise**2 + 4 * count * noise * max(explained[name], 0.0)
        variances[name] = scatter / count**2
    total = sum(explained.values())
    if total <= 0:
        return Effects(dict.fromkeys(explained, 0.0), dict.fromkeys(variances, 0.0))
    return Effects(
        {name: value / total for name, value in explained.items()},
        {name: value / total**2 for name, value in variances.items()},
    )


def _subsets(axes: int) -> list[tuple[int, ...]]:
    """Returns all subsets of the axes, small ones first."""
    return [
        subset for size in range(axes + 1) for subset in itertools.combinations(range(axes), size)
    ]


def within_cell_variance(cells: np.ndarray) -> float:
    """Returns the variance within cells, pooled; 0 for a single seed."""
    if cells.shape[-1] == 1:
        return 0.0
    return float(np.mean(np.var(cells, axis=-1, ddof=1)))


# ------------------------------------------------------------------------------------------ claims


def claims(numbers: Numbers) -> list[Claim]:
    """Returns the claims about penalty, unrolling and the best cell, for each data set."""
    claims = []
    for data in dict.fromkeys(row["data"] for row in numbers["rows"]):
        cells = covered_shares(numbers, data)
        effects = explained_variance(cells)
        if {"penalty", "objective"} <= effects.shares.keys():
            claims.append(_penalty_claim(data, cells, effects))
        if "unroll" in effects.shares:
            claims.append(_unroll_claim(data, cells))
        claims.append(_best_cell_claim(numbers, data, cells))
    return claims


def _penalty_claim(data: str, cells: np.ndarray, effects: Effects) -> Claim:
    by_share = sorted(effects.shares.items(), key=lambda effect: -effect[1])
    name = (
        f"{data}: share of variance that the penalty explains, minus the objective's, "
        "in standard errors"
    )
    difference = effects.shares["penalty"] - effects.shares["objective"]
    error = effects.standard_error("penalty", minus="objective")
    note = "; ".join(f"{effect} {share:.1%}" for effect, share in by_share[:5])
    return _in_standard_errors(name, difference, error, cells, note)


def _unroll_claim(data: str, cells: np.ndarray) -> Claim:
    without, unrolled = (float(cells[:, :, k].mean()) for k in range(2))
    name = (
        f"{data}: mean covered share with 5 unrolled updates, minus that without, "
        "in standard errors"
    )
    gain = round(unrolled - without, 12)  # of shares of 8 and 25 modes, the rest is rounding
    error = 2 * np.sqrt(within_cell_variance(cells) / cells.size)
    return _in_standard_errors(name, gain, error, cells, f"{unrolled:.1%} against {without:.1%}")


def _in_standard_errors(
    name: str, difference: float, error: float, cells: np.ndarray, note: str
) -> Claim:
    """Claims that a difference is 2 standard errors or more; without scatter it is not judged."""
    judged = within_cell_variance(cells) > 0
    return Claim(
        name,
        measured=(difference / error,) if judged else (),
        published="asked >= 2",
        low=2.0 if judged else None,
        high=None,
        note=note,
    )


def _best_cell_claim(numbers: Numbers, data: str, cells: np.ndarray) -> Claim:
    levels = _levels(numbers, data)
    seeds, count = cells.shape[-1], cells[..., 0].size
    best = np.unravel_index(np.argmax(cells.mean(-1) + 1e-6 * cells.min(-1)), cells.shape[:-1])
    choices = ", ".join(names[i] for names, i in zip(levels.values(), best, strict=True))
    complete = int(np.sum(np.all(cells >= 1, -1)))
    diverged = np.mean([row["diverged"] for row in numbers["rows"] if row["data"] == data])
    return Claim(
        f"{data}: covered share of the best cell, mean of {seeds} seeds",
        measured=(float(cells.mean(-1).max()),),
        published="reported only",
        low=None,
        high=None,
        note=f"all modes with every seed: {complete} of {count} cells; {diverged:.1%} of runs "
        f"diverged; best: {choices}",
    )


# ----------------------------------------------------------------------------------------- drawing


def draw(numbers: Numbers) -> "Figure":
    """Draws the table of covered modes, and the effects of the choices, for each data set."""
    names = list(dict.fromkeys(row["data"] for row in numbers["rows"]))
    figure = page.canvas(3.1 * len(names) + 2.0)
    heights = (3.1 * len(names), 2.0)
    tables, effects = figure.subfigures(2, 1, height_ratios=heights)
    upper = tables.subplots(len(names), 1, squeeze=False)[:, 0]
    lower = effects.subplots(1, len(names), squeeze=False)[0]
    for table, bars, data in zip(upper, lower, names, strict=True):
        cells = covered_shares(numbers, data)
        _draw_table(table, data, cells, _levels(numbers, data))
        _draw_effects(bars, cells)
        bars.set_title(f"{data}: {MOST_EFFECTS} largest effects, ± s.e.")
    page.letter([*upper, *lower])
    return figure


def _draw_table(
    ax: "Axes", data: str, cells: np.ndarray, levels: Mapping[str, Sequence[str]]
) -> None:
    seeds = cells.shape[-1]
    rows = list(itertools.product(levels["objective"], levels["penalty"]))
    columns = list(itertools.product(levels["rule"], levels["unroll"]))

    def as_table(values: np.ndarray) -> np.ndarray:
        return values.transpose(0, 1, 3, 2).reshape(len(rows), len(columns))

    shares = as_table(cells.mean(-1))
    stds = as_table(cells.std(-1, ddof=1)) if seeds > 1 else np.zeros(shares.shape)
    greatest = shares.max() or 1.0
    ax.imshow(shares, cmap="viridis", vmin=0, vmax=greatest, aspect="auto")
    for i, j in np.ndindex(*shares.shape):
        text = f"{MODES[data] * shares[i, j]:.1f}"
        if seeds > 1:
            text += f" ± {MODES[data] * stds[i, j]:.1f}"
        colour = "white" if shares[i, j] < 0.6 * greatest else "black"
        ax.text(j, i, text, ha="center", va="center", color=colour)
    column_labels = [f"{rule}\n{unroll}" for rule, unroll in columns]
    ax.set_xticks(range(len(columns)), column_labels)
    row_labels = [f"{objective}, {penalty}" for objective, penalty in rows]
    ax.set_yticks(range(len(rows)), row_labels)
    statistic = f"mean ± standard deviation of {seeds} seeds" if seeds > 1 else "1 seed"
    ax.set_title(
        f"{data}: modes with {MIN_SAMPLES[data]} samples or more, of {MODES[data]}: {statistic}",
    )


def _draw_effects(ax: "Axes", cells: np.ndarray) -> None:
    effects = explained_variance(cells)
    names = sorted(effects.shares, key=effects.shares.__getitem__)[-MOST_EFFECTS:]
    shares = [effects.shares[name] for name in names]
    errors = None
    if cells.shape[-1] > 1:
        errors = [effects.standard_error(name) for name in names]
    ax.barh(range(len(names)), shares, xerr=errors, color=page.BLUE, ecolor="0.3", capsize=2)
    ax.axvline(0, color="0.5", linewidth=0.8)
    ax.set_yticks(range(len(names)), names)
    ax.set(xlabel="share of variance")
