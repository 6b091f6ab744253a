"""What a protocol is, and what the record of its score holds."""

import typing
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Literal

from gan_jax.errors import UserError
from gan_jax.evaluation.generated_samples import GeneratedSamples
from gan_jax.evaluation.real_samples import RealSamples
from gan_jax.metrics.features import Extractor

RESIZE_METHODS = {
    "inception": "TensorFlow 1 bilinear to 299",
    "efficientnet_lite0": "antialiased bilinear to 224",
}
"""How extractors bring images to their size; other extractors take images as they are."""

STEP_METRIC_PREFIXES = (
    "generator/",
    "discriminator/",
    "scores/",
    "augmentation/",
    "health/",
    "pace/",
)
"""How the names of metrics that are measured at each train step begin."""

NOT_RESULTS = ("step", "time", "seed", "steps_per_second", "skipped_updates", "roll_backs")
"""Entries of a row of metrics that say how a run went, not what it learned."""


def is_result(name: str) -> bool:
    """Returns whether an entry of a row of metrics is a result, such as a score."""
    return not name.startswith(STEP_METRIC_PREFIXES) and name not in NOT_RESULTS


MAX_SAMPLES = 2**30
"""Generated samples per protocol; twice as many indices still fit into int32."""


class ScoreFunction(typing.Protocol):
    """Computes the values of a protocol."""

    def __call__(self, generated: GeneratedSamples, /) -> dict[str, float]:
        """Returns the values by the names in `Protocol.values`, and possibly more.

        Args:
          generated: the samples that are scored; ``generated.real`` is the real data.
        """
        ...


@dataclass(frozen=True)
class Protocol:
    """A named way to score a generator.

    A protocol says what is measured, on how many samples, against which real ones, and by which
    features, so that two scores of one name can be compared.

    Attributes:
      name: of the protocol with its settings: ``"fid50k"``, ``"fd_lenet_10k"``.
      metric: the kind of score: ``"frechet"``.
      values: names of the values that it gives. ``""`` is the score itself, called ``name``; others
        are called ``name/value``.
      samples: how many are generated.
      score: computes the values.
      extractor: whose features are used, if any.
      split: of the real data, or None if no real samples are used.
      whole_split: whether all of the split is used, and not as many samples as are generated.
      holds: what is held in memory at once: features or samples; ``""`` if they are streamed.
      needs: what the generated samples must come with.
      settings: further settings that change the score, as text.
      check_data: raises UserError for real data that cannot be scored.
    """

    name: str
    metric: str
    values: tuple[str, ...]
    samples: int
    score: ScoreFunction
    extractor: Extractor | None = None
    split: str | None = None
    whole_split: bool = False
    holds: Literal["", "features", "samples"] = ""
    needs: tuple[Literal["labels", "latents", "reconstructions"], ...] = ()
    settings: str = ""
    check_data: Callable[[RealSamples], None] | None = None

    def __post_init__(self) -> None:
        if not 2 <= self.samples <= MAX_SAMPLES:
            raise UserError(
                f"the metric {self.metric} takes from 2 to {MAX_SAMPLES} samples, "
                f"not {self.samples}"
            )

    def score_names(self) -> list[str]:
        """Returns what its values are called in `metrics.jsonl` and in ``config.best_metric``."""
        return [self.score_name(value) for value in self.values]

    def score_name(self, value: str) -> str:
        """Returns what one of its values is called."""
        return f"{self.name}/{value}" if value else self.name

    def count_real(self, real: RealSamples) -> int:
        """Returns how many real samples are used."""
        if self.split is None:
            return 0
        size = real.size(self.split)
        return size if self.whole_split else min(self.samples, size)

    def caveat(self, real: RealSamples) -> str:
        """Returns what to know before trusting the score; mostly the empty string."""
        if self.metric != "frechet" or self.extractor is None:
            return ""
        n = min(self.samples, self.count_real(real))
        d = self.extractor.dimension_of(real.train.shape)
        if n > d:
            return ""
        return (
            f"too few samples: n = {n} <= d = {d}, the covariance is singular and the score biased"
        )

    def describe(self, real: RealSamples, seed: int) -> dict[str, Any]:
        """Returns what the score depends on apart from the generator.

        Args:
          real: the real data.
          seed: of the generated samples.

        Returns:
          The fields of its record in `metrics.jsonl` other than the step, the time and the values.
        """
        extractor = self.extractor
        return {
            "protocol": self.name,
            "metric": self.metric,
            "n": self.samples,
            "seed": seed,
            "split": self.split,
            "real_samples": self.count_real(real),
            "data": real.fingerprint(self.split) if self.split else None,
            "extractor": extractor.name if extractor else None,
            "extractor_hash": extractor.hash if extractor else None,
            "resize": RESIZE_METHODS.get(extractor.name, "none") if extractor else None,
            "settings": self.settings,
        }
