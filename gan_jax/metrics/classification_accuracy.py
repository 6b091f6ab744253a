"""Classification accuracy score: how well a classifier trained on generated samples does on real ones."""

from collections.abc import Callable

import numpy as np

from gan_jax.metrics.checks import Array, ArrayLike, feature_matrix, positive

Classifier = Callable[[Array], ArrayLike]  # samples [n, ...] -> labels [n]
Fit = Callable[[Array, Array], Classifier]  # (samples [n, ...], labels [n]) -> Classifier


def classification_accuracy_score(
    fake: ArrayLike,
    fake_labels: ArrayLike,
    real: ArrayLike,
    real_labels: ArrayLike,
    fit: Fit | None = None,
) -> float:
    """Accuracy on real samples of a classifier that was trained on generated samples alone.

    It falls with poor samples and with missing modes alike. Compare it with the same classifier trained on as many real
    samples.

    Args:
      fake: generated samples ``[n, ...]``; for the default classifier features ``[n, d]``.
      fake_labels: ``[n]`` int, the labels that they were generated for.
      real: held-out real samples ``[m, ...]``.
      real_labels: ``[m]`` int.
      fit: ``(samples, labels) -> classifier``; `logistic_regression` where None.

    Returns:
      The share of real samples that are classified right, in [0, 1].

    Raises:
      ValueError: samples and labels disagree in number or shape, or labels are not integers.

    References:
      Ravuri and Vinyals 2019, Classification accuracy score for conditional generative models, section 3.
    """
    fake, fake_labels = _labelled(fake, fake_labels, "fake")
    real, real_labels = _labelled(real, real_labels, "real")
    if fake.shape[1:] != real.shape[1:]:
        raise ValueError(
            f"real: found samples of shape {real.shape[1:]}, expected fake's {fake.shape[1:]}"
        )
    predicted = np.asarray((fit or logistic_regression)(fake, fake_labels)(real))
    if predicted.shape != real_labels.shape:
        raise ValueError(
            f"fit: found predictions of shape {predicted.shape}, expected {real_labels.shape}"
        )
    return float(np.mean(predicted == real_labels))


def logistic_regression(features: ArrayLike, labels: ArrayLike, penalty: float = 1.0) -> Classifier:
    """Multinomial logistic regression, fitted to convergence by L-BFGS.

    Minimises ``sum_i -log p(y_i | x_i) + penalty |W|^2 / 2``, the bias not penalised, on features that are scaled to unit
    variance with the training set's statistics.

    Args:
      features: ``[n, d]``, any real dtype; computed in float64.
      labels: ``[n]`` int, of two classes or more.
      penalty: weight of the squared norm.

    Returns:
      ``features [m, d] -> labels [m]``.

    Raises:
      ValueError: shapes disagree, a value is not finite, or there is one class only.
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
    x, hot = (features - mean) / std, np.eye(len(classes))[targets]

    def loss(flat: Array) -> tuple[float, Array]:
        weights, bias = np.split(flat.reshape(-1, len(classes)), [x.shape[1]])
        logits = x @ weights + bias
        logits -= logits.max(axis=1, keepdims=True)
        log_p = logits - np.log(np.exp(logits).sum(axis=1, keepdims=True))
        error = np.exp(log_p) - hot
        gradient = np.concatenate(
            [x.T @ error + penalty * weights, error.sum(axis=0, keepdims=True)]
        )
        return -np.sum(log_p * hot) + penalty / 2 * np.sum(weights**2), gradient.ravel()

    start = np.zeros((x.shape[1] + 1) * len(classes))
    flat = minimize(
        loss, start, jac=True, method="L-BFGS-B", options={"maxiter": 1000, "gtol": 1e-5}
    ).x
    weights, bias = np.split(flat.reshape(-1, len(classes)), [x.shape[1]])
    return lambda new: classes[
        ((feature_matrix(new, "features") - mean) / std @ weights + bias).argmax(axis=1)
    ]


def _labelled(samples: ArrayLike, labels: ArrayLike, name: str) -> tuple[Array, Array]:
    samples, labels = np.asarray(samples), np.asarray(labels)
    if labels.ndim != 1 or labels.dtype.kind not in "iu" or len(labels) == 0:
        raise ValueError(
            f"{name}_labels: found {labels.dtype} of shape {labels.shape}, expected integers [n], n >= 1"
        )
    if samples.ndim < 2 or len(samples) != len(labels):
        raise ValueError(
            f"{name}: found shape {samples.shape}, expected [{len(labels)}, ...] as there are labels"
        )
    return samples, labels
