"""The rows of `metrics.jsonl` that hold scores: read, and set beside each other where they compare."""

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from gan_jax.errors import UserError

COMPARED = ("n", "split", "reals", "data", "extractor", "extractor_hash", "resize", "settings")
"""The facts in which two scores of one metric must agree to be compared."""


def recorded(path: str | Path) -> list[dict[str, Any]]:
    """The rows of scores in a `metrics.jsonl`, in the order written; a line that a crash cut short is skipped."""
    rows = []
    for line in Path(path).read_text(encoding="utf-8").splitlines() if Path(path).exists() else ():
        try:
            row = json.loads(line)
        except ValueError:
            continue
        if (
            isinstance(row, dict)
            and isinstance(row.get("protocol"), str)
            and isinstance(row.get("step"), int)
        ):
            rows.append(row)
    return rows


def value_names(row: Mapping[str, Any]) -> list[str]:
    """The names of the scores in a row."""
    return [
        name for name in row if name == row["protocol"] or name.startswith(row["protocol"] + "/")
    ]


def comparable(
    first: Sequence[Mapping[str, Any]], second: Sequence[Mapping[str, Any]]
) -> list[tuple[Mapping, Mapping]]:
    """Pairs of rows of one metric that were measured alike; the newest of each.

    Raises UserError: no metric in common, or one whose scores were measured differently (another number of samples,
    extractor, split, ...), so that comparing them would mislead.
    """
    pairs: dict[tuple, tuple[Mapping, Mapping]] = {}
    latest = {_alike(row): row for row in second}
    for row in first:
        if _alike(row) in latest:
            pairs[_alike(row)] = (row, latest[_alike(row)])
    matched = {row["metric"] for row, _ in pairs.values()}
    for row in first:
        for other in second:
            if row.get("metric") == other.get("metric") and row["metric"] not in matched:
                fact = next(fact for fact in COMPARED if row.get(fact) != other.get(fact))
                raise UserError(
                    f"{row['protocol']} and {other['protocol']} do not compare: "
                    f"{fact} is {_brief(row.get(fact))} in one and {_brief(other.get(fact))} in the other"
                )
    if not pairs:
        names = [sorted({row["protocol"] for row in rows}) for rows in (first, second)]
        raise UserError(
            f"no metric in common: {', '.join(names[0]) or 'none'} in one and {', '.join(names[1]) or 'none'} in the other"
        )
    return list(pairs.values())


def _alike(row: Mapping[str, Any]) -> tuple:
    return (row.get("metric"), *(row.get(fact) for fact in COMPARED))


def _brief(value: Any) -> str:
    return f"{value[:12]}..." if isinstance(value, str) and len(value) == 64 else repr(value)
