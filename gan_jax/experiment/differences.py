"""In which fields two settings differ, and which of these a run may change when it resumes."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from gan_jax.errors import UserError
from gan_jax.experiment.overrides import flat
from gan_jax.experiment.part_text import Part, labels, parts_text
from gan_jax.experiment.settings import Settings, parse

SHOWN = 4
"""The largest number of differences that a message names."""

RESUMABLE = frozenset(
    {
        "steps",
        "parallelism",
        "accumulation_steps",
        "log_every",
        "checkpoint_every",
        "keep_checkpoints",
        "sample_every",
        "num_samples",
        "evaluate_every",
        "metrics",
        "best_metric",
        "best_mode",
        "wandb",
        "steps_per_call",
        "unroll_rematerialise",
        "python_path",
        "nonfinite",
        "health",
        "on_trouble",
        "stop_when",
        "profile",
        "tensorboard",
    }
)
"""Fields that a resumed run may change: none of them changes the numbers of a step."""

ORDERED = ("augmentation", "generator_optimizer", "discriminator_optimizer", "ema")
"""Fields of parts whose order matters, and which may name a part more than once."""


def differences(old: Settings, new: Settings) -> dict[str, tuple[Any, Any]]:
    """Returns ``{path: (old, new)}`` of the leaves that differ; None if one has no such leaf.

    Fields whose parts are in another order differ by their whole text.
    """
    a, b = flat(old), flat(new)
    for field in ORDERED:
        before, after = getattr(old, field), getattr(new, field)
        names, names_after = labels(before), labels(after)
        if names != names_after and set(names) == set(names_after):
            a[field], b[field] = parts_text(before), parts_text(after)
    paths = sorted(a.keys() | b.keys())
    return {path: (a.get(path), b.get(path)) for path in paths if a.get(path) != b.get(path)}


def identity_differences(old: Settings, new: Settings) -> dict[str, tuple[Any, Any]]:
    """Returns the `differences` that make two runs different runs."""
    return {
        path: values
        for path, values in differences(old, new).items()
        if path.split(".")[0] not in RESUMABLE
    }


def describe_identity_differences(old: Settings, new: Settings) -> str:
    """Returns the first of the `identity_differences` as text; empty if there are none.

    A part or a setting that only one of the settings has is shown with its whole field.
    """
    changed: dict[str, str] = {}
    for path, (before, after) in identity_differences(old, new).items():
        field = path.split(".")[0]
        if None in (before, after) and _is_of_parts(getattr(new, field)):
            path = field
            before, after = _text(getattr(old, field)), _text(getattr(new, field))
        changed[path] = f"{path} is {before!r} there and {after!r} here"
    return "; ".join(list(changed.values())[:SHOWN])


def warn_if_changed(checkpoint: Path, record: Mapping[str, Any], settings: Settings) -> None:
    """Prints a warning if a checkpoint was saved by a run of other settings.

    A config.json that was edited or damaged is noticed so. It is no error: the path of a dataset
    that was moved, for instance, can only be changed there.

    Args:
      checkpoint: the directory of the checkpoint.
      record: what was saved next to the state; older checkpoints hold no config.
      settings: those of the run's config.json.
    """
    try:
        saved = parse(record["config"])
    except (KeyError, TypeError, UserError):  # of another version
        return
    changed = describe_identity_differences(saved, settings)
    if changed:
        print(
            f"warning: config.json was changed after checkpoint {checkpoint} was saved: {changed}. "
            "Going on with config.json",
            flush=True,
        )


def _is_of_parts(value: object) -> bool:
    return isinstance(value, Part) or (
        isinstance(value, tuple) and all(isinstance(part, Part) for part in value)
    )


def _text(value: Part | tuple[Part, ...]) -> str:
    return parts_text((value,) if isinstance(value, Part) else value)
