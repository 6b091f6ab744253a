"""What a classifier makes of generated samples."""

from collections.abc import Iterable

import numpy as np

from gan_jax import metrics
from gan_jax.errors import UserError
from gan_jax.evaluation.generated_samples import GeneratedSamples
from gan_jax.evaluation.protocol import Protocol
from gan_jax.evaluation.protocols.extractors import classify, load_classifier, load_extractor
from gan_jax.evaluation.protocols.naming import protocol_name
from gan_jax.evaluation.real_samples import RealSamples
from gan_jax.metrics.features import Extractor


def inception_score(
    extractor: str | Extractor = "inception",
    samples: int = 50_000,
    splits: int = 10,
    weights: str = "",
) -> Protocol:
    """Scores the Inception Score; under another classifier, a classifier score: ``cs_lenet_50k``.

    Gives ``mean`` and ``std`` over the splits, in [1, classes]: ``is50k/mean``.

    Args:
      extractor: whose classifier.
      samples: generated.
      splits: of the samples, in the order drawn.
      weights: the extractor's file, if it needs one.

    References:
      Salimans et al., "Improved techniques for training GANs" (2016), section 4.
    """
    classifier = load_classifier(extractor, weights)
    if splits > samples // 2:
        raise UserError(
            "the metric inception_score needs at least 2 samples per split, "
            f"not {samples} in {splits} splits"
        )

    def score(generated: GeneratedSamples) -> dict[str, float]:
        logits = classifier.logits(generated.features(classifier, samples))
        result = metrics.inception_score(logits, splits)
        return {"mean": result.mean, "std": result.std}

    return Protocol(
        protocol_name("is", "cs", classifier, samples),
        "inception_score",
        ("mean", "std"),
        samples,
        score,
        classifier,
        holds="features",
        settings=f"splits={splits}",
    )


def label_accuracy(
    extractor: str | Extractor = "lenet",
    samples: int = 10_000,
    split: str = "test",
    weights: str = "",
) -> Protocol:
    """Scores whether samples are of the class that they were generated for.

    Gives the share of generated samples that a classifier assigns to that class, in [0, 1], and
    ``real``, the classifier's accuracy on the split: ``label_accuracy_lenet_10k``.

    Args:
      extractor: whose classifier; its classes are those of the dataset.
      samples: generated.
      split: of the real data, all of which is classified.
      weights: the extractor's file, if it needs one.

    References:
      Shmelkov et al., "How good is my GAN?" (2018), GAN-test.
    """
    classifier = load_classifier(extractor, weights)
    assert classifier.head is not None
    classes = len(classifier.head[1])

    def score(generated: GeneratedSamples) -> dict[str, float]:
        real = generated.real
        return {
            "": _accuracy(classifier, generated.samples(samples)),
            "real": _accuracy(classifier, real.samples(split, real.size(split))),
        }

    def check_data(real: RealSamples) -> None:
        if real.train.classes == classes:
            return
        labels = "no labels (set dataset's labels=True)"
        if real.train.classes:
            labels = f"{real.train.classes} classes"
        raise UserError(
            f"the metric label_accuracy has a classifier of {classes} classes, "
            f"and the samples have {labels}"
        )

    return Protocol(
        protocol_name("label_accuracy", "label_accuracy", classifier, samples, split),
        "label_accuracy",
        ("", "real"),
        samples,
        score,
        classifier,
        split,
        whole_split=True,
        needs=("labels",),
        check_data=check_data,
    )


def classification_accuracy(
    extractor: str | Extractor = "lenet",
    samples: int = 10_000,
    split: str = "test",
    weights: str = "",
) -> Protocol:
    """Scores how well a classifier that learns from generated samples alone does on real ones.

    Gives the accuracy, in [0, 1], and ``real``, that of the same classifier after as many training
    samples: ``cas_lenet_10k``, ``cas_lenet_10k/real``. The classifier is a logistic regression on
    an extractor's features; the paper's is a ResNet-50, which is another scale. On the training
    data itself there is no ``real``.

    Args:
      extractor: whose features.
      samples: generated, to learn from; their classes are drawn in the proportions of the training
        data.
      split: of the real data, all of which is classified.
      weights: the extractor's file, if it needs one.

    References:
      Ravuri and Vinyals, "Classification accuracy score for conditional generative models" (2019),
      section 3.
    """
    network = load_extractor(extractor, weights)
    values = ("",) if split == "train" else ("", "real")

    def score(generated: GeneratedSamples) -> dict[str, float]:
        real, size = generated.real, generated.real.size(split)
        test = real.features(split, network, size), real.labels(split, size)
        fake_labels = generated.labels(samples)
        assert fake_labels is not None
        fake = generated.features(network, samples), fake_labels
        scores = {"": metrics.classification_accuracy_score(*fake, *test)}
        if "real" in values:
            train = real.features("train", network, samples), real.labels("train", samples)
            scores["real"] = metrics.classification_accuracy_score(*train, *test)
        return scores

    def check_data(real: RealSamples) -> None:
        if not real.train.classes:
            raise UserError(
                "the metric classification_accuracy needs samples with labels: "
                "set dataset's labels=True"
            )

    return Protocol(
        protocol_name("cas_inception_", "cas", network, samples, split),
        "classification_accuracy",
        values,
        samples,
        score,
        network,
        split,
        whole_split=True,
        holds="features",
        needs=("labels",),
        check_data=check_data,
    )


def cas(weights: str = "", samples: int = 50_000) -> Protocol:
    """Scores the classification accuracy of Inception features of 50,000 samples.

    The test split is classified: see `classification_accuracy`.
    """
    return classification_accuracy("inception", samples, "test", weights)


def _accuracy(
    classifier: Extractor, chunks: Iterable[tuple[np.ndarray, np.ndarray | None]]
) -> float:
    """The share of samples that are classified as their labels say; NaN if these are not known."""
    correct = []
    for images, label in chunks:
        if label is None:
            return float("nan")
        correct.append(classify(classifier, images) == label)
    return float(np.concatenate(correct).mean())
