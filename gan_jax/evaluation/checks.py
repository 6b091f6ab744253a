"""What is refused before anything is computed."""

import math
from collections.abc import Sequence

import jax
import numpy as np

from gan_jax import metrics
from gan_jax.errors import UserError, did_you_mean
from gan_jax.evaluation.generated_samples import GeneratedSamples
from gan_jax.evaluation.memory import check_memory
from gan_jax.evaluation.protocol import STEP_METRIC_PREFIXES, Protocol
from gan_jax.evaluation.real_samples import RealSamples
from gan_jax.evaluation.sample_sources import available_samples
from gan_jax.metrics.features import Extractor

LABEL_BYTES = 24
"""Bytes per sample that drawing labels takes."""


def check_protocols(
    protocols: Sequence[Protocol], real: RealSamples, generated: GeneratedSamples | None = None
) -> None:
    """Refuses protocols that cannot score the data.

    Args:
      protocols: all that are to be computed.
      real: the real data.
      generated: the generated samples, if they are at hand.

    Raises:
      UserError: two protocols of one name, a split that does not exist, data that a protocol or its
        extractor does not take, generated samples without the labels or latents that it needs, too
        few of them, or more than fit in memory.
    """
    names: set[str] = set()
    for protocol in protocols:
        if protocol.name in names:
            raise UserError(
                f"two metrics are both called {protocol.name}: change one's samples or split"
            )
        names.add(protocol.name)
        if protocol.split is not None:
            real.dataset(protocol.split)
        if protocol.check_data is not None:
            protocol.check_data(real)
        if protocol.extractor is not None:
            _check_extractor(protocol, protocol.extractor, real.train.shape)
        if generated is not None:
            _check_generated(protocol, generated)
        _check_memory(protocol, real)


def check_metric_name(name: str, protocols: Sequence[Protocol], where: str) -> None:
    """Refuses the name of a metric that neither the protocols nor the train steps give.

    Args:
      name: such as ``"fid50k"``.
      protocols: those of the run.
      where: the name stands, for the message: ``"config.best_metric"``.

    Raises:
      UserError: no such metric.
    """
    known = [score for protocol in protocols for score in protocol.score_names()]
    if name in known or name.startswith(STEP_METRIC_PREFIXES):
        return
    hint = did_you_mean(name, known) if known else "config.metrics is empty"
    raise UserError(f"{where} is {name!r}, which no metric of this config gives: {hint}")


def _check_extractor(protocol: Protocol, extractor: Extractor, shape: tuple[int, ...]) -> None:
    if isinstance(extractor, metrics.IdentityExtractor):
        return
    if len(shape) != 3:
        raise UserError(
            f"the metric {protocol.name} needs images [height, width, channels]; "
            f"the samples are {shape}: choose extractor=identity for vectors and signals"
        )
    channels = 1 if protocol.metric == "stacked_modes" else shape[2]
    if channels not in (1, extractor.channels):
        raise UserError(
            f"the metric {protocol.name} has an extractor for images of "
            f"{extractor.accepted_channels} channel(s); "
            f"the samples are {shape}: choose another extractor"
        )
    images = jax.ShapeDtypeStruct((2, *shape[:2], extractor.channels), np.float32)
    try:
        jax.eval_shape(extractor.apply, extractor.variables, images)
    except (ValueError, TypeError) as error:
        reason = str(error).strip().splitlines()[0]
        raise UserError(
            f"the metric {protocol.name} does not take images of {shape}: {reason}; "
            "choose another extractor"
        ) from error


def _check_generated(protocol: Protocol, generated: GeneratedSamples) -> None:
    if "latents" in protocol.needs and not generated.has_latents:
        raise UserError(
            f"the metric {protocol.name} needs latents, which these samples do not come with: "
            "pass a gan_jax.sampler(...)"
        )
    if "labels" in protocol.needs and not generated.has_labels:
        raise UserError(
            f"the metric {protocol.name} needs generated samples of known classes: pass real "
            "samples with labels, and a function (rng, n, label) or a sampler of such classes"
        )
    if "reconstructions" in protocol.needs and not generated.has_reconstructions:
        raise UserError(
            f"the metric {protocol.name} needs an autoencoder, such as the networks vqgan, and a "
            "sampler of it"
        )
    available = available_samples(generated.source)
    if available is not None and available < protocol.samples:
        raise UserError(
            f"the metric {protocol.name} needs {protocol.samples} generated samples, and there are "
            f"{available}: pass more, or set its samples={available}"
        )


def _check_memory(protocol: Protocol, real: RealSamples) -> None:
    numbers = 0
    if protocol.holds == "features" and protocol.extractor is not None:
        numbers = protocol.extractor.dimension_of(real.train.shape)
    elif protocol.holds == "samples":
        numbers = math.prod(real.train.shape)
    size = 4 * numbers * (protocol.samples + protocol.count_real(real))
    if real.train.classes:
        size += LABEL_BYTES * protocol.samples
    what = protocol.holds or "labels"
    check_memory(
        f"the metric {protocol.name} holds {what} of {protocol.samples} samples, which",
        size,
        "choose fewer samples",
    )
