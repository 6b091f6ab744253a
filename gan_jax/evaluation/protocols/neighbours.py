"""Nearest neighbours among features: fidelity, diversity, copying."""

from collections.abc import Callable
from typing import Any, NamedTuple

from gan_jax import metrics
from gan_jax.errors import UserError
from gan_jax.evaluation.generated_samples import GeneratedSamples
from gan_jax.evaluation.protocol import Protocol
from gan_jax.evaluation.protocols.extractors import load_extractor
from gan_jax.evaluation.protocols.naming import protocol_name
from gan_jax.evaluation.real_samples import RealSamples
from gan_jax.metrics.features import Extractor


def precision_recall(
    extractor: str | Extractor = "lenet",
    samples: int = 10_000,
    split: str = "test",
    k: int = 3,
    weights: str = "",
) -> Protocol:
    """Scores improved precision and recall, each in [0, 1].

    Gives ``precision`` and ``recall``: ``pr_lenet_10k/precision``. As many real samples are used as
    are generated, or all there are.

    Args:
      extractor: whose features.
      samples: generated.
      split: of the real data.
      k: nearest neighbours.
      weights: the extractor's file, if it needs one.

    References:
      Kynkäänniemi et al., "Improved precision and recall metric" (2019), equations 1-2.
    """
    measure = _Measure("pr", metrics.precision_recall, ("precision", "recall"))
    return _neighbour_protocol(measure, extractor, samples, split, k, weights)


def pr(weights: str = "", samples: int = 50_000) -> Protocol:
    """Scores precision and recall of Inception features of 50,000 samples and training samples.

    See `precision_recall`.
    """
    return precision_recall("inception", samples, "train", weights=weights)


def density_coverage(
    extractor: str | Extractor = "lenet",
    samples: int = 10_000,
    split: str = "test",
    k: int = 5,
    weights: str = "",
) -> Protocol:
    """Scores density (0 or more, ideally 1) and coverage (in [0, 1]).

    Gives ``density`` and ``coverage``: ``dc_lenet_10k/density``. As many real samples are used as
    are generated, or all there are.

    Args:
      extractor: whose features.
      samples: generated.
      split: of the real data.
      k: nearest neighbours.
      weights: the extractor's file, if it needs one.

    References:
      Naeem et al., "Reliable fidelity and diversity metrics for generative models" (2020),
      equations 3-4.
    """
    measure = _Measure("dc", metrics.density_coverage, ("density", "coverage"))
    return _neighbour_protocol(measure, extractor, samples, split, k, weights)


def dc(weights: str = "", samples: int = 10_000) -> Protocol:
    """Scores density and coverage of Inception features of 10,000 samples and training samples.

    See `density_coverage`.
    """
    return density_coverage("inception", samples, "train", weights=weights)


def nearest_neighbours(
    extractor: str | Extractor = "lenet",
    samples: int = 10_000,
    split: str = "test",
    weights: str = "",
) -> Protocol:
    """Scores overfitting: whether samples are nearer to the training data than held-out data is.

    Gives ``z_score`` (about N(0, 1) for a generator as good as held-out data, far below 0 if it
    copies, far above if its samples lie off the data), ``closer`` (the share of pairs in which the
    generated sample lies nearer; 1/2 is ideal) and ``distance`` (mean, to the nearest training
    sample), all in a space of features.

    Args:
      extractor: whose features.
      samples: generated, and at most as many held out; all of the training data is used.
      split: held-out data.
      weights: the extractor's file, if it needs one.

    References:
      Meehan, Chaudhuri and Dasgupta, "A non-parametric test to detect data-copying" (2020),
      section 3.
    """
    network = load_extractor(extractor, weights)

    def score(generated: GeneratedSamples) -> dict[str, float]:
        real = generated.real
        test, fake = generated.real_and_generated_features(network, samples, split)
        train = real.features("train", network, real.size("train"))
        result = metrics.memorisation(train, test, fake)
        return {
            "z_score": result.z_score,
            "closer": result.closer,
            "distance": float(result.fake_distances.mean()),
        }

    def check_data(real: RealSamples) -> None:
        if split == "train":
            raise UserError(
                "the metric nearest_neighbours compares with held-out data: "
                "choose a split other than 'train'"
            )

    return Protocol(
        protocol_name("nn", "nn", network, samples, split),
        "nearest_neighbours",
        ("z_score", "closer", "distance"),
        samples,
        score,
        network,
        split,
        holds="features",
        check_data=check_data,
    )


class _Measure(NamedTuple):
    """A metric ``compute(real, fake, k)`` of features that returns a named tuple of ``values``."""

    short_name: str
    compute: Callable[..., Any]
    values: tuple[str, ...]


def _neighbour_protocol(
    measure: _Measure,
    extractor: str | Extractor,
    samples: int,
    split: str,
    k: int,
    weights: str,
) -> Protocol:
    metric = measure.compute.__name__
    if not 1 <= k < samples:
        raise UserError(
            f"the metric {metric} needs more samples than neighbours: not {samples} for k = {k}"
        )
    network = load_extractor(extractor, weights)

    def score(generated: GeneratedSamples) -> dict[str, float]:
        real, fake = generated.real_and_generated_features(network, samples, split)
        result = measure.compute(real, fake, k)
        return {name: getattr(result, name) for name in measure.values}

    return Protocol(
        protocol_name(measure.short_name, measure.short_name, network, samples, split),
        metric,
        measure.values,
        samples,
        score,
        network,
        split,
        holds="features",
        settings=f"k={k}",
    )
