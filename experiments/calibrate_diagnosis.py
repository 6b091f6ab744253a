"""Measures how often the rules over a run's health are right, on toys that are made ill on purpose.

    python experiments/calibrate_diagnosis.py --out=results/diagnosis [--seeds=20] [--steps=1000]

For each trouble some seeds of a run that has it and some of one that has not, each group as one
program. A rule's value for a run is its most extreme one in the second half of the run. On the
first half of the seeds a threshold is set, halfway between the groups or, if they overlap, where
the fewest runs are wrong; on the other half it is judged. Beside it stands the rule's own
threshold, judged on all seeds, and after how many steps it detects the trouble. Intervals are those
of Wilson, 95%. Writes calibration.json, calibration.md and calibration.png.
"""

import json
from pathlib import Path
from typing import Any

import numpy as np

from gan_jax.diagnosis import live_rules
from gan_jax.experiment.command_line import Parser, expanded, main

RING = "configs/ring.py:vanilla"
SMALL = "networks=mlp(latent_size=8, generator_widths=(64, 64), discriminator_widths=(64, 64))"
STRONG = (
    "discriminator_steps=2",
    "generator_optimizer=adam(learning_rate=1e-4, b1=0.5)",
    "discriminator_optimizer=adam(learning_rate=1e-3, b1=0.5)",
)
CRITIC = (
    "discriminator_steps=2",
    "generator_optimizer=adam(learning_rate=1e-3, b1=0.5)",
    "discriminator_optimizer=adam(learning_rate=1e-3, b1=0.5)",
)
CLIPPED = "discriminator_optimizer=adam(learning_rate=1e-3, b1=0.5) + clip_weights(bound=0.05)"
GROUPS = {
    "minimax without look-ahead": ("objective=minimax",),
    "minimax, strong discriminator": ("objective=minimax", *STRONG),
    "non-saturating, strong discriminator": ("objective=non_saturating", *STRONG),
    "clipped critic": ("objective=wasserstein", *CRITIC, CLIPPED),
    "WGAN-GP": ("objective=wasserstein + gradient_penalty(weight=0.1)", *CRITIC),
}
"""Changes to `RING` and `SMALL`, by the names of the table."""

STUDY = {
    "mode collapse": ("minimax without look-ahead", "WGAN-GP"),
    "vanishing gradient": (
        "minimax, strong discriminator",
        "non-saturating, strong discriminator",
    ),
    "clipped weights": ("clipped critic", "WGAN-GP"),
}
"""The runs that have a trouble, and those that have not."""

LOW_IS_BAD = ("mode collapse",)


def train_group(overrides: tuple[str, ...], seeds: int, steps: int) -> list[list[dict[str, Any]]]:
    """Trains a population of seeds without files, and returns the rows of each member."""
    import jax

    from gan_jax.experiment.config_files import load_settings
    from gan_jax.experiment.executors import make_executor
    from gan_jax.experiment.fused_steps import health_row
    from gan_jax.experiment.nonfinite import interval_metrics

    intervals = [f"{name}_every=100" for name in ("log", "checkpoint", "sample", "evaluate")]
    settings = load_settings(
        RING,
        [SMALL, "batch_size=64", f"steps={steps}", "steps_per_call=100", *intervals]
        + [*overrides, "metrics=", f"population.seed=range({seeds})"],
    )
    executor = make_executor(settings)
    state, rows = executor.init(), [[] for _ in range(seeds)]
    for chunk in executor.experiment.chunks(0, steps):
        state, metrics = executor.step(chunk, state, executor.batch(chunk))
        metrics = jax.device_get(metrics)
        for member in range(seeds):
            calls = [executor.member(metrics, member)]
            row = interval_metrics(calls) | health_row(settings, calls, chunk.end)
            rows[member].append({"step": chunk.end} | row)
    return rows


def judge_run(trouble: str, rows: list[dict[str, Any]]) -> tuple[float, int | None]:
    """Returns the most extreme value in the second half, and the step of the first detection."""
    found = [
        (rows[end]["step"], live_rules.RULES[trouble](rows[: end + 1])) for end in range(len(rows))
    ]
    detected = [step for step, diagnosis in found if diagnosis and diagnosis.detected]
    late = [diagnosis.value for _, diagnosis in found[len(rows) // 2 :] if diagnosis]
    extreme = min(late) if trouble in LOW_IS_BAD else max(late)
    return extreme, detected[0] if detected else None


def best_threshold(ill: np.ndarray, well: np.ndarray) -> float:
    """Returns the threshold, ill above, with the fewest errors, in the middle of its interval."""
    values = np.unique(np.concatenate([ill, well]))
    cuts = (values[1:] + values[:-1]) / 2 if len(values) > 1 else values
    errors = [np.sum(ill <= cut) + np.sum(well > cut) for cut in cuts]
    return float(cuts[int(np.argmin(errors))])


def wilson(count: int, n: int, z: float = 1.96) -> tuple[float, float]:
    """Computes Wilson's 95% interval of a share."""
    centre = (count + z * z / 2) / (n + z * z)
    width = z / (n + z * z) * np.sqrt(count * (n - count) / n + z * z / 4)
    return max(0.0, float(centre - width)), min(1.0, float(centre + width))


def rate(detected: np.ndarray) -> dict[str, Any]:
    """Returns how many of some runs a rule detects."""
    count, n = int(np.sum(detected)), len(detected)
    return {"count": count, "n": n, "interval": wilson(count, n)}


def calibrate(trouble: str, ill_rows: list[Any], well_rows: list[Any]) -> dict[str, Any]:
    """Returns all that the table shows of one trouble."""
    sign = -1.0 if trouble in LOW_IS_BAD else 1.0
    ill, well = ([judge_run(trouble, rows) for rows in runs] for runs in (ill_rows, well_rows))
    ill_values, well_values = (np.array([value for value, _ in runs]) for runs in (ill, well))
    half = len(ill) // 2
    cut = best_threshold(sign * ill_values[:half], sign * well_values[:half])
    own = next(d for r in ill_rows[0:1] if (d := live_rules.RULES[trouble](r))).threshold
    delays = [step for _, step in ill if step is not None]
    return {
        "ill": STUDY[trouble][0],
        "well": STUDY[trouble][1],
        "threshold": sign * cut,
        "found": rate(sign * ill_values[half:] > cut),
        "false_alarms": rate(sign * well_values[half:] > cut),
        "own_threshold": own,
        "own_found": rate(sign * ill_values > sign * own),
        "own_false_alarms": rate(sign * well_values > sign * own),
        "median_delay": float(np.median(delays)) if delays else None,
        "ill_values": ill_values.tolist(),
        "well_values": well_values.tolist(),
    }


def table(results: dict[str, dict[str, Any]], seeds: int, steps: int) -> str:
    """Returns the results as Markdown."""

    def text(share: dict[str, Any]) -> str:
        low, high = share["interval"]
        return f"{share['count']}/{share['n']} ({low:.0%} to {high:.0%})"

    lines = [
        f"Seeds 0 to {seeds - 1}, {steps} steps: `python experiments/calibrate_diagnosis.py "
        f"--seeds={seeds} --steps={steps} --only='{','.join(results)}' --out=results/diagnosis`. "
        "Found and false alarms at the "
        "threshold that the first half of the seeds gives, on the other half; then at the rule's "
        "own, on all.",
        "",
        "| trouble | ill | well | threshold | found | false alarms | own threshold | found "
        "| false alarms | median delay |",
        "| --- | --- | --- | --- | --- | --- | --- | --- | --- | --- |",
    ]
    for trouble, r in results.items():
        delay = "-" if r["median_delay"] is None else f"{r['median_delay']:.0f} steps"
        lines.append(
            f"| {trouble} | {r['ill']} | {r['well']} | {r['threshold']:.3g} | {text(r['found'])} "
            f"| {text(r['false_alarms'])} | {r['own_threshold']:g} | {text(r['own_found'])} "
            f"| {text(r['own_false_alarms'])} | {delay} |"
        )
    return "\n".join(lines) + "\n"


def draw(results: dict[str, dict[str, Any]], file: Path) -> None:
    """Draws the values of all runs, and both thresholds."""
    from matplotlib.figure import Figure

    figure = Figure(figsize=(3.2 * len(results), 3.4), layout="constrained")
    for axes, (trouble, r) in zip(
        figure.subplots(1, len(results), squeeze=False)[0], results.items()
    ):
        for place, name in enumerate(("ill", "well")):
            values = r[f"{name}_values"]
            places = place + np.linspace(-0.2, 0.2, len(values))
            axes.plot(places, values, "o", ms=4, color=("tab:red", "tab:green")[place])
        axes.axhline(r["threshold"], color="k", lw=1, label="from half of the seeds")
        axes.axhline(r["own_threshold"], color="k", lw=1, ls=":", label="the rule's own")
        axes.set_xticks([0, 1], ["ill", "well"])
        axes.set_title(trouble)
    axes.legend(fontsize=7)
    figure.savefig(file, dpi=120)


def study(arguments: list[str]) -> None:
    """Runs the command."""
    parser = Parser(__doc__)
    parser.add_argument("--out", required=True, help="the folder of the results")
    parser.add_argument("--seeds", type=int, default=20, help="of each group (20)")
    parser.add_argument("--steps", type=int, default=1000, help="of each run (1000)")
    parser.add_argument("--only", default="", help="troubles of the study, separated by commas")
    flags = parser.parse_args(arguments)
    troubles = flags.only.split(",") if flags.only else list(STUDY)
    if not set(troubles) <= set(STUDY):
        parser.error(f"--only takes some of {', '.join(STUDY)}, not {flags.only!r}")
    if flags.seeds < 4 or flags.steps < 1000 or flags.steps % 100:
        parser.error("--seeds is at least 4, --steps at least 1000 and a multiple of 100")

    from gan_jax.distributed.cpu import set_up_jax

    out = Path(expanded(flags.out))
    out.mkdir(parents=True, exist_ok=True)
    set_up_jax([flags.seeds])
    rows = {}
    for name in dict.fromkeys(group for trouble in troubles for group in STUDY[trouble]):
        rows[name] = train_group(GROUPS[name], flags.seeds, flags.steps)
        print(f"trained {flags.seeds} seeds of {name}", flush=True)
    results = {
        trouble: calibrate(trouble, *(rows[group] for group in STUDY[trouble]))
        for trouble in troubles
    }
    (out / "calibration.json").write_text(json.dumps(results, indent=1) + "\n")
    (out / "calibration.md").write_text(table(results, flags.seeds, flags.steps))
    draw(results, out / "calibration.png")
    print(table(results, flags.seeds, flags.steps))


if __name__ == "__main__":
    main(study)
