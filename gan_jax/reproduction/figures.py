"""A figure as a Python file: what it says about itself, and how its numbers are measured."""

import importlib.util
import inspect
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from types import ModuleType
from typing import TYPE_CHECKING, Any

from gan_jax.distributed.cpu import set_up_jax
from gan_jax.errors import UserError, did_you_mean
from gan_jax.reproduction import page
from gan_jax.reproduction.claims import Claim
from gan_jax.reproduction.records import (
    Record,
    environment_facts,
    merge_records,
    save_record,
    seconds_spent,
    to_json_value,
)
from gan_jax.reproduction.runs import Run, train_runs, untrained_seeds

if TYPE_CHECKING:
    from matplotlib.figure import Figure as Drawing

SCALES = ("smoke", "short", "paper")
"""The forms of a figure: seconds of work, hours on two cores, and what was published."""


@dataclass(frozen=True)
class Figure:
    """A figure of a paper, defined by a Python module.

    The first line of the module's docstring is the title; a paragraph of it begins with
    ``"Source:"``. Every module has

    * ``measure(smoke) -> numbers``, or ``measure(smoke, folder)`` if it keeps parts of a long
      measurement in ``folder``, or ``measure(directories, smoke)`` if it reads trained runs:
      ``directories[name][seed]`` is a run directory;
    * ``claims(numbers) -> list[Claim]``;
    * ``draw(numbers)``, which returns a matplotlib figure;
    * ``NOT_RUN``, if the smoke form is less than its name says: what it leaves out.

    A module of trained runs has in addition ``RUNS``, which maps names to `Run`; ``SEEDS``, the
    number of seeds, and ``FIRST_SEED``, if that is not 0; ``SMOKE_RUNS`` and ``SMOKE_SEEDS``, which
    of them the smoke form has; ``SMOKE``, its overrides; ``SHORT`` and ``NOT_RUN_SHORT``, the
    overrides of the short form, of all runs or by the names of those that it has, and what it
    leaves out, if there is one; and ``UNIT``, what a seed is called. If some of its runs depend on
    what others gave, it has ``follow_up(directories, smoke) -> runs`` of ``FOLLOW_UP_SEEDS``: they
    are trained afterwards, and are among the ``directories`` of ``measure``.

    Attributes:
      name: the name of the file.
      module: the module.
      changes: overrides of all runs, ``"dataset=stacked_mnist"``, that make it another experiment.
    """

    name: str
    module: ModuleType
    changes: tuple[str, ...] = ()

    @property
    def title(self) -> str:
        """The first line of the docstring."""
        return (self.module.__doc__ or self.module.__name__).splitlines()[0]

    @property
    def source(self) -> str:
        """The docstring's paragraph that names the source, on one line; empty if there is none."""
        for paragraph in (self.module.__doc__ or "").split("\n\n"):
            if paragraph.startswith("Source:"):
                return " ".join(paragraph.split())
        return ""

    @property
    def trains_runs(self) -> bool:
        """Whether the figure is drawn from trained runs."""
        return hasattr(self.module, "RUNS")

    @property
    def follows_up(self) -> bool:
        """Whether some of its runs depend on what others gave."""
        return hasattr(self.module, "follow_up")

    @property
    def has_short_form(self) -> bool:
        """Whether there is a form between smoke and paper."""
        return hasattr(self.module, "SHORT")

    @property
    def draw(self) -> Callable[[Mapping[str, Any]], "Drawing"]:
        """``numbers -> matplotlib figure``, in the style of `page`."""

        def draw(numbers: Mapping[str, Any]) -> "Drawing":
            with page.style():
                drawing: Drawing = self.module.draw(numbers)
            return drawing

        return draw

    @property
    def claims(self) -> Callable[[Mapping[str, Any]], Sequence[Claim]]:
        """``numbers -> claims``."""
        claims: Callable[[Mapping[str, Any]], Sequence[Claim]] = self.module.claims
        return claims

    def seeds(self, scale: str) -> int:
        """Returns how many seeds each run has in a form of the figure."""
        seeds: int = self.module.SMOKE_SEEDS if scale == "smoke" else self.module.SEEDS
        return seeds

    def seeds_to_train(self, total: int, measured: int) -> range:
        """Returns the seeds that ``total`` seeds have beyond the first ``measured`` of them."""
        first: int = getattr(self.module, "FIRST_SEED", 0)
        return range(first + measured, first + total)

    def runs(self, scale: str) -> dict[str, Run]:
        """Returns the runs of a form of the figure by name, as changed; none if it trains none."""
        if not self.trains_runs:
            return {}
        runs: dict[str, Run] = self.module.RUNS
        overrides: Mapping[str, Sequence[str]] = dict.fromkeys(runs, ())
        if scale == "smoke":
            # No figure is of a run's health, whose measurement takes long to compile.
            smoke = ("health=false", *getattr(self.module, "SMOKE", ()))
            overrides = dict.fromkeys(self.module.SMOKE_RUNS, smoke)
        elif scale == "short":
            short = self.module.SHORT
            overrides = short if isinstance(short, Mapping) else dict.fromkeys(runs, short)
        return {
            name: runs[name]._replace(overrides=(*runs[name].overrides, *own, *self.changes))
            for name, own in overrides.items()
        }

    def settings(self, scale: str) -> dict[str, Any]:
        """Returns what the numbers depend on, as JSON has it.

        These are the runs of the form, or the constants at the top of a module without runs.
        """
        runs = {name: run._asdict() for name, run in self.runs(scale).items()}
        settings: dict[str, Any] = to_json_value(runs if self.trains_runs else self._constants())
        return settings

    def _constants(self) -> dict[str, Any]:
        """Returns the module's constants of plain numbers and text, by names in lower case.

        No number depends on those whose names begin with an underscore: published numbers, colours.
        """
        return {
            name.lower(): value
            for name, value in vars(self.module).items()
            if name.isupper() and not name.startswith("_") and name != "TYPE_CHECKING"
            if value is not None and _is_plain(value)
        }

    def not_run(self, scale: str, seeds: int | None) -> str:
        """Returns what the published form has and these numbers lack; empty if nothing."""
        changed = ", ".join(self.changes)
        missing = [f"the figure's own settings, changed by {changed}"] if changed else []
        if scale == "smoke":
            default = "the published form: this is the smoke form"
            return "; ".join([*missing, getattr(self.module, "NOT_RUN", default)])
        missing += [self.module.NOT_RUN_SHORT] if scale == "short" else []
        if seeds is not None and seeds < self.module.SEEDS:
            unit = getattr(self.module, "UNIT", "seeds")
            missing.append(f"{self.module.SEEDS - seeds} of {self.module.SEEDS} {unit}")
        return "; ".join(missing)


def figure_names(folder: Path) -> list[str]:
    """Returns the names of the figures that are files of ``folder``, in order."""
    return sorted(path.stem for path in folder.glob("[a-z]*.py"))


def load_figure(folder: Path, name: str) -> Figure:
    """Loads one figure of ``folder``.

    Raises:
      UserError: if there is none of that name; it names similar ones.
    """
    names = figure_names(folder)
    if name not in names:
        hint = did_you_mean(name, names)
        raise UserError(f"no figure is named {name!r}: {hint} (--list describes them)")
    if str(folder) not in sys.path:
        sys.path.insert(0, str(folder))  # modules that several figures share lie there too
    spec = importlib.util.spec_from_file_location(f"figures_{name}", folder / f"{name}.py")
    assert spec is not None and spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules[spec.name] = module  # NamedTuples and caches of the module look it up there
    spec.loader.exec_module(module)
    return Figure(name, module)


def measure_figure(
    figure: Figure,
    scale: str,
    seeds: int | None,
    folder: Path,
    workdir: Path,
    root: Path,
    command: str,
    before: Record | None = None,
) -> dict[str, Any]:
    """Measures a figure, judges its claims, and writes its record.

    Runs and parts of a measurement that are in ``workdir`` already are not repeated.

    Args:
      figure: the figure.
      scale: one of `SCALES`.
      seeds: how many seeds each run has; None for a figure without runs.
      folder: where the record goes.
      workdir: where runs train and where parts are kept.
      root: the checkout, from which the configs of runs are read.
      command: the command line that gives the same record.
      before: the record of fewer seeds, to which the others are added; a figure that follows up
        its runs measures all of them again, as they are chosen together.

    Returns:
      The record, as `save_record` wrote it.

    Raises:
      UserError: if ``before`` has other settings, or if a run cannot be trained.
      KeyboardInterrupt: if it was interrupted. The same call resumes.
    """
    settings = figure.settings(scale)
    if before is not None and before["settings"] != settings:
        raise UserError(
            f"{folder} was made with other settings, so no seeds can be added: "
            "--overwrite measures it again"
        )
    if figure.follows_up:
        before = None
    measured = before["seeds"] if before is not None else 0
    new_seeds = figure.seeds_to_train(seeds, measured) if seeds is not None else None
    seconds_before = seconds_spent(workdir, None if figure.follows_up else new_seeds)
    began = time.monotonic()
    numbers = to_json_value(_measure(figure, scale, new_seeds, workdir, root))
    record = {
        "figure": figure.name,
        "title": figure.title,
        "command": command,
        "scale": scale,
        "seeds": seeds,
        "not_run": figure.not_run(scale, seeds),
        "seconds": round(seconds_before + time.monotonic() - began, 1),
        **environment_facts(),
        "about": figure.source,
        "settings": settings,
        "numbers": numbers,
    }
    if figure.changes:
        record["changes"] = figure.changes
    if before is not None:
        record = merge_records(before, record)
    save_record(folder, record, figure.claims(record["numbers"]))
    return record


def _measure(
    figure: Figure, scale: str, seeds: range | None, workdir: Path, root: Path
) -> Mapping[str, Any]:
    """Returns the numbers of a figure, after training the runs that they need."""
    measure: Callable[..., Mapping[str, Any]] = figure.module.measure
    smoke = scale == "smoke"
    if seeds is not None:
        directories = _train(figure.runs(scale), seeds, workdir, root)
        if figure.follows_up:
            more = {
                name: run._replace(overrides=(*run.overrides, *figure.changes))
                for name, run in figure.module.follow_up(directories, smoke).items()
            }
            directories |= _train(more, figure.module.FOLLOW_UP_SEEDS, workdir, root)
        return measure(directories, smoke)
    set_up_jax()
    if "folder" in inspect.signature(measure).parameters:
        return measure(smoke, workdir)
    return measure(smoke)


def _train(
    runs: Mapping[str, Run], seeds: Sequence[int], workdir: Path, root: Path
) -> dict[str, dict[int, Path]]:
    """Trains what is not trained yet, and returns the run directories of all seeds."""
    untrained = untrained_seeds(runs, seeds, workdir, root)
    set_up_jax([len(run_seeds) for run_seeds in untrained.values() if run_seeds])
    return train_runs(runs, seeds, untrained, workdir, root)


def _is_plain(value: Any) -> bool:
    """Returns whether a value is a number, text or None, or a tuple or dict of such values."""
    if isinstance(value, dict):
        return all(map(_is_plain, value.values()))
    if isinstance(value, tuple):
        return all(map(_is_plain, value))
    return isinstance(value, int | float | str | None)
