"""The theory of GANs, computed exactly.

Densities and divergences, games of two numbers, a discriminator trained against a fixed generator.
"""

import importlib
from typing import TYPE_CHECKING, Any

from gan_jax.theory import games
from gan_jax.theory.densities import Grid, LogDensity, gaussian, grid, mixture
from gan_jax.theory.dirac_gan import NOISE_WEIGHTS, dirac_eigenvalues, dirac_field
from gan_jax.theory.divergences import f_divergence, js, kl, total_variation, wasserstein_1
from gan_jax.theory.gaussian_fits import Fit, fit_gaussian, map_gaussian
from gan_jax.theory.optimal_discriminator import (
    optimal_discriminator,
    optimal_score,
    value_function,
)
from gan_jax.theory.parallel_lines import Divergences, parallel_lines, penalised_slope

if TYPE_CHECKING:
    from gan_jax.theory.fixed_generator import fit_discriminator

# These need JAX and are imported when they are first used.
_LAZY = {"fit_discriminator": "fixed_generator"}

__all__ = [
    "Divergences",
    "Fit",
    "Grid",
    "LogDensity",
    "NOISE_WEIGHTS",
    "dirac_eigenvalues",
    "dirac_field",
    "f_divergence",
    "fit_discriminator",
    "fit_gaussian",
    "games",
    "gaussian",
    "grid",
    "js",
    "kl",
    "map_gaussian",
    "mixture",
    "optimal_discriminator",
    "optimal_score",
    "parallel_lines",
    "penalised_slope",
    "total_variation",
    "value_function",
    "wasserstein_1",
]


if not TYPE_CHECKING:  # type checkers would take any misspelt name for an Any

    def __getattr__(name: str) -> Any:
        if name not in _LAZY:
            raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
        value = getattr(importlib.import_module(f"{__name__}.{_LAZY[name]}"), name)
        globals()[name] = value
        return value
