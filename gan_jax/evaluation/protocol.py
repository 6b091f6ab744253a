"""What a protocol is, whether it suits a run, and what it gives."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import jax
import numpy as np

from gan_jax.errors import UserError, did_you_mean
from gan_jax.evaluation.generated import GeneratedSamples, NotFinite
from gan_jax.evaluation.real_data import RealSamples
from gan_jax.metrics.features import Extractor


@dataclass(frozen=True)
class Protocol:
    """A named way to score a generator: what is measured, on how many samples, against which real ones, by which features."""

    name: str  # of the protocol with its settings: "fid50k", "fd_lenet_10k"
    metric: str  # the kind of score: "frechet"
    values: tuple[str, ...]  # what it gives; "" is the score itself, others are called name/value
    samples: int  # generated
    score: Callable[[GeneratedSamples], dict[str, float]]
    extractor: Extractor | None = None
    split: str | None = None  # of the real data; None where none is looked at
    whole: bool = False  # all of the split, not as many as are generated
    holds: bool = False  # whether all features are held at once
    settings: str = ""  # further ones that change the score
    suits: Callable[[RealSamples], None] | None = (
        None  # raises UserError for data that it cannot score
    )

    def __post_init__(self) -> None:
        if self.samples < 2:
            raise UserError(
                f"the metric {self.metric} needs at least 2 samples, not {self.samples}"
            )

    def names(self) -> list[str]:
        """What its values are called in `metrics.jsonl` and in ``config.best_metric``."""
        return [f"{self.name}/{value}" if value else self.name for value in self.values]

    def reals(self, reals: RealSamples) -> int:
        """How many real samples it looks at."""
        if self.split is None:
            return 0
        return reals.size(self.split) if self.whole else min(self.samples, reals.size(self.split))

    def note(self, reals: RealSamples) -> str:
        """What to know about the score before trusting it; mostly nothing."""
        if self.metric != "frechet" or self.extractor is None:
            return ""
        n, d = min(self.samples, self.reals(reals)), self.extractor.dimension
        return (
            f"too few samples: n = {n} <= d = {d}, the covariance is singular and the score biased"
            if n <= d
            else ""
        )

    def facts(self, reals: RealSamples, seed: int) -> dict[str, Any]:
        """What the score depends on beside the generator: the columns of its row in `metrics.jsonl`."""
        extractor = self.extractor
        return {
            "protocol": self.name,
            "metric": self.metric,
            "n": self.samples,
            "seed": seed,
            "split": self.split,
            "reals": self.reals(reals),
            "data": reals.fingerprint(self.split) if self.split else None,
            "extractor": extractor.name if extractor else None,
            "extractor_hash": extractor.hash if extractor else None,
            "resize": RESIZES.get(extractor.name, "none") if extractor else None,
            "settings": self.settings,
        }


RESIZES = {
    "inception": "TensorFlow 1 bilinear to 299",
    "efficientnet_lite0": "antialiased bilinear to 224",
}
"""How extractors bring images to their size; others take them as they are."""

BY_STEP = ("generator/", "discriminator/", "scores/", "augmentation/")
"""How the names of what each train step measures start."""


def check(protocols: Sequence[Protocol], reals: RealSamples, best_metric: str = "") -> None:
    """Refuses, before anything is computed, protocols that do not suit the data and a best metric that nothing gives.

    Raises UserError.
    """
    names: dict[str, Protocol] = {}
    for protocol in protocols:
        if protocol.name in names:
            raise UserError(
                f"two metrics are both called {protocol.name}: change one's samples or split"
            )
        names[protocol.name] = protocol
        if protocol.split is not None:
            reals.dataset(protocol.split)
        if protocol.suits is not None:
            protocol.suits(reals)
        if protocol.extractor is not None:
            _check_fits(protocol, reals.train.shape)
    given = [name for protocol in protocols for name in protocol.names()]
    if best_metric and best_metric not in given and not best_metric.startswith(BY_STEP):
        known = did_you_mean(best_metric, given) if given else "config.metrics is empty"
        raise UserError(
            f"config.best_metric is {best_metric!r}, which no metric of this config gives: {known}"
        )


def _check_fits(protocol: Protocol, shape: tuple[int, ...]) -> None:
    extractor = protocol.extractor
    assert extractor is not None
    if len(shape) != 3:
        raise UserError(
            f"the metric {protocol.name} needs images [height, width, channels]; the samples of this run are {shape}"
        )
    channels = 1 if protocol.metric == "stacked_modes" else shape[2]
    if channels not in (1, extractor.channels):
        raise UserError(
            f"the metric {protocol.name} has an extractor for images of {extractor.accepted_channels} channel(s); "
            f"those of this run are {shape}: choose another extractor"
        )
    images = jax.ShapeDtypeStruct((2, *shape[:2], extractor.channels), np.float32)
    try:
        jax.eval_shape(extractor.apply, extractor.variables, images)
    except (ValueError, TypeError) as error:
        reason = str(error).strip().splitlines()[0]
        raise UserError(
            f"the metric {protocol.name} does not suit images of {shape}: {reason}; choose another extractor"
        ) from error


def ordered(protocols: Sequence[Protocol]) -> list[Protocol]:
    """Those first whose features are held, largest first, so that the others need no samples of their own."""
    return sorted(protocols, key=lambda protocol: (not protocol.holds, -protocol.samples))


def scores(protocol: Protocol, subject: GeneratedSamples) -> dict[str, float]:
    """The protocol's values by their full names; all NaN where a sample is not finite. Raises UserError."""
    try:
        values = protocol.score(subject)
    except NotFinite:
        values = dict.fromkeys(protocol.values, float("nan"))
    except UserError:
        raise
    except ValueError as error:
        raise UserError(f"{protocol.name}: {str(error).strip().splitlines()[0]}") from error
    return {
        f"{protocol.name}/{name}" if name else protocol.name: float(value)
        for name, value in values.items()
    }
