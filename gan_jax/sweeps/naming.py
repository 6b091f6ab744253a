"""Short readable names for parameters, for the runs of a sweep, and for a run in W&B."""

import hashlib
import re
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

from gan_jax.experiment import config as configs
from gan_jax.experiment.run_directory import FREE

LONGEST_NAME = 100
"""The largest number of characters in the name of a trial."""

LONGEST_WANDB_NAME = 128
"""The largest number of characters in the name of a run in W&B."""


def short_names(paths: Iterable[str]) -> dict[str, str]:
    """Returns a short name for each config path; no two names are alike.

    ``config.discriminator_optimizer.adam.learning_rate`` is ``discriminator.learning_rate``;
    ``config.objective.gradient_penalty.weight`` is ``gradient_penalty.weight``. Paths whose short
    names would be alike keep their full names.
    """
    full = {path: path.removeprefix("config.") for path in paths}
    short = {path: _short_name(name) for path, name in full.items()}
    taken = list(short.values())
    return {path: name if taken.count(name) == 1 else full[path] for path, name in short.items()}


def _short_name(path: str) -> str:
    field, *inner = path.split(".")
    if len(inner) < 2:
        return path
    if field in configs.CHAINS:
        return f"{field.removesuffix('_optimizer')}.{inner[-1]}"
    if field in configs.NAMED:
        return ".".join(inner[-2:])
    return path


def format_value(value: Any) -> str:
    """Returns a parameter's value as text, with four significant digits if it is a fraction."""
    if isinstance(value, float):
        return f"{value:.4g}"
    if isinstance(value, list | tuple):
        return ",".join(map(format_value, value))
    return str(value)


def trial_name(parameters: Mapping[str, Any], number: int | None) -> str:
    """Returns the name of a trial and of its folder: ``"unroll=5_seed=0"``.

    Args:
      parameters: the trial's parameters.
      number: its number, which then comes first, or None.
    """
    short = short_names(parameters)
    assignments = [f"{short[path]}={format_value(value)}" for path, value in parameters.items()]
    name = re.sub(r"[^\w.,=+-]+", "-", "_".join(assignments)).strip("-")
    if len(name) > LONGEST_NAME:
        name = f"{name[: LONGEST_NAME - 7]}_{digest(parameters)[:6]}"
    return name if number is None else f"{number:03d}_{name}"


def digest(value: Any) -> str:
    """Returns the SHA-256 of the ``repr`` of plain values."""
    return hashlib.sha256(repr(value).encode()).hexdigest()


def run_name(spec: str, config: Mapping[str, Any]) -> str:
    """Returns what a run is called in W&B: its config file, what was changed in it, and its seed.

    ``"ring unrolled, unroll 5, seed 3"`` for ``--config=configs/ring.py:unrolled
    --config.unroll=5 --config.seed=3``.

    Args:
      spec: the config file and its variant.
      config: the run's config.
    """
    path, _, variant = spec.partition(":")
    file = f"{Path(path).stem} {variant}".strip()
    changes = _changes(configs.to_dict(configs.load(spec)), config)
    short = short_names(changes)
    changed = [f"{short[field]} {value}" for field, value in changes.items()]
    if config["population"]:
        differing = short_names(configs.flat(config["population"])).values()
        last = f"population of {', '.join(differing)}"
    else:
        last = f"seed {config['seed']}"
    return ", ".join([file, *changed, last])[:LONGEST_WANDB_NAME]


def _changes(original: Mapping[str, Any], config: Mapping[str, Any]) -> dict[str, str]:
    """Returns the changed fields that matter for the numbers, with their values as text."""
    changes: dict[str, str] = {}
    leaves = configs.flat(config)
    for path in configs.differences(original, config):
        field = path.split(".")[0]
        if field in (*FREE, "seed", "population"):
            continue
        has_parts = field in configs.NAMED + configs.CHAINS
        if has_parts and _leaf_paths(original[field]) != _leaf_paths(config[field]):
            changes[field] = configs.to_text(config[field])
        else:
            changes[path] = format_value(leaves.get(path))
    return changes


def _leaf_paths(parts: Any) -> list[str]:
    return sorted(configs.flat({"parts": parts}))


def with_wandb_name(spec: str, config: Mapping[str, Any]) -> dict[str, Any]:
    """Returns the config with a name for W&B, if W&B is used and the config has no name.

    The members of a population are named by their folders, and share a group of that name.

    Args:
      spec: the config file and its variant.
      config: the run's config.
    """
    wandb = config["wandb"]
    if not wandb["use"] or wandb["name"]:
        return dict(config)
    name = run_name(spec, config)
    if config["population"]:
        changes = {"group": wandb["group"] or name, "tags": (*wandb["tags"], "population")}
    else:
        changes = {"name": name}
    return {**config, "wandb": {**wandb, **changes}}
