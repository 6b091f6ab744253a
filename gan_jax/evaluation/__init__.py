"""Scores of generators: named protocols, real data and generated samples in, named numbers out.

`evaluate` is the whole in one call; protocols are made by the functions of
`gan_jax.evaluation.protocols`.
"""

from gan_jax.evaluation.checks import check_metric_name, check_protocols
from gan_jax.evaluation.generated_samples import GeneratedSamples, evaluation_key
from gan_jax.evaluation.protocol import STEP_METRIC_PREFIXES, Protocol, is_result
from gan_jax.evaluation.real_samples import RealData, RealSamples
from gan_jax.evaluation.records import (
    comparable_pairs,
    comparison_table,
    find_record,
    format_record,
    read_score_records,
    records_of_step,
    score_names,
    score_records,
)
from gan_jax.evaluation.sample_sources import (
    ConditionalSampleFunction,
    SampleFunction,
    SampleSource,
)
from gan_jax.evaluation.scoring import compute_scores, evaluate, sort_protocols

__all__ = [
    "STEP_METRIC_PREFIXES",
    "ConditionalSampleFunction",
    "GeneratedSamples",
    "Protocol",
    "RealData",
    "RealSamples",
    "SampleFunction",
    "SampleSource",
    "check_metric_name",
    "check_protocols",
    "comparable_pairs",
    "comparison_table",
    "compute_scores",
    "evaluate",
    "evaluation_key",
    "find_record",
    "format_record",
    "is_result",
    "read_score_records",
    "records_of_step",
    "score_names",
    "score_records",
    "sort_protocols",
]
