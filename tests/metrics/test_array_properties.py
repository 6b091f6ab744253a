"""Metrics of whatever is no array of samples: a number, or ValueError in one line."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from properties import inputs, malformed_input, odd_arrays

from gan_jax import metrics
from gan_jax.metrics.features import Extractor

X = np.random.default_rng(0).normal(size=(12, 3))
LABELS = np.arange(12) % 3
EXTRACTOR = Extractor(
    name="mean",
    dimension=1,
    hash="",
    apply=lambda variables, images: images.mean(axis=(1, 2, 3))[:, None],
    variables=None,
    head=(np.ones((1, 2)), np.zeros(2)),
    batch_size=4,
    compile=lambda apply, variables: lambda images: apply(variables, images),
)

TAKES_ONE_ARRAY = {
    "feature_statistics": metrics.feature_statistics,
    "inception_score": metrics.inception_score,
    "label_coverage": metrics.label_coverage,
    "label_coverage with weights": lambda x: metrics.label_coverage(LABELS, 3, weights=x),
    "logistic_regression": lambda x: metrics.logistic_regression(x, LABELS),
    "logistic_regression's labels": lambda x: metrics.logistic_regression(X, x),
    "parzen_sigma's candidates": lambda x: metrics.parzen_sigma(X, X, x),
    "stacked_coverage": lambda x: metrics.stacked_coverage(x, lambda y: np.eye(len(y), 10)),
    "mode_coverage's std": lambda x: metrics.mode_coverage(X, X, x),
    "mode_coverage's weights": lambda x: metrics.mode_coverage(X, X, 1.0, weights=x),
    "kl_divergence's widths": lambda x: metrics.kl_divergence(X > 0, X > 0, x),
    "kernel_distance's subsets": lambda x: metrics.kernel_distance(X, X, (x, x)),
    "extractor": EXTRACTOR,
    "logits": EXTRACTOR.logits,
    "path length's positions": lambda x: metrics.perceptual_path_length(
        lambda latents: latents, lambda images: images, X, X, x
    ),
    "path length's embedding": lambda x: metrics.perceptual_path_length(
        lambda latents: latents, lambda images: x, X, X, np.zeros(12)
    ),
    "path length's labels": lambda x: metrics.perceptual_path_length(
        lambda latents, labels=None: latents, lambda images: images, X, X, np.zeros(12), labels=x
    ),
}
TAKES_TWO_ARRAYS = {
    "frechet_distance": metrics.frechet_distance,
    "frechet_distance_by_size": metrics.frechet_distance_by_size,
    "frechet_distance_infinity": metrics.frechet_distance_infinity,
    "frechet_distance_from_statistics": lambda x, y: metrics.frechet_distance_from_statistics(
        x, y, x, y
    ),
    "kernel_distance": lambda x, y: metrics.kernel_distance(x, y, subsets=3),
    "kernel_distance_full": metrics.kernel_distance_full,
    "precision_recall": lambda x, y: metrics.precision_recall(x, y, k=1),
    "density_coverage": lambda x, y: metrics.density_coverage(x, y, k=1),
    "mode_coverage": lambda x, y: metrics.mode_coverage(x, y, 1.0),
    "mode_coverage of all": lambda x, y: metrics.mode_coverage(
        x, y, 1.0, near="any", histogram="all"
    ),
    "wasserstein_1": metrics.wasserstein_1,
    "wasserstein_2": metrics.wasserstein_2,
    "parzen_log_likelihood": lambda x, y: metrics.parzen_log_likelihood(x, y, 1.0),
    "parzen_log_likelihoods": lambda x, y: metrics.parzen_log_likelihoods(x, y, 0.1),
    "parzen_sigma": metrics.parzen_sigma,
    "nearest_neighbours": metrics.nearest_neighbours,
    "memorisation": lambda x, y: metrics.memorisation(x, x, y),
    "memorisation of tests": lambda x, y: metrics.memorisation(x, y, x),
    "kl_divergence": metrics.kl_divergence,
    "js_divergence": metrics.js_divergence,
    "ssim": metrics.ssim,
    "ms_ssim": lambda x, y: metrics.ms_ssim(x, y, weights=(0.5, 0.5)),
    "sliced_wasserstein": lambda x, y: metrics.sliced_wasserstein(
        x, y, smallest=7, patches_per_image=4, directions=4
    ),
    "classification_accuracy_score": lambda x, y: metrics.classification_accuracy_score(x, y, x, y),
    "path length": lambda x, y: metrics.perceptual_path_length(
        lambda latents: latents, lambda images: images, x, y, np.zeros(12)
    ),
}


def check(function, *arguments):
    with malformed_input(ValueError), np.errstate(all="ignore"):
        result = function(*arguments)
        assert result is not None


@pytest.mark.parametrize("name", TAKES_ONE_ARRAY)
@inputs(0.2)
@given(array=odd_arrays())
def test_any_array_gives_a_number_or_one_line(name, array):
    check(TAKES_ONE_ARRAY[name], array)


@pytest.mark.parametrize("name", TAKES_TWO_ARRAYS)
@inputs(0.2)
@given(first=odd_arrays(), second=odd_arrays())
def test_any_two_arrays_give_a_number_or_one_line(name, first, second):
    check(TAKES_TWO_ARRAYS[name], first, second)


@pytest.mark.parametrize("name", TAKES_TWO_ARRAYS)
@inputs(0.2)
@given(array=odd_arrays())
def test_an_array_with_itself_gives_a_number_or_one_line(name, array):
    check(TAKES_TWO_ARRAYS[name], array, array)


odd_settings = (
    st.none()
    | st.integers()
    | st.floats()
    | st.text(max_size=3)
    | st.complex_numbers()
    | st.sampled_from((10**400, np.array([1, 2]), np.array(2), np.float32(3), (1, 2)))
)
SETTINGS = {
    "k of precision_recall": lambda x: metrics.precision_recall(X, X, k=x),
    "k of density_coverage": lambda x: metrics.density_coverage(X, X, k=x),
    "splits": lambda x: metrics.inception_score(X, splits=x),
    "sigma": lambda x: metrics.parzen_log_likelihood(X, X, x),
    "subset_size": lambda x: metrics.kernel_distance(X, X, 3, x),
    "std": lambda x: metrics.mode_coverage(X, X, x),
    "threshold": lambda x: metrics.mode_coverage(X, X, 1.0, threshold=x),
    "minimum": lambda x: metrics.mode_coverage(X, X, 1.0, minimum=x),
    "classes": lambda x: metrics.label_coverage(LABELS, x),
    "penalty": lambda x: metrics.logistic_regression(X, LABELS, x),
    "smallest": lambda x: metrics.frechet_distance_by_size(X, X, smallest=x),
}


@pytest.mark.parametrize("name", SETTINGS)
@inputs(0.2)
@given(value=odd_settings)
def test_any_setting_gives_a_number_or_one_line(name, value):
    check(SETTINGS[name], value)
