"""What generated samples and learned features are worth to a classifier of real images."""

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any, NamedTuple

import _image_runs as images
import numpy as np

if TYPE_CHECKING:
    from gan_jax.experiment.loading import LoadedRun

CLASSES = 10


class Labelled(NamedTuple):
    """Images ``[n, 28, 28, 1]`` uint8 and their labels ``[n]``."""

    images: np.ndarray
    label: np.ndarray

    def first(self, n: int) -> "Labelled":
        """Returns the first n images."""
        return Labelled(self.images[:n], self.label[:n])


class Sizes(NamedTuple):
    """How many images are used.

    Attributes:
      nearest: to train the nearest-neighbour classifier.
      classifier: to train the classifier of LeNet features.
      test: to test both.
      labelled: to train the classifiers of other features, several numbers.
    """

    nearest: int
    classifier: int
    test: int
    labelled: tuple[int, ...]


def real_images(split: str) -> Labelled:
    """Returns the images of a split of Fashion-MNIST with their labels."""
    from gan_jax import data

    arrays = data.fashion_mnist(split).arrays
    assert arrays is not None
    return Labelled(np.asarray(arrays["real"]), np.asarray(arrays["label"]))


def samples_of(run: "LoadedRun", n: int) -> Labelled:
    """Returns n samples of a generator that takes labels, each of the ten classes in turn."""
    from gan_jax.evaluation.generated_samples import evaluation_key

    label = np.arange(n) % CLASSES
    return Labelled(images.pixels(run.sampler(evaluation_key(0), n, label)), label)


# ------------------------------------------------------------------------------------- classifiers


def scores(train: Labelled, test: Labelled, sizes: Sizes) -> dict[str, float]:
    """Returns what training images, real or generated, teach about test images.

    Args:
      train: images to learn from.
      test: real images.
      sizes: how many are used.

    Returns:
      ``"nearest"``, the accuracy of the nearest neighbour in pixels; ``"cas"``, that of a logistic
      regression on LeNet features; and ``"agree"``, how often LeNet itself, trained on all real
      images, gives ``train`` its labels.
    """
    from gan_jax import metrics

    test = test.first(sizes.test)
    learned = train.first(sizes.classifier)
    features, logits = lenet(learned.images)
    cas = metrics.classification_accuracy_score(
        features, learned.label, lenet(test.images)[0], test.label
    )
    return {
        "nearest": nearest_accuracy(train.first(sizes.nearest), test),
        "cas": cas,
        "agree": float(np.mean(logits.argmax(axis=1) == learned.label)),
    }


def nearest_accuracy(train: Labelled, test: Labelled) -> float:
    """Returns the accuracy of the label of the nearest training image, Euclidean in pixels."""
    from gan_jax import metrics

    nearest = metrics.nearest_neighbours(
        images.flat(test.images), images.flat(train.images)
    ).indices
    return float(np.mean(train.label[nearest] == test.label))


def lenet(pixels: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Returns LeNet's features ``[n, 128]`` and logits ``[n, 10]`` of images in uint8."""
    from gan_jax.evaluation.protocols.extractors import load_classifier

    classifier = load_classifier("lenet", "")
    features = np.asarray(classifier(images.decoded(pixels)))
    return features, np.asarray(classifier.logits(features))


# ---------------------------------------------------------------------------------------- features


def accuracy_by_labels(
    train: np.ndarray,
    train_label: np.ndarray,
    test: np.ndarray,
    test_label: np.ndarray,
    labelled: Sequence[int],
) -> dict[str, float]:
    """Returns the accuracy of a logistic regression by the number of labels that it learns from."""
    from gan_jax import metrics

    return {
        str(n): metrics.classification_accuracy_score(train[:n], train_label[:n], test, test_label)
        for n in labelled
    }


def discriminator_features(run: "LoadedRun", params: Any, pixels: np.ndarray) -> np.ndarray:
    """Returns the input of a discriminator's last layer, ``[n, features]``, of images in uint8.

    Images go through it in batches of 500, over which BatchNorm averages.
    """
    import jax

    compute = run.networks.features
    assert compute is not None
    program = jax.jit(compute)
    return np.concatenate(
        [
            np.asarray(program(params, images.decoded(pixels[start : start + 500])))
            for start in range(0, len(pixels), 500)
        ]
    )


def feature_scores(
    run: "LoadedRun", params: Any, train: Labelled, test: Labelled, sizes: Sizes
) -> Mapping[str, float]:
    """Returns `accuracy_by_labels` of the features of a discriminator with these parameters."""
    train, test = train.first(max(sizes.labelled)), test.first(sizes.test)
    train_features, test_features = (
        discriminator_features(run, params, of.images) for of in (train, test)
    )
    return accuracy_by_labels(
        train_features, train.label, test_features, test.label, sizes.labelled
    )


def pixel_scores(train: Labelled, test: Labelled, sizes: Sizes) -> Mapping[str, float]:
    """Returns `accuracy_by_labels` of the pixels themselves."""
    train, test = train.first(max(sizes.labelled)), test.first(sizes.test)
    return accuracy_by_labels(
        images.flat(train.images), train.label, images.flat(test.images), test.label, sizes.labelled
    )
