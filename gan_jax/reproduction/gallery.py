"""All figures of a folder as one Markdown page."""

from collections.abc import Sequence
from pathlib import Path

from gan_jax.reproduction.records import PICTURE_FILES, Record, load_record


def gallery(folder: Path, names: Sequence[str]) -> str:
    """Returns the figures in ``folder`` as Markdown: picture, verdict, command and time of each.

    Args:
      folder: where the figures' folders are. Smoke forms are left out.
      names: the names of the figures, in the order of the page.
    """
    parts = [
        "# Figures",
        "Made from what each folder holds: `python experiments/reproduce.py --gallery`.",
    ]
    for name in names:
        record = load_record(folder / name)
        if record is None or record["scale"] == "smoke":
            continue
        parts += [
            f"## {record['title'].rstrip('.')}",
            f"![{name}]({name}/{PICTURE_FILES[0]})",
            f"`{record['command']}`, {time_and_machine(record)}.",
            "  \n".join(f"> {line}" for line in record["verdict"]),
        ]
        if record["not_run"]:
            parts.append(f"Not run: {record['not_run']}.")
    return "\n\n".join(parts) + "\n"


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
