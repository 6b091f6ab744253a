"""How a generator is scored: protocols over its samples and real data, both streamed, and the rows that record the scores.

The protocols themselves are the public functions of `gan_jax.protocols`.
"""

from gan_jax.evaluation.protocol import Protocol, check, ordered, scores
from gan_jax.evaluation.reals import Reals
from gan_jax.evaluation.rows import comparable, recorded, value_names
from gan_jax.evaluation.subject import Subject, evaluation_key

__all__ = [
    "Protocol", "Reals", "Subject", "check", "comparable", "evaluation_key", "ordered", "recorded", "scores", "value_names",
]  # fmt: skip
