"""Measures how often the rules over a run's health are right, on runs made ill on purpose.

    python experiments/calibrate_diagnosis.py --out=results/diagnosis [--seeds=20] [--steps=1000]

For each trouble some seeds of a run that is made to have it and some of one that is not, each group
as one program: on toys and, where a toy is not all that can be had, on Fashion-MNIST. A rule's
value for a run is its most extreme one in the second half of the run. On the first half of the
seeds a threshold is set, in the middle between the groups or, if they overlap, where the fewest
runs are wrong; on the other half it is judged, and so is the rule's own. The delay is after how
many steps the rule detects the trouble with its own threshold. Intervals are those of Wilson, 95%.
Writes calibration.json, calibration.md and calibration.png.

With --candidates it judges numbers that a rule might be made of, and none is: see candidates.md.
With --rows=FILE the rows of groups are kept there, and a group that is there is not trained again.
"""

import json
from pathlib import Path
from typing import Any

import numpy as np

from gan_jax.diagnosis import live_rules
from gan_jax.diagnosis.rules import Diagnosis
from gan_jax.experiment.command_line import Parser, expanded, main

RING = "configs/ring.py:vanilla"
SMALL_RING = "networks=mlp(latent_size=8, generator_widths=(64, 64), discriminator_widths=(64, 64))"
IMAGES = (
    "dataset=fashion_mnist(resolution=16)",
    "networks=mlp(latent_size=16, generator_widths=(64, 64), discriminator_widths=(64, 64), "
    "output=tanh)",
)
BILINEAR = (
    "dataset=gaussian()",
    "networks=mlp(latent_size=2, generator_widths=(), discriminator_widths=())",
    "objective=wasserstein",
)
OFTEN = ("log_every=25", "steps_per_call=25")


def adam(generator: float, discriminator: float, clip: str = "") -> tuple[str, str]:
    """Returns both optimizers, Adam with these learning rates."""
    return (
        f"generator_optimizer=adam(learning_rate={generator}, b1=0.5)",
        f"discriminator_optimizer=adam(learning_rate={discriminator}, b1=0.5){clip}",
    )


def gradient_descent(learning_rate: float, update_rule: str) -> tuple[str, ...]:
    """Returns the bilinear game under an update rule."""
    return (
        *BILINEAR,
        f"update_rule={update_rule}",
        f"generator_optimizer=sgd(learning_rate={learning_rate})",
        f"discriminator_optimizer=sgd(learning_rate={learning_rate})",
    )


def gaussian(finite: int) -> tuple[str, ...]:
    """Returns a Gaussian in 32 dimensions of which this many samples are known."""
    return (
        f"dataset=gaussian(dimensions=32, finite={finite})",
        "networks=mlp(latent_size=32, generator_widths=(64, 64), discriminator_widths=(128, 128))",
        "objective=non_saturating",
        *adam(5e-4, 1e-3),
    )


STRONG = ("discriminator_steps=2", *adam(1e-4, 1e-3))
VERY_STRONG = ("discriminator_steps=2", *adam(1e-4, 2e-3))
CRITIC = ("discriminator_steps=2", *adam(1e-3, 1e-3))
FAST_GENERATOR = ("objective=non_saturating", *adam(1e-3, 1e-4))
FASTER_GENERATOR = ("objective=non_saturating", *adam(1e-2, 1e-4))
RATE_TENTH = ("objective=non_saturating", *adam(0.1, 0.1))
GROUPS = {
    "fast generator, no look-ahead": (SMALL_RING, *FAST_GENERATOR),
    "WGAN-GP": (SMALL_RING, "objective=wasserstein + gradient_penalty(weight=0.1)", *CRITIC),
    "learning rate 0.1": (SMALL_RING, *RATE_TENTH),
    "minimax, strong discriminator": (SMALL_RING, "objective=minimax", *STRONG),
    "non-saturating, strong discriminator": (SMALL_RING, "objective=non_saturating", *STRONG),
    "clipped critic": (
        *(SMALL_RING, "objective=wasserstein", "discriminator_steps=2"),
        *adam(1e-3, 1e-3, " + clip_weights(bound=0.05)"),
    ),
    "bilinear, alternating": gradient_descent(0.5, "alternating"),
    "bilinear, extragradient": gradient_descent(0.5, "extragradient"),
    "bilinear, slow, alternating": (*gradient_descent(0.05, "alternating"), *OFTEN),
    "WGAN-GP, logged often": (
        *(SMALL_RING, "objective=wasserstein + gradient_penalty(weight=0.1)", *CRITIC, *OFTEN),
    ),
    "bilinear, simultaneous": (*gradient_descent(0.8, "simultaneous"), *OFTEN),
    "64 samples of a Gaussian": gaussian(64),
    "50,000 samples of a Gaussian": gaussian(50_000),
    "images: fast generator": (*IMAGES, *FASTER_GENERATOR),
    "images: WGAN-GP": (*IMAGES, "objective=wasserstein + gradient_penalty(weight=1)", *CRITIC),
    "images: learning rate 0.1": (*IMAGES, *RATE_TENTH),
    "images: minimax, strong discriminator": (*IMAGES, "objective=minimax", *VERY_STRONG),
    "images: non-saturating, strong discriminator": (
        *(*IMAGES, "objective=non_saturating", *VERY_STRONG),
    ),
    "images: clipped critic": (
        *(*IMAGES, "objective=wasserstein", "discriminator_steps=2"),
        *adam(1e-3, 1e-3, " + clip_weights(bound=0.01)"),
    ),
}
"""Changes to `RING`, by the names of the table; the rate of a fast generator is ten times or, on
images, a hundred times the discriminator's."""

STUDY = {
    "mode collapse": [
        ("fast generator, no look-ahead", "WGAN-GP"),
        ("images: fast generator", "images: WGAN-GP"),
    ],
    "dead latents": [
        ("learning rate 0.1", "WGAN-GP"),
        ("images: learning rate 0.1", "images: WGAN-GP"),
    ],
    "vanishing gradient": [
        ("minimax, strong discriminator", "non-saturating, strong discriminator"),
        ("images: minimax, strong discriminator", "images: non-saturating, strong discriminator"),
    ],
    "circling": [("bilinear, alternating", "bilinear, extragradient")],
    "oscillating scores": [("bilinear, slow, alternating", "WGAN-GP, logged often")],
    "explosion": [("bilinear, simultaneous", "bilinear, slow, alternating")],
    "clipped weights": [
        ("clipped critic", "WGAN-GP"),
        ("images: clipped critic", "images: WGAN-GP"),
    ],
    "overfitting": [("64 samples of a Gaussian", "50,000 samples of a Gaussian")],
}
"""Pairs of runs that are made to have a trouble, and that are not. One threshold serves all pairs
of a trouble."""

STRONG_PAIRS = [
    ("minimax, strong discriminator", "non-saturating, strong discriminator"),
    ("minimax, strong discriminator", "WGAN-GP"),
    ("images: minimax, strong discriminator", "images: non-saturating, strong discriminator"),
    ("images: minimax, strong discriminator", "images: WGAN-GP"),
]
CANDIDATES = {"separation": STRONG_PAIRS, "gradient_ratio": STRONG_PAIRS}
"""Pairs of runs with a generator that learns nothing and one that learns, by ``health/...``."""

LOW_IS_BAD = ("mode collapse", "gradient_ratio")
RATIOS = ("circling", "explosion")
"""Troubles whose values are drawn on a logarithmic axis."""


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
        ["batch_size=64", f"steps={steps}", "steps_per_call=100", *intervals]
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


def candidate(name: str, threshold: float) -> live_rules.Rule:
    """Returns the rule that judges the median of the newest values of a quantity."""

    def rule(rows: live_rules.Rows) -> Diagnosis | None:
        values = [row.get(f"health/{name}") for row in rows[-live_rules.JUDGED :]]
        if len(values) < live_rules.JUDGED or not all(np.isfinite(v or 0) for v in values):
            return None
        value = float(np.median(values))
        detected = value < threshold if name in LOW_IS_BAD else value > threshold
        return Diagnosis(detected, value, threshold, "")

    return rule


RULES = {
    **live_rules.RULES,
    "separation": candidate("separation", 0.95),
    "gradient_ratio": candidate("gradient_ratio", 0.1),
}


def judge_run(trouble: str, rows: list[dict[str, Any]]) -> tuple[float, int | None]:
    """Returns the most extreme value in the second half, and the step of the first detection."""
    found = [(rows[end]["step"], RULES[trouble](rows[: end + 1])) for end in range(len(rows))]
    detected = [step for step, diagnosis in found if diagnosis and diagnosis.detected]
    late = [diagnosis.value for _, diagnosis in found[len(rows) // 2 :] if diagnosis]
    extreme = min(late) if trouble in LOW_IS_BAD else max(late)
    return extreme, detected[0] if detected else None


def best_threshold(ill: np.ndarray, well: np.ndarray) -> float:
    """Returns the threshold, ill above, with the fewest errors, in the middle of its interval.

    The middle of numbers that are all positive is their geometric mean: some are ratios.
    """
    values = np.unique(np.concatenate([ill, well]))
    low, high = values[:-1], values[1:]
    if not len(low):
        return float(values[0])
    positive = low[0] > 0
    cuts = np.sqrt(low) * np.sqrt(high) if positive else (low + high) / 2
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


def calibrate(trouble: str, pairs: list[tuple[list[Any], list[Any]]]) -> dict[str, Any]:
    """Returns all that the table shows of one trouble.

    Args:
      trouble: its name.
      pairs: rows of the runs that have it, and of those that do not.
    """
    sign = -1.0 if trouble in LOW_IS_BAD else 1.0
    judged = [[[judge_run(trouble, rows) for rows in runs] for runs in pair] for pair in pairs]
    values = [[np.array([value for value, _ in runs]) for runs in pair] for pair in judged]
    half = len(values[0][0]) // 2
    ill, well = (np.concatenate([pair[side][:half] for pair in values]) for side in (0, 1))
    cut = best_threshold(sign * ill, sign * well)
    own = next(diagnosis for rows in pairs[0][0] if (diagnosis := RULES[trouble](rows))).threshold
    results = []
    for (ill_runs, _), (ill, well), names in zip(judged, values, (STUDY | CANDIDATES)[trouble]):
        delays = [step for _, step in ill_runs if step is not None]
        results.append(
            dict(zip(("ill", "well"), names))
            | {
                "found": rate(sign * ill[half:] > cut),
                "false_alarms": rate(sign * well[half:] > cut),
                "own_found": rate(sign * ill[half:] > sign * own),
                "own_false_alarms": rate(sign * well[half:] > sign * own),
                "median_delay": float(np.median(delays)) if delays else None,
                "ill_values": ill.tolist(),
                "well_values": well.tolist(),
            }
        )
    return {"threshold": sign * cut, "own_threshold": own, "pairs": results}


def table(results: dict[str, dict[str, Any]], seeds: int, steps: int, only: str) -> str:
    """Returns the results as Markdown."""

    def text(share: dict[str, Any]) -> str:
        low, high = share["interval"]
        return f"{share['count']}/{share['n']} ({low:.0%} to {high:.0%})"

    half, last = seeds // 2, seeds - 1
    lines = [
        f"`python experiments/calibrate_diagnosis.py --seeds={seeds} --steps={steps}{only} "
        f"--out=results/diagnosis`. Seeds 0 to {half - 1} set a threshold for each trouble; found "
        f"and false alarms are of seeds {half} to {last}, first at this threshold, then at the "
        "rule's own. The delay is of all seeds, at the rule's own.",
        "",
        "| trouble | ill | well | threshold | found | false alarms | own threshold | found "
        "| false alarms | median delay |",
        "| --- | --- | --- | --- | --- | --- | --- | --- | --- | --- |",
    ]
    for trouble, result in results.items():
        for r in result["pairs"]:
            delay = "-" if r["median_delay"] is None else f"{r['median_delay']:.0f} steps"
            lines.append(
                f"| {trouble} | {r['ill']} | {r['well']} | {result['threshold']:.3g} "
                f"| {text(r['found'])} | {text(r['false_alarms'])} | {result['own_threshold']:g} "
                f"| {text(r['own_found'])} | {text(r['own_false_alarms'])} | {delay} |"
            )
    return "\n".join(lines) + "\n"


def draw(results: dict[str, dict[str, Any]], file: Path) -> None:
    """Draws the values of all runs, and both thresholds."""
    from matplotlib.figure import Figure
    from matplotlib.lines import Line2D

    columns = 4
    rows = -(-len(results) // columns)
    figure = Figure(figsize=(2.6 * columns, 2.6 * rows), layout="constrained")
    panels = list(figure.subplots(rows, columns, squeeze=False).flat)
    for axes in panels:
        axes.set_visible(False)
    for axes, (trouble, result) in zip(panels, results.items()):
        axes.set_visible(True)
        for pair, r in enumerate(result["pairs"]):
            for side, name in enumerate(("ill", "well")):
                values = r[f"{name}_values"]
                places = 2 * pair + side + np.linspace(-0.25, 0.25, len(values))
                axes.plot(places, values, ".", ms=4, color=("tab:red", "tab:green")[side])
        axes.axhline(result["threshold"], color="k", lw=1)
        axes.axhline(result["own_threshold"], color="k", lw=1, ls=":")
        data = ["toy", "images"] if len(result["pairs"]) > 1 else ["toy"]
        axes.set_xticks(
            range(2 * len(data)),
            [f"{side}\n{name}" for name in data for side in ("ill", "well")],
            fontsize=7,
        )
        axes.set_title(trouble, fontsize=9)
        if trouble in RATIOS:
            axes.set_yscale("log")
    handles = [
        Line2D([], [], color="k", lw=1, label="threshold set on half of the seeds"),
        Line2D([], [], color="k", lw=1, ls=":", label="the rule's own threshold"),
    ]
    figure.legend(handles=handles, loc="outside lower center", ncols=2, fontsize=8)
    figure.savefig(file, dpi=120)


def rows_of_groups(
    names: list[str], seeds: int, steps: int, file: str
) -> dict[str, list[list[dict[str, Any]]]]:
    """Trains groups, but for those whose rows a file has, and adds them to the file."""
    kept = Path(expanded(file)) if file else None
    rows = json.loads(kept.read_text()) if kept and kept.exists() else {}
    of_length = rows.setdefault(f"{seeds} seeds, {steps} steps", {})
    for name in names:
        if name in of_length:
            continue
        of_length[name] = train_group(GROUPS[name], seeds, steps)
        print(f"trained {seeds} seeds of {name}", flush=True)
        if kept:
            kept.write_text(json.dumps(rows))
    return {name: of_length[name] for name in names}


def study(arguments: list[str]) -> None:
    """Runs the command."""
    parser = Parser(__doc__)
    parser.add_argument("--out", required=True, help="the folder of the results")
    parser.add_argument("--seeds", type=int, default=20, help="of each group (20)")
    parser.add_argument("--steps", type=int, default=1000, help="of each run (1000)")
    parser.add_argument("--only", default="", help="troubles of the study, separated by commas")
    parser.add_argument("--candidates", action="store_true", help="judge numbers without a rule")
    parser.add_argument("--rows", default="", help="a file that keeps the rows of groups")
    flags = parser.parse_args(arguments)
    if flags.candidates and flags.only:
        parser.error("--candidates are all judged: leave --only out")
    pairs_of = CANDIDATES if flags.candidates else STUDY
    troubles = flags.only.split(",") if flags.only else list(pairs_of)
    if not set(troubles) <= set(pairs_of):
        parser.error(f"--only takes some of {', '.join(STUDY)}, not {flags.only!r}")
    if flags.seeds < 4 or flags.steps < 1000 or flags.steps % 100:
        parser.error("--seeds is at least 4, --steps at least 1000 and a multiple of 100")

    from gan_jax.distributed.cpu import set_up_jax

    out = Path(expanded(flags.out))
    out.mkdir(parents=True, exist_ok=True)
    set_up_jax([flags.seeds])
    groups = [group for trouble in troubles for pair in pairs_of[trouble] for group in pair]
    rows = rows_of_groups(list(dict.fromkeys(groups)), flags.seeds, flags.steps, flags.rows)
    results = {
        trouble: calibrate(trouble, [(rows[ill], rows[well]) for ill, well in pairs_of[trouble]])
        for trouble in troubles
    }
    name = "candidates" if flags.candidates else "calibration"
    (out / f"{name}.json").write_text(json.dumps(results, indent=1) + "\n")
    only = f" --only='{flags.only}'" if flags.only else " --candidates" * flags.candidates
    (out / f"{name}.md").write_text(table(results, flags.seeds, flags.steps, only))
    if not flags.candidates:
        draw(results, out / f"{name}.png")
    print(table(results, flags.seeds, flags.steps, only))


if __name__ == "__main__":
    main(study)
