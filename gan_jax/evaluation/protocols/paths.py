"""How smoothly images change along paths between latents."""

import numpy as np

from gan_jax import metrics
from gan_jax.errors import UserError
from gan_jax.evaluation.generated_samples import GeneratedSamples
from gan_jax.evaluation.protocol import Protocol
from gan_jax.evaluation.protocols.extractors import load_extractor
from gan_jax.evaluation.protocols.naming import protocol_name
from gan_jax.metrics.features import Extractor
from gan_jax.metrics.path_length import PATHS

PAIRS_PER_BATCH = 500
"""Pairs of latents that are generated at once: twice as many images."""


def perceptual_path_length(
    extractor: str | Extractor = "lenet",
    samples: int = 10_000,
    where: str = "full",
    interpolation: str = "slerp",
    epsilon: float = 1e-4,
    discard: float = 0.01,
    weights: str = "",
) -> Protocol:
    """Scores perceptual path length between pairs of latents.

    That is the mean squared change of features per squared step along the path. Gives the mean over
    the pairs and their ``std``: ``ppl_lenet_10k``. Published ones take VGG features weighted as in
    LPIPS, which is another scale; the name says which features were taken here,
    ``ppl_inception_50k``. The two latents of a pair share their label.

    Args:
      extractor: whose features.
      samples: pairs of latents.
      where: ``"full"``, anywhere on the paths, or ``"end"``, at their starts.
      interpolation: ``"slerp"`` for normal latents, ``"lerp"`` for uniform ones.
      epsilon: the step along the path.
      discard: share of the pairs to leave out at either end.
      weights: the extractor's file, if it needs one.

    References:
      Karras et al., "A style-based generator architecture" (2019), section 4.1.
    """
    if where not in ("full", "end"):
        raise UserError(
            "the metric perceptual_path_length looks at 'full' paths or at their 'end', "
            f"not {where!r}"
        )
    if interpolation not in PATHS:
        raise UserError(
            f"the metric perceptual_path_length has interpolations {', '.join(PATHS)}, "
            f"not {interpolation!r}"
        )
    if not (epsilon > 0 and 0 <= discard < 0.5):
        raise UserError(
            "the metric perceptual_path_length takes epsilon > 0 and discard in [0, 0.5), "
            f"not {epsilon} and {discard}"
        )
    network = load_extractor(extractor, weights)

    def score(generated: GeneratedSamples) -> dict[str, float]:
        positions = np.zeros(samples)
        if where == "full":
            # A stream of its own: that of the labels would tie positions to classes.
            rng = np.random.default_rng((generated.seed, PAIRS_PER_BATCH, samples))
            positions = rng.random(samples)
        length = metrics.perceptual_path_length(
            generated.generate,
            network,
            generated.latents(samples),
            generated.latents(samples, samples),
            positions,
            labels=generated.labels(samples),
            epsilon=epsilon,
            interpolation=interpolation,
            discard=discard,
            batch_size=PAIRS_PER_BATCH,
        )
        return {"": length.mean, "std": length.std}

    return Protocol(
        protocol_name("ppl_inception_", "ppl", network, samples),
        "perceptual_path_length",
        ("", "std"),
        samples,
        score,
        network,
        needs=("latents",),
        settings=(
            f"where={where}, interpolation={interpolation}, epsilon={epsilon}, discard={discard}"
        ),
    )


def ppl(weights: str = "", samples: int = 50_000) -> Protocol:
    """Scores path length under Inception features, on full paths, with 50,000 pairs.

    See `perceptual_path_length`.
    """
    return perceptual_path_length("inception", samples, weights=weights)
