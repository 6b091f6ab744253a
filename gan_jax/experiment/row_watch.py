"""What the rows of metrics say while a run trains: troubles, and whether it ends here."""

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from gan_jax import files
from gan_jax.diagnosis import live_rules
from gan_jax.diagnosis.stopping import StopRule
from gan_jax.experiment.part_building import build_parts
from gan_jax.experiment.part_text import parts_text
from gan_jax.experiment.run_directory import STOPPED
from gan_jax.experiment.settings import Settings


class RowWatch:
    """Judges the rows of a run as they are written.

    Args:
      settings: of the run.
      rows: those that it has already, if it resumes.
    """

    def __init__(self, settings: Settings, rows: Sequence[Mapping[str, Any]] = ()) -> None:
        self._settings, self._rows = settings, list(rows)
        self._stop_rules = stop_rules(settings)
        self._detected = self._judge(self._rows)

    def look(self, row: Mapping[str, float]) -> list[str]:
        """Takes a new row, and returns a line for each trouble that has come or gone."""
        before, self._rows = self._detected, [*self._rows, row]
        diagnoses = live_rules.judge(self._rows) if self._settings.health else {}
        self._detected = {name for name, diagnosis in diagnoses.items() if diagnosis.detected}
        return [
            live_rules.describe(name, diagnosis) + ("" if diagnosis.detected else " is over")
            for name, diagnosis in diagnoses.items()
            if (name in before) != diagnosis.detected
        ]

    def reason_to_end(self) -> str:
        """Returns why the run ends after the newest row; empty if it goes on."""
        reasons = [reason for rule in self._stop_rules if (reason := rule(self._rows))]
        if self._settings.on_trouble == "stop" and self._detected:
            reasons.append(f"trouble: {', '.join(sorted(self._detected))} (config.on_trouble)")
        return "; ".join(reasons)

    def _judge(self, rows: Sequence[Mapping[str, Any]]) -> set[str]:
        if not self._settings.health:
            return set()
        diagnoses = live_rules.judge(rows)
        return {name for name, diagnosis in diagnoses.items() if diagnosis.detected}


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
    return {"stop_when": parts_text(settings.stop_when), "on_trouble": settings.on_trouble}
