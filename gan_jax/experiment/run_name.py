"""What a run is called in W&B, and short names of config paths."""

from collections.abc import Iterable
from dataclasses import replace
from pathlib import Path
from typing import Any

from gan_jax.experiment.config_files import load_settings
from gan_jax.experiment.differences import RESUMABLE, differences
from gan_jax.experiment.overrides import flat, part_leaves
from gan_jax.experiment.part_text import Part, parts_text
from gan_jax.experiment.settings import Parts, Settings, field_types

LONGEST_NAME = 128
"""The largest number of characters in the name of a run in W&B."""


def with_wandb_name(spec: str, settings: Settings) -> Settings:
    """Returns settings with a name for W&B, if W&B is used and they have none.

    The members of a population share a group of that name, and are called by their numbers.
    """
    wandb = settings.wandb
    if not wandb.use or wandb.name:
        return settings
    name = run_name(spec, settings)
    if settings.population:
        wandb = replace(wandb, group=wandb.group or name, tags=(*wandb.tags, "population"))
    else:
        wandb = replace(wandb, name=name)
    return replace(settings, wandb=wandb)


def run_name(spec: str, settings: Settings) -> str:
    """Returns what a run is: its file and variant, what was changed in them, its seed.

    ``"ring unrolled, unroll 5, seed 3"`` for ``--config=configs/ring.py:unrolled --config.unroll=5
    --config.seed=3``.
    """
    path, _, variant = spec.partition(":")
    changes = _changes(load_settings(spec), settings)
    names = short_names(changes)
    words = " ".join([Path(path).stem, *([variant] if variant else [])])
    if settings.population:
        last = f"population of {', '.join(short_names(settings.population).values())}"
    else:
        last = f"seed {settings.seed}"
    changed = (f"{names[field]} {value}" for field, value in changes.items())
    return ", ".join([words, *changed, last])[:LONGEST_NAME]


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
    if field.endswith("_optimizer"):
        return f"{field.removesuffix('_optimizer')}.{inner[-1]}"
    return ".".join(inner[-2:]) if _holds_parts(field) else path


def format_value(value: Any) -> str:
    """Returns a parameter's value as text, with four significant digits if it is a fraction."""
    if isinstance(value, float):
        return f"{value:.4g}"
    if isinstance(value, list | tuple):
        return ",".join(map(format_value, value))
    return str(value)


def _changes(plain: Settings, settings: Settings) -> dict[str, str]:
    """What differs from the config file: a setting by its path, or other parts as a whole."""
    changes: dict[str, str] = {}
    for path in differences(plain, settings):
        field = path.split(".")[0]
        if field in (*RESUMABLE, "seed", "population"):
            continue
        value = getattr(settings, field)
        before = getattr(plain, field)
        has_other_parts = _holds_parts(field) and (
            path == field or set(part_leaves(before)) != set(part_leaves(value))
        )
        if has_other_parts:
            changes[field] = str(value) if isinstance(value, Part) else parts_text(value)
        else:
            changes[path] = format_value(flat(settings).get(path))
    return changes


def _holds_parts(field: str) -> bool:
    return field_types(Settings).get(field) in (Part, Parts)
