"""How smoothly images change along paths between latents."""

import numpy as np

from gan_jax import metrics
from gan_jax.errors import UserError
from gan_jax.evaluation import GeneratedSamples, Protocol
from gan_jax.evaluation.protocols.extractors import extractor_of
from gan_jax.evaluation.protocols.naming import named
from gan_jax.metrics.features import Extractor
from gan_jax.metrics.path_length import PATHS

PAIRS = 500  # of latents that are looked at together: twice as many images


def perceptual_path_length(
    extractor: str | Extractor = "lenet",
    samples: int = 10_000,
    where: str = "full",
    interpolation: str = "slerp",
    epsilon: float = 1e-4,
    discard: float = 0.01,
    weights: str = "",
) -> Protocol:
    """Perceptual path length between pairs of latents: the mean squared change of features a squared step along the path.

    Gives the mean over the pairs and their ``std``: ``ppl_lenet_10k``. Published ones take VGG features weighted as in LPIPS,
    which is another scale; a name says which features were taken here, ``ppl_inception_50k``. The two latents of a pair share
    their label.

    Args:
      extractor: whose features.
      samples: pairs of latents.
      where: ``"full"``, anywhere on the paths, or ``"end"``, at their starts.
      interpolation: ``"slerp"`` for normal latents, ``"lerp"`` for uniform ones.
      epsilon: the step along the path.
      discard: share of the pairs to leave out at either end.
      weights: the extractor's file, where it needs one.

    Source: Karras et al., "A style-based generator architecture" (2019), section 4.1.
    """
    if where not in ("full", "end"):
        raise UserError(
            f"the metric perceptual_path_length looks at 'full' paths or at their 'end', not {where!r}"
        )
    if interpolation not in PATHS:
        raise UserError(
            f"the metric perceptual_path_length has interpolations {', '.join(PATHS)}, not {interpolation!r}"
        )
    if not (epsilon > 0 and 0 <= discard < 0.5):
        raise UserError(
            f"the metric perceptual_path_length takes epsilon > 0 and discard in [0, 0.5), not {epsilon} and {discard}"
        )
    network = extractor_of(extractor, weights)

    def score(subject: GeneratedSamples) -> dict[str, float]:
        # Numbers of their own: those of the labels would tie positions to classes.
        drawn = np.random.default_rng((subject.seed, PAIRS, samples)).random(samples)
        found = metrics.perceptual_path_length(
            subject.generated,
            network,
            subject.latents(samples),
            subject.latents(samples, samples),
            drawn if where == "full" else np.zeros(samples),
            labels=subject.labels(samples),
            epsilon=epsilon,
            interpolation=interpolation,
            discard=discard,
            batch_size=PAIRS,
        )
        return {"": found.mean, "std": found.std}

    return Protocol(
        named("ppl_inception_", "ppl", network, samples), "perceptual_path_length", ("", "std"), samples, score, network,
        settings=f"where={where}, interpolation={interpolation}, epsilon={epsilon}, discard={discard}",
    )  # fmt: skip


def ppl(weights: str = "", samples: int = 50_000) -> Protocol:
    """Path length under Inception features, full paths, 50,000 pairs: `perceptual_path_length`."""
    return perceptual_path_length("inception", samples, weights=weights)
