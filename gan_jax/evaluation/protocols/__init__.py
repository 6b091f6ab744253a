"""Named protocols: each public function is one that `config.metrics` and ``evaluate.py --metrics`` can name.

A protocol's name says what was measured, on how many samples and by which network: ``fid50k`` and ``fid10k`` are the Fréchet
distance under FID's Inception network alone; under others it is called ``fd_lenet_10k``, ``fd_effnetlite0_10k``. An
extractor is named (``"inception"``, ``"efficientnet_lite0"``, ``"lenet"``) or given as a `gan_jax.metrics.Extractor`.
"""

import inspect
import sys
from collections.abc import Mapping
from typing import Any

from gan_jax.evaluation import Protocol
from gan_jax.evaluation.protocols.coverage import modes, stacked_modes
from gan_jax.evaluation.protocols.distances import (
    fd_effnetlite0,
    fd_lenet,
    fid10k,
    fid50k,
    frechet,
    kernel,
    kid,
)
from gan_jax.evaluation.protocols.images import ms_ssim, sliced_wasserstein, swd
from gan_jax.evaluation.protocols.labels import (
    cas,
    classification_accuracy,
    inception_score,
    label_accuracy,
)
from gan_jax.evaluation.protocols.neighbours import (
    dc,
    density_coverage,
    nearest_neighbours,
    pr,
    precision_recall,
)
from gan_jax.evaluation.protocols.paths import perceptual_path_length, ppl
from gan_jax.experiment import registry

__all__ = [
    "build", "cas", "classification_accuracy", "dc", "density_coverage", "fd_effnetlite0", "fd_lenet", "fid10k", "fid50k",
    "frechet", "inception_score", "kernel", "kid", "label_accuracy", "modes", "ms_ssim", "nearest_neighbours",
    "perceptual_path_length", "ppl", "pr", "precision_recall", "sliced_wasserstein", "stacked_modes", "swd",
]  # fmt: skip


def build(
    metrics: Mapping[str, Mapping[str, Any]], samples: int | None = None, weights: str = ""
) -> list[Protocol]:
    """The protocols of ``{name: settings}``.

    Args:
      metrics: as in ``config.metrics``; ``"is"`` is ``inception_score``.
      samples: replaces every protocol's own number of generated samples, where given.
      weights: the extractor's file, for each protocol that takes one and has none of its own.

    Raises:
      UserError: an unknown name or setting, or weights that are missing.
    """
    room = sys.modules[__name__]
    protocols = []
    for name, settings in metrics.items():
        name = {"is": "inception_score"}.get(name, name)
        given: dict[str, Any] = {} if samples is None else {"samples": samples}
        if (
            weights
            and "weights" in inspect.signature(getattr(room, name, dict.fromkeys)).parameters
        ):
            given["weights"] = settings.get("weights", weights)
        protocols.append(
            registry.build_part("metrics", (room,), Protocol, name, {**settings, **given})
        )
    return protocols
