"""What went wrong in a run, as its files tell. A new check is a function in `CHECKS`."""

from collections.abc import Callable, Mapping

from gan_jax.report.runs import Run
from gan_jax.training.nonfinite import SKIPPED_UPDATES

Check = Callable[[Run], list[str]]
"""Returns a line for each thing that it finds."""


def diverged(run: Run) -> list[str]:
    """Returns why a run cannot go on."""
    return [run.divergence] if run.divergence else []


def nonfinite_rows(run: Run) -> list[str]:
    """Returns how many rows have metrics of training that are not finite, and which came first.

    A score may be undefined, as a mean over no samples is; it is not looked at.
    """
    bad = [
        (row["step"], name)
        for row in run.rows
        for name, value in row.items()
        if value is None and name.startswith(("generator/", "discriminator/"))
    ]
    if not bad:
        return []
    rows = len({step for step, _ in bad})
    step, name = bad[0]
    return [f"{rows} of {len(run.rows)} rows, first {name} at step {step}"]


def skipped_updates(run: Run) -> list[str]:
    """Returns how many updates were skipped because they were not finite."""
    skipped = [(row["step"], row[SKIPPED_UPDATES]) for row in run.rows if row.get(SKIPPED_UPDATES)]
    if not skipped:
        return []
    total = sum(count for _, count in skipped)
    return [f"{total:.0f} updates, the last up to step {skipped[-1][0]}"]


def roll_backs(run: Run) -> list[str]:
    """Returns the roll-backs to a checkpoint, with their reasons."""
    return run.roll_backs


def damaged_files(run: Run) -> list[str]:
    """Returns what is damaged or missing in the run directory."""
    return list(run.notes)


CHECKS: Mapping[str, Check] = {
    "diverged": diverged,
    "not finite": nonfinite_rows,
    "skipped updates": skipped_updates,
    "rolled back": roll_backs,
    "files": damaged_files,
}
"""The checks by the names that the report shows."""
