"""A generator that keeps the discriminator's gradient small does not rotate through a ring's modes.

    python experiments/reproduce.py gradient_regularised_ring [--seeds=5]     # 3 hours of one core
    python experiments/reproduce.py gradient_regularised_ring --scale=short   # 15 minutes

The short form has 10,000 of the 100,000 steps. Both can be stopped and resumed.

Source: Nagarajan and Kolter, "Gradient Descent GAN Optimization is Locally Stable" (2017), section
4 and the authors' code (gaussian-toy.py). Networks and data are those of configs/ring.py: 8
Gaussians on a circle of radius 2, std 0.02, generator 256-128-128-2, discriminator 2-128-1; Adam
1e-4 with b1 0.5 for both, batches of 512, 100,000 steps, alternating updates. The generator
minimises V + |grad_{theta_D} V|^2 / 2 (config.gradient_regularisation=0.5), where V is the saddle
objective with both halves; without the second summand it is the vanilla GAN, K = 0 of the unrolled
one. Seeds train as one population.

The paper shows pictures and a curve, quoted from memory: no rotation, and the norm of the
discriminator's gradient goes to 0. Numbers are of 2500 samples; samples within 3 standard
deviations of a mode are of high quality, a mode is covered with 20 of those, and a mode is near if
it is the nearest to 1% of all samples or more. To be met, U (set before the first run), over the
last 5 of 10 checkpoints: the regularised generator is near all 8 modes in 9 of 10 seeds (all, if
there are fewer), and covers 8 at the end; its leading mode, if it has one, does not change; the
discriminator's gradient (mean of the last tenth of the logged steps) is below 0.1, and below half
of that without the summand, whose generator is near 2 modes or fewer. Also shown is the norm of the
gradient's mean over 65,536 samples at the end, which is free of the scatter of a batch.

Measured: everything but one, in 5 of 5 seeds: the gradient falls to 0.02, rises again from step
2,000 on, and ends at 0.14 to 0.16, 0.30 of the plain GAN's on average (0.26 to 0.34); its mean over
many samples ends at 0.04 to 0.06 in three seeds, and at 0.13 and 0.20 in two, where the scatter of
a batch alone does not explain it. No regularised generator ever has a leading mode.
"""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from _history import densities, has_diverged, states

from gan_jax import diagnosis
from gan_jax.reproduction import Claim, Run, page

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure, SubFigure

CONFIG = "configs/ring.py:vanilla"
COMMON = (
    "steps=100000",
    "log_every=500",
    "sample_every=10000",
    "evaluate_every=10000",
    "checkpoint_every=5000",
    "num_samples=2500",
    "keep_checkpoints=2",
)
RUNS = {
    "regularised": Run(CONFIG, (*COMMON, "gradient_regularisation=0.5")),
    "plain": Run(CONFIG, COMMON),
}
SEEDS = 5
SHORT = (
    "steps=10000",
    "log_every=250",
    "sample_every=1000",
    "evaluate_every=1000",
    "checkpoint_every=1000",
)
NOT_RUN_SHORT = "90,000 of the 100,000 steps"
NOT_RUN = "the full form, 2 runs of 5 seeds of 100,000 steps: this only shows that it works"
SMOKE_RUNS, SMOKE_SEEDS = tuple(RUNS), 2
SMOKE = (
    "steps=40",
    "steps_per_call=10",
    "log_every=10",
    "evaluate_every=20",
    "sample_every=40",
    "checkpoint_every=20",
    "num_samples=500",
    "batch_size=64",
    "networks=mlp(latent_size=16, generator_widths=(32, 32), discriminator_widths=(32,))",
)
LABELS = {"regularised": "V + |grad V|² / 2", "plain": "V alone (K = 0)"}
_COLOURS = {"regularised": page.BLUE, "plain": page.VERMILLION}
MODES, BATCH, DRAWN, UNSEEN = 8, 512, 65_536, 1_000
"""Modes; samples per batch; samples for the final gradient, and the seed that they are drawn by."""

Numbers = Mapping[str, Any]
Row = Mapping[str, Any]


# ------------------------------------------------------------------------------------- measurement


def measure(runs: Mapping[str, Mapping[int, Path]], smoke: bool) -> dict[str, Any]:
    """Returns a row per run and seed: its state at each checkpoint, and norms of gradients."""
    from gan_jax.experiment.builder import build
    from gan_jax.experiment.run_directory import read_settings

    rows, dataset = [], None
    for name, directories in runs.items():
        for seed, directory in directories.items():
            if dataset is None:
                dataset = build(read_settings(directory)).dataset
            steps, norms = _logged_norms(directory)
            diverged = has_diverged(directory)
            samples = 1_024 if smoke else DRAWN
            row = {
                "run": name,
                "seed": seed,
                "diverged": diverged,
                "checkpoints": states(directory, dataset),
                "norms": {"step": steps, "value": norms},
                "final": None if diverged else final_norms(directory, samples),
            }
            if seed == 0:
                row["pictures"] = densities(directory, 3.0)
            rows.append(row)
    last_steps = [row["checkpoints"][-1]["step"] for row in rows if row["checkpoints"]]
    return {"rows": rows, "steps": max(last_steps)}


def final_norms(directory: Path, samples: int) -> dict[str, float]:
    """Measures the discriminator's gradient at the end of a run.

    Args:
      directory: the run directory.
      samples: how many real and generated samples to draw.

    Returns:
      The norm of the mean gradient over all samples, and the mean norm over batches of `BATCH`.
    """
    import jax
    import jax.numpy as jnp
    import optax

    from gan_jax.experiment.loading import load
    from gan_jax.game import Player, adversarial
    from gan_jax.objectives import losses

    run = load(directory)
    experiment, state = run.experiment, run.state
    objective = adversarial(experiment.stages[-1].networks, {"minimax": losses.minimax()})
    generator, params = Player(state.generator.params), state.discriminator.params
    real = jnp.asarray(experiment.dataset.draw(UNSEEN, np.arange(samples))["real"])
    batches = real.reshape(-1, BATCH, 2)

    def loss(params: Any, batch: jax.Array, key: jax.Array) -> jax.Array:
        return objective.discriminator(params, generator, {"real": batch}, key)[0]

    @jax.jit
    def batch_gradients(batches: jax.Array, keys: jax.Array) -> Any:
        return jax.vmap(lambda batch, key: jax.grad(loss)(params, batch, key))(batches, keys)

    gradients = batch_gradients(batches, jax.random.split(jax.random.key(0), len(batches)))
    mean = jax.tree.map(lambda leaf: jnp.mean(leaf, 0), gradients)
    norms = {
        "mean": optax.global_norm(mean),
        "batches": jnp.mean(jax.vmap(optax.global_norm)(gradients)),
    }
    return {name: float(f"{norm:.4g}") for name, norm in norms.items()}


def _logged_norms(directory: Path) -> tuple[list[int], list[float]]:
    """Returns the logged norms of the discriminator's gradient, with their steps."""
    from gan_jax.loggers.json_lines import read_metrics

    name = "discriminator/gradient_norm"
    rows = [row for row in read_metrics(directory / "metrics.jsonl") if row.get(name)]
    return [row["step"] for row in rows], [float(f"{row[name]:.4g}") for row in rows]


# ------------------------------------------------------------------------------------------ claims


def claims(numbers: Numbers) -> list[Claim]:
    """Returns the claims about coverage, rotation and the discriminator's gradient."""
    regularised, plain = _rows(numbers, "regularised"), _rows(numbers, "plain")
    if not regularised or not plain:
        counts = (float(len(regularised)), float(len(plain)))
        return [Claim("seeds that did not diverge", counts, "all", low=1, high=None)]
    norms = [_late_norm(row) for row in regularised]
    plain_norms = [_late_norm(row) for row in plain]
    final = tuple(row["final"]["mean"] for row in regularised)
    final_text = ", ".join(f"{norm:.2g}" for norm in final)
    any_leads = any(
        2 * max(nearest) > sum(nearest) for row in regularised for nearest in _late(row, "nearest")
    )
    return [
        Claim(
            "regularised: near all 8 modes at the last 5 checkpoints, share of seeds",
            measured=_share([min(_late(row, "near")) == MODES for row in regularised]),
            published="no rotation",
            low=0.9,
            high=1,
        ),
        Claim(
            "regularised: covers 8 modes at the end, share of seeds",
            measured=_share([_late(row, "covered")[-1] == MODES for row in regularised]),
            published="all modes (pictures)",
            low=0.9,
            high=1,
        ),
        Claim(
            "regularised: changes of a leading mode",
            measured=tuple(_rotation(row) for row in regularised),
            published="no rotation",
            low=0 if any_leads else None,
            high=0 if any_leads else None,
            note="" if any_leads else "no mode ever has half of the samples",
        ),
        Claim(
            "plain: changes of a leading mode, mean",
            measured=(float(np.mean([_rotation(row) for row in plain])),),
            published="rotates",
            low=0.3,
            high=1,
        ),
        Claim(
            "plain: near 2 modes or fewer at the last 5 checkpoints, share of seeds",
            measured=_share([max(_late(row, "near")) <= 2 for row in plain]),
            published="one or two at a time",
            low=0.9,
            high=1,
        ),
        Claim(
            "regularised: the discriminator's gradient, last tenth",
            measured=tuple(norms),
            published="goes to 0",
            low=0,
            high=0.1,
            why=f"it includes the scatter of batches of {BATCH}; at the last step the mean over "
            f"{DRAWN:,} samples has a norm of {final_text}",
        ),
        Claim(
            f"regularised: norm of its mean over {DRAWN:,} samples, at the end",
            measured=final,
            published="goes to 0",
            low=None,
            high=None,
        ),
        Claim(
            "that last tenth, mean over that of the plain GAN",
            measured=(float(np.mean(norms) / np.mean(plain_norms)),),
            published="smaller",
            low=0,
            high=0.5,
        ),
        Claim(
            "regularised: share of high quality at the end",
            measured=tuple(_late(row, "high_quality")[-1] for row in regularised),
            published="reported only; 0.989 is perfect",
            low=None,
            high=None,
        ),
    ]


def _rows(numbers: Numbers, run: str) -> list[Row]:
    """Returns the rows of the seeds that did not diverge."""
    return [
        row
        for row in numbers["rows"]
        if row["run"] == run and not row["diverged"] and len(row["checkpoints"]) > 1
    ]


def _late(row: Row, key: str) -> list[Any]:
    """Returns a value at the last 5 checkpoints."""
    return [state[key] for state in row["checkpoints"][-5:]]


def _late_norm(row: Row) -> float:
    """Returns the mean of the last tenth of the logged norms."""
    norms = row["norms"]["value"]
    return float(np.mean(norms[-max(1, len(norms) // 10) :]))


def _rotation(row: Row) -> float:
    """Returns the share of the last 5 checkpoints at which the leading mode changes."""
    return diagnosis.rotation(_late(row, "nearest")).value


def _share(flags: Sequence[bool]) -> tuple[float]:
    return (float(np.mean(flags)),)


# ----------------------------------------------------------------------------------------- drawing


def draw(numbers: Numbers) -> "Figure":
    """Draws samples over training, norms of the gradient, and the number of near modes."""
    pictures = {row["run"]: row["pictures"] for row in numbers["rows"] if row["seed"] == 0}
    seeds = 1 + max(row["seed"] for row in numbers["rows"])
    columns = max(1, *map(len, pictures.values()))
    figure = page.canvas(5.0)
    top, bottom = figure.subfigures(2, 1, height_ratios=(2.8, 2.2))
    _draw_samples(top, pictures, columns)
    top.suptitle(f"(a) samples of seed 0 (of {seeds}), [-3, 3]²", x=0.01, ha="left")
    norms, near = bottom.subplots(1, 2)
    _draw_norms(norms, numbers["rows"], seeds)
    _draw_near_modes(near, numbers["rows"], seeds)
    norms.set_title("(b) one line per seed")
    near.set_title("(c) one line per seed, slightly offset")
    return figure


def _draw_samples(
    figure: "SubFigure", pictures: Mapping[str, Sequence[Numbers]], columns: int
) -> None:
    axes = figure.subplots(len(pictures), columns, squeeze=False)
    for row, (name, history) in zip(axes, pictures.items(), strict=True):
        for ax in row:
            ax.set(xticks=[], yticks=[])
        for ax, picture in zip(row, history, strict=False):
            extent = (-3, 3, -3, 3)
            ax.imshow(picture["counts"], origin="lower", extent=extent, cmap="Greens", vmin=0)
            ax.set_title(f"step {picture['step']:,}")
        row[0].set_ylabel(LABELS[name])


def _draw_norms(ax: "Axes", rows: Sequence[Row], seeds: int) -> None:
    for row in rows:
        steps = np.array(row["norms"]["step"]) / 1000
        colour = _COLOURS[row["run"]]
        ax.plot(steps, row["norms"]["value"], color=colour, linewidth=0.8, alpha=0.7)
    for name, colour in _COLOURS.items():
        ax.plot([], [], color=colour, label=f"{LABELS[name]}, {seeds} seeds")
    ax.set(xlabel="thousand steps", ylabel="norm of D's gradient", yscale="log")
    page.plain_ticks(ax)
    ax.legend()


def _draw_near_modes(ax: "Axes", rows: Sequence[Row], seeds: int) -> None:
    for row in rows:
        steps = np.array([state["step"] for state in row["checkpoints"]]) / 1000
        near = np.array([state["near"] for state in row["checkpoints"]])
        offset = 0.06 * (row["seed"] - (seeds - 1) / 2)
        ax.plot(steps, near + offset, ".-", color=_COLOURS[row["run"]], linewidth=0.8)
    ax.set(xlabel="thousand steps", ylabel="modes nearest to 1% of samples")
    ax.set(ylim=(0.5, MODES + 0.5))
