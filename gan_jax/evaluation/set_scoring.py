"""Scores of samples, or of their saved statistics, against others."""

from collections.abc import Sequence

from gan_jax import metrics
from gan_jax.data import Dataset
from gan_jax.errors import UserError, first_line
from gan_jax.evaluation.checks import check_protocols
from gan_jax.evaluation.generated_samples import GeneratedSamples
from gan_jax.evaluation.protocol import Protocol
from gan_jax.evaluation.real_samples import RealSamples, merged_statistics
from gan_jax.evaluation.sample_sets import SampleSet, with_channels
from gan_jax.evaluation.sample_sources import sample_source
from gan_jax.evaluation.scoring import compute_scores, sort_protocols
from gan_jax.metrics.statistics_files import GaussianStatistics

Side = SampleSet | GaussianStatistics
"""What is scored, or scored against."""


def score_sets(
    scored: Side, real: Side, protocols: Sequence[Protocol], seed: int = 0
) -> dict[str, float]:
    """Scores samples against others.

    Args:
      scored: the samples, or their statistics.
      real: what they are scored against. It stands for every split that a protocol asks for.
      protocols: each takes at most as many samples as are scored; with statistics on either side,
        only `protocols.frechet` and those that are made of it.
      seed: of what protocols draw, such as subsets.

    Returns:
      The scores by name, in the order of the protocols.

    Raises:
      UserError: samples of different shapes, or a protocol that cannot score them.
    """
    if isinstance(scored, SampleSet) and isinstance(real, SampleSet):
        return _score_samples(scored, real, protocols, seed)
    return {protocol.name: _frechet(protocol, scored, real) for protocol in protocols}


def _score_samples(
    scored: SampleSet, real: SampleSet, protocols: Sequence[Protocol], seed: int
) -> dict[str, float]:
    channels = max(each.samples.shape[-1] for each in (scored, real))
    made, other = (with_channels(each.samples, channels) for each in (scored, real))
    if made.shape[1:] != other.shape[1:]:
        raise UserError(
            f"the first samples are {made.shape[1:]} and the second ones {other.shape[1:]}: "
            "resize images to one --resolution"
        )
    for protocol in protocols:
        if protocol.metric == "nearest_neighbours":
            raise UserError(
                "the metric nearest_neighbours compares with training data and with held-out data, "
                "which two sets of samples are not: score a run with evaluate.py"
            )
    dataset = Dataset.from_arrays(other)
    samples = RealSamples(dataset, lambda split: dataset)
    generated = GeneratedSamples(sample_source(made, dataset.shape, len(made)), samples, seed)
    check_protocols(protocols, samples, generated)
    scores = {}
    for protocol in sort_protocols(protocols):
        scores[protocol.name] = compute_scores(protocol, generated)
    return {name: value for each in protocols for name, value in scores[each.name].items()}


def _frechet(protocol: Protocol, scored: Side, real: Side) -> float:
    """The Fréchet distance of which at least one side is given as statistics."""
    if protocol.metric != "frechet" or protocol.extractor is None:
        raise UserError(
            f"{protocol.name} needs samples on both sides, and one of them is saved statistics: "
            "these are for Frechet distances, such as fid50k"
        )
    sides = [_statistics(protocol, side) for side in (scored, real)]
    for side in sides:
        expected = protocol.extractor.dimension or sides[0].mean.size  # vectors have any
        if side.mean.size != expected:
            raise UserError(
                f"{protocol.name} is of {expected} features, and the statistics of "
                f"{side.mean.size}: they are of another network"
            )
    try:
        return metrics.frechet_distance_from_statistics(
            sides[0].mean, sides[0].covariance, sides[1].mean, sides[1].covariance
        )
    except ValueError as error:
        raise UserError(f"{protocol.name}: {first_line(error)}") from error


def _statistics(protocol: Protocol, side: Side) -> GaussianStatistics:
    if isinstance(side, GaussianStatistics):
        return side
    dataset = Dataset.from_arrays(side.samples)
    check_protocols([protocol], RealSamples(dataset, lambda split: dataset))
    assert protocol.extractor is not None
    images = RealSamples(dataset).samples("train", len(side.samples))
    found = merged_statistics(protocol.extractor(batch) for batch, _ in images)
    return GaussianStatistics(found.mean, found.covariance)
