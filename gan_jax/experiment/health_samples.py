"""Held-out samples on which the discriminator is compared with those that it is trained on."""

from collections.abc import Callable

import jax
import jax.numpy as jnp
import numpy as np

from gan_jax.data import Dataset
from gan_jax.errors import UserError
from gan_jax.experiment import part_building
from gan_jax.experiment.part_building import build_part
from gan_jax.experiment.settings import Settings
from gan_jax.game import Batch

SAMPLES = 64
"""How many there are. They are constants of the compiled program."""

MOST_BYTES = 2**24
"""Of all of them together: larger ones are left out."""


def held_out_batch(
    settings: Settings, dataset: Dataset, prepare: Callable[[Batch], Batch]
) -> Callable[[Batch], Batch] | None:
    """Returns the function from a batch to held-out samples that `diagnosis.health.health` takes.

    They are of the split "test", evenly chosen; of points that are a fixed number of samples of a
    distribution, new samples of it. Of data that are drawn anew there are none: None.

    Args:
      settings: of the run.
      dataset: that is trained on.
      prepare: of the stage.
    """
    raw = _held_out(settings, dataset)
    if raw is None or sum(leaf.nbytes for leaf in raw.values()) > MOST_BYTES:
        return None
    names = {"real", *dataset.conditions} | ({"label"} if dataset.classes else set())
    kept = {name: raw[name] for name in names if name in raw}

    def held_out(batch: Batch) -> Batch:
        others = {name: jnp.asarray(leaf)[None] for name, leaf in kept.items()}
        others["sample_index"] = jnp.arange(len(raw["real"]), dtype=jnp.int32)[None]
        if "fade" in batch:
            others["fade"] = jnp.broadcast_to(batch["fade"][:1], others["sample_index"].shape)
        return {name: leaf[0] for name, leaf in prepare(others).items()}

    return held_out


def _held_out(settings: Settings, dataset: Dataset) -> dict[str, np.ndarray] | None:
    part = settings.dataset
    if dataset.arrays is None:
        return None
    if part.settings.get("finite") and part_building.takes("dataset", part, "finite"):
        fresh: Dataset = build_part("dataset", part.updated({"finite": 0}))
        # The samples at the first positions are those that are trained on.
        positions = len(dataset.arrays["real"]) + np.arange(SAMPLES, dtype=np.int64)
        with jax.ensure_compile_time_eval():  # a population builds its step while it is traced
            return {name: np.asarray(leaf) for name, leaf in fresh.draw(0, positions).items()}
    if part.settings.get("split") == "test" or not part_building.takes("dataset", part, "split"):
        return None
    try:
        split: Dataset = build_part("dataset", part.updated({"split": "test"}))
    except UserError:  # it has no such split
        return None
    if split.arrays is None or split.shape != dataset.shape:
        return None
    chosen = np.linspace(0, len(split.arrays["real"]) - 1, SAMPLES).astype(int)
    return {name: np.asarray(leaf[chosen]) for name, leaf in split.arrays.items()}
