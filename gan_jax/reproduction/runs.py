"""The runs of a figure: where they are, which seeds to train, and training them."""

import dataclasses
import re
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import NamedTuple

from gan_jax.errors import UserError
from gan_jax.experiment.config_files import load_settings
from gan_jax.experiment.run_directory import has_ended
from gan_jax.experiment.settings import Settings
from gan_jax.reproduction.records import SECONDS_SUFFIX, add_seconds


class Run(NamedTuple):
    """A config whose seeds train together, as one population.

    Attributes:
      config: the config file and its variant, from the root of the checkout:
        ``"configs/ring.py:unrolled"``.
      overrides: changes of the config, ``"steps=1000"``.
      numbers: the values of the fields that differ between the seeds, one value per seed, by the
        paths of the fields.
    """

    config: str
    overrides: tuple[str, ...] = ()
    numbers: Mapping[str, tuple[float, ...]] = {}


def folder_name(name: str) -> str:
    """Returns ``name`` in lower case, with an underscore for everything but letters and digits."""
    return re.sub(r"[^a-z0-9]+", "_", name.lower()).strip("_")


def run_directories(
    runs: Mapping[str, Run], seeds: Sequence[int], workdir: Path
) -> dict[str, dict[int, Path]]:
    """Returns the run directory of each seed of each run: ``workdir/<run>/seed_003``."""
    return {
        name: {seed: workdir / folder_name(name) / f"seed_{seed:03d}" for seed in seeds}
        for name in runs
    }


def untrained_seeds(
    runs: Mapping[str, Run], seeds: Sequence[int], workdir: Path, root: Path
) -> dict[str, list[int]]:
    """Returns the seeds of each run that have neither finished nor diverged.

    Args:
      runs: the runs, by name.
      seeds: the seeds that each of them should have.
      workdir: where the figure's runs are.
      root: the checkout, from which configs are read.

    Raises:
      UserError: for a config that cannot be loaded.
    """
    untrained = {}
    for name, directories in run_directories(runs, seeds, workdir).items():
        steps = load_settings(str(root / runs[name].config), runs[name].overrides).steps
        untrained[name] = [
            seed for seed, directory in directories.items() if not has_ended(directory, steps)
        ]
    return untrained


def train_runs(
    runs: Mapping[str, Run],
    seeds: Sequence[int],
    untrained: Mapping[str, Sequence[int]],
    workdir: Path,
    root: Path,
) -> dict[str, dict[int, Path]]:
    """Trains the ``untrained`` seeds of all runs, and returns the run directories of all ``seeds``.

    The seeds of a run train as one population, each in an ordinary run directory. They resume from
    the newest checkpoint that they share. A run that diverges is left as it is; its directory says
    so.

    Args:
      runs: the runs, by name.
      seeds: the seeds that each of them should have.
      untrained: the seeds of each run that are still to train, from `untrained_seeds`.
      workdir: where the figure's runs are.
      root: the checkout, from which configs are read.

    Returns:
      The run directories by name of the run and by seed.

    Raises:
      UserError: for a config that cannot be used, or if a run has numbers for too few seeds.
      KeyboardInterrupt: if it was interrupted. The same call resumes.
    """
    from gan_jax.experiment import training_loop

    directories = run_directories(runs, seeds, workdir)
    for name, run in runs.items():
        if not untrained[name]:
            print(f"{name}: {len(seeds)} seeds have ended before", flush=True)
            continue
        print(f"{name}: {len(untrained[name])} of {len(seeds)} seeds to train", flush=True)
        settings = _population_settings(name, run, untrained[name], root)
        members = [directories[name][seed] for seed in untrained[name]]
        seconds = workdir / f"{folder_name(name)}_from_{min(seeds)}{SECONDS_SUFFIX}"
        try:
            with add_seconds(seconds):
                training_loop.run(settings, workdir / folder_name(name), members)
        except training_loop.TrainingDiverged as error:
            print(f"{name}: all seeds diverged: {error}", flush=True)
    return directories


def _population_settings(name: str, run: Run, seeds: Sequence[int], root: Path) -> Settings:
    """Returns the settings of ``run`` with a population of these seeds."""
    columns: dict[str, tuple[float, ...]] = {"seed": tuple(seeds)}
    for path, values in run.numbers.items():
        if len(values) <= max(seeds):
            raise UserError(f"{name} has numbers for {len(values)} seeds, not for {max(seeds) + 1}")
        columns[path] = tuple(values[seed] for seed in seeds)
    settings = load_settings(str(root / run.config), run.overrides)
    return dataclasses.replace(settings, population=columns)
