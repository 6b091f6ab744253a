"""Generators on 8 Gaussians, 25 Gaussians and a Swiss roll by WGAN with clipping and a penalty.

    python experiments/reproduce.py toy_generators [--seeds=3]              # days on 2 CPU cores
    python experiments/reproduce.py toy_generators --scale=short --seeds=1  # 2 hours

Both can be stopped and resumed. The short form has 20,000 of the 100,000 steps of the penalty with
the weight of the authors' code, at 0.11 s per step on 2 cores of 2021.

Source: Gulrajani et al., "Improved Training of Wasserstein GANs" (2017), and gan_toy.py of the
authors with its generator trained: 2-512-512-512-2 from N(0, I_2), critic 2-512-512-512-1, ReLU, He
initialisation, batches of 256, 100,000 steps of 5 discriminator steps each. Clipping: bound 0.01,
RMSProp 5e-5 for both (TensorFlow's: decay 0.9, first mean square 1). Penalty: Adam 1e-4 (0.5, 0.9)
for both, weight 10 as in the paper, 0.1 as in the code. We always draw fresh samples (the code's 25
Gaussians are 100,000). value_surfaces has the critics against a fixed generator.

No numbers are published. Ours are the exact Wasserstein distance W1 between 2000 generated and 2000
real samples, next to that between two sets of 2000 real ones (no generator is better), and, for
Gaussians, the modes with 20 of 2500 samples or more within 3 standard deviations. To be met, U,
proposed before any run of the full form: with either penalty W1 is at most 3 times that of real
samples, in every seed; the mean W1 over the seeds is smaller with weight 10 than with clipping, on
all three data sets; with weight 0.1 all modes are covered.
"""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from _history import has_diverged, samples_after_start

from gan_jax.reproduction import Claim, Run, page

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

DATA = {
    "8 Gaussians": "ring(scale=0.7072135785007072)",
    "25 Gaussians": "grid(scale=0.3536067892503536)",
    "Swiss roll": "swiss_roll()",
}
COMMON = (
    "steps=100000",
    "steps_per_call=50",
    "log_every=5000",
    "sample_every=10000",
    "evaluate_every=100000",
    "checkpoint_every=5000",
    "num_samples=2500",
    "keep_checkpoints=2",
    "metrics=",
)
RMSPROP = "rmsprop(learning_rate=5e-5, decay=0.9, eps=1e-10, initial_scale=1.0)"
METHODS: dict[str, tuple[str, tuple[str, ...]]] = {
    "clipping": (
        "configs/ring.py:wgan",
        (
            f"generator_optimizer={RMSPROP}",
            f"discriminator_optimizer={RMSPROP} + clip_weights(bound=0.01)",
        ),
    ),
    "weight 10": (
        "configs/ring.py:wgan_gp",
        ("objective=wasserstein + gradient_penalty(weight=10)",),
    ),
    "weight 0.1": (
        "configs/ring.py:wgan_gp",
        ("objective=wasserstein + gradient_penalty(weight=0.1)",),
    ),
}
RUNS = {
    f"{data}, {method}": Run(config, (*COMMON, f"dataset={text}", *settings))
    for data, text in DATA.items()
    for method, (config, settings) in METHODS.items()
}
SEEDS = 3
SHORT_STEPS = 20_000
SHORT = {
    f"{data}, weight 0.1": (
        f"steps={SHORT_STEPS}",
        "log_every=1000",
        "sample_every=2000",
        f"evaluate_every={SHORT_STEPS}",
        "checkpoint_every=1000",
    )
    for data in DATA
}
NOT_RUN_SHORT = f"all but {SHORT_STEPS:,} of the 100,000 steps, clipping, and weight 10"
NOT_RUN = "the full form, 9 runs of 3 seeds of 100,000 steps: this only shows that it works"
SMOKE_RUNS, SMOKE_SEEDS = ("8 Gaussians, clipping", "8 Gaussians, weight 10"), 1
SMOKE = (
    "steps=4",
    "steps_per_call=2",
    "log_every=2",
    "sample_every=4",
    "evaluate_every=4",
    "checkpoint_every=2",
    "num_samples=200",
    "batch_size=32",
    "networks.mlp.generator_widths=(16, 16)",
    "networks.mlp.discriminator_widths=(16, 16)",
)
PAIRS, MIN_SAMPLES, MODES = 2_000, 20, {"8 Gaussians": 8, "25 Gaussians": 25}
_COLOURS = {"clipping": page.VERMILLION, "weight 10": page.BLUE, "weight 0.1": page.SKY}

Numbers = Mapping[str, Any]
Rows = Sequence[Mapping[str, Any]]


# ------------------------------------------------------------------------------------- measurement


def measure(runs: Mapping[str, Mapping[int, Path]], smoke: bool) -> dict[str, Any]:
    """Returns a row per run and seed, with W1 and modes over training; W1 of real samples."""
    from gan_jax import metrics
    from gan_jax.experiment.builder import build
    from gan_jax.experiment.run_directory import read_settings

    rows, real, floor = [], {}, {}
    for name, directories in runs.items():
        data, method = name.split(", ")
        for seed, directory in directories.items():
            dataset = build(read_settings(directory)).dataset
            if data not in real:
                points = np.asarray(dataset.draw(1_000, np.arange(2 * PAIRS))["real"], float)
                real[data] = points[:PAIRS]
                floor[data] = metrics.wasserstein_1(points[:PAIRS], points[PAIRS:])
            history = samples_after_start(directory)
            row: dict[str, Any] = {
                "data": data,
                "method": method,
                "seed": seed,
                "diverged": has_diverged(directory),
                "looks": [
                    _measure_samples(step, samples, real[data], dataset, has_modes=data in MODES)
                    for step, samples in history
                ],
            }
            if seed == 0 and history:
                row["samples"] = np.round(history[-1][1][:1000], 2)
            rows.append(row)
    shown = {data: np.round(points[:500], 2) for data, points in real.items()}
    return {"rows": rows, "floor": floor, "real": shown}


def _measure_samples(
    step: int, samples: np.ndarray, real: np.ndarray, dataset: Any, has_modes: bool
) -> dict[str, Any]:
    """Measures samples ``[n, 2]``: the distance to real ones, and modes if there are any."""
    from gan_jax import metrics

    n = min(PAIRS, len(samples))
    look = {"step": step, "distance": metrics.wasserstein_1(samples[:n], real[:n])}
    if has_modes:
        coverage = metrics.mode_coverage(samples, dataset.centres, dataset.std, minimum=MIN_SAMPLES)
        look |= {"modes": coverage.modes, "high_quality": coverage.high_quality}
    return look


def _methods(numbers: Numbers) -> list[str]:
    """Returns the methods that were run; the short form has one of them."""
    return [name for name in METHODS if any(row["method"] == name for row in numbers["rows"])]


def _rows_of(numbers: Numbers, data: str, method: str) -> Rows:
    return [row for row in numbers["rows"] if (row["data"], row["method"]) == (data, method)]


# ------------------------------------------------------------------------------------------ claims


def claims(numbers: Numbers) -> list[Claim]:
    """Returns the claims about W1 and modes of each method, for each data set."""
    steps = max(_last(row, "step", 0) for row in numbers["rows"])
    why = f"{steps:,} of 100,000 steps" if steps < 100_000 else ""
    claims = []
    for data, floor in numbers["floor"].items():
        rows = {method: _rows_of(numbers, data, method) for method in METHODS}
        distances = {
            method: [_last(row, "distance", float("inf")) for row in of_method]
            for method, of_method in rows.items()
        }
        for method in _methods(numbers):
            judged = method != "clipping"
            claims.append(
                Claim(
                    f"{data}, {method}: W1 over that of real samples",
                    measured=tuple(distance / floor for distance in distances[method]),
                    published="asked <= 3" if judged else "reported only",
                    low=0 if judged else None,
                    high=3.0 if judged else None,
                    why=why,
                )
            )
            if data in MODES:
                claims.append(_modes_claim(data, method, rows[method], why))
        if rows["clipping"] and rows["weight 10"]:
            ratio = np.mean(distances["weight 10"]) / np.mean(distances["clipping"])
            claims.append(
                Claim(
                    f"{data}: W1, weight 10 over clipping",
                    measured=(float(ratio),),
                    published="asked < 1",
                    low=0,
                    high=1,
                    why=why,
                )
            )
    return claims


def _modes_claim(data: str, method: str, rows: Rows, why: str) -> Claim:
    judged = method == "weight 0.1"
    return Claim(
        f"{data}, {method}: modes of {MODES[data]}",
        measured=tuple(_last(row, "modes", float("nan")) for row in rows),
        published="asked: all" if judged else "reported only",
        low=MODES[data] if judged else None,
        high=None,
        why=why,
    )


def _last(row: Numbers, key: str, default: float) -> float:
    """Returns a number at the end of a run, or the default if it diverged or was never sampled."""
    if row["diverged"] or not row["looks"]:
        return default
    value: float = row["looks"][-1].get(key, default)
    return value


# ----------------------------------------------------------------------------------------- drawing


def draw(numbers: Numbers) -> "Figure":
    """Draws samples of each method on each data set, and W1 over training."""
    names, methods = list(numbers["floor"]), _methods(numbers)
    seeds = 1 + max(row["seed"] for row in numbers["rows"])
    figure = page.canvas(1.7 * len(methods) + 1.9)
    upper, lower = figure.subfigures(2, 1, height_ratios=(1.7 * len(methods), 1.9))
    samples = upper.subplots(len(methods), len(names), squeeze=False)
    distances = lower.subplots(1, len(names), squeeze=False)[0]
    for row, method in zip(samples, methods, strict=True):
        for ax, data in zip(row, names, strict=True):
            _draw_samples(ax, numbers, data, method)
        row[0].set_ylabel(f"{method}\ny")
    for ax in samples[-1]:
        ax.set_xlabel("x (seed 0)")
    for ax, data in zip(distances, names, strict=True):
        _draw_distances(ax, numbers, data)
    distances[0].set_title(f"{seeds} seeds; dotted: real")
    for method in methods:
        distances[0].plot([], [], color=_COLOURS[method], label=method)
    distances[0].legend()
    page.letter([*samples.flat, *distances])
    return figure


def _draw_samples(ax: "Axes", numbers: Numbers, data: str, method: str) -> None:
    real = np.array(numbers["real"][data])
    ax.plot(*real.T, ".", color=page.ORANGE, markersize=2, alpha=0.6)
    rows = _rows_of(numbers, data, method)
    if rows and rows[0]["looks"]:
        samples, look = np.array(rows[0]["samples"]), rows[0]["looks"][-1]
        ax.plot(*samples.T, ".", color=page.GREEN, markersize=2, alpha=0.5)
        title = f"{data}\nW1 {look['distance']:.2f}"
        if "modes" in look:
            plural = "mode" if look["modes"] == 1 else "modes"
            title += f", {look['modes']} {plural}"
        ax.set_title(title)
    ticks, limits = (-2, 0, 2), (-2.5, 2.5)
    ax.set(xlim=limits, ylim=limits, aspect="equal", xticks=ticks, yticks=ticks)


def _draw_distances(ax: "Axes", numbers: Numbers, data: str) -> None:
    for row in numbers["rows"]:
        if row["data"] == data and row["looks"]:
            steps = [look["step"] for look in row["looks"]]
            distances = [look["distance"] for look in row["looks"]]
            ax.plot(steps, distances, ".-", color=_COLOURS[row["method"]], linewidth=0.9)
    ax.axhline(numbers["floor"][data], color="0.5", linestyle=":", linewidth=0.9)
    ax.set(yscale="log", ylabel=f"W1, {data}", xlabel="step")
