"""Reads what a sweep has recorded of its plan in its workdir."""

import json
from pathlib import Path
from typing import Any

from gan_jax.errors import UserError, first_line
from gan_jax.experiment.lock import LOCK_FILE

PLAN_FILE = "sweep.json"


def read_plan_file(workdir: Path) -> dict[str, Any]:
    """Returns the runs and groups that `plan.save_plan` recorded, none for a new sweep.

    Raises:
      UserError: the file is damaged, or the folder is not that of a sweep.
    """
    file = workdir / PLAN_FILE
    if file.exists():
        try:
            recorded: dict[str, Any] = json.loads(file.read_text(encoding="utf-8"))
        except (ValueError, OSError, RecursionError) as error:
            raise UserError(f"{file} cannot be read: {first_line(error)}") from error
        if not _is_plan(recorded):
            raise UserError(f"{file} does not hold the runs and groups of a sweep")
        return recorded
    is_empty = not workdir.exists() or (
        workdir.is_dir() and all(path.name == LOCK_FILE for path in workdir.iterdir())
    )
    if not is_empty:
        raise UserError(
            f"{workdir} is not the workdir of a sweep: it has no {PLAN_FILE}. "
            "Choose another --workdir"
        )
    return {"runs": {}, "groups": []}


def _is_plan(recorded: Any) -> bool:
    """Returns whether a value is what `save_plan` records."""
    runs = recorded.get("runs") if isinstance(recorded, dict) else None
    groups = recorded.get("groups") if isinstance(recorded, dict) else None
    if not isinstance(runs, dict) or not all(isinstance(key, str) for key in runs.values()):
        return False
    return isinstance(groups, list) and all(
        isinstance(group, list) and all(isinstance(name, str) and name in runs for name in group)
        for group in groups
    )
