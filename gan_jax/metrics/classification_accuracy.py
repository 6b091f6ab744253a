"""Classification accuracy score: accuracy on real samples of a classifier trained on fakes."""

from typing import Protocol

import numpy as np

from gan_jax.metrics.checks import Array, ArrayLike, feature_matrix, positive


class Classifier(Protocol):
    """A function that labels samples."""

    def __call__(self, samples: Array, /) -> ArrayLike:
        """Returns labels ``[n]`` int of samples ``[n, ...]``."""
        ...


class FitFn(Protocol):
    """A function that trains a classifier."""

    def __call__(self, samples: Array, labels: Array, /) -> Classifier:
        """Returns a classifier trained on samples ``[n, ...]`` with labels ``[n]`` int."""
        ...


def classification_accuracy_score(
    fake: ArrayLike,
    fake_labels: ArrayLike,
    real: ArrayLike,
    real_labels: ArrayLike,
    fit: FitFn | None = None,
) -> float:
    """Computes the accuracy on real samples of a classifier trained on generated samples only.

    It falls with poor samples and with missing modes alike. Compare it with the score of the same
    classifier trained on as many real samples.

    Args:
      fake: generated samples ``[n, ...]``; for the default classifier, features ``[n, d]``.
      fake_labels: ``[n]`` int, the labels for which they were generated.
      real: held-out real samples ``[m, ...]``.
      real_labels: ``[m]`` int.
      fit: trains the classifier, ``(samples, labels) -> classifier``; by default
        `logistic_regression`.

    Returns:
      The share of real samples that are classified correctly, in [0, 1].

    Raises:
      ValueError: if samples and labels disagree in number or shape, or labels are not integers.

    References:
      Ravuri and Vinyals 2019, Classification accuracy score for conditional generative models,
      section 3.
    """
    fake, fake_labels = _labelled(fake, fake_labels, "fake")
    real, real_labels = _labelled(real, real_labels, "real")
    if fake.shape[1:] != real.shape[1:]:
        raise ValueError(
            f"real: found samples of shape {real.shape[1:]}, expected fake's {fake.shape[1:]}"
        )
    classifier = (fit or logistic_regression)(fake, fake_labels)
    predicted = np.asarray(classifier(real))
    if predicted.shape != real_labels.shape:
        raise ValueError(
            f"fit: found predictions of shape {predicted.shape}, expected {real_labels.shape}"
        )
    return float(np.mean(predicted == real_labels))


def logistic_regression(features: ArrayLike, labels: ArrayLike, penalty: float = 1.0) -> Classifier:
    """Fits a multinomial logistic regression to convergence by L-BFGS.

    Minimises ``sum_i -log p(y_i | x_i) + penalty |W|^2 / 2``, the bias not penalised, on features
    scaled to unit variance with the training set's statistics.

    Args:
      features: ``[n, d]``, any real dtype; computed in float64.
      labels: ``[n]`` int, of two classes or more.
      penalty: the weight of the squared norm.

    Returns:
      A classifier, ``features [m, d] -> labels [m]``.

    Raises:
      ValueError: if shapes disagree, a value is not finite, or there is only one class.
    """
    from scipy.optimize import minimize

    features, labels = _labelled(features, labels, "features")
    features = feature_matrix(features, "features", minimum=2)
    penalty = positive(penalty, "penalty")
    classes, targets = np.unique(labels, return_inverse=True)
    if len(classes) < 2:
        raise ValueError(f"labels: found the one class {classes[0]}, expected at least 2")
    mean, std = features.mean(axis=0), features.std(axis=0)
    std = np.where(std > 0, std, 1)
    x, one_hot = (features - mean) / std, np.eye(len(classes))[targets]

    def loss_and_gradient(parameters: Array) -> tuple[float, Array]:
        weights, bias = np.split(parameters.reshape(-1, len(classes)), [x.shape[1]])
        logits = x @ weights + bias
        logits -= logits.max(axis=1, keepdims=True)
        log_p = logits - np.log(np.exp(logits).sum(axis=1, keepdims=True))
        error = np.exp(log_p) - one_hot
        gradient = np.concatenate(
            [x.T @ error + penalty * weights, error.sum(axis=0, keepdims=True)]
        )
        return -np.sum(log_p * one_hot) + penalty / 2 * np.sum(weights**2), gradient.ravel()

    start = np.zeros((x.shape[1] + 1) * len(classes))
    options = {"maxiter": 1000, "gtol": 1e-5}
    result = minimize(loss_and_gradient, start, jac=True, method="L-BFGS-B", options=options)
    weights, bias = np.split(result.x.reshape(-1, len(classes)), [x.shape[1]])

    def classify(features: Array) -> Array:
        scaled = (feature_matrix(features, "features") - mean) / std
        predicted: Array = classes[(scaled @ weights + bias).argmax(axis=1)]
        return predicted

    return classify


def _labelled(samples: ArrayLike, labels: ArrayLike, name: str) -> tuple[Array, Array]:
    samples, labels = np.asarray(samples), np.asarray(labels)
    if labels.ndim != 1 or labels.dtype.kind not in "iu" or len(labels) == 0:
        raise ValueError(
            f"{name}_labels: found {labels.dtype} of shape {labels.shape}, "
            "expected integers [n], n >= 1"
        )
    if samples.ndim < 2 or len(samples) != len(labels):
        raise ValueError(
            f"{name}: found shape {samples.shape}, expected [{len(labels)}, ...], one per label"
        )
    return samples, labels
