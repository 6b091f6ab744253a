"""All figures of a folder as one Markdown page."""

import re
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any, get_args

from gan_jax.reproduction.claims import Kind, format_values
from gan_jax.reproduction.records import (
    CLAIMS_FILE,
    PICTURE_FILES,
    Record,
    is_shortened,
    load_record,
)

KINDS: tuple[Kind, ...] = get_args(Kind)

HEADING = """\
# Figures

Made from what each folder holds: `python experiments/reproduce.py --gallery`.

A claim is of one of three kinds. *Exact*: a closed form against another computation of it, with no
network trained. *Trained*: what trained networks do, against a statement, a theory, or a band set
beforehand. *Published*: a number against the one that its source prints for the same experiment.
The table says how many of the judged claims hold.
"""


def gallery(folder: Path, names: Sequence[str]) -> str:
    """Returns the figures in ``folder`` as Markdown.

    A table counts the claims of each figure by `Kind`. Each figure has its picture, source, seeds,
    command, time, commit and verdict, and its numbers next to the published ones.

    Args:
      folder: where the figures' folders are. Smoke forms are left out.
      names: the names of the figures, in the order of the page.
    """
    records = [record for name in names if (record := load_record(folder / name)) is not None]
    records = [record for record in records if record["scale"] != "smoke"]
    parts = [HEADING.rstrip(), *_what_is_missing(records, names), _counts_table(records)]
    for record in records:
        parts += _section(record)
    return "\n\n".join(parts) + "\n"


def _what_is_missing(records: Sequence[Record], names: Sequence[str]) -> list[str]:
    """Returns a paragraph about shortened and missing figures; nothing if there are none."""
    shortened = sum(map(is_shortened, records))
    measured = {record["figure"] for record in records}
    sentences = []
    if shortened:
        sentences.append(
            f"{shortened} of these {len(records)} figures are short forms, most of them with one "
            "seed: they show that the code works, and little of what the methods do."
        )
    if missing := [f"`{name}`" for name in names if name not in measured]:
        sentences.append(f"Not measured yet: {', '.join(missing)}.")
    return [" ".join(sentences)] if sentences else []


def _counts_table(records: Sequence[Record]) -> str:
    """Returns a table of the claims that hold, by figure and kind."""
    rows = [(f"[{record['figure']}](#{_anchor(record)})", record["claims"]) for record in records]
    rows.append(("all", [claim for _, claims in rows for claim in claims]))
    lines = [("figure", *KINDS, "not judged"), ("---",) * (2 + len(KINDS))]
    for name, claims in rows:
        counts = [_count(claim for claim in claims if claim["kind"] == kind) for kind in KINDS]
        not_judged = sum(claim["verdict"] == "not judged" for claim in claims)
        lines.append((name, *counts, str(not_judged or "")))
    return "\n".join(_row(line) for line in lines)


def _count(claims: Iterable[Mapping[str, Any]]) -> str:
    """Returns ``"3 of 4"`` if 3 of 4 judged claims hold; nothing if none is judged."""
    verdicts = [claim["verdict"] for claim in claims if claim["verdict"] != "not judged"]
    return f"{verdicts.count('pass')} of {len(verdicts)}" if verdicts else ""


def _section(record: Record) -> list[str]:
    """Returns the paragraphs about one figure."""
    name = record["figure"]
    pictures = ", ".join(f"[{Path(file).suffix[1:]}]({name}/{file})" for file in PICTURE_FILES)
    facts = [f"`{record['command']}`", time_and_machine(record), f"code: {record['code']}"]
    if seeds := _seeds(record):
        facts.insert(1, seeds)
    parts = [
        f"## {_title(record)}",
        f"![{name}]({name}/{PICTURE_FILES[0]})",
        f"{_first_sentence(record['about'])} ({pictures})",
        f"{'; '.join(facts)}.",
        "  \n".join(f"> {line}" for line in record["verdict"]),
    ]
    if record["not_run"]:
        parts.append(f"**Shortened.** Not run: {record['not_run']}.")
    return [*parts, _claims_table(record)]


def _claims_table(record: Record) -> str:
    """Returns a figure's numbers next to the published ones, folded."""
    lines: list[tuple[str, ...]] = [("claim", "here", "published or asked", "kind", "verdict")]
    lines.append(("---",) * len(lines[0]))
    for claim in record["claims"]:
        values = format_values([float(value) for value in claim["measured"]])
        cells = (claim["name"], values, claim["published"], claim["kind"], claim["verdict"])
        lines.append(tuple(cell.replace("|", "\\|") for cell in cells))
    table = "\n".join(_row(line) for line in lines)
    name = record["figure"]
    heading = f"<summary>{len(record['claims'])} numbers</summary>"
    link = f"With notes: [{name}/{CLAIMS_FILE}]({name}/{CLAIMS_FILE})."
    return "\n\n".join(["<details>" + heading, table, link, "</details>"])


def _row(cells: Sequence[str]) -> str:
    return f"| {' | '.join(cells)} |"


def _title(record: Record) -> str:
    title: str = record["title"].rstrip(".")
    return title


def _anchor(record: Record) -> str:
    """Returns the anchor that GitHub gives the heading of a figure."""
    return re.sub(r"[^\w\- ]", "", _title(record).lower()).replace(" ", "-")


def _first_sentence(text: str) -> str:
    """Returns a paragraph up to the first full stop that a capital follows."""
    return re.split(r"(?<=[^A-Z.]\.)\s+(?=[A-Z])", text, maxsplit=1)[0]


def _seeds(record: Record) -> str:
    """Returns how many seeds the numbers have; empty if nothing is drawn."""
    seeds = record["seeds"] or record["settings"].get("seeds")
    if isinstance(seeds, Mapping):
        return "seeds: " + ", ".join(f"{count} ({name})" for name, count in seeds.items())
    return f"seeds: {seeds}" if seeds else ""


def time_and_machine(record: Record) -> str:
    """Returns how long a figure took on which machine: ``"2.0 hours on 2 CPU cores, x86_64"``.

    Seeds that were added later may have been trained on another machine, which is then named too.
    """
    seconds_by_machine: dict[str, float] = {}
    seconds_before = 0.0
    for part in (*record.get("earlier", []), record):
        # A record's seconds are those of all its seeds, the earlier ones included.
        seconds = part["seconds"] - seconds_before
        seconds_before = part["seconds"]
        machine = part["machine"]
        seconds_by_machine[machine] = seconds_by_machine.get(machine, 0) + seconds
    return " and ".join(
        f"{_format_duration(seconds)} on {machine}"
        for machine, seconds in seconds_by_machine.items()
    )


def _format_duration(seconds: float) -> str:
    if seconds >= 5400:
        return f"{seconds / 3600:.1f} hours"
    if seconds >= 90:
        return f"{seconds / 60:.1f} minutes"
    return f"{seconds:.0f} seconds"
