"""Held-out samples: what an autoencoder reconstructs when it is sampled."""

from collections.abc import Callable
from typing import Any

import numpy as np

from gan_jax.data import Dataset, decode
from gan_jax.errors import UserError
from gan_jax.training.sampling import ConditionsFn


def held_out_samples(dataset: Dataset, load_split: Callable[[str], Dataset]) -> ConditionsFn:
    """Returns the real samples that an autoencoder is given for sample indices, always the same.

    They are those of the split "test" in order, from the first again after the last. A dataset
    without such a split is used itself. Of a distribution, samples are drawn with seed 0.

    Args:
      dataset: that is trained on.
      load_split: loads another split; raises UserError if there is none.

    Returns:
      The function ``sample_index [n] -> {"real": [n, ...] float32}``.
    """
    loaded: list[Dataset] = []

    def samples(sample_index: np.ndarray, /) -> dict[str, np.ndarray]:
        if not loaded:
            try:
                loaded.append(load_split("test"))
            except UserError:
                loaded.append(dataset)
        (split,) = loaded
        batch: Any
        if split.arrays is None:
            batch = split.draw(0, sample_index)
        else:
            real = split.arrays["real"]
            batch = {"real": real[sample_index % len(real)]}
        return {"real": np.asarray(decode(batch)["real"], np.float32)}

    return samples
