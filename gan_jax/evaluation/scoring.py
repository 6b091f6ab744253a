"""Scores of a generator by protocols."""

import contextlib
from collections.abc import Sequence

from numpy.typing import ArrayLike

from gan_jax.errors import UserError, first_line
from gan_jax.evaluation.checks import check_protocols
from gan_jax.evaluation.generated_samples import GeneratedSamples, SampleNotFinite
from gan_jax.evaluation.protocol import Protocol
from gan_jax.evaluation.real_samples import RealData, RealSamples
from gan_jax.evaluation.sample_sources import (
    ConditionalSampleFunction,
    FunctionSamples,
    SampleFunction,
    SampleSource,
    sample_source,
)


def evaluate(
    generate: SampleFunction | ConditionalSampleFunction | SampleSource | ArrayLike,
    real: RealData,
    protocols: Protocol | Sequence[Protocol],
    *,
    seed: int = 0,
    batch_size: int = 250,
) -> dict[str, float]:
    """Scores a generator by named protocols.

    Images are floats in [-1, 1] or uint8; generated ones are clipped to [-1, 1]. Samples are
    streamed: each protocol says how many it takes, and what it holds at once. Statistics of real
    samples are stored in a cache (`gan_jax.evaluation.statistics_cache`), so that the second call
    is faster; if one `RealSamples` is passed to several calls, it is hashed only once, too.

    Args:
      generate: one of

        - a function ``(rng, n) -> samples [n, ...]`` of any library (`SampleFunction`). It is
          called with ``n = batch_size`` each time, and with keys that depend on the seed alone;
        - a function ``(rng, n, label) -> samples`` (`ConditionalSampleFunction`): it is also given
          classes ``[n]``, in the proportions of the training data, as the argument ``label``;
        - an array of samples ``[n, ...]``;
        - a `gan_jax.training.sampling.Sampler`, as ``gan_jax.sampler(...)`` returns it.
      real: one of

        - an array ``[n, ...]``, the training data;
        - the same with labels, ``{"real": array, "label": array}``;
        - several splits, ``{"train": ..., "test": ...}``, each in one of the forms above;
        - a `gan_jax.data.Dataset`, or `RealSamples`.
      protocols: one or several, from `gan_jax.evaluation.protocols`.
      seed: of the generated samples, from 0 to 2^31 - 1.
      batch_size: samples per call of a function.

    Returns:
      The scores by name, in the order of the protocols; NaN if a generated sample is not finite.

    Raises:
      TypeError: ``generate``, ``real`` or a protocol is of none of these types.
      UserError: bad data, or a protocol that needs what is not there: a split, labels, latents, or
        more samples. It is raised before anything is computed.

    Example:
      FID of a model of one's own, against images ``[n, height, width, 3]`` uint8::

        gan_jax.evaluate(generate, images, protocols.fid50k("inception.npz"))

      Modes of a ring of Gaussians:

      >>> import numpy as np
      >>> import gan_jax
      >>> from gan_jax.evaluation import protocols
      >>> ring = gan_jax.data.ring()
      >>> def generate(rng, n):
      ...     return np.tile(ring.centres, (n, 1))[:n]
      >>> gan_jax.evaluate(generate, ring, protocols.modes())
      {'modes/covered': 8.0, 'modes/well_covered': 8.0, 'modes/high_quality': 1.0, ...}
    """
    chosen = _protocol_list(protocols)
    if not 0 <= seed < 2**31:
        raise UserError(f"seed is an integer from 0 to {2**31 - 1}, not {seed}")
    if batch_size < 1:
        raise UserError(f"batch_size is at least 1, not {batch_size}")
    real_samples = RealSamples.of(real)
    source = sample_source(generate, real_samples.train.shape, batch_size)
    generated = GeneratedSamples(source, real_samples, seed)
    check_protocols(chosen, real_samples, generated)
    if chosen:
        _draw_first_batch(generated, batch_size)
    scores = {}
    for protocol in sort_protocols(chosen):
        scores[protocol.name] = compute_scores(protocol, generated)
    return {name: score for protocol in chosen for name, score in scores[protocol.name].items()}


def sort_protocols(protocols: Sequence[Protocol]) -> list[Protocol]:
    """Returns protocols in the order in which they need the fewest generated samples.

    Those come first that hold features, the largest number of samples first: the others use the
    held features and need no samples of their own.
    """
    return sorted(protocols, key=lambda protocol: (protocol.holds != "features", -protocol.samples))


def compute_scores(protocol: Protocol, generated: GeneratedSamples) -> dict[str, float]:
    """Computes the values of a protocol.

    Args:
      protocol: what to compute; `check_protocols` has checked it.
      generated: the samples.

    Returns:
      The values by their full names, all NaN if a sample is not finite.

    Raises:
      UserError: values cannot be computed.
    """
    try:
        values = protocol.score(generated)
    except SampleNotFinite:
        values = dict.fromkeys(protocol.values, float("nan"))
    except UserError:
        raise
    except ValueError as error:
        raise UserError(f"{protocol.name}: {first_line(error)}") from error
    missing = sorted(set(protocol.values) - set(values))
    if missing:
        raise UserError(f"{protocol.name}: its score function returns no value {missing[0]!r}")
    return {protocol.score_name(name): float(value) for name, value in values.items()}


def _protocol_list(protocols: Protocol | Sequence[Protocol]) -> list[Protocol]:
    """One protocol or several as a list. Raises TypeError for anything else."""
    if isinstance(protocols, Protocol):
        return [protocols]
    entries = list(protocols) if isinstance(protocols, list | tuple) else [protocols]
    chosen = []
    for entry in entries:
        if not isinstance(entry, Protocol):
            raise TypeError(
                f"{entry!r} is not a protocol: pass one such as "
                "gan_jax.evaluation.protocols.fid50k('inception.npz')"
            )
        chosen.append(entry)
    return chosen


def _draw_first_batch(generated: GeneratedSamples, batch_size: int) -> None:
    """Draws what is used first, to check a function before real statistics, which may take long."""
    if isinstance(generated.source, FunctionSamples):
        with contextlib.suppress(SampleNotFinite):
            next(generated.samples(batch_size))
