"""In which fields two settings differ, and which of these a run may change when it resumes."""

from typing import Any

from gan_jax.experiment.overrides import flat
from gan_jax.experiment.part_text import Part, parts_text
from gan_jax.experiment.settings import Settings

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
    }
)
"""Fields that a resumed run may change: none of them changes the numbers of a step."""

ORDERED = ("augmentation", "generator_optimizer", "discriminator_optimizer")
"""Fields of parts that are applied one after the other: another order is another run."""


def differences(old: Settings, new: Settings) -> dict[str, tuple[Any, Any]]:
    """Returns ``{path: (old, new)}`` of the leaves that differ; None if one has no such leaf.

    Optimizers or augmentations in another order differ by the texts of their whole field.
    """
    a, b = flat(old), flat(new)
    for field in ORDERED:
        before, after = getattr(old, field), getattr(new, field)
        if _names(before) != _names(after) and set(_names(before)) == set(_names(after)):
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


def _names(parts: tuple[Part, ...]) -> list[str]:
    return [part.name for part in parts]
