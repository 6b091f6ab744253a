"""What the rows of metrics say while a run trains: troubles, and whether it ends here."""

import json
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

from gan_jax import files
from gan_jax.diagnosis import live_rules
from gan_jax.diagnosis.rules import Diagnosis
from gan_jax.diagnosis.stopping import StopRule
from gan_jax.experiment.part_building import build_parts
from gan_jax.experiment.part_text import parts_text
from gan_jax.experiment.run_directory import STOPPED
from gan_jax.experiment.settings import Settings
from gan_jax.experiment.trouble import response

CheckpointBefore = Callable[[int, Callable[[int], bool]], int | str]
"""Takes the last good step, and a function that says whether all was well after a step. Returns the
step to go back to, or why there is none."""


class RowWatch:
    """Judges the rows of a run as they are written.

    Troubles are judged by the rows at multiples of ``log_every``, so that those of a run that was
    stopped between them and resumed are those of an untouched one. Of these only the means over
    the interval in which it was stopped differ: they are over the part after the stop.

    Args:
      settings: of the run.
      rows: those that it has already, if it resumes.
      checkpoint_before: chooses among the run's checkpoints.
    """

    def __init__(
        self,
        settings: Settings,
        rows: Sequence[Mapping[str, Any]] = (),
        checkpoint_before: CheckpointBefore = lambda good, is_well: "",
    ) -> None:
        self._settings = settings
        self._rows: list[Mapping[str, Any]] = []
        self._judged: list[Mapping[str, Any]] = []
        self._stop_rules, self._response = stop_rules(settings), response(settings)
        self._checkpoint_before = checkpoint_before
        for row in rows:
            self._take(row)
        self._detected = self._judge(self._judged)

    def _take(self, row: Mapping[str, Any]) -> None:
        self._rows.append(row)
        if row["step"] % self._settings.log_every == 0:
            self._judged.append(row)

    def look(self, row: Mapping[str, Any]) -> list[str]:
        """Takes a new row, and returns a line for each trouble that has come or gone.

        Args:
          row: metrics by name, and the step.
        """
        before = self._detected
        self._take(row)
        diagnoses = self._diagnoses(self._judged)
        self._detected = {name for name, diagnosis in diagnoses.items() if diagnosis.detected}
        return [
            live_rules.describe(name, diagnosis) + ("" if diagnosis.detected else " is over")
            for name, diagnosis in diagnoses.items()
            if (name in before) != diagnosis.detected
        ]

    def reason_to_end(self) -> str:
        """Returns why the run ends after the newest row; empty if it goes on."""
        reasons = [reason for rule in self._stop_rules if (reason := rule(self._rows))]
        if self._response.action == "stop" and self._detected:
            reasons.append(f"{self.trouble()} (config.on_trouble)")
        if isinstance(why := self.step_to_go_back_to(), str):
            reasons.append(f"{self.trouble()}; {why} (config.on_trouble)")
        return "; ".join(reasons)

    def trouble(self) -> str:
        """Returns which troubles the newest row shows."""
        return f"trouble: {', '.join(sorted(self._detected))}"

    @property
    def may_go_back(self) -> bool:
        """Whether settings ask for a roll-back when the run is in trouble."""
        return self._response.action == "roll_back"

    def step_to_go_back_to(self) -> int | str | None:
        """Returns the step to go back to, or why the run cannot; None if it does not want to."""
        if not (self.may_go_back and self._detected):
            return None
        return self._checkpoint_before(self._last_good_step(), self._is_well_after)

    def _last_good_step(self) -> int:
        """The step of the newest row before the fewest that show the troubles."""
        rows = self._judged
        end = len(rows)
        while detected := self._judge(rows[:end]):
            while earlier := self._judge(rows[: end - 1]):
                detected, end = earlier, end - 1
            start = end - 1
            while start and not detected <= self._judge(rows[start:end]):
                start -= 1
            end = start
        return int(rows[end - 1]["step"]) if end else 0

    def _is_well_after(self, step: int) -> bool:
        return not self._judge([row for row in self._judged if row["step"] <= step])

    def _judge(self, rows: Sequence[Mapping[str, Any]]) -> set[str]:
        diagnoses = self._diagnoses(rows)
        return {name for name, diagnosis in diagnoses.items() if diagnosis.detected}

    def _diagnoses(self, rows: Sequence[Mapping[str, Any]]) -> dict[str, Diagnosis]:
        return live_rules.judge(rows) if self._settings.health else {}


def stop_rules(settings: Settings) -> list[StopRule]:
    """Builds the rules of ``config.stop_when``. Raises UserError."""
    rules: list[StopRule] = build_parts("stop_when", settings.stop_when)
    return rules


def note_end(run_dir: Path, settings: Settings, step: int, reason: str) -> None:
    """Notes that a run has ended after a step, and by which settings."""
    note = {"step": step, "reason": reason} | _deciding(settings)
    files.write_text(run_dir / STOPPED, json.dumps(note) + "\n")


def reason_of_end(run_dir: Path, settings: Settings) -> str:
    """Returns why a run has ended before its last step; empty if it has not.

    What other settings of ``stop_when`` and ``on_trouble`` have ended goes on.
    """
    try:
        note = json.loads((run_dir / STOPPED).read_text(encoding="utf-8"))
        if not _deciding(settings).items() <= note.items():
            return ""
        return f"stopped at step {note['step']}: {note['reason']}"
    except (OSError, ValueError, TypeError, AttributeError, KeyError):
        return ""


def _deciding(settings: Settings) -> dict[str, str]:
    return {"stop_when": parts_text(settings.stop_when), "on_trouble": str(settings.on_trouble)}
