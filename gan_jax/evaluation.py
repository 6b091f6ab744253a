"""Protocols: named ways to score a generator during and after training. A config's `metrics` names them."""

from collections.abc import Callable

import jax
import numpy as np

from gan_jax.data import Dataset
from gan_jax.errors import UserError
from gan_jax.sampling import Sampler

Protocol = Callable[[Sampler, Dataset, int], dict[str, float]]
"""``(sampler, dataset, seed) -> {metric name: value}``."""

BATCH = 2**20
"""Keeps the keys of evaluation samples apart from those of training: see `evaluation_key`."""


def evaluation_key(seed: int) -> jax.Array:
    """The key of all samples drawn to look at or to score, the same at each step of a run."""
    return jax.random.fold_in(jax.random.key(seed), BATCH)


def modes(samples: int = 2500, threshold: float = 3.0, minimum: int = 1) -> Protocol:
    """Modes of a Gaussian mixture that are covered, and the share of samples within ``threshold`` standard deviations.

    Gives ``modes/covered``, ``modes/high_quality`` (in [0, 1]; a perfect model of a 2-D mixture reaches 0.989 at 3
    standard deviations), ``modes/well_covered`` (modes with at least 20 samples), ``modes/reverse_kl`` in nats.

    Source: Lin et al., "PacGAN" (2018), section 4.1 (2500 samples, one sample within 3 standard deviations).
    """

    def evaluate(draw: Sampler, dataset: Dataset, seed: int) -> dict[str, float]:
        from gan_jax import metrics

        if dataset.centres is None or dataset.std is None:
            raise UserError("the metric modes needs a dataset with known centres, such as ring or grid")
        points = draw(evaluation_key(seed), samples)
        if not np.isfinite(points).all():
            return {}
        found = metrics.mode_coverage(points, dataset.centres, dataset.std, threshold=threshold, minimum=minimum)
        well = metrics.mode_coverage(points, dataset.centres, dataset.std, threshold=threshold, minimum=20)
        return {
            "modes/covered": float(found.modes),
            "modes/well_covered": float(well.modes),
            "modes/high_quality": float(found.high_quality),
            "modes/reverse_kl": float(found.reverse_kl),
        }

    return evaluate
