"""Roll-backs of a run that was in trouble: recorded, so that it resumes exactly."""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import jax

from gan_jax import files
from gan_jax.game import PRNGKey

FILE = "roll_backs.jsonl"

TRIES = 3
"""How many other keys are tried from one and the same checkpoint."""

STREAM = 2**21
"""Folded, with the number of roll-backs, into the key of a run's seed."""


@dataclass(frozen=True)
class RollBack:
    """A return to an earlier step.

    Attributes:
      step: of the checkpoint from which the run went on, with another key; 0: from the start.
      reason: what was not finite or what the trouble was, and at which step.
      changes: overrides of the config, ``"path=value"`` each, in force from then on.
    """

    step: int
    reason: str
    changes: tuple[str, ...] = ()


class NeedsRollBack(Exception):
    """A run is in trouble or its numbers are no longer finite, and settings ask for a roll-back.

    Attributes:
      reasons: what is wrong, of each member of which something is.
      step: of the checkpoint before a trouble that settings respond to; None if numbers are not
        finite, which no checkpoint is.
    """

    def __init__(self, reasons: Mapping[int, str], step: int | None = None) -> None:
        super().__init__("; ".join(reasons.values()))
        self.reasons, self.step = dict(reasons), step


def run_key(key: PRNGKey, count: int) -> PRNGKey:
    """Returns the key of a run that was rolled back so many times, from that of its seed."""
    if not count:
        return key
    return jax.random.fold_in(jax.random.fold_in(key, STREAM), count)


class RollBacks:
    """The roll-backs of the run in a directory.

    Their number is part of the key of all steps that follow. A roll-back is recorded before
    training goes on, so a run that is killed and resumed draws the same numbers.
    """

    def __init__(self, run_dir: Path) -> None:
        self._file = run_dir / FILE
        rows = files.read_json_lines(self._file) if self._file.exists() else []
        self._recorded = [
            RollBack(row["step"], str(row.get("reason", "")), _texts(row.get("changes")))
            for row in rows
            if type(row.get("step")) is int
        ]

    def __len__(self) -> int:
        return len(self._recorded)

    @property
    def newest(self) -> int:
        """The step that the run went back to last; 0 if it never did."""
        return self._recorded[-1].step if self._recorded else 0

    def changes(self, step: int | None = None) -> tuple[str, ...]:
        """Returns the overrides in force, in order.

        Args:
          step: at which; None: now.
        """
        backs = [back for back in self._recorded if step is None or back.step < step]
        return tuple(change for back in backs for change in back.changes)

    def may_try_again(self, step: int) -> bool:
        """Returns whether another key may be tried from a step."""
        return sum(back.step == step for back in self._recorded) < TRIES

    def add(self, back: RollBack, write: bool = True) -> None:
        """Records a roll-back.

        Args:
          back: what happened.
          write: whether this process writes the file.
        """
        self._record([*self._recorded, back], write)

    def forget_after(self, step: int, write: bool = True) -> None:
        """Forgets roll-backs to later steps: a run that goes on from here meets them again.

        Args:
          step: from which the run goes on, as a newer checkpoint was damaged.
          write: whether this process writes the file.
        """
        kept = [back for back in self._recorded if back.step <= step]
        if len(kept) < len(self._recorded):
            self._record(kept, write)

    def _record(self, recorded: list[RollBack], write: bool) -> None:
        self._recorded = recorded
        if write:
            lines = [json.dumps(vars(back)) + "\n" for back in recorded]
            files.write_text(self._file, "".join(lines))


def _texts(entries: object) -> tuple[str, ...]:
    return tuple(map(str, entries)) if isinstance(entries, list) else ()
