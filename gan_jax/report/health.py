"""What went wrong in a run, as its files tell. A new check is a function in `CHECKS`."""

from collections.abc import Callable, Mapping

from gan_jax.diagnosis import live_rules
from gan_jax.diagnosis.health import PREFIX
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


def troubles(run: Run) -> list[str]:
    """Returns the troubles that a run is in at its last row, and those that it has been in."""
    lines, last = [], live_rules.judge(run.rows)
    for name, steps in trouble_steps(run).items():
        if name in last and last[name].detected:
            lines.append(f"{live_rules.describe(name, last[name])} (since step {steps[0]})")
        else:
            lines.append(f"{name} from step {steps[0]} to step {steps[-1]}: it is over")
    return lines


def trouble_steps(run: Run) -> dict[str, list[int]]:
    """Returns the steps at which each rule of `live_rules` detected its trouble, if it ever did."""
    steps: dict[str, list[int]] = {}
    if any(name.startswith(PREFIX) for name in run.last):
        for end in range(1, len(run.rows) + 1):
            rows = run.rows[max(0, end - live_rules.RECORD) : end]
            for name, diagnosis in live_rules.judge(rows).items():
                if diagnosis.detected:
                    steps.setdefault(name, []).append(run.rows[end - 1]["step"])
    return steps


def light(run: Run) -> str:
    """Returns a traffic light: ``"red"``, ``"yellow"``, ``"green"``, or empty without rows.

    Red: the run has diverged, or is in trouble at its last row. Yellow: it was in trouble before,
    or updates were skipped or rolled back. Green: neither.
    """
    if not run.rows:
        return ""
    last = live_rules.judge(run.rows)
    if run.divergence or any(diagnosis.detected for diagnosis in last.values()):
        return "red"
    has_been = trouble_steps(run) or skipped_updates(run) or nonfinite_rows(run) or run.roll_backs
    return "yellow" if has_been else "green"


CHECKS: Mapping[str, Check] = {
    "diverged": diverged,
    "not finite": nonfinite_rows,
    "skipped updates": skipped_updates,
    "rolled back": roll_backs,
    "trouble": troubles,
    "files": damaged_files,
}
"""The checks by the names that the report shows."""
