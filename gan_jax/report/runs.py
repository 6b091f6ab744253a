"""What one run directory holds, read tolerantly: what is damaged or missing becomes a note."""

from dataclasses import dataclass
from pathlib import Path
from typing import Any

from gan_jax import files
from gan_jax.errors import UserError, first_line
from gan_jax.evaluation import score_records
from gan_jax.experiment import roll_backs, run_directory
from gan_jax.experiment.settings import Settings, loads
from gan_jax.loggers import json_lines


@dataclass(frozen=True)
class Run:
    """A run as its directory shows it.

    Attributes:
      name: its path below the folder that the report is of.
      group: the name of the population, sweep or folder that it belongs to.
      settings: None if its config.json cannot be read.
      status: ``"finished"``, ``"diverged"`` or ``"unfinished"``.
      divergence: why it diverged; empty if it has not.
      rows: its metrics by step, without scores of named protocols; None stands for a value that
        is not finite.
      scores: the records of ``evaluate.py``.
      pictures: its sample grids by step.
      roll_backs: why it went back to a checkpoint, each time that it did.
      notes: what is damaged or missing, one line each.
    """

    name: str
    group: str
    settings: Settings | None
    status: str
    divergence: str
    rows: list[dict[str, Any]]
    scores: list[dict[str, Any]]
    pictures: list[tuple[int, Path]]
    roll_backs: list[str]
    notes: tuple[str, ...]

    @property
    def step(self) -> int:
        """The step of the last row of metrics; 0 without one."""
        return self.rows[-1]["step"] if self.rows else 0

    @property
    def last(self) -> dict[str, Any]:
        """The newest value of each metric."""
        newest: dict[str, Any] = {}
        for row in self.rows:
            newest |= row
        return newest


def read_run(directory: Path, name: str, group: str = "") -> Run:
    """Reads a run directory. Nothing in it is taken for granted, and nothing is executed.

    Args:
      directory: of the run.
      name: of the run in the report.
      group: what it belongs to.
    """
    notes: list[str] = []
    settings = _settings(directory / run_directory.CONFIG, notes)
    objects = _json_lines(directory / run_directory.METRICS, notes)
    rows = json_lines.merge_rows(row for row in objects if "protocol" not in row)
    divergence = _text(directory / run_directory.DIVERGED)
    status = "diverged" if divergence else "unfinished"
    if settings is not None and run_directory.has_ended(directory, settings.steps) == "finished":
        status = "finished"
    backs = directory / roll_backs.FILE
    return Run(
        name=name,
        group=group,
        settings=settings,
        status=status,
        divergence=divergence,
        rows=[json_lines.metrics_in(row) for row in rows],
        scores=score_records(objects),
        pictures=run_directory.pictures_over_training(directory),
        roll_backs=[
            "; ".join(
                [
                    f"to step {row.get('step')}: {row.get('reason', '')}",
                    *map(str, row.get("changes") or ()),
                ]
            )
            for row in (_json_lines(backs, notes) if backs.exists() else [])
        ],
        notes=tuple(notes),
    )


def _settings(file: Path, notes: list[str]) -> Settings | None:
    try:
        return loads(file.read_text(encoding="utf-8-sig"))
    except FileNotFoundError:
        notes.append(f"{file.name} is missing")
    except (OSError, ValueError, RecursionError, UserError) as error:
        notes.append(f"{file.name} cannot be read: {first_line(error)}")
    return None


def _json_lines(file: Path, notes: list[str]) -> list[dict[str, Any]]:
    try:
        objects = files.read_json_lines(file)
        with open(file, "rb") as lines:
            damaged = sum(1 for line in lines if line.strip()) - len(objects)
    except FileNotFoundError:
        notes.append(f"{file.name} is missing")
        return []
    except OSError as error:
        notes.append(f"{file.name} cannot be read: {first_line(error)}")
        return []
    if damaged > 0:
        notes.append(f"{file.name}: {damaged} damaged {'line' if damaged == 1 else 'lines'}")
    return objects


def _text(file: Path) -> str:
    try:
        return file.read_text(encoding="utf-8", errors="replace").strip()
    except OSError:
        return ""
