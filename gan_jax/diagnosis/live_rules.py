"""Rules over the rows of metrics of a run while it trains: what is wrong now.

A rule takes the rows so far, in order, and returns a `Diagnosis`, or None if too few of them have
what it needs. A new rule is a function in `RULES`. A value that a few rows have is judged by the
median of the last three, so that one odd batch is no trouble. Default thresholds are those of
``results/diagnosis/calibration.md``, rounded.
"""

import math
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np

from gan_jax.diagnosis.rules import SHORTEST_OSCILLATION_RECORD, Diagnosis, divergence, oscillation

Rows = Sequence[Mapping[str, Any]]
"""Metrics by name, of consecutive rows; None and NaN stand for what is not defined."""

Rule = Callable[[Rows], Diagnosis | None]

JUDGED = 3
"""How many of the newest values are judged, by their median."""

RECORD = 64
"""How many of the newest rows the rules look at."""


def mode_collapse(rows: Rows, threshold: float = 0.5) -> Diagnosis | None:
    """Detects generated samples that are nearer to each other than real ones, or miss modes.

    The value is the lower of ``health/diversity`` and, if modes are known, ``health/mode_share``.
    """
    values = [_newest(rows, f"health/{name}") for name in ("diversity", "mode_share")]
    known = [value for value in values if value is not None]
    if not known:
        return None
    advice = (
        "samples resemble each other: raise config.unroll to 5 or 10, or add mode_seeking or "
        "gradient_penalty to config.objective"
    )
    return Diagnosis(min(known) < threshold, min(known), threshold, advice)


def dead_latents(rows: Rows, threshold: float = 0.5) -> Diagnosis | None:
    """Detects that most latents hardly move the sample: ``health/dead_latents`` is above."""
    advice = (
        "the generator ignores its latents: lower the learning rate of config.generator_optimizer, "
        "or add mode_seeking to config.objective"
    )
    return _above(rows, "health/dead_latents", threshold, advice)


def vanishing_gradient(rows: Rows, threshold: float = 0.07) -> Diagnosis | None:
    """Detects that the generator's loss is flat at many samples: ``health/flat_samples``."""
    advice = (
        "the generator's loss is flat at many samples: use non_saturating in place of minimax in "
        "config.objective, or add r1 or gradient_penalty"
    )
    return _above(rows, "health/flat_samples", threshold, advice)


def circling(rows: Rows, threshold: float = 3.4, straightness: float = 0.8) -> Diagnosis | None:
    """Detects that parameters move smoothly, and come back to where they were.

    The value is the larger of both ``health/.._path_ratio`` whose ``.._update_cosine`` is above
    ``straightness``; 0 if none is. Steps of noise are not smooth, and those towards a solution do
    not come back.
    """
    values = []
    for player in ("generator", "discriminator"):
        ratio = _newest(rows, f"health/{player}_path_ratio")
        cosine = _newest(rows, f"health/{player}_update_cosine")
        if ratio is not None and cosine is not None:
            values.append(ratio if cosine > straightness else 0.0)
    if not values:
        return None
    advice = (
        "both networks move in circles: set config.update_rule to extragradient or consensus, add "
        "r1 to config.objective, or average the generator by config.ema_decay"
    )
    return Diagnosis(max(values) > threshold, max(values), threshold, advice)


def oscillating_scores(rows: Rows, threshold: float = 0.8) -> Diagnosis | None:
    """Detects that one period holds much of the variance of the mean score of generated samples.

    The value is that of `gan_jax.diagnosis.oscillation`, over the last 64 rows, at least 32.
    """
    values = _values(rows[-RECORD:], "scores/fake")
    if len(values) < SHORTEST_OSCILLATION_RECORD:
        return None
    return oscillation(values, threshold)._replace(
        advice="the scores oscillate: add r1 to config.objective, lower the learning rates, or "
        "average the generator by config.ema_decay"
    )


def explosion(rows: Rows, threshold: float = 1e3) -> Diagnosis | None:
    """Detects that a gradient norm has grown a thousandfold over the last 64 rows, at least 10.

    The value is the larger of both networks' `gan_jax.diagnosis.divergence`. A norm of 0 is that of
    a loss that does not act yet (`after`), and growing from there is no explosion.
    """
    found = []
    for player in ("generator", "discriminator"):
        norms = _values(rows[-RECORD:], f"{player}/gradient_norm")
        values = [norm for norm in norms if norm != 0]
        if len(values) >= 10:
            found.append(divergence(values, threshold))
    if not found:
        return None
    return max(found, key=lambda diagnosis: diagnosis.value)._replace(
        advice="gradients explode: lower the learning rates, or add clip_by_global_norm to "
        "config.generator_optimizer and config.discriminator_optimizer"
    )


def clipped_weights(rows: Rows, threshold: float = 0.08) -> Diagnosis | None:
    """Detects that many weights of the discriminator are at its largest: at the clipping bound."""
    advice = (
        "many weights are at the bound of clip_weights: use gradient_penalty in config.objective "
        "in its place, or raise the bound"
    )
    return _above(rows, "health/weights_at_bound", threshold, advice)


def overfitting(rows: Rows, threshold: float = 0.5) -> Diagnosis | None:
    """Detects that held-out samples score nearer to generated ones: ``health/overfitting``."""
    advice = (
        "the discriminator knows its training samples by heart: set config.augmentation, with "
        "config.augmentation_target=0.6, train on more data, or stop earlier by config.stop_when"
    )
    return _above(rows, "health/overfitting", threshold, advice)


RULES: Mapping[str, Rule] = {
    "mode collapse": mode_collapse,
    "dead latents": dead_latents,
    "vanishing gradient": vanishing_gradient,
    "circling": circling,
    "oscillating scores": oscillating_scores,
    "explosion": explosion,
    "clipped weights": clipped_weights,
    "overfitting": overfitting,
}
"""The rules by the names that progress lines and reports show."""


def judge(rows: Rows) -> dict[str, Diagnosis]:
    """Returns the diagnosis of each rule that has what it needs, by the rule's name.

    Args:
      rows: of one run, in order, at least the last 64.
    """
    newest = rows[-RECORD:]
    return {
        name: diagnosis for name, rule in RULES.items() if (diagnosis := rule(newest)) is not None
    }


def describe(name: str, diagnosis: Diagnosis) -> str:
    """Returns a line with the number, the threshold and, if it is detected, the advice."""
    numbers = f"{diagnosis.value:.3g}, threshold {diagnosis.threshold:g}"
    return (
        f"{name} ({numbers}): {diagnosis.advice}" if diagnosis.detected else f"{name} ({numbers})"
    )


def _above(rows: Rows, name: str, threshold: float, advice: str) -> Diagnosis | None:
    value = _newest(rows, name)
    return None if value is None else Diagnosis(value > threshold, value, threshold, advice)


def _newest(rows: Rows, name: str) -> float | None:
    """The median of the newest values of a metric; None if there are not yet enough."""
    values = _values(rows, name)[-JUDGED:]
    return float(np.median(values)) if len(values) == JUDGED else None


def _values(rows: Rows, name: str) -> list[float]:
    values = (row.get(name) for row in rows)
    return [float(value) for value in values if value is not None and math.isfinite(value)]
