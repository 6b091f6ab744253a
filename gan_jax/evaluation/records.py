"""Records of scores in a `metrics.jsonl`: reading, finding and comparing them."""

from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

from gan_jax.errors import UserError
from gan_jax.files import read_json_lines

Record = Mapping[str, Any]
"""One protocol's values and what they depend on: see `Protocol.describe`."""

COMPARED_FIELDS = (
    "n",
    "split",
    "real_samples",
    "data",
    "extractor",
    "extractor_hash",
    "resize",
    "settings",
)
"""The fields in which two scores of one metric must agree to be compared."""


def read_score_records(path: str | Path) -> list[dict[str, Any]]:
    """Returns the records of scores in a `metrics.jsonl`, in the order in which they were written.

    Lines that a crash cut short, and lines that hold something else, are skipped. A file that does
    not exist has no records.
    """
    try:
        records = read_json_lines(path)
    except FileNotFoundError:
        return []
    return score_records(records)


def score_records(objects: Iterable[dict[str, Any]]) -> list[dict[str, Any]]:
    """Returns those of the JSON objects of a `metrics.jsonl` that are records of scores."""
    return [record for record in objects if _is_score_record(record)]


FIELD_TYPES: Mapping[str, tuple[type, ...]] = {
    "step": (int,),
    "protocol": (str,),
    "metric": (str,),
    "n": (int,),
    "seed": (int,),
    "split": (str, type(None)),
    "real_samples": (int,),
    "data": (str, type(None)),
    "extractor": (str, type(None)),
    "extractor_hash": (str, type(None)),
    "resize": (str, type(None)),
    "settings": (str,),
}
"""What the fields of a record hold: see `Protocol.describe`."""


def _is_score_record(record: Record) -> bool:
    if not all(type(record.get(name, ...)) in kinds for name, kinds in FIELD_TYPES.items()):
        return False
    scores = [record[name] for name in score_names(record)]
    return all(score is None or isinstance(score, float) or _is_int64(score) for score in scores)


def _is_int64(value: Any) -> bool:
    return isinstance(value, int) and abs(value) < 2**63


def find_record(records: Sequence[Record], description: Record) -> Record | None:
    """Returns the newest record with all fields of a description, or None if there is none."""
    for record in reversed(records):
        if all(field in record and record[field] == description[field] for field in description):
            return record
    return None


def records_of_step(records: Sequence[Record], step: int | None = None) -> list[Record]:
    """Returns the records of a step; those of the newest step with scores if it is None."""
    if step is None:
        step = max((record["step"] for record in records), default=None)
    return [record for record in records if record["step"] == step]


def score_names(record: Record) -> list[str]:
    """Returns the names of the scores in a record."""
    protocol = record["protocol"]
    return [name for name in record if name == protocol or name.startswith(f"{protocol}/")]


def comparable_pairs(
    first: Sequence[Record], second: Sequence[Record]
) -> list[tuple[Record, Record]]:
    """Returns pairs of records of one metric that were measured alike; the newest of each.

    Args:
      first: records of one run.
      second: records of another.

    Raises:
      UserError: there is no metric in common, or one whose scores were measured differently
        (another number of samples, extractor, split, ...), so that comparing them would mislead.
    """
    newest = {_measured_by(record): record for record in second}
    pairs = {
        _measured_by(record): (record, newest[_measured_by(record)])
        for record in first
        if _measured_by(record) in newest
    }
    matched = {record["metric"] for record, _ in pairs.values()}
    for record in first:
        for other in second:
            if record.get("metric") == other.get("metric") and record["metric"] not in matched:
                raise UserError(_difference(record, other))
    if not pairs:
        names = [
            ", ".join(sorted({record["protocol"] for record in records})) or "none"
            for records in (first, second)
        ]
        raise UserError(f"no metric in common: {names[0]} in one and {names[1]} in the other")
    return list(pairs.values())


def format_record(record: Record, *remarks: str) -> str:
    """Returns a record as one line of text, followed by remarks that are not empty."""
    protocol = record["protocol"]
    values = []
    for name in score_names(record):
        short_name = name.removeprefix(protocol).lstrip("/")
        values.append(f"{short_name} {_format_score(record[name])}".strip())
    details = [f"step {record['step']}", f"n {record['n']}"]
    if record["split"]:
        details.append(f"{record['real_samples']} real of {record['split']}")
    details.append(f"seed {record['seed']}")
    if record["extractor"]:
        details.append(f"{record['extractor']} {(record['extractor_hash'] or '')[:8]}")
        details.append(f"resize: {record['resize']}")
    line = f"{protocol}  {'  '.join(values)}  ({', '.join(details)})"
    return "; ".join([line, *filter(None, remarks)])


def comparison_table(
    titles: tuple[str, str], first: Sequence[Record], second: Sequence[Record]
) -> str:
    """Returns the scores of two runs as a table, a row per score.

    Args:
      titles: of the two columns of scores.
      first: records of one run.
      second: records of the other.

    Raises:
      UserError: the scores cannot be compared; see `comparable_pairs`.
    """
    rows = [("", *titles)]
    for record, other in comparable_pairs(first, second):
        for name in score_names(record):
            rows.append((name, _format_score(record[name]), _format_score(other.get(name))))
    widths = [max(len(row[column]) for row in rows) for column in range(3)]
    lines = []
    for row in rows:
        cells = [text.ljust(width) for text, width in zip(row, widths, strict=True)]
        lines.append("  ".join(cells).rstrip())
    return "\n".join(lines)


def _measured_by(record: Record) -> tuple[Any, ...]:
    return (record.get("metric"), *(record.get(field) for field in COMPARED_FIELDS))


def _difference(first: Record, second: Record) -> str:
    field = next(field for field in COMPARED_FIELDS if first.get(field) != second.get(field))
    return (
        f"{first['protocol']} and {second['protocol']} do not compare: {field} is "
        f"{_brief(first.get(field))} in one and {_brief(second.get(field))} in the other"
    )


def _brief(value: Any) -> str:
    is_hash = isinstance(value, str) and len(value) == 64
    return f"{value[:12]}..." if is_hash else repr(value)


def _format_score(value: float | None) -> str:
    """JSON has no NaN, which stands for what is undefined: it is written as null."""
    return "undefined" if value is None else f"{value:.6g}"
