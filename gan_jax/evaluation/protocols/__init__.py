"""Named protocols: the functions that ``config.metrics`` and ``evaluate.py --metrics`` can name.

The name of a protocol says what was measured, on how many samples and by which network: ``fid50k``
and ``fid10k`` are the Fréchet distance under FID's Inception network alone; under other networks it
is called ``fd_lenet_10k``, ``fd_effnetlite0_10k``. An extractor is named (``"inception"``,
``"efficientnet_lite0"``, ``"lenet"``; ``"identity"`` for
samples as they are) or given as a `gan_jax.metrics.Extractor`.
"""

from gan_jax.evaluation.protocols.coverage import modes, stacked_modes
from gan_jax.evaluation.protocols.distances import (
    fd_effnetlite0,
    fd_lenet,
    fid10k,
    fid50k,
    frechet,
    kernel,
    kid,
    sliced_wasserstein_distance,
)
from gan_jax.evaluation.protocols.factors import disentanglement
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
from gan_jax.evaluation.protocols.pairs import paired_similarity
from gan_jax.evaluation.protocols.paths import perceptual_path_length, ppl
from gan_jax.evaluation.protocols.reconstructions import reconstruction

__all__ = [
    "cas",
    "classification_accuracy",
    "dc",
    "density_coverage",
    "disentanglement",
    "fd_effnetlite0",
    "fd_lenet",
    "fid10k",
    "fid50k",
    "frechet",
    "inception_score",
    "kernel",
    "kid",
    "label_accuracy",
    "modes",
    "ms_ssim",
    "nearest_neighbours",
    "paired_similarity",
    "perceptual_path_length",
    "ppl",
    "pr",
    "precision_recall",
    "reconstruction",
    "sliced_wasserstein",
    "sliced_wasserstein_distance",
    "stacked_modes",
    "swd",
]
