"""What a sweep has found: `results.csv`, `sensitivity.csv`, and pictures."""

import csv
import io
import math
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from gan_jax.evaluation.protocol import BY_STEP
from gan_jax.loggers import json_lines, plots, progress
from gan_jax.sweeps import naming, sensitivity
from gan_jax.sweeps.plan import Plan, Trial, folder, status, write
from gan_jax.sweeps.space import SEED

HEAT_MAPS = 6  # pairs of parameters that are drawn, those with the largest effects first


def rows(plan: Plan) -> list[dict[str, Any]]:
    """A row a run: index, name, parameters, seed, status, step, the last metrics, and the best.

    ``metric`` is the sweep's, None where the run has not finished; ``best`` and ``best_step`` say what it was at its best;
    other scores have ``.min`` and ``.max``.
    """
    return [_row(plan, trial) for trial in sorted(plan.trials, key=lambda trial: trial.number)]


def _row(plan: Plan, trial: Trial) -> dict[str, Any]:
    swept = {name: value for name, value in trial.parameters.items() if name != SEED}
    ended = status(plan.workdir, trial)
    row = {
        "index": trial.number,
        "name": trial.name,
        **swept,
        "seed": trial.config["seed"],
        "status": ended,
        "step": None,
    }
    row |= {"metric": None, "best": None, "best_step": None}
    file = folder(plan.workdir, trial) / "metrics.jsonl"
    found = (
        [line for line in json_lines.read_metrics(file) if "protocol" not in line]
        if file.exists()
        else []
    )
    last: dict[str, Any] = {}
    for line in found:
        last |= {name: value for name, value in line.items() if name != "time"}
    row |= {"step": last.pop("step", None)} | last
    for name in last:
        if not name.startswith(BY_STEP) and name != "steps_per_second":
            for end in (False, True):
                extreme = json_lines.best(found, name, end)
                row[f"{name}.{'max' if end else 'min'}"] = extreme and extreme[1]
    if ended == "finished":
        row["metric"] = last.get(plan.sweep.metric)
    top = json_lines.best(found, plan.sweep.metric, plan.sweep.highest)
    if top:
        row["best_step"], row["best"] = top
    return row


def best_row(found: Sequence[Mapping[str, Any]], highest: bool) -> Mapping[str, Any] | None:
    """The finished run with the best metric, or None."""
    scored = [row for row in found if row["metric"] is not None]
    return (max if highest else min)(scored, key=lambda row: row["metric"]) if scored else None


def write_results(plan: Plan) -> list[dict[str, Any]]:
    """Writes `results.csv`, whole or not at all; returns its rows."""
    found = rows(plan)
    columns = list(dict.fromkeys(name for row in found for name in row))
    _write_csv(plan.workdir / "results.csv", columns, found)
    return found


def _write_csv(path: Path, columns: Sequence[str], found: Sequence[Mapping[str, Any]]) -> None:
    text = io.StringIO()
    table = csv.DictWriter(text, columns, lineterminator="\n")
    table.writeheader()
    table.writerows(found)
    write(path, text.getvalue())


def finish(plan: Plan) -> None:
    """Writes all files, and prints the best run and the table of what moves the metric."""
    found = write_results(plan)
    states = [row["status"] for row in found]
    counts = ", ".join(f"{states.count(state)} {state}" for state in dict.fromkeys(states))
    print(f"{len(found)} runs: {counts}; {plan.workdir / 'results.csv'}")
    top = best_row(found, plan.sweep.highest)
    if top is None:
        print(f"no finished run gives {plan.sweep.metric}: nothing to compare")
        return
    print(f"best: {plan.sweep.metric} {progress.format_number(top['metric'])} of {top['name']}")
    used = [row for row in found if row["metric"] is not None]
    metric = np.array([row["metric"] for row in used], float)
    names = [
        name
        for name in dict.fromkeys(name for trial in plan.trials for name in trial.parameters)
        if name != SEED
    ]
    values = {name: [row.get(name) for row in used] for name in names}
    values = {
        name: column for name, column in values.items() if len({str(value) for value in column}) > 1
    }
    if len(used) < 3 or not values or not np.ptp(metric):
        why = "it is the same in all runs" if len(used) > 2 and values else "too few runs"
        print(f"what moves {plan.sweep.metric} cannot be said: {why}")
        return
    seeds = [row["seed"] for row in used]
    analysis = sensitivity.analyse(
        values, seeds, metric, plan.sweep.highest, grid=plan.sweep.method == "grid"
    )
    _table(plan, analysis)
    _draw(plan, analysis, values, metric)


def _table(plan: Plan, analysis: sensitivity.Analysis) -> None:
    columns = [*sensitivity.Effect._fields]
    lines: list[dict[str, Any]] = [
        {
            name: "" if isinstance(value, float) and math.isnan(value) else value
            for name, value in effect._asdict().items()
        }
        for effect in analysis.effects
    ]
    seeds = (
        [] if math.isnan(analysis.seeds) else [{"parameter": "(seeds)", "share": analysis.seeds}]
    )
    _write_csv(plan.workdir / "sensitivity.csv", columns, [*lines, *seeds])
    short = naming.labels([effect.parameter for effect in analysis.effects])
    table = [
        (
            "what moves " + plan.sweep.metric,
            "share",
            "p",
            "best at",
            "mean there",
            "effect +- standard error",
        )
    ]
    for effect in analysis.effects:
        error = "" if math.isnan(effect.standard_error) else f" +- {effect.standard_error:.2g}"
        table.append(
            (short[effect.parameter], f"{effect.share:.0%}", f"{effect.p_value:.3f}", effect.best,
             progress.format_number(effect.best_mean), f"{effect.effect:+.3g}{error}")
        )  # fmt: skip
    if seeds:
        table.append(("(seeds)", f"{analysis.seeds:.0%}", "", "", "", ""))
    widths = [max(len(line[column]) for line in table) for column in range(len(table[0]))]
    for line in table:
        print("  ".join(cell.ljust(width) for cell, width in zip(line, widths)).rstrip())


def _draw(
    plan: Plan,
    analysis: sensitivity.Analysis,
    values: Mapping[str, Sequence[Any]],
    metric: np.ndarray,
) -> None:
    ranked = [effect.parameter for effect in analysis.effects] or list(values)
    short = naming.labels(ranked)
    axes = {short[name]: values[name] for name in ranked}
    drawing, panels = plots.figure(size=(max(6.0, 1.9 * (len(axes) + 1)), 4.2))
    by_logarithm = [
        short[name]
        for name in ranked
        if "log" in plan.sweep.parameters[name].get("distribution", "")
    ]
    plots.parallel_coordinates(
        panels[0, 0], axes, metric, plan.sweep.metric, plan.sweep.highest, by_logarithm
    )
    drawing.savefig(plan.workdir / "parallel_coordinates.png", dpi=120)
    pairs = [(a, b) for i, a in enumerate(ranked) for b in ranked[i + 1 :]][:HEAT_MAPS]
    if not pairs:
        return
    columns = min(len(pairs), 3)
    drawing, panels = plots.figure(-(-len(pairs) // columns), columns, (4.6, 3.8))
    for panel in panels.flat[len(pairs) :]:
        panel.set_axis_off()
    for panel, (a, b) in zip(panels.flat, pairs):
        down, across = sensitivity.levels(values[a]), sensitivity.levels(values[b])
        means = np.full((len(down.names), len(across.names)), np.nan)
        for cell in {*zip(down.of.tolist(), across.of.tolist())}:
            means[cell] = metric[(down.of == cell[0]) & (across.of == cell[1])].mean()
        plots.heat_map(
            panel,
            means,
            (down.names, across.names),
            (short[a], short[b]),
            plan.sweep.metric,
            plan.sweep.highest,
        )
    drawing.savefig(plan.workdir / "heat_maps.png", dpi=120)
