"""What a classifier makes of generated samples."""

from typing import Any

import numpy as np

from gan_jax import metrics
from gan_jax.errors import UserError
from gan_jax.evaluation import GeneratedSamples, Protocol, RealSamples
from gan_jax.evaluation.protocols.extractors import classifier_of, extractor_of, labels_of
from gan_jax.evaluation.protocols.naming import named
from gan_jax.metrics.features import Extractor


def inception_score(
    extractor: str | Extractor = "inception",
    samples: int = 50_000,
    splits: int = 10,
    weights: str = "",
) -> Protocol:
    """Inception Score; under another classifier it is called a classifier score, ``cs_lenet_50k``.

    Gives ``mean`` and ``std`` over the splits, in [1, classes]: ``is50k/mean``.

    Args:
      extractor: whose classifier.
      samples: generated.
      splits: of the samples, in the order drawn.
      weights: the extractor's file, where it needs one.

    Source: Salimans et al., "Improved techniques for training GANs" (2016), section 4.
    """
    network = classifier_of(extractor, weights)
    if splits > samples // 2:
        raise UserError(
            f"the metric inception_score needs 2 samples a split or more, not {samples} in {splits} splits"
        )

    def score(subject: GeneratedSamples) -> dict[str, float]:
        found = metrics.inception_score(network.logits(subject.features(network, samples)), splits)
        return {"mean": found.mean, "std": found.std}

    return Protocol(
        named("is", "cs", network, samples), "inception_score", ("mean", "std"), samples, score, network, holds=True,
        settings=f"splits={splits}",
    )  # fmt: skip


def label_accuracy(
    extractor: str | Extractor = "lenet",
    samples: int = 10_000,
    split: str = "test",
    weights: str = "",
) -> Protocol:
    """The share of generated samples that a classifier gives the label they were drawn with: that labels are obeyed.

    Gives the share, in [0, 1], and ``real``, the classifier's accuracy on the split: ``label_accuracy_lenet_10k``.

    Args:
      extractor: whose classifier; its classes are those of the dataset.
      samples: generated.
      split: of the real data, all of which is classified.
      weights: the extractor's file, where it needs one.

    Source: Shmelkov et al., "How good is my GAN?" (2018), GAN-test.
    """
    network = classifier_of(extractor, weights)
    assert network.head is not None
    classes = len(network.head[1])

    def score(subject: GeneratedSamples) -> dict[str, float]:
        return {
            "": _accuracy(network, subject.samples(samples)),
            "real": _accuracy(network, subject.reals.samples(split, subject.reals.size(split))),
        }

    def suits(reals: RealSamples) -> None:
        if reals.train.classes != classes:
            has = (
                f"{reals.train.classes} classes"
                if reals.train.classes
                else "no labels (set dataset's labels=True)"
            )
            raise UserError(
                f"the metric label_accuracy has a classifier of {classes} classes, and the samples have {has}"
            )

    return Protocol(
        named("label_accuracy", "label_accuracy", network, samples, split), "label_accuracy", ("", "real"), samples, score,
        network, split, whole=True, suits=suits,
    )  # fmt: skip


def classification_accuracy(
    extractor: str | Extractor = "lenet",
    samples: int = 10_000,
    split: str = "test",
    weights: str = "",
) -> Protocol:
    """Classification accuracy score: how well a classifier that learns from generated samples alone does on real ones.

    Gives the accuracy, in [0, 1], and ``real``, that of the same classifier after as many training samples:
    ``cas_lenet_10k``, ``cas_lenet_10k/real``. The classifier is a logistic regression on an extractor's features; the
    paper's is a ResNet-50, which is another scale. On the training data itself there is no ``real``.

    Args:
      extractor: whose features.
      samples: generated, to learn from; their classes are drawn in the proportions of the training data.
      split: of the real data, all of which is classified.
      weights: the extractor's file, where it needs one.

    Source: Ravuri and Vinyals, "Classification accuracy score for conditional generative models" (2019), section 3.
    """
    network = extractor_of(extractor, weights)

    def score(subject: GeneratedSamples) -> dict[str, float]:
        reals, size = subject.reals, subject.reals.size(split)
        test = reals.features(split, network, size), reals.labels(split, size)
        fake = subject.features(network, samples), subject.labels(samples)
        found = {"": metrics.classification_accuracy_score(*fake, *test)}
        if "real" in values:
            train = reals.features("train", network, samples), reals.labels("train", samples)
            found["real"] = metrics.classification_accuracy_score(*train, *test)
        return found

    def suits(reals: RealSamples) -> None:
        if not reals.train.classes:
            raise UserError(
                "the metric classification_accuracy needs samples with labels: set dataset's labels=True"
            )

    values = ("",) if split == "train" else ("", "real")
    return Protocol(
        named("cas_inception_", "cas", network, samples, split), "classification_accuracy", values, samples, score, network,
        split, whole=True, holds=True, suits=suits,
    )  # fmt: skip


def cas(weights: str = "", samples: int = 50_000) -> Protocol:
    """Classification accuracy score of Inception features of 50,000 samples, on the test split: `classification_accuracy`."""
    return classification_accuracy("inception", samples, "test", weights)


def _accuracy(network: Extractor, chunks: Any) -> float:
    """NaN where the labels are not known."""
    right = [
        np.full(len(x), np.nan) if label is None else labels_of(network, x) == label
        for x, label in chunks
    ]
    return float(np.concatenate(right).mean())
