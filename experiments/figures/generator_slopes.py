"""How far a generator's samples move with its latents, over training: dG/dz at K = 0 and K = 10.

    python experiments/reproduce.py generator_slopes                          # 1 hour
    python experiments/reproduce.py generator_slopes --scale=short --seeds=1  # 5 minutes

Times are of one core, from those of unrolled_ring. It can be stopped and resumed, and --seeds=N
with a larger N adds seeds. The short form has 5,000 of the 25,000 steps.

Source: Odena et al., "Is Generator Conditioning Causally Related to GAN Performance?" (2018),
section 2: the spectrum of M = J^T J with J = dG/dz, whose condition number they follow over
training; here on the ring of Metz et al., "Unrolled Generative Adversarial Networks" (2017), with
none and ten unrolled updates, the variants vanilla and unrolled of configs/ring.py. J is [2, 256],
so two eigenvalues of M are not 0: the condition number is their ratio, on which the paper's images
are not to be compared. Means are over 256 latents, of log10 of the condition number and of the root
mean square stretch sqrt(tr M / 2), in units of the ring's radius of 2 per standard deviation of a
latent's entry.

A generator that has collapsed to one mode has nowhere to move, and one that covers eight modes
moves from one to the next. To be met, set before the first run: at the end the stretch with K = 10
is at least twice that with K = 0 in every seed; and over the last fifth of training it varies less,
as a standard deviation of its logarithm over checkpoints, in the mean over seeds.

Measured: at the end K = 10 stretches 8 to 11 times as far as K = 0. It is the more uneven, too:
along a ring there is one direction to move in. The condition number is 75 to 91, against 5 to 9.
"""

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from _history import has_diverged

from gan_jax.reproduction import Claim, Run, page, to_json_value

if TYPE_CHECKING:
    from matplotlib.figure import Figure

    from gan_jax.experiment.loading import LoadedRun

LATENTS, RADIUS, CHECKPOINTS = 256, 2.0, 25
STEPS, SHORT_STEPS = 25_000, 5_000


def _every(steps: int) -> tuple[str, ...]:
    names = ("checkpoint_every", "sample_every", "evaluate_every", "log_every")
    return f"steps={steps}", *(f"{name}={steps // CHECKPOINTS}" for name in names)


COMMON = (*_every(STEPS), f"keep_checkpoints={CHECKPOINTS}", "health=false", "steps_per_call=200")
RUNS = {
    "K = 0": Run("configs/ring.py:vanilla", COMMON),
    "K = 10": Run("configs/ring.py:unrolled", COMMON),
}
SEEDS = 3
SHORT = _every(SHORT_STEPS)
NOT_RUN_SHORT = f"{STEPS - SHORT_STEPS:,} of the {STEPS:,} steps"
SMOKE_RUNS, SMOKE_SEEDS = tuple(RUNS), 1
SMOKE = (
    "steps=40",
    "steps_per_call=20",
    "log_every=20",
    "checkpoint_every=20",
    "sample_every=40",
    "evaluate_every=40",
    "batch_size=32",
    "num_samples=100",
)
NOT_RUN = "all steps but 40, and two of three seeds: this only shows that it works"
_COLOURS = {"K = 0": page.VERMILLION, "K = 10": page.BLUE}

Numbers = Mapping[str, Any]


# ------------------------------------------------------------------------------------- measurement


def measure(runs: Mapping[str, Mapping[int, Path]], smoke: bool) -> dict[str, Any]:
    """Returns a row per run and seed: stretch and condition number by step."""
    from gan_jax.experiment.checkpoint_files import saved_steps
    from gan_jax.experiment.loading import load
    from gan_jax.experiment.run_directory import CHECKPOINTS as FOLDER

    rows = []
    for name, directories in runs.items():
        for seed, directory in directories.items():
            row: dict[str, Any] = {"run": name, "seed": seed, "diverged": has_diverged(directory)}
            if not row["diverged"]:
                saved = [step for step in saved_steps(directory / FOLDER) if step]
                spectra = [spectrum(load(directory, step)) for step in saved]
                row |= {"step": saved, "stretch": [], "log_condition": []}
                for singular in spectra:
                    row["stretch"].append(stretch(singular))
                    row["log_condition"].append(log_condition(singular))
            rows.append(row)
    numbers: dict[str, Any] = to_json_value({"rows": rows}, 5)
    return numbers


def spectrum(run: "LoadedRun") -> np.ndarray:
    """Returns the singular values of dG/dz at latents that stay the same, ``[latents, 2]``."""
    import jax

    networks, params = run.networks, run.state.generator.params
    assert networks.latent is not None
    latents = networks.latent(jax.random.key(0), LATENTS)

    def sample(latent: jax.Array) -> jax.Array:
        return networks.generate(params, latent[None])[0]

    jacobians = jax.jit(jax.vmap(jax.jacrev(sample)))(latents)
    return np.linalg.svd(np.asarray(jacobians, float), compute_uv=False)


def stretch(singular: np.ndarray) -> float:
    """Returns the mean over latents of sqrt(tr M / 2), in units of the ring's radius."""
    return float(np.mean(np.sqrt(np.mean(singular**2, axis=1))) / RADIUS)


def log_condition(singular: np.ndarray) -> float:
    """Returns the mean over latents of log10 of M's condition number, at most 30 each."""
    largest = np.maximum(singular.max(axis=1), 1e-30)
    smallest = np.maximum(singular.min(axis=1), 1e-15 * largest)
    return float(np.mean(2 * np.log10(largest / smallest)))


# ------------------------------------------------------------------------------------------ claims


def _rows(numbers: Numbers, run: str) -> list[Mapping[str, Any]]:
    return [row for row in numbers["rows"] if row["run"] == run and not row["diverged"]]


def scatter(row: Mapping[str, Any]) -> float:
    """Returns the standard deviation of log10 of the stretch over the last fifth of training."""
    late = [
        value
        for step, value in zip(row["step"], row["stretch"], strict=True)
        if step > 0.8 * row["step"][-1]
    ]
    return float(np.std(np.log10(np.maximum(late, 1e-30))))


def claims(numbers: Numbers) -> list[Claim]:
    """Returns the ratio of the stretches at the end, how both vary, and condition numbers."""
    plain, unrolled = (_rows(numbers, run) for run in RUNS)
    made = []
    if plain and unrolled:
        ratios = tuple(
            b["stretch"][-1] / max(a["stretch"][-1], 1e-30)
            for a in plain
            for b in unrolled
            if a["seed"] == b["seed"]
        )
        made.append(Claim("stretch at the end: K = 10 over K = 0", ratios, "asked >= 2", 2, None))
        late = [float(np.mean([scatter(row) for row in rows])) for rows in (plain, unrolled)]
        made.append(
            Claim(
                "variation of the stretch in the last fifth: K = 10 over K = 0",
                (late[1] / max(late[0], 1e-30),),
                "asked < 1",
                None,
                1 - 1e-9,
                note=f"standard deviations of log10: {late[1]:.3g} and {late[0]:.3g}",
            )
        )
    for run in RUNS:
        ends = tuple(row["log_condition"][-1] for row in _rows(numbers, run))
        name = f"{run}: log10 of the condition number at the end"
        made.append(Claim(name, ends, "reported only", None, None))
    return made


# ----------------------------------------------------------------------------------------- drawing


def draw(numbers: Numbers) -> "Figure":
    """Draws stretch and condition number over training, a line per seed."""
    figure, axes = page.panels(1, 2, 2.1)
    panels = {
        "stretch": "stretch of latents, radii per unit",
        "log_condition": "log10 condition number",
    }
    for ax, (quantity, label) in zip(axes[0], panels.items(), strict=True):
        for run, colour in _COLOURS.items():
            for row in _rows(numbers, run):
                ax.plot(row["step"], row[quantity], ".-", color=colour, linewidth=0.8)
            ax.plot([], [], ".-", color=colour, label=run)
        ax.set(xlabel="generator steps", ylabel=label)
    axes[0, 0].set_yscale("log")
    axes[0, 0].set_title("how far samples move with latents")
    axes[0, 1].set_title("how unevenly they move")
    axes[0, 1].legend()
    page.letter(axes[0])
    return figure
