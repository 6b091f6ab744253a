"""Metrics of generated samples: arrays in, numbers out.

The package stands alone: it imports nothing else of gan_jax, and reads no files except the weights
of feature extractors.
"""

import importlib
from typing import TYPE_CHECKING, Any

from gan_jax.metrics.classification_accuracy import (
    classification_accuracy_score,
    logistic_regression,
)
from gan_jax.metrics.codebook_usage import CodebookUsage, codebook_usage
from gan_jax.metrics.dci import DCI, ImportanceScores, dci, dci_from_importance
from gan_jax.metrics.density_coverage import DensityCoverage, density_coverage
from gan_jax.metrics.divergences import js_divergence, kl_divergence
from gan_jax.metrics.factor_vae_score import FactorVaeScore, factor_vae_score
from gan_jax.metrics.frechet import (
    frechet_distance,
    frechet_distance_by_size,
    frechet_distance_from_statistics,
    frechet_distance_infinity,
)
from gan_jax.metrics.inception_score import InceptionScore, inception_score
from gan_jax.metrics.kernel import KernelDistance, kernel_distance, kernel_distance_full
from gan_jax.metrics.memorisation import (
    Memorisation,
    NearestNeighbours,
    memorisation,
    nearest_neighbours,
)
from gan_jax.metrics.modes import ModeCoverage, label_coverage, mode_coverage, stacked_coverage
from gan_jax.metrics.mutual_information_gap import MutualInformationGap, mutual_information_gap
from gan_jax.metrics.optimal_transport import wasserstein_1, wasserstein_2
from gan_jax.metrics.parzen import parzen_log_likelihood, parzen_log_likelihoods, parzen_sigma
from gan_jax.metrics.path_length import PathLength, perceptual_path_length
from gan_jax.metrics.pixel_errors import mean_absolute_error, psnr
from gan_jax.metrics.precision_recall import PrecisionRecall, precision_recall
from gan_jax.metrics.sliced_transport import sliced_wasserstein_distance
from gan_jax.metrics.sliced_wasserstein import SlicedWasserstein, sliced_wasserstein
from gan_jax.metrics.statistics import FeatureStatistics, feature_statistics, merge_statistics
from gan_jax.metrics.structural import ms_ssim, ssim

if TYPE_CHECKING:
    from gan_jax.metrics.efficientnet import efficientnet_extractor, efficientnet_feature_maps
    from gan_jax.metrics.features import Extractor, IdentityExtractor
    from gan_jax.metrics.inception import inception_extractor
    from gan_jax.metrics.lenet import lenet_extractor
    from gan_jax.metrics.perceptual import (
        LayerNetwork,
        perceptual_distance,
        perceptual_distances,
    )
    from gan_jax.metrics.perceptual_networks import (
        layer_network,
        layers_of_alexnet,
        layers_of_efficientnet,
        layers_of_lenet,
        layers_of_vgg16,
    )

# These need Flax, which takes a second to import, and are imported when they are first used.
_LAZY = {
    "Extractor": "features",
    "IdentityExtractor": "features",
    "LayerNetwork": "perceptual",
    "efficientnet_extractor": "efficientnet",
    "efficientnet_feature_maps": "efficientnet",
    "inception_extractor": "inception",
    "layer_network": "perceptual_networks",
    "layers_of_alexnet": "perceptual_networks",
    "layers_of_efficientnet": "perceptual_networks",
    "layers_of_lenet": "perceptual_networks",
    "layers_of_vgg16": "perceptual_networks",
    "lenet_extractor": "lenet",
    "perceptual_distance": "perceptual",
    "perceptual_distances": "perceptual",
}

__all__ = [
    "CodebookUsage",
    "DCI",
    "DensityCoverage",
    "Extractor",
    "FactorVaeScore",
    "FeatureStatistics",
    "IdentityExtractor",
    "ImportanceScores",
    "InceptionScore",
    "KernelDistance",
    "LayerNetwork",
    "Memorisation",
    "ModeCoverage",
    "MutualInformationGap",
    "NearestNeighbours",
    "PathLength",
    "PrecisionRecall",
    "SlicedWasserstein",
    "classification_accuracy_score",
    "codebook_usage",
    "dci",
    "dci_from_importance",
    "density_coverage",
    "efficientnet_extractor",
    "efficientnet_feature_maps",
    "factor_vae_score",
    "feature_statistics",
    "frechet_distance",
    "frechet_distance_by_size",
    "frechet_distance_from_statistics",
    "frechet_distance_infinity",
    "inception_extractor",
    "inception_score",
    "js_divergence",
    "kernel_distance",
    "kernel_distance_full",
    "kl_divergence",
    "label_coverage",
    "layer_network",
    "layers_of_alexnet",
    "layers_of_efficientnet",
    "layers_of_lenet",
    "layers_of_vgg16",
    "lenet_extractor",
    "logistic_regression",
    "mean_absolute_error",
    "memorisation",
    "merge_statistics",
    "mode_coverage",
    "ms_ssim",
    "mutual_information_gap",
    "nearest_neighbours",
    "parzen_log_likelihood",
    "parzen_log_likelihoods",
    "parzen_sigma",
    "perceptual_distance",
    "perceptual_distances",
    "perceptual_path_length",
    "precision_recall",
    "psnr",
    "sliced_wasserstein",
    "sliced_wasserstein_distance",
    "ssim",
    "stacked_coverage",
    "wasserstein_1",
    "wasserstein_2",
]


if not TYPE_CHECKING:  # type checkers would take any misspelt name for an Any

    def __getattr__(name: str) -> Any:
        if name not in _LAZY:
            raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
        value = getattr(importlib.import_module(f"{__name__}.{_LAZY[name]}"), name)
        globals()[name] = value
        return value
