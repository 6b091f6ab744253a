"""The results of a sweep: ``results.csv``, ``sensitivity.csv``, a printed table, and pictures."""

import csv
import io
import math
from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

import numpy as np

from gan_jax import files
from gan_jax.evaluation import is_result
from gan_jax.experiment.run_directory import METRICS
from gan_jax.experiment.run_name import short_names
from gan_jax.loggers import json_lines, plots, progress
from gan_jax.sweeps import sensitivity
from gan_jax.sweeps.plan import Plan, Trial, run_directory, run_status
from gan_jax.sweeps.space import SEED

RESULTS_FILE = "results.csv"
SENSITIVITY_FILE = "sensitivity.csv"
PICTURES = ("parallel_coordinates.png", "heat_maps.png")

HEAT_MAPS = 6
"""The largest number of pairs of parameters that are drawn, the largest effects first."""

Row = Mapping[str, Any]
"""The results of one run, by column."""


def result_rows(plan: Plan) -> list[dict[str, Any]]:
    """Returns one row per run: its number, name, parameters, seed, status, step and metrics.

    ``metric`` is the last value of the sweep's metric, None if the run has not finished; ``best``
    and ``best_step`` are its best value and when that was reached. The other scores have columns
    ``.min`` and ``.max`` in addition to their last values.
    """
    trials = sorted(plan.trials, key=lambda trial: trial.number)
    return [_result_row(plan, trial) for trial in trials]


def _result_row(plan: Plan, trial: Trial) -> dict[str, Any]:
    status = run_status(plan.workdir, trial)
    history = _read_history(plan, trial)
    last: dict[str, Any] = {}
    for entry in history:
        last |= {name: value for name, value in entry.items() if name != "time"}
    step = last.pop("step", None)
    row = {
        "index": trial.number,
        "name": trial.name,
        **{name: value for name, value in trial.parameters.items() if name != SEED},
        "seed": trial.settings.seed,
        "status": status,
        "step": step,
        "metric": last.get(plan.sweep.metric) if status == "finished" else None,
        "best": None,
        "best_step": None,
        **last,
    }
    for name in last:
        if is_result(name):
            row[f"{name}.min"] = _extreme(history, name, maximize=False)
            row[f"{name}.max"] = _extreme(history, name, maximize=True)
    best = json_lines.find_best(history, plan.sweep.metric, plan.sweep.maximize)
    if best is not None:
        row["best_step"], row["best"] = best
    return row


def _read_history(plan: Plan, trial: Trial) -> list[dict[str, Any]]:
    """Returns a run's metrics by step, without the scores of named protocols."""
    file = run_directory(plan.workdir, trial) / METRICS
    if not file.exists():
        return []
    rows = json_lines.read_metrics(file)
    return [json_lines.metrics_in(row) for row in rows if "protocol" not in row]


def _extreme(history: list[dict[str, Any]], name: str, maximize: bool) -> float | None:
    extreme = json_lines.find_best(history, name, maximize)
    return None if extreme is None else extreme[1]


def best_row(rows: Sequence[Row], maximize: bool) -> Row | None:
    """Returns the row of the finished run with the best metric, or None if no run has finished."""
    finished = [row for row in rows if row["metric"] is not None]
    if not finished:
        return None
    best = max if maximize else min
    return best(finished, key=lambda row: row["metric"])


def write_results(plan: Plan) -> list[dict[str, Any]]:
    """Writes ``results.csv``, whole or not at all, and returns its rows."""
    rows = result_rows(plan)
    columns = list(dict.fromkeys(name for row in rows for name in row))
    _write_csv(plan, RESULTS_FILE, columns, rows)
    return rows


def _write_csv(plan: Plan, name: str, columns: Sequence[str], rows: Sequence[Row]) -> None:
    text = io.StringIO()
    table = csv.DictWriter(text, columns, lineterminator="\n")
    table.writeheader()
    table.writerows(rows)
    files.write_text(plan.workdir / name, text.getvalue())


def write_report(plan: Plan) -> None:
    """Writes all results, and prints the best run and which parameter moves the metric."""
    metric = plan.sweep.metric
    rows = write_results(plan)
    statuses = [row["status"] for row in rows]
    counts = ", ".join(f"{statuses.count(status)} {status}" for status in dict.fromkeys(statuses))
    print(f"{len(rows)} runs: {counts}; {plan.workdir / RESULTS_FILE}")
    best = best_row(rows, plan.sweep.maximize)
    if best is None:
        print(f"no finished run gives {metric}: nothing to compare")
        return
    print(f"best: {metric} {progress.format_number(best['metric'])} of {best['name']}")
    scored = _scored_runs(plan, rows)
    reason = scored.why_not_comparable()
    if reason:
        print(f"cannot tell what moves {metric}: {reason}")
        return
    analysis = sensitivity.analyse(
        scored.parameters,
        scored.seeds,
        scored.metric,
        plan.sweep.maximize,
        grid=plan.sweep.method == "grid",
    )
    _write_sensitivity(plan, analysis)
    _print_sensitivity(plan, analysis)
    _draw(plan, analysis, scored)


class _ScoredRuns(NamedTuple):
    """The finished runs.

    Attributes:
      parameters: the values of each parameter that differs between runs, ``[runs]``.
      seeds: ``[runs]``.
      metric: ``[runs]``.
    """

    parameters: dict[str, list[Any]]
    seeds: list[int]
    metric: np.ndarray

    def why_not_comparable(self) -> str:
        """Returns why the effects of parameters cannot be estimated; empty if they can."""
        if len(self.seeds) < 3 or not self.parameters:
            return "too few runs"
        if not np.ptp(self.metric):
            return "it is the same in all runs"
        return ""


def _scored_runs(plan: Plan, rows: Sequence[Row]) -> _ScoredRuns:
    finished = [row for row in rows if row["metric"] is not None]
    names = dict.fromkeys(name for trial in plan.trials for name in trial.parameters)
    columns = {name: [row.get(name) for row in finished] for name in names if name != SEED}
    return _ScoredRuns(
        parameters={
            name: column
            for name, column in columns.items()
            if len({str(value) for value in column}) > 1
        },
        seeds=[row["seed"] for row in finished],
        metric=np.array([row["metric"] for row in finished], float),
    )


def _write_sensitivity(plan: Plan, analysis: sensitivity.Analysis) -> None:
    rows = [
        {name: "" if _is_nan(value) else value for name, value in effect._asdict().items()}
        for effect in analysis.effects
    ]
    if not math.isnan(analysis.seeds):
        rows.append({"parameter": "(seeds)", "share": analysis.seeds})
    _write_csv(plan, SENSITIVITY_FILE, sensitivity.Effect._fields, rows)


def _is_nan(value: Any) -> bool:
    return isinstance(value, float) and math.isnan(value)


def _print_sensitivity(plan: Plan, analysis: sensitivity.Analysis) -> None:
    short = short_names([effect.parameter for effect in analysis.effects])
    header = ("share", "p", "best at", "mean there", "effect +- standard error")
    table = [(f"what moves {plan.sweep.metric}", *header)]
    for effect in analysis.effects:
        difference = f"{effect.effect:+.3g}"
        if not math.isnan(effect.standard_error):
            difference += f" +- {effect.standard_error:.2g}"
        table.append(
            (
                short[effect.parameter],
                f"{effect.share:.0%}",
                f"{effect.p_value:.3f}",
                effect.best,
                progress.format_number(effect.best_mean),
                difference,
            )
        )
    if not math.isnan(analysis.seeds):
        table.append(("(seeds)", f"{analysis.seeds:.0%}", "", "", "", ""))
    widths = [max(len(line[column]) for line in table) for column in range(len(table[0]))]
    for line in table:
        cells = [cell.ljust(width) for cell, width in zip(line, widths, strict=True)]
        print("  ".join(cells).rstrip())
    if analysis.cut:
        print(
            "the grid is cut: combinations are missing, so the shares overlap and do not sum to "
            "100%"
        )


def _draw(plan: Plan, analysis: sensitivity.Analysis, scored: _ScoredRuns) -> None:
    """Draws parallel coordinates of all runs, and heat maps of pairs of parameters."""
    ranked = [effect.parameter for effect in analysis.effects] or list(scored.parameters)
    short = short_names(ranked)
    columns = {short[name]: scored.parameters[name] for name in ranked}
    logarithmic = [short[name] for name in ranked if plan.sweep.parameters[name].is_logarithmic]
    drawing, panels = plots.figure(size=(max(6.0, 1.9 * (len(columns) + 1)), 4.2))
    plots.parallel_coordinates(
        panels[0, 0],
        columns,
        scored.metric,
        plan.sweep.metric,
        plan.sweep.maximize,
        logarithmic,
    )
    with files.replacing(plan.workdir / PICTURES[0]) as file:
        drawing.savefig(file, format="png", dpi=120)
    _draw_heat_maps(plan, ranked, short, scored)


def _draw_heat_maps(
    plan: Plan, ranked: Sequence[str], short: Mapping[str, str], scored: _ScoredRuns
) -> None:
    """Draws the mean metric over pairs of parameters, if there are two or more."""
    pairs = [(down, across) for i, down in enumerate(ranked) for across in ranked[i + 1 :]]
    pairs = pairs[:HEAT_MAPS]
    if not pairs:
        return
    columns = min(len(pairs), 3)
    drawing, panels = plots.figure(math.ceil(len(pairs) / columns), columns, (4.6, 3.8))
    for panel in panels.flat[len(pairs) :]:
        panel.set_axis_off()
    for panel, (down, across) in zip(panels.flat, pairs, strict=False):
        down_levels = sensitivity.levels(scored.parameters[down])
        across_levels = sensitivity.levels(scored.parameters[across])
        plots.heat_map(
            panel,
            _cell_means(down_levels, across_levels, scored.metric),
            (down_levels.names, across_levels.names),
            (short[down], short[across]),
            plan.sweep.metric,
            plan.sweep.maximize,
        )
    with files.replacing(plan.workdir / PICTURES[1]) as file:
        drawing.savefig(file, format="png", dpi=120)


def _cell_means(
    down: sensitivity.Levels, across: sensitivity.Levels, metric: np.ndarray
) -> np.ndarray:
    """Returns the mean metric at each pair of levels, NaN where there is no run."""
    means = np.full((len(down.names), len(across.names)), np.nan)
    for row, column in set(zip(down.indices.tolist(), across.indices.tolist(), strict=True)):
        means[row, column] = metric[(down.indices == row) & (across.indices == column)].mean()
    return means
