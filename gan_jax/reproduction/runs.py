"""TODO"""

import re
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import NamedTuple

import numpy as np

from gan_jax.errors import UserError
from gan_jax.experiment import config as configs
from gan_jax.reproduction.records import SECONDS, timed


class Run(NamedTuple):
    """A config whose seeds train together, as one population."""

    config: str  # "configs/ring.py:unrolled", from the checkout's root
    overrides: tuple[str, ...] = ()
    numbers: Mapping[
        str, tuple[float, ...]
    ] = {}  # a value for each seed, by the paths of the fields that differ


def members(
    runs: Mapping[str, Run], seeds: Sequence[int], workdir: Path
) -> dict[str, dict[int, Path]]:
    """Where each seed of each run is, or will be: ``workdir/<name of the run>/seed_003``."""
    return {
        name: {seed: workdir / slug(name) / f"seed_{seed:03d}" for seed in seeds} for name in runs
    }


def left(
    runs: Mapping[str, Run], seeds: Sequence[int], workdir: Path, root: Path
) -> dict[str, list[int]]:
    """The seeds of each run that have not ended."""
    found = {}
    for name, folders in members(runs, seeds, workdir).items():
        steps = configs.load(str(root / runs[name].config), runs[name].overrides).steps
        found[name] = [seed for seed, folder in folders.items() if not ended(folder, steps)]
    return found


def slug(name: str) -> str:
    """A name as a folder's name."""
    return re.sub(r"[^a-z0-9]+", "_", name.lower()).strip("_")


def train(
    runs: Mapping[str, Run],
    seeds: Sequence[int],
    missing: Mapping[str, Sequence[int]],
    workdir: Path,
    root: Path,
) -> dict[str, dict[int, Path]]:
    """Trains the ``missing`` of the ``seeds`` of all runs, as `left` finds them, and returns the folders of all of them.

    The seeds of a run train as one population, each in an ordinary workdir of its own; those that have ended are left
    alone, the others go on from the newest checkpoint that they share. Runs that diverge are left, and their folder says
    so. ``root``: the checkout.

    Raises UserError; KeyboardInterrupt where it was stopped: the same call goes on.
    """
    from gan_jax.experiment import training_loop

    folders = members(runs, seeds, workdir)
    for name, run in runs.items():
        own = missing[name]
        if not own:
            print(f"{name}: {len(seeds)} seeds have ended before", flush=True)
            continue
        print(f"{name}: {len(own)} of {len(seeds)} seeds to train", flush=True)
        made = configs.to_dict(configs.load(str(root / run.config), run.overrides))
        try:
            together = made | {"population": {"seed": tuple(own)}}
            for path, values in run.numbers.items():
                if len(values) <= max(own):
                    raise UserError(
                        f"{name} has numbers for {len(values)} seeds, not for {max(own) + 1}"
                    )
                node = together["population"]
                *parents, last = path.split(".")
                for parent in parents:
                    node = node.setdefault(parent, {})
                node[last] = tuple(values[seed] for seed in own)
            with timed(workdir / f"{slug(name)}_from_{min(seeds)}{SECONDS}"):
                training_loop.run(
                    together, workdir / slug(name), [folders[name][seed] for seed in own]
                )
        except training_loop.TrainingDiverged as error:
            print(f"{name}: all seeds diverged: {error}", flush=True)
    return folders


def ended(folder: Path, steps: int) -> bool:
    """Whether a run has all its checkpoints, or has diverged and will never have them."""
    from gan_jax.experiment.run_writer import DIVERGED

    if (folder / DIVERGED).exists():
        return True
    # The checkpoint is the last that a run writes, and appears whole.
    saved = [int(path.name) for path in (folder / "checkpoints").glob("*") if path.name.isdecimal()]
    return bool(saved) and max(saved) >= steps


def samples_over_training(folder: Path) -> list[tuple[int, np.ndarray]]:
    """The samples ``[n, 2]`` that a run of points has drawn, by step."""
    files = sorted((folder / "samples").glob("step_*.npy"))
    return [(int(file.stem.removeprefix("step_")), np.load(file)) for file in files]
