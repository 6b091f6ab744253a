"""Nearest neighbours among features: fidelity, diversity, copying."""

from collections.abc import Callable
from typing import Any

from gan_jax import metrics
from gan_jax.errors import UserError
from gan_jax.evaluation import GeneratedSamples, Protocol, RealSamples
from gan_jax.evaluation.protocols.extractors import extractor_of
from gan_jax.evaluation.protocols.naming import named
from gan_jax.metrics.features import Extractor


def precision_recall(
    extractor: str | Extractor = "lenet",
    samples: int = 10_000,
    split: str = "test",
    k: int = 3,
    weights: str = "",
) -> Protocol:
    """Improved precision and recall, each in [0, 1]; as many real samples as are generated, or all there are.

    Gives ``precision`` and ``recall``: ``pr_lenet_10k/precision``.

    Args:
      extractor: whose features.
      samples: generated.
      split: of the real data.
      k: nearest neighbours.
      weights: the extractor's file, where it needs one.

    Source: Kynkäänniemi et al., "Improved precision and recall metric" (2019), equations 1-2.
    """
    return _manifolds(
        "pr",
        metrics.precision_recall,
        metrics.PrecisionRecall,
        extractor,
        samples,
        split,
        k,
        weights,
    )


def pr(weights: str = "", samples: int = 50_000) -> Protocol:
    """Precision and recall of Inception features, 50,000 samples against as many training samples: `precision_recall`."""
    return precision_recall("inception", samples, "train", weights=weights)


def density_coverage(
    extractor: str | Extractor = "lenet",
    samples: int = 10_000,
    split: str = "test",
    k: int = 5,
    weights: str = "",
) -> Protocol:
    """Density (0 or more, ideally 1) and coverage (in [0, 1]); as many real samples as are generated, or all there are.

    Gives ``density`` and ``coverage``: ``dc_lenet_10k/density``.

    Args:
      extractor: whose features.
      samples: generated.
      split: of the real data.
      k: nearest neighbours.
      weights: the extractor's file, where it needs one.

    Source: Naeem et al., "Reliable fidelity and diversity metrics for generative models" (2020), equations 3-4.
    """
    return _manifolds(
        "dc",
        metrics.density_coverage,
        metrics.DensityCoverage,
        extractor,
        samples,
        split,
        k,
        weights,
    )


def dc(weights: str = "", samples: int = 10_000) -> Protocol:
    """Density and coverage of Inception features, 10,000 samples against as many training samples: `density_coverage`."""
    return density_coverage("inception", samples, "train", weights=weights)


def _manifolds(
    short: str,
    measure: Callable[..., Any],
    kind: Any,
    extractor: str | Extractor,
    samples: int,
    split: str,
    k: int,
    weights: str,
) -> Protocol:
    """A protocol of ``measure(real, fake, k) -> kind``, a named tuple."""
    name = measure.__name__
    if not 1 <= k < samples:
        raise UserError(
            f"the metric {name} needs more samples than neighbours: not {samples} for k = {k}"
        )
    network = extractor_of(extractor, weights)

    def score(subject: GeneratedSamples) -> dict[str, float]:
        return measure(*subject.beside_real(network, samples, split), k)._asdict()

    return Protocol(
        named(short, short, network, samples, split), name, kind._fields, samples, score, network, split, holds=True,
        settings=f"k={k}",
    )  # fmt: skip


def nearest_neighbours(
    extractor: str | Extractor = "lenet",
    samples: int = 10_000,
    split: str = "test",
    weights: str = "",
) -> Protocol:
    """Overfitting: whether samples lie nearer to the training data than held-out data does, in a space of features.

    Gives ``z_score`` (about N(0, 1) for a generator as good as held-out data, far below 0 where it copies, far above where
    its samples lie off the data), ``closer`` (the share of pairs in which the generated sample lies nearer; 1/2 is ideal) and
    ``distance`` (mean, to the nearest training sample).

    Args:
      extractor: whose features.
      samples: generated, and at most as many held out; the training data is taken whole.
      split: held-out data.
      weights: the extractor's file, where it needs one.

    Source: Meehan, Chaudhuri and Dasgupta, "A non-parametric test to detect data-copying" (2020), section 3.
    """
    network = extractor_of(extractor, weights)

    def score(subject: GeneratedSamples) -> dict[str, float]:
        test, fake = subject.beside_real(network, samples, split)
        train = subject.reals.features("train", network, subject.reals.size("train"))
        found = metrics.memorisation(train, test, fake)
        return {
            "z_score": found.z_score,
            "closer": found.closer,
            "distance": float(found.fake_distances.mean()),
        }

    def suits(reals: RealSamples) -> None:
        if split == "train":
            raise UserError(
                "the metric nearest_neighbours compares with held-out data: choose a split other than 'train'"
            )

    return Protocol(
        named("nn", "nn", network, samples, split), "nearest_neighbours", ("z_score", "closer", "distance"), samples, score,
        network, split, holds=True, suits=suits,
    )  # fmt: skip
