"""How a generator is scored: protocols over its samples and real data, both streamed, and the rows that record the scores.

The protocols themselves are the public functions of `gan_jax.evaluation.protocols`.
"""

from gan_jax.evaluation.generated import GeneratedSamples, evaluation_key
from gan_jax.evaluation.protocol import Protocol, check, ordered, scores
from gan_jax.evaluation.real_data import RealSamples
from gan_jax.evaluation.records import comparable, recorded, value_names

__all__ = [
    "Protocol", "RealSamples", "GeneratedSamples", "check", "comparable", "evaluation_key", "ordered", "recorded", "scores", "value_names",
]  # fmt: skip
