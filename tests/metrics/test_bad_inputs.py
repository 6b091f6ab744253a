"""Bad input is refused in one line that says what was found and what was expected."""

import numpy as np
import pytest

from gan_jax import metrics

X = np.random.default_rng(0).normal(size=(40, 4))
IMAGES = np.random.default_rng(0).uniform(-1, 1, (2, 32, 32, 3))
LABELS = np.arange(40) % 3
NAN = np.where(np.arange(40)[:, None] == 7, np.nan, X)

METRICS_OF_FEATURES = {
    "frechet_distance": metrics.frechet_distance,
    "frechet_distance_infinity": metrics.frechet_distance_infinity,
    "kernel_distance": metrics.kernel_distance,
    "kernel_distance_full": metrics.kernel_distance_full,
    "precision_recall": metrics.precision_recall,
    "density_coverage": metrics.density_coverage,
    "mode_coverage": lambda x, y: metrics.mode_coverage(x, y, 1.0),
    "wasserstein_1": metrics.wasserstein_1,
    "wasserstein_2": metrics.wasserstein_2,
    "parzen_log_likelihood": lambda x, y: metrics.parzen_log_likelihood(x, y, 1.0),
    "nearest_neighbours": metrics.nearest_neighbours,
    "memorisation": lambda x, y: metrics.memorisation(x, x, y),
}


@pytest.mark.parametrize("name", METRICS_OF_FEATURES)
@pytest.mark.parametrize(
    "arguments, found, expected",
    [
        pytest.param((X[None], X), "(1, 40, 4)", "[n, d]", id="rank"),
        pytest.param((X, X[:, :3]), "d = 3", "d = 4", id="width"),
        pytest.param((X, NAN), "nan at [7, 0]", "finite", id="nan"),
        pytest.param(
            (np.where(NAN != NAN, np.inf, X), X), "inf at [7, 0]", "finite", id="infinity"
        ),
        pytest.param((X > 0, X), "bool", "real numbers", id="bool"),
        pytest.param((X[:0], X), "(0, 4)", "n >= ", id="empty"),
    ],
)
def test_bad_features_are_refused_by_every_metric(name, arguments, found, expected):
    with pytest.raises(ValueError) as error:
        METRICS_OF_FEATURES[name](*arguments)
    message = str(error.value)
    assert found in message and "expected" in message and expected in message
    assert "\n" not in message


def call(function, *arguments, **settings):
    return lambda: getattr(metrics, function)(*arguments, **settings)


@pytest.mark.parametrize(
    "run, found",
    [
        (call("frechet_distance", X[:1], X), "(1, 4)"),
        (call("kernel_distance", X, X[:1]), "(1, 4)"),
        (call("kernel_distance", X, X, subset_size=41), "41"),
        (call("kernel_distance", X, X, subsets=(np.array([[0, 40]]), np.array([[0, 1]]))), "40"),
        (call("kernel_distance", X, X, subsets=0), "0"),
        (call("kernel_distance", X, X, subsets="all"), "'all'"),
        (
            call("kernel_distance", X, X, subsets=[np.array([[0, 1]])]),
            "expected a number or a pair",
        ),
        (call("kernel_distance", X, X, subsets=[np.array([["a", "b"]])] * 2), "<U1"),
        (call("precision_recall", X[:3], X, k=3), "3 samples"),
        (call("density_coverage", X, X, k=np.inf), "inf"),
        (call("precision_recall", X, X[:3], k=3), "3 samples"),
        (call("density_coverage", X, X, k=0), "0"),
        (call("frechet_distance_from_statistics", X[0], X[:3], X[0], X[:4]), "(3, 4)"),
        (call("frechet_distance_from_statistics", X[0], X[:4], X[0], X[:4]), "|S - S^T|"),
        (
            call("frechet_distance_from_statistics", X[0], -np.eye(4), X[0], np.eye(4)),
            "eigenvalue of -1",
        ),
        (call("frechet_distance_from_statistics", X[0], np.eye(4), X[0, :3], np.eye(4)), "(3,)"),
        (
            call(
                "merge_statistics",
                metrics.feature_statistics(X),
                metrics.feature_statistics(X[:, :2]),
            ),
            "d = 2",
        ),
        (lambda: metrics.feature_statistics(X[:1]).covariance, "1 sample"),
        (call("inception_score", X[0]), "(4,)"),
        (call("inception_score", X, splits=41), "41"),
        (call("inception_score", NAN), "nan"),
        (call("ssim", IMAGES[0], IMAGES[0]), "(32, 32, 3)"),
        (call("ssim", IMAGES, IMAGES[:1]), "(1, 32, 32, 3)"),
        (call("ssim", np.rint(IMAGES).astype(int), IMAGES), "int64"),
        (call("ssim", IMAGES * 255, IMAGES), "expected [-1, 1]"),
        (call("ssim", np.where(IMAGES > 0.9, np.nan, IMAGES), IMAGES), "nan"),
        (call("ssim", IMAGES[:, :8], IMAGES[:, :8]), "(2, 8, 32, 3)"),
        (call("ms_ssim", IMAGES, IMAGES), "(2, 32, 32, 3)"),
        (call("sliced_wasserstein", IMAGES, IMAGES[:1]), "(1, 32, 32, 3)"),
        (call("sliced_wasserstein", IMAGES[:, :12], IMAGES[:, :12]), "(2, 12, 32, 3)"),
        (call("sliced_wasserstein", IMAGES.astype(np.uint8), IMAGES), "uint8"),
        (call("mode_coverage", X, X, 0.0), "0.0"),
        (call("mode_coverage", X, X, np.ones(3)), "(3,)"),
        (call("mode_coverage", X, X, 1.0, near="all"), "'all'"),
        (call("label_coverage", LABELS.astype(float)), "float64"),
        (call("label_coverage", LABELS, classes=2), "[0, 2]"),
        (call("label_coverage", np.zeros((4, 9), int)), "9 channels of 10 classes"),
        (call("stacked_coverage", IMAGES, lambda x: np.zeros((2, 7))), "(2, 7)"),
        (call("kl_divergence", [1, 2], [1, 2, 3]), "(3,)"),
        (call("kl_divergence", [1, -2], [1, 2]), "-2"),
        (call("js_divergence", [0, 0], [1, 2]), "sum of 0"),
        (call("parzen_log_likelihood", X, X, 0), "0"),
        (call("parzen_sigma", X, X, []), "(0,)"),
        (call("parzen_sigma", X, X, [None]), "object"),
        (
            call("perceptual_path_length", np.copy, lambda images: 1.0, X, X, np.zeros(40)),
            "embeddings of shape ()",
        ),
        (call("perceptual_path_length", None, None, X, X, np.zeros(3)), "(3,)"),
        (
            call("perceptual_path_length", None, None, X, X, np.zeros(40), interpolation="cubic"),
            "'cubic'",
        ),
        (call("classification_accuracy_score", X, LABELS[:3], X, LABELS), "(40, 4)"),
        (call("classification_accuracy_score", X, LABELS + 0.5, X, LABELS), "float64"),
        (call("logistic_regression", X, np.zeros(40, int)), "one class"),
    ],
)
def test_other_bad_arguments_are_refused(run, found):
    with pytest.raises(ValueError) as error:
        run()
    message = str(error.value)
    assert found in message and "expected" in message and "\n" not in message


def test_a_window_as_wide_as_a_float_can_be_gives_a_number():
    assert np.isfinite(metrics.parzen_log_likelihood(X, X, 1e200))


def test_labels_may_be_unsigned():
    assert metrics.label_coverage(LABELS.astype(np.uint64), classes=3).modes == 3
