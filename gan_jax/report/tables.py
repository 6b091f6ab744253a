"""The tables of a report: what runs are told differently, their results, scores and health."""

from collections.abc import Sequence
from typing import Any, NamedTuple

from gan_jax.evaluation import is_result, score_names
from gan_jax.evaluation.records import COMPARED_FIELDS
from gan_jax.experiment.differences import identity_differences
from gan_jax.experiment.overrides import flat
from gan_jax.experiment.part_text import Part, parts_text
from gan_jax.experiment.run_name import format_value, short_names
from gan_jax.experiment.settings import Settings
from gan_jax.report.health import CHECKS, light
from gan_jax.report.runs import Run

Cell = str | float | int | None


class Table(NamedTuple):
    """A table that can be sorted by any of its columns.

    Attributes:
      columns: their names.
      rows: a cell for each column; None for nothing, or for a number that is not finite.
      runs: the index of the run that each row is of.
    """

    columns: list[str]
    rows: list[list[Cell]]
    runs: list[int]


def differing_settings(runs: Sequence[Run]) -> dict[str, list[Cell]]:
    """Returns the settings in which runs differ, by short names, with the value of each run.

    Only settings that make two runs different runs count. A field of parts that not all runs
    have alike, such as two objectives, is one column of text. Runs without settings have None.
    """
    known = [run.settings for run in runs if run.settings is not None]
    paths = {path for other in known[1:] for path in identity_differences(known[0], other)}
    leaves = [flat(settings) for settings in known]
    whole = {path if all(path in of_run for of_run in leaves) else _field(path) for path in paths}
    # A field that is shown whole shows its settings.
    shown = sorted(path for path in whole if path == _field(path) or _field(path) not in whole)
    names = short_names(shown)
    return {
        names[path]: [None if run.settings is None else _value(run.settings, path) for run in runs]
        for path in shown
    }


def cells(runs: Sequence[Run], differing: dict[str, list[Cell]]) -> list[str]:
    """Returns what each run is but for its seed: runs with the same text are repetitions.

    Args:
      runs: the runs.
      differing: of `differing_settings`.
    """
    columns = {name: values for name, values in differing.items() if name != "seed"}
    texts = []
    for index, run in enumerate(runs):
        if run.settings is None:
            texts.append(run.name)
            continue
        parts = [f"{name} {format_value(values[index])}" for name, values in columns.items()]
        texts.append(", ".join(parts) or "all but the seed is alike")
    return texts


def run_table(runs: Sequence[Run], differing: dict[str, list[Cell]]) -> Table:
    """Returns one row per run: health, status, step, differing settings, newest results."""
    results = sorted({name for run in runs for name in run.last if is_result(name)})
    columns = ["run", "health", "status", "step", *differing, *results]
    rows: list[list[Cell]] = [
        [
            run.name,
            light(run),
            run.status,
            run.step,
            *(values[index] for values in differing.values()),
            *(run.last.get(name) for name in results),
        ]
        for index, run in enumerate(runs)
    ]
    return Table(columns, rows, list(range(len(runs))))


def score_table(runs: Sequence[Run]) -> Table:
    """Returns one row per run, seed and step with recorded scores.

    Scores that were measured differently, and so do not compare, are in different columns.
    """
    columns: list[str] = []
    found: dict[tuple[int, int, int], dict[str, Cell]] = {}
    for index, run in enumerate(runs):
        for record in run.scores:
            row = found.setdefault((index, record["step"], record["seed"]), {})
            for name in score_names(record):
                title = f"{name} ({_measured(record)})"
                if title not in columns:
                    columns.append(title)
                row[title] = record[name]
    rows: list[list[Cell]] = [
        [runs[index].name, step, seed, *(row.get(title) for title in columns)]
        for (index, step, seed), row in found.items()
    ]
    return Table(["run", "step", "seed", *columns], rows, [key[0] for key in found])


def health_table(runs: Sequence[Run]) -> Table:
    """Returns one row for each thing that a check of `gan_jax.report.health` finds."""
    findings = [
        (index, check, line)
        for index, run in enumerate(runs)
        for check, look in CHECKS.items()
        for line in look(run)
    ]
    rows: list[list[Cell]] = [[runs[index].name, check, line] for index, check, line in findings]
    return Table(["run", "what", "details"], rows, [index for index, _, _ in findings])


def _field(path: str) -> str:
    return path.partition(".")[0]


def _value(settings: Settings, path: str) -> Cell:
    value: Any = flat(settings).get(path) if "." in path else getattr(settings, path)
    if isinstance(value, Part):
        return str(value)
    if isinstance(value, tuple) and value and all(isinstance(part, Part) for part in value):
        return parts_text(value)
    return value if type(value) in (int, float, str) else format_value(value)


def _measured(record: dict[str, Any]) -> str:
    """Returns what two scores must agree in to be compared, without what is not set."""
    texts = []
    for field in COMPARED_FIELDS:
        value = record.get(field)
        if value not in (None, "", "{}"):
            text = str(value)
            texts.append(f"{field} {text[:8] if len(text) == 64 else text}")
    return ", ".join(texts)
