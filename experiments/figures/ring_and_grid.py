"""Modes, high quality and reverse KL on a ring and on a grid: GAN, PacGAN, unrolled GAN, WGAN-GP beside the published tables.

    python experiments/reproduce.py ring_and_grid [--seeds=10]   # days on 2 CPU cores; a GPU is what it is for
    python experiments/reproduce.py ring_and_grid --scale=short --seeds=1   # an hour of one core: 10,000 of the 400,000 steps
    python experiments/reproduce.py ring_and_grid --scale=smoke   # 1 minute: GAN and PacGAN2 on the ring, 2 seeds, 20 steps

Source: Lin et al., "PacGAN" (2018), table 1, and Srivastava et al., "VEEGAN" (2017), table 1, whose networks differ: their GAN
rows (6.3 modes and 1 on a ring) say how much that matters. Settings are those of PacGAN's code: ring of radius 1, std 0.01;
grid of 25, std 0.05; 100,000 fixed samples, batches of 100 (packs), 400,000 steps of simultaneous play; generator 4 x 400 with
BatchNorm, discriminator 3 x maxout of 200 units of 5 pieces, weights N(0, 0.02^2), latents N(0, I_2), Adam 1e-4 with b1 0.8,
non-saturating. Rows that PacGAN does not have are the same networks with unroll 5 (VEEGAN's K), with WGAN-GP (weight 10, 5
discriminator_steps), and as R3GAN (Huang et al., 2024) has it, relativistic with R1 and R2, gamma 1, and no BatchNorm; all three alternate.
2500 samples at the end; a mode counts from one sample within 3 standard deviations on.

To be met, U: the mean over 10 seeds within 1.5 modes of 6.3 (ring, GAN) and within 4 of 17.3 (grid, GAN); PacGAN2 7.5 or more
and 22.5 or more. Errors are standard errors, as in PacGAN; a run that diverged counts as one without modes. Dotted is what a
perfect model has: 98.89% within 3 standard deviations, and of k modes a reverse KL near (k - 1) / 2n, n samples.
Not run yet: the full form, 14 runs of 10 seeds of 400,000 steps. Measured in the short form, seed 0: on the ring GAN is on 7
modes, packed ones and R3GAN on 8, with less of high quality the larger the pack; on the grid packed ones are still far off, of
which 2.5% of the steps says little. WGAN-GP has not found the ring by then.
"""

from pathlib import Path

import numpy as np

from gan_jax.reproduction import Claim, Run

CONFIG = "configs/ring.py:non_saturating"
DATA = {"ring": "ring(radius=1.0, std=0.01, finite=100000)", "grid": "grid(finite=100000)"}
MLP = (
    "mlp(latent_size=2, generator_widths=(400, 400, 400, 400), discriminator_widths=(200, 200, 200), init='normal', gain=0.02, "
    "norm='batch', pieces=5, input_scale=1.0)"
)
PLAIN = MLP.replace("norm='batch', ", "")
ADAM = "adam(learning_rate=1e-4, b1=0.8, b2=0.999, eps_root=1e-14)"
COMMON = (
    f"generator_optimizer={ADAM}", f"discriminator_optimizer={ADAM}", "steps=400000", "steps_per_call=100", "log_every=20000",
    "evaluate_every=20000", "sample_every=100000", "checkpoint_every=20000", "num_samples=2500", "metrics=modes()",
)  # fmt: skip
METHODS = {
    "GAN": ("update_rule=simultaneous()", f"networks={MLP}", "batch_size=100"),
    **{
        f"PacGAN{m}": ("update_rule=simultaneous()", f"networks=packed(m={m}, networks={MLP})", f"batch_size={100 * m}")
        for m in (2, 3, 4)
    },
    "UGAN, K = 5": (f"networks={MLP}", "batch_size=100", "unroll=5"),
    "WGAN-GP": (
        f"networks={MLP}", "batch_size=100", "discriminator_steps=5", "objective=wasserstein + gradient_penalty(weight=10)",
    ),
    "R3GAN": (
        f"networks={PLAIN}", "batch_size=100", "objective=relativistic + r1(gamma=1) + r2(gamma=1)",
    ),
}  # fmt: skip
RUNS = {
    f"{data}, {method}": Run(CONFIG, (*COMMON, f"dataset={text}", *settings))
    for data, text in DATA.items()
    for method, settings in METHODS.items()
}
SEEDS = 10
SHORT = (
    "steps=10000",
    "log_every=1000",
    "evaluate_every=1000",
    "sample_every=10000",
    "checkpoint_every=1000",
)
NOT_RUN_SHORT = "390,000 of the 400,000 steps"
NOT_RUN = "the full form: 14 runs of 10 seeds of 400,000 steps. This one shows that it works, and nothing about GANs"
SMOKE_RUNS, SMOKE_SEEDS = ("ring, GAN", "ring, PacGAN2"), 2
SMOKE = (
    "steps=20", "steps_per_call=10", "log_every=10", "evaluate_every=20", "sample_every=20", "checkpoint_every=20",
    "num_samples=200", "dataset=ring(radius=1.0, std=0.01, finite=1000)",
)  # fmt: skip
MODES = {"ring": 8, "grid": 25}
METRICS = {
    "modes/covered": "modes",
    "modes/high_quality": "share of high quality",
    "modes/reverse_kl": "reverse KL (nats)",
}
# Modes, share of high quality and reverse KL: mean and standard error of 10 runs (PacGAN); mean of 5 runs (VEEGAN). ALI and
# VEEGAN are models with an encoder, which are not trained here.
PUBLISHED = {
    "ring, GAN": ((6.3, 0.5), (0.982, 0.002), (0.45, 0.09)),
    "ring, ALI": ((6.6, 0.3), (0.976, 0.004), (0.36, 0.04)),
    "ring, PacGAN2": ((7.9, 0.1), (0.956, 0.020), (0.07, 0.03)),
    "ring, PacGAN3": ((7.8, 0.1), (0.977, 0.003), (0.10, 0.02)),
    "ring, PacGAN4": ((7.8, 0.1), (0.959, 0.014), (0.07, 0.02)),
    "grid, GAN": ((17.3, 0.8), (0.948, 0.007), (0.70, 0.07)),
    "grid, ALI": ((24.1, 0.4), (0.957, 0.006), (0.14, 0.03)),
    "grid, PacGAN2": ((23.8, 0.7), (0.913, 0.008), (0.13, 0.04)),
    "grid, PacGAN3": ((24.6, 0.4), (0.942, 0.004), (0.06, 0.02)),
    "grid, PacGAN4": ((24.8, 0.2), (0.936, 0.006), (0.04, 0.01)),
}
VEEGAN = {
    "ring, GAN": (1, 0.993), "ring, UGAN, K = 5": (7.6, 0.356), "ring, ALI": (2.8, 0.0013), "ring, VEEGAN": (8, 0.529),
    "grid, GAN": (3.3, 0.005), "grid, UGAN, K = 5": (23.6, 0.16), "grid, ALI": (15.8, 0.016), "grid, VEEGAN": (24.6, 0.4),
}  # fmt: skip
BANDS = {
    "ring, GAN": (4.8, 7.8),
    "grid, GAN": (13.3, 21.3),
    "ring, PacGAN2": (7.5, 8),
    "grid, PacGAN2": (22.5, 25),
}
DRAWN, PERFECT = (
    2_500,
    1 - float(np.exp(-4.5)),
)  # samples at the end; what of a perfect model's lies within 3 std in the plane


def measure(runs: dict[str, dict[int, Path]], smoke: bool) -> dict:
    from gan_jax.experiment.run_directory import last_metrics

    rows = []
    for name, folders in runs.items():
        for seed, folder in folders.items():
            diverged = (folder / "diverged").exists()
            last = {} if diverged else last_metrics(folder)
            rows.append({"run": name, "seed": seed, "diverged": diverged, "step": last.get("step", 0)}
                        | {metric: last.get(metric) for metric in METRICS})  # fmt: skip
    return {"rows": rows}


def claims(numbers: dict) -> list[Claim]:
    found = []
    steps = max(row["step"] for row in numbers["rows"])
    for name in dict.fromkeys(row["run"] for row in numbers["rows"]):
        for metric, published in zip(METRICS, PUBLISHED.get(name, [None] * 3), strict=True):
            values = _values(numbers, name, metric)
            text = (
                "asked: to be shown"
                if published is None
                else f"{published[0]:g} ± {published[1]:g} (PacGAN)"
            )
            if name in VEEGAN and metric != "modes/reverse_kl":
                text += f", {VEEGAN[name][metric == 'modes/high_quality']:g} (VEEGAN)"
            low, high = BANDS.get(name, (None, None)) if metric == "modes/covered" else (None, None)
            rows = [row for row in numbers["rows"] if row["run"] == name]
            lost = sum(row["diverged"] for row in rows)
            notes = [f"{len(values)} of {len(rows)} seeds"] * (len(values) < len(rows))
            notes += [f"standard error {_error(values):.3g} of {len(values)} seeds"] * (
                len(values) > 1
            )
            notes += [f"{lost} diverged, which covers nothing"] * bool(lost)
            mean = (float(np.mean(values)),) if len(values) else ()
            notes += [f"{steps:,} of 400,000 steps"] * (low is not None and steps < 400_000)
            found.append(
                Claim(f"{name}: {METRICS[metric]}, mean", mean, text, low, high, "; ".join(notes))
            )
    return found


def draw(numbers: dict):
    from gan_jax.loggers import plots

    of_data = {
        data: list(dict.fromkeys([*(row["run"] for row in numbers["rows"] if row["run"].startswith(data)),
                                  *(name for name in (*PUBLISHED, *VEEGAN) if name.startswith(data))]))
        for data in dict.fromkeys(row["run"].split(", ")[0] for row in numbers["rows"])
    }  # fmt: skip
    drawing, axes = plots.figure(len(of_data), 3, (5.0, 3.6))
    for line, (data, names) in zip(axes, of_data.items(), strict=True):
        for column, (ax, metric) in enumerate(zip(line, METRICS, strict=True)):
            for at, name in enumerate(names):
                values = _values(numbers, name, metric)
                ax.plot(
                    at - 0.15 + np.linspace(-0.1, 0.1, len(values)),
                    values,
                    ".",
                    color="tab:blue",
                    alpha=0.4,
                    markersize=4,
                )
                if len(values):
                    ax.errorbar(
                        at - 0.15,
                        values.mean(),
                        _error(values),
                        fmt="_",
                        color="tab:blue",
                        capsize=3,
                        markersize=12,
                    )
                if name in PUBLISHED:
                    mean, error = PUBLISHED[name][column]
                    ax.errorbar(
                        at + 0.15, mean, error, fmt="s", color="tab:orange", markersize=4, capsize=3
                    )
                if name in VEEGAN and column < 2:
                    ax.plot(at + 0.15, VEEGAN[name][column], "^", color="tab:green", markersize=5)
                if name in BANDS and not column:
                    ax.fill_between(
                        [at - 0.4, at + 0.4],
                        *BANDS[name],
                        color="tab:blue",
                        alpha=0.12,
                        linewidth=0,
                    )
            best = (MODES[data], PERFECT, (MODES[data] - 1) / (2 * DRAWN * PERFECT))[column]
            ax.axhline(best, color="0.5", linestyle=":", linewidth=0.9)
            labels = [name.removeprefix(f"{data}, ") for name in names]
            ax.set_xticks(range(len(names)), labels, rotation=45, ha="right", fontsize=8)
            ax.set(ylabel=f"{data}: {METRICS[metric]}", xlim=(-0.6, len(names) - 0.4), ylim=(-0.03 * MODES[data] if not column
                   else -0.03, None))  # fmt: skip
    seeds = 1 + max(row["seed"] for row in numbers["rows"])
    error = f"mean ± standard error of {seeds} seeds" if seeds > 1 else "1 seed"
    handles = [
        axes[0, 0].plot(
            [], [], "_", color="tab:blue", markersize=12, label=f"ours, {error}; dots: each"
        )[0],
        axes[0, 0].fill_between([], [], color="tab:blue", alpha=0.12, label="where ours is to be"),
        axes[0, 0].plot(
            [], [], "s", color="tab:orange", label="PacGAN, table 1: mean ± standard error of 10"
        )[0],
        axes[0, 0].plot(
            [], [], "^", color="tab:green", label="VEEGAN, table 1: mean of 5 (other networks)"
        )[0],
        axes[0, 0].plot([], [], ":", color="0.5", label=f"a perfect model, {DRAWN} samples")[0],
    ]
    drawing.legend(handles=handles, loc="outside upper center", ncols=5, fontsize=8)
    return drawing


def _values(numbers: dict, name: str, metric: str) -> np.ndarray:
    """One value a seed. A run that diverged has no mode and no quality; of no samples near a mode there is no divergence."""
    rows = [row for row in numbers["rows"] if row["run"] == name]
    found = [
        0.0 if row["diverged"] and metric != "modes/reverse_kl" else row[metric] for row in rows
    ]
    return np.array([value for value in found if isinstance(value, int | float)], float)


def _error(values: np.ndarray) -> float:
    """The standard error of their mean; nothing of one."""
    return float(np.std(values, ddof=1) / np.sqrt(len(values))) if len(values) > 1 else 0.0
