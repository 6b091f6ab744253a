"""Measures of generated samples: arrays in, numbers out; no config and no file."""

from gan_jax.metrics.divergences import js_divergence, kl_divergence
from gan_jax.metrics.modes import ModeCoverage, label_coverage, mode_coverage, stacked_coverage

__all__ = ["ModeCoverage", "js_divergence", "kl_divergence", "label_coverage", "mode_coverage", "stacked_coverage"]
